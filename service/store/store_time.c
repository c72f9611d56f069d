/* What time ends: sessions that are too old or were not used, and rows that nothing needs any more. */
#include <stdlib.h>

#include "service/store/inside.h"

/* An ended session keeps its row, and a revocation its own, for longer than any token lives that names it. */
#define KEEP_MS INT64_C(3600000)

/* ---- sessions whose time is over ---- */

#define LOOKED_AT 1024 /* rows a turn, in the search for sessions that were not used */

struct over {
    int64_t number;
    struct sa_over_limit_row row;
    char subject[SA_ID_LEN + 1];
    char user[SA_USER_NAME_MAX + 1];
    bool aged;
};

/* The sessions of one turn: found by a reader, ended by the writer, if they are still what they were. */
struct expiring {
    int64_t now_ms;
    int64_t after; /* the row that the last turn's search ended at */
    unsigned limit;
    unsigned count;
    unsigned ended;
    struct over over[SA_EXPIRE_MAX];
    struct sa_audit records[SA_EXPIRE_MAX];
};

static enum sa_status
find_over(struct sa_query *query, struct expiring *expiring, bool aged)
{
    enum sa_status status = SA_OK;

    while (expiring->count < expiring->limit && (status = sa_query_step(query)) == SA_OK) {
        struct over *over = &expiring->over[expiring->count++];

        over->number = sa_get_int(query);
        sa_get_text(query, over->row.id, sizeof(over->row.id));
        sa_get_text(query, over->subject, sizeof(over->subject));
        sa_get_text(query, over->user, sizeof(over->user));
        sa_get_text(query, over->row.client_id, sizeof(over->row.client_id));
        sa_get_text(query, over->row.service, sizeof(over->row.service));
        sa_get_text(query, over->row.source, sizeof(over->row.source));
        over->aged = aged;
    }
    return status == SA_NOT_FOUND || status == SA_OK ? sa_query_done(query) : status;
}

#define OVER_COLUMNS "SELECT number, id, subject, user, client_id, service, source FROM sessions "
#define UNUSED       "idle_ms > 0 AND last_used_ms + idle_ms <= ?1 "

static enum sa_status
find_aged(struct sa_sql *sql, struct expiring *expiring)
{
    static const char AGED[] = OVER_COLUMNS "WHERE ended_ms = 0 AND expires_ms <= ?1 LIMIT ?2";

    SA_QUERY(query, sql, AGED);
    sa_put_int(&query, expiring->now_ms);
    sa_put_int(&query, (int64_t)expiring->limit);
    return find_over(&query, expiring, true);
}

/* How far this turn looks; 0 where there is no row left to look at. */
static enum sa_status
find_last(struct sa_sql *sql, int64_t after, int64_t *ret_last)
{
    static const char LAST[] = "SELECT max(number) FROM (SELECT number FROM sessions WHERE number > ?1 "
                               "ORDER BY number LIMIT ?2)";

    SA_QUERY(query, sql, LAST);
    sa_put_int(&query, after);
    sa_put_int(&query, LOOKED_AT);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        *ret_last = sa_get_int(&query);
    return status;
}

/*
 * A part of the table a turn, in the order of its rows: an index by the end of disuse would be written to at
 * each refresh.
 */
static enum sa_status
find_unused(struct sa_sql *sql, struct expiring *expiring)
{
    static const char UNUSED_ROWS[] = OVER_COLUMNS "WHERE number > ?3 AND number <= ?4 AND ended_ms = 0 AND "
                                                   "expires_ms > ?1 AND " UNUSED "ORDER BY number LIMIT ?2";
    int64_t last = 0;
    enum sa_status status = find_last(sql, expiring->after, &last);

    if (status == SA_OK && last == 0) { /* the end of the table */
        expiring->after = 0;
        status = find_last(sql, 0, &last);
    }
    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, UNUSED_ROWS);
    sa_put_int(&query, expiring->now_ms);
    sa_put_int(&query, (int64_t)(expiring->limit - expiring->count));
    sa_put_int(&query, expiring->after);
    sa_put_int(&query, last);
    status = find_over(&query, expiring, false);
    expiring->after = expiring->count < expiring->limit ? last : expiring->over[expiring->count - 1].number;
    return status;
}

static enum sa_status
find_expired(struct sa_sql *sql, void *context)
{
    struct expiring *expiring = context;
    enum sa_status status = find_aged(sql, expiring);

    return status == SA_OK && expiring->count < expiring->limit ? find_unused(sql, expiring) : status;
}

static enum sa_status
end_one(struct sa_sql *sql, const struct expiring *expiring, const struct over *over, bool *ret_ended)
{
    static const char END[] = "UPDATE sessions SET ended_ms = ?1 WHERE number = ?2 AND ended_ms = 0 AND "
                              "(expires_ms <= ?1 OR (" UNUSED "))";

    SA_QUERY(query, sql, END);
    sa_put_int(&query, expiring->now_ms);
    sa_put_int(&query, over->number);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        *ret_ended = sa_query_changed(&query) > 0;
    return status;
}

