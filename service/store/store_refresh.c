/* The table of design section 7: what becomes of a refresh token that is presented. */
#include "service/store/inside.h"

/* When a generation was replaced, by both clocks. */
struct moment {
    bool known;
    int64_t boot_ms;
    int64_t wall_ms;
    uint8_t boot_id[SA_BOOT_ID_LEN];
};

struct presenting {
    const struct sa_refresh *refresh;
    struct sa_refreshed *refreshed; /* NULL where the caller wants the whole session */
    enum sa_refresh_result result;
    struct sa_session session;
    int64_t number;
    bool ended;
    bool user_active;
    struct moment replaced1; /* when G-1 was */
    struct moment replaced2; /* when G-2 was */
};

static void
read_moment(struct sa_query *query, struct moment *moment)
{
    moment->boot_ms = sa_get_int(query);
    moment->wall_ms = sa_get_int(query);
    moment->known = sa_get_blob(query, moment->boot_id, sizeof(moment->boot_id)) == sizeof(moment->boot_id);
}

static enum sa_status
find(struct sa_sql *sql, struct presenting *presenting)
{
    static const char BY_HANDLE[] = "SELECT " SA_SESSION_COLUMNS ", s.number, s.ended_ms, "
                                    "(SELECT active FROM users WHERE subject = s.subject), "
                                    "s.replaced1_boot_ms, s.replaced1_wall_ms, s.replaced1_boot_id, "
                                    "s.replaced2_boot_ms, s.replaced2_wall_ms, s.replaced2_boot_id FROM "
                                    "sessions AS s WHERE s.handle_mac = ?";

    SA_QUERY(query, sql, BY_HANDLE);
    sa_put_blob(&query, presenting->refresh->handle_mac, SA_MAC_LEN);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    sa_session_read(&query, &presenting->session);
    presenting->number = sa_get_int(&query);
    presenting->ended = sa_get_int(&query) != 0;
    presenting->user_active = sa_get_int(&query) != 0;
    read_moment(&query, &presenting->replaced1);
    read_moment(&query, &presenting->replaced2);
    return sa_query_done(&query);
}

/* ---- the rules: no clock, no statement ---- */

/*
 * Whether a moment is at most the session's grace ago. Within one boot CLOCK_BOOTTIME says so; whoever lost a
 * race may have read it before the winner did, which is no age at all. Across a boot there is the wall clock
 * alone: where it runs backwards, the moment counts as long past, so that no step of the clock opens the
 * window again.
 */
static bool
is_within_grace(const struct presenting *presenting, const struct moment *moment)
{
    const struct sa_refresh *refresh = presenting->refresh;
    int64_t grace_ms = (int64_t)presenting->session.grace_s * 1000;

    if (!moment->known || grace_ms == 0)
        return false;
    if (memcmp(moment->boot_id, refresh->boot_id, SA_BOOT_ID_LEN) == 0)
        return refresh->now.boot_ms - moment->boot_ms <= grace_ms;
    int64_t age_ms = refresh->now.wall_ms - moment->wall_ms;
    return age_ms >= 0 && age_ms <= grace_ms;
}

/* Why the session takes no token at all now; NULL: it does. */
static const char *
find_obstacle(const struct presenting *presenting)
{
    const struct sa_session *session = &presenting->session;
    int64_t now_ms = presenting->refresh->now.wall_ms;

    if (session->client_row != presenting->refresh->client_row)
        return "OTHER_CLIENT";
    if (session->expires_ms <= now_ms ||
        (session->idle_ms != 0 && session->last_used_ms + session->idle_ms <= now_ms))
        return "SESSION_EXPIRED"; /* which the housekeeping may have found before */
    if (presenting->ended)
        return "SESSION_ENDED";
    return presenting->user_active ? NULL : "USER_INACTIVE";
}

static enum sa_refresh_result
judge_generation(const struct presenting *presenting)
{
    uint32_t presented = presenting->refresh->generation;
    uint32_t current = presenting->session.generation;

    if (presented > current)
        return SA_REFRESH_ROLLBACK;
    if (presented == current)
        return presenting->session.rotates ? SA_REFRESH_ROTATED : SA_REFRESH_SAME;
    if (current - presented == 1 && is_within_grace(presenting, &presenting->replaced1))
        return SA_REFRESH_REPLAYED;
    if (current - presented == 2 && is_within_grace(presenting, &presenting->replaced2))
        return SA_REFRESH_STALE;
    return SA_REFRESH_REUSED;
}

/* ---- what each result changes ---- */

static enum sa_status
rotate(struct sa_sql *sql, struct presenting *presenting)
{
    static const char ROTATE[] =
        "UPDATE sessions SET generation = generation + 1, last_used_ms = ?3, replaced2_boot_ms = "
        "replaced1_boot_ms, "
        "replaced2_wall_ms = replaced1_wall_ms, replaced2_boot_id = replaced1_boot_id, replaced1_boot_ms = "
        "?2, "
        "replaced1_wall_ms = ?3, replaced1_boot_id = ?4 WHERE number = ?1 AND generation = ?5";
    const struct sa_refresh *refresh = presenting->refresh;

    SA_QUERY(query, sql, ROTATE);
    sa_put_int(&query, presenting->number);
    sa_put_int(&query, refresh->now.boot_ms);
    sa_put_int(&query, refresh->now.wall_ms);
    sa_put_blob(&query, refresh->boot_id, SA_BOOT_ID_LEN);
    sa_put_int(&query, refresh->generation);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK && sa_query_changed(&query) != 1)
        status = SA_INTERNAL; /* the writer alone changes sessions, and it has just read this one */
    if (status != SA_OK)
        return status;
    presenting->session.generation++;
    presenting->session.last_used_ms = refresh->now.wall_ms;
    return SA_OK;
}

