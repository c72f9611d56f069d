/* How sessions end: by hand, with their user or client, and the row when nothing needs it any more. */
#include "service/store/inside.h"

/* An ended session keeps its row, and a revocation its own, for longer than any token lives that names it. */
#define KEEP_MS INT64_C(3600000)

/* A known source, for the longest that can be configured (login.known_days). */
#define KNOWN_KEEP_S (INT64_C(366) * 86400)

struct ending {
    const char *id;
    int64_t now_ms;
};

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
    static const char END[] = "UPDATE sessions SET ended_ms = ?2 WHERE id = ?1";
    const struct ending *ending = work->context;
    enum sa_status status = find_ended(sql, ending->id, &work->silent);

    if (status != SA_OK || work->silent)
        return status;
    SA_QUERY(query, sql, END);
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

/* ---- rows that nothing needs ---- */

struct purging {
    int64_t before_ms;
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

static enum sa_status
purge(struct sa_sql *sql, struct sa_work *work)
{
    static const char ENDED[] = "DELETE FROM sessions WHERE number IN "
                                "(SELECT number FROM sessions WHERE ended_ms > 0 AND ended_ms < ?1 LIMIT ?2)";
    static const char EXPIRED[] =
        "DELETE FROM sessions WHERE number IN (SELECT number FROM sessions WHERE expires_ms < ?1 LIMIT ?2)";
    static const char TOKENS[] =
        "DELETE FROM revoked_tokens WHERE jti IN (SELECT jti FROM revoked_tokens WHERE exp_s < ?1 LIMIT ?2)";
    static const char PAIRS[] =
        "DELETE FROM pairs WHERE key IN (SELECT key FROM pairs WHERE expires_ms < ?1 LIMIT ?2)";
    static const char GUARDS[] =
        "DELETE FROM guards WHERE name IN (SELECT name FROM guards WHERE expires_ms < ?1 LIMIT ?2)";
    static const char KNOWN[] = "DELETE FROM known_sources WHERE (subject, source) IN "
                                "(SELECT subject, source FROM known_sources WHERE used_s < ?1 LIMIT ?2)";
    struct purging *purging = work->context;
    enum sa_status status = purge_some(sql, ENDED, purging->before_ms, purging);

    if (status == SA_OK)
        status = purge_some(sql, EXPIRED, purging->before_ms, purging);
    if (status == SA_OK)
        status = purge_some(sql, TOKENS, purging->before_ms / 1000, purging);
    if (status == SA_OK)
        status = purge_some(sql, PAIRS, purging->before_ms, purging);
    if (status == SA_OK)
        status = purge_some(sql, GUARDS, purging->before_ms, purging);
    if (status == SA_OK)
        status = purge_some(sql, KNOWN, purging->before_ms / 1000 - KNOWN_KEEP_S, purging);
    return status;
}

enum sa_status
sa_store_purge(struct sa_store *store, int64_t now_ms, unsigned limit, unsigned *ret_removed)
{
    struct purging purging = {.before_ms = now_ms - KEEP_MS, .limit = limit};
    struct sa_work work = sa_work(purge, &purging, NULL);
    enum sa_status status = sa_store_write(store, &work);

    if (status == SA_OK)
        *ret_removed = purging.removed;
    return status;
}