static void
say_over(const struct over *over, int64_t now_ms, struct sa_audit *record)
{
    *record = sa_audit(SA_EVENT_SESSION_EXPIRE);
    record->outcome = SA_OUTCOME_GRANTED;
    record->time_ms = now_ms;
    record->reason = over->aged ? "AGE" : "DISUSE";
    record->user = over->user;
    record->subject = over->subject;
    record->session_id = over->row.id;
    record->client_id = over->row.client_id;
    record->service = over->row.service;
    record->source = over->row.source;
}

static enum sa_status
end_expired(struct sa_sql *sql, struct sa_work *work)
{
    struct expiring *expiring = work->context;

    for (unsigned i = 0; i < expiring->count; i++) {
        bool ended;
        enum sa_status status = end_one(sql, expiring, &expiring->over[i], &ended);

        if (status != SA_OK)
            return status;
        if (ended)
            say_over(&expiring->over[i], expiring->now_ms, &expiring->records[expiring->ended++]);
    }
    sa_work_say(work, expiring->records, expiring->ended);
    return SA_OK;
}

enum sa_status
sa_store_session_expire(struct sa_store *store, int64_t now_ms, unsigned limit, unsigned *ret_ended)
{
    struct expiring *expiring = calloc(1, sizeof(*expiring));

    if (expiring == NULL)
        return SA_NO_MEMORY;
    expiring->now_ms = now_ms;
    expiring->limit = limit < SA_EXPIRE_MAX ? limit : SA_EXPIRE_MAX;
    expiring->after = store->unused_after;
    enum sa_status status = sa_store_read(store, find_expired, expiring);
    if (status == SA_OK && expiring->count > 0) {
        struct sa_audit record = sa_audit(SA_EVENT_SESSION_EXPIRE);
        struct sa_work work = sa_work(end_expired, expiring, &record);
        status = sa_store_write(store, &work);
    }
    if (status == SA_OK) {
        store->unused_after = expiring->after;
        *ret_ended = expiring->ended;
    }
    free(expiring);
    return status;
}

/* ---- rows that nothing needs ---- */

struct purging {
    int64_t before_ms;
    int64_t known_s;
    unsigned limit;
    unsigned removed;
};

static enum sa_status
purge_some(struct sa_sql *sql, const char *text, int64_t before, struct purging *purging)
{
    SA_QUERY(query, sql, text);
    sa_put_int(&query, before);
    sa_put_int(&query, (int64_t)(purging->limit - purging->removed));
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        purging->removed += sa_query_changed(&query);
    return status;
}

/* By the end of their life, in milliseconds or in seconds. */
static const struct {
    const char *text;
    int64_t unit_ms;
} PURGES[] = {
    {"DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE ended_ms > 0 AND ended_ms < ?1 "
     "LIMIT ?2)",
     1},
    {"DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE exp_s < ?1 LIMIT ?2)",
     1000},
    {"DELETE FROM api_keys WHERE number IN (SELECT number FROM api_keys WHERE expires_ms > 0 AND expires_ms "
     "< ?1 "
     "LIMIT ?2)",
     1},
    {"DELETE FROM revocations WHERE sequence IN (SELECT sequence FROM revocations WHERE until_ms < ?1 LIMIT "
     "?2)",
     1},
    {"DELETE FROM not_before WHERE (kind, key) IN (SELECT kind, key FROM not_before WHERE until_ms < ?1 "
     "LIMIT ?2)",
     1},
    {"DELETE FROM pairs WHERE key IN (SELECT key FROM pairs WHERE expires_ms < ?1 LIMIT ?2)", 1},
    {"DELETE FROM guards WHERE name IN (SELECT name FROM guards WHERE expires_ms < ?1 LIMIT ?2)", 1},
};

static enum sa_status
purge(struct sa_sql *sql, struct sa_work *work)
{
    static const char KNOWN[] = "DELETE FROM known_sources WHERE (subject, source) IN "
                                "(SELECT subject, source FROM known_sources WHERE used_s < ?1 LIMIT ?2)";
    struct purging *purging = work->context;
    enum sa_status status = SA_OK;

    for (size_t i = 0; i < SA_COUNT(PURGES) && status == SA_OK; i++)
        status = purge_some(sql, PURGES[i].text, purging->before_ms / PURGES[i].unit_ms, purging);
    if (status == SA_OK)
        status = purge_some(sql, KNOWN, purging->before_ms / 1000 - purging->known_s, purging);
    return status;
}

enum sa_status
sa_store_purge(struct sa_store *store, int64_t now_ms, int64_t known_s, unsigned limit, unsigned *ret_removed)
{
    struct purging purging = {.before_ms = now_ms - KEEP_MS, .known_s = known_s, .limit = limit};
    struct sa_work work = sa_work(purge, &purging, NULL);
    enum sa_status status = sa_store_write(store, &work);

    if (status == SA_OK)
        *ret_removed = purging.removed;
    return status;
}
