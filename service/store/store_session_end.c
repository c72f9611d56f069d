/* How sessions end: by hand, with their user or client, or because another begins. Time ends the rest:
 * store_time.c. */
#include <stdio.h>

#include "service/store/inside.h"

struct ending {
    const char *id;
    int64_t now_ms;
};

static const char END_ONE[] = "UPDATE sessions SET ended_ms = ?2 WHERE id = ?1";

static enum sa_status
find_ended(struct sa_sql *sql, const char *id, bool *ret_ended)
{
    static const char ENDED[] = "SELECT ended_ms FROM sessions WHERE id = ?";

    SA_QUERY(query, sql, ENDED);
    sa_put_text(&query, id);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        *ret_ended = sa_get_int(&query) != 0;
    return status;
}

static enum sa_status
end(struct sa_sql *sql, struct sa_work *work)
{
    const struct ending *ending = work->context;
    enum sa_status status = find_ended(sql, ending->id, &work->silent);

    if (status != SA_OK || work->silent)
        return status;
    SA_QUERY(query, sql, END_ONE);
    sa_put_text(&query, ending->id);
    sa_put_int(&query, ending->now_ms);
    return sa_query_run(&query);
}

enum sa_status
sa_store_session_end(struct sa_store *store, const char *id, int64_t now_ms, const struct sa_audit *audit)
{
    struct ending ending = {id, now_ms};
    struct sa_work work = sa_work(end, &ending, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
use(struct sa_sql *sql, struct sa_work *work)
{
    static const char USE[] = "UPDATE sessions SET last_used_ms = ?2 WHERE id = ?1 AND ended_ms = 0";
    const struct ending *used = work->context;

    SA_QUERY(query, sql, USE);
    sa_put_text(&query, used->id);
    sa_put_int(&query, used->now_ms);
    return sa_query_run_found(&query);
}

enum sa_status
sa_store_session_use(struct sa_store *store, const char *id, int64_t now_ms, const struct sa_audit *audit)
{
    struct ending used = {id, now_ms};
    struct sa_work work = sa_work(use, &used, audit);

    return sa_store_write(store, &work);
}

/* ---- many at once ---- */

enum sa_status
sa_sessions_end_of_user(struct sa_sql *sql, const char *subject, const char *spare, int64_t now_ms)
{
    static const char END[] =
        "UPDATE sessions SET ended_ms = ?3 WHERE subject = ?1 AND ended_ms = 0 AND id <> ?2";

    SA_QUERY(query, sql, END);
    sa_put_text(&query, subject);
    sa_put_text(&query, spare);
    sa_put_int(&query, now_ms);
    return sa_query_run(&query);
}

enum sa_status
sa_sessions_end_of_client(struct sa_sql *sql, uint32_t client_row, int64_t now_ms)
{
    static const char END[] = "UPDATE sessions SET ended_ms = ?2 WHERE client_row = ?1 AND ended_ms = 0";

    SA_QUERY(query, sql, END);
    sa_put_int(&query, client_row);
    sa_put_int(&query, now_ms);
    return sa_query_run(&query);
}

struct sweeping {
    const char *subject;
    const char *spare;
    int64_t now_ms;
    unsigned ended;
    char detail[SA_ID_LEN + 40]; /* the record's */
};

/* Whether the one that is spared is the subject's. */
static enum sa_status
check_spare(struct sa_sql *sql, const struct sweeping *sweeping)
{
    static const char SPARE[] = "SELECT 1 " SA_SESSION_LIVE "AND s.id = ?2 AND s.subject = ?3";

    if (sweeping->spare[0] == '\0')
        return SA_OK;
    SA_QUERY(query, sql, SPARE);
    sa_put_int(&query, sweeping->now_ms);
    sa_put_text(&query, sweeping->spare);
    sa_put_text(&query, sweeping->subject);
    return sa_query_step(&query);
}

static enum sa_status
count_live(struct sa_sql *sql, const char *subject, int64_t now_ms, unsigned *ret_count)
{
    static const char COUNT[] = "SELECT count(*) " SA_SESSION_LIVE "AND s.subject = ?2";

    SA_QUERY(query, sql, COUNT);
    sa_put_int(&query, now_ms);
    sa_put_text(&query, subject);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        *ret_count = (unsigned)sa_get_int(&query);
    return status;
}

static enum sa_status
sweep(struct sa_sql *sql, struct sa_work *work)
{
    struct sweeping *sweeping = work->context;
    enum sa_status status = check_spare(sql, sweeping);

    if (status == SA_OK)
        status = count_live(sql, sweeping->subject, sweeping->now_ms, &sweeping->ended);
    if (status != SA_OK)
        return status;
    sweeping->ended -= sweeping->spare[0] != '\0'; /* it is one of them */
    snprintf(sweeping->detail, sizeof(sweeping->detail), "sessions=%u%s%s", sweeping->ended,
             sweeping->spare[0] == '\0' ? "" : " spared=", sweeping->spare);
    work->record.detail = sweeping->detail;
    return sa_sessions_end_of_user(sql, sweeping->subject, sweeping->spare, sweeping->now_ms);
}

enum sa_status
sa_store_session_end_all(struct sa_store *store, const char *subject, const char *spare, int64_t now_ms,
                         const struct sa_audit *audit, unsigned *ret_ended)
{
    struct sweeping sweeping = {.subject = subject, .spare = spare == NULL ? "" : spare, .now_ms = now_ms};
    struct sa_work work = sa_work(sweep, &sweeping, audit);
    enum sa_status status = sa_store_write(store, &work);

    if (status == SA_OK)
        *ret_ended = sweeping.ended;
    return status;
}

/* ---- a limit for each user ---- */

/* The live ones that were not used for longest. */
static enum sa_status
find_oldest(struct sa_sql *sql, const struct sa_session *newcomer, unsigned limit,
            struct sa_over_limit *ended)
{
    static const char OLDEST[] = "SELECT s.id, s.client_id, s.service, s.source " SA_SESSION_LIVE
                                 "AND s.subject = ?2 ORDER BY s.last_used_ms, s.number LIMIT ?3";
    enum sa_status status;

    SA_QUERY(query, sql, OLDEST);
    sa_put_int(&query, newcomer->created_ms);
    sa_put_text(&query, newcomer->subject);
    sa_put_int(&query, limit);
    while ((status = sa_query_step(&query)) == SA_OK) {
        struct sa_over_limit_row *row = &ended->rows[ended->count++];

        sa_get_text(&query, row->id, sizeof(row->id));
        sa_get_text(&query, row->client_id, sizeof(row->client_id));
        sa_get_text(&query, row->service, sizeof(row->service));
        sa_get_text(&query, row->source, sizeof(row->source));
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

/* Who did it and when is what the newcomer's own record says. */
static void
say_over_limit(const struct sa_audit *audit, unsigned place, struct sa_over_limit *ended)
{
    const struct sa_over_limit_row *row = &ended->rows[place];
    struct sa_audit *record = &ended->records[place];

    *record = *audit;
    record->event = SA_EVENT_SESSION_LIMIT;
    record->reason = NULL;
    record->detail = ended->detail;
    record->session_id = row->id;
    record->client_id = row->client_id;
    record->service = row->service;
    record->source = row->source;
}

enum sa_status
sa_sessions_end_over_limit(struct sa_sql *sql, const struct sa_session *newcomer,
                           const struct sa_audit *audit, struct sa_over_limit *ret_ended)
{
    unsigned live;

    ret_ended->count = 0;
    if (newcomer->user_limit == 0)
        return SA_OK;
    enum sa_status status = count_live(sql, newcomer->subject, newcomer->created_ms, &live);
    if (status != SA_OK || live < newcomer->user_limit)
        return status;
    unsigned over = live + 1 - newcomer->user_limit;
    status = find_oldest(sql, newcomer, over < SA_OVER_LIMIT_MAX ? over : SA_OVER_LIMIT_MAX, ret_ended);
    snprintf(ret_ended->detail, sizeof(ret_ended->detail), "began=%s", newcomer->id);
    for (unsigned i = 0; i < ret_ended->count && status == SA_OK; i++) {
        SA_QUERY(query, sql, END_ONE);
        sa_put_text(&query, ret_ended->rows[i].id);
        sa_put_int(&query, newcomer->created_ms);
        status = sa_query_run(&query);
        say_over_limit(audit, i, ret_ended);
    }
    return status;
}
