#include "service/store/store_grant.h"

#include "service/store/inside.h"

static enum sa_status
find_client(struct sa_sql *sql, uint32_t row)
{
    static const char CLIENT[] = "SELECT 1 FROM clients WHERE number = ? AND active <> 0";

    SA_QUERY(query, sql, CLIENT);
    sa_put_int(&query, row);
    return sa_query_step(&query);
}

static enum sa_status
find_session(struct sa_sql *sql, const struct sa_grant *grant)
{
    static const char SESSION[] = "SELECT 1 " SA_SESSION_LIVE "AND s.id = ?2";

    if (grant->session_id[0] == '\0')
        return SA_OK;
    SA_QUERY(query, sql, SESSION);
    sa_put_int(&query, grant->now_ms);
    sa_put_text(&query, grant->session_id);
    return sa_query_step(&query);
}

static enum sa_status
find_subject(struct sa_sql *sql, const struct sa_grant *grant)
{
    static const char SUBJECT[] = "SELECT 1 FROM clients WHERE id = ?1 AND active <> 0 AND created_ms <= ?2 "
                                  "AND enabled_ms <= ?2";

    if (grant->subject_client[0] == '\0')
        return SA_OK;
    SA_QUERY(query, sql, SUBJECT);
    sa_put_text(&query, grant->subject_client);
    sa_put_int(&query, grant->minted_ms);
    return sa_query_step(&query);
}

/* Whoever is told of the session's end learns it for audiences, too, that are not the session's own. */
static enum sa_status
note_exchange(struct sa_sql *sql, const char *session_id)
{
    static const char NOTE[] = "UPDATE sessions SET exchanged = 1 WHERE id = ? AND exchanged = 0";

    SA_QUERY(query, sql, NOTE);
    sa_put_text(&query, session_id);
    return sa_query_run(&query);
}

static enum sa_status
refuse(struct sa_work *work, enum sa_status status)
{
    work->keep = true;
    work->record.outcome = SA_OUTCOME_DENIED;
    work->record.reason = sa_status_row(status)->reason;
    work->record.detail = NULL; /* it tells of the token that would have been handed out */
    return status;
}

static enum sa_status
check(struct sa_sql *sql, struct sa_work *work)
{
    const struct sa_grant *grant = work->context;
    enum sa_status status = find_client(sql, grant->client_row);

    if (status == SA_NOT_FOUND)
        return refuse(work, SA_INVALID_CLIENT);
    if (status == SA_OK)
        status = find_session(sql, grant);
    if (status == SA_OK)
        status = find_subject(sql, grant);
    if (status == SA_OK && grant->session_id[0] != '\0')
        status = note_exchange(sql, grant->session_id);
    return status == SA_NOT_FOUND ? refuse(work, SA_INVALID_GRANT) : status;
}

struct sa_work *
sa_store_grant_work(struct sa_arena *arena, const struct sa_grant *grant, const struct sa_audit *audit)
{
    struct sa_work *work = sa_arena_alloc(arena, sizeof(*work));
    struct sa_grant *copy = sa_arena_alloc(arena, sizeof(*copy));

    if (work == NULL || copy == NULL)
        return NULL;
    *copy = *grant;
    *work = sa_work(check, copy, audit);
    work->only_looks = grant->session_id[0] == '\0';
    return work;
}