static enum sa_status
touch(struct sa_sql *sql, struct presenting *presenting)
{
    static const char TOUCH[] = "UPDATE sessions SET last_used_ms = ?2 WHERE number = ?1";

    presenting->session.last_used_ms = presenting->refresh->now.wall_ms;
    SA_QUERY(query, sql, TOUCH);
    sa_put_int(&query, presenting->number);
    sa_put_int(&query, presenting->refresh->now.wall_ms);
    return sa_query_run(&query);
}

static enum sa_status
revoke(struct sa_sql *sql, const struct presenting *presenting)
{
    static const char REVOKE[] = "UPDATE sessions SET ended_ms = ?2 WHERE number = ?1";

    SA_QUERY(query, sql, REVOKE);
    sa_put_int(&query, presenting->number);
    sa_put_int(&query, presenting->refresh->now.wall_ms);
    return sa_query_run(&query);
}

static enum sa_status
apply(struct sa_sql *sql, struct presenting *presenting)
{
    switch (presenting->result) {
    case SA_REFRESH_ROTATED:
        return rotate(sql, presenting);
    case SA_REFRESH_SAME:
        return touch(sql, presenting);
    case SA_REFRESH_REUSED:
        return revoke(sql, presenting);
    case SA_REFRESH_REPLAYED:
    case SA_REFRESH_STALE:
    case SA_REFRESH_ROLLBACK:
    default:
        return SA_OK;
    }
}

/* ---- what the record says ---- */

static const struct {
    enum sa_event event;
    enum sa_outcome outcome;
    const char *reason;
} SAYINGS[] = {
    [SA_REFRESH_SAME] = {SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, "SAME"},
    [SA_REFRESH_ROTATED] = {SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, "ROTATED"},
    [SA_REFRESH_REPLAYED] = {SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, "REPLAYED"},
    [SA_REFRESH_STALE] = {SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "STALE"},
    [SA_REFRESH_REUSED] = {SA_EVENT_TOKEN_REUSE, SA_OUTCOME_DENIED, "REUSED"},
    [SA_REFRESH_ROLLBACK] = {SA_EVENT_TOKEN_ROLLBACK, SA_OUTCOME_DENIED, "STATE_ROLLBACK"},
};

static enum sa_status
deny(struct sa_work *work, const char *reason)
{
    work->keep = true;
    work->record.event = SA_EVENT_TOKEN_REFRESH;
    work->record.outcome = SA_OUTCOME_DENIED;
    work->record.reason = reason;
    work->record.detail = NULL; /* it tells of the token that would have been handed out */
    return SA_INVALID_GRANT;
}

static enum sa_status
present(struct sa_sql *sql, struct sa_work *work)
{
    struct presenting *presenting = work->context;
    const struct sa_session *session = &presenting->session;
    enum sa_status status = find(sql, presenting);

    if (status == SA_NOT_FOUND)
        return deny(work, "UNKNOWN_TOKEN");
    if (status != SA_OK)
        return status;
    work->record.user = session->user;
    work->record.subject = session->subject;
    work->record.session_id = session->id;
    const char *obstacle = find_obstacle(presenting);
    if (obstacle != NULL)
        return deny(work, obstacle);
    presenting->result = judge_generation(presenting);
    status = apply(sql, presenting);
    if (status != SA_OK)
        return status;
    work->record.event = SAYINGS[presenting->result].event;
    work->record.outcome = SAYINGS[presenting->result].outcome;
    work->record.reason = SAYINGS[presenting->result].reason;
    work->keep = true;
    if (presenting->refreshed != NULL)
        *presenting->refreshed = (struct sa_refreshed){presenting->result, session->generation};
    if (work->record.outcome == SA_OUTCOME_GRANTED)
        return SA_OK;
    work->record.detail = NULL;
    return SA_INVALID_GRANT;
}

enum sa_status
sa_store_refresh(struct sa_store *store, const struct sa_refresh *refresh, const struct sa_audit *audit,
                 enum sa_refresh_result *ret_result, struct sa_session *ret_session)
{
    struct presenting presenting = {.refresh = refresh};
    struct sa_work work = sa_work(present, &presenting, audit);
    enum sa_status status = sa_store_write(store, &work);

    if (status == SA_OK || status == SA_INVALID_GRANT)
        *ret_result = presenting.result;
    if (status == SA_OK)
        *ret_session = presenting.session;
    return status;
}

struct sa_work *
sa_store_refresh_work(struct sa_arena *arena, const struct sa_refresh *refresh, const struct sa_audit *audit,
                      struct sa_refreshed *refreshed)
{
    struct presenting *presenting = sa_arena_alloc(arena, sizeof(*presenting));
    struct sa_work *work = sa_arena_alloc(arena, sizeof(*work));

    if (presenting == NULL || work == NULL)
        return NULL;
    *presenting = (struct presenting){.refresh = refresh, .refreshed = refreshed};
    *work = sa_work(present, presenting, audit);
    return work;
}
