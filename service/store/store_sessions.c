#include <assert.h>
#include <stdlib.h>

#include "service/store/inside.h"
#include "service/store/store_login.h"

/* ---- a row ---- */

static void
read_audiences(struct sa_query *query, struct sa_session *session)
{
    char text[SA_JWT_AUDIENCES * (SA_JWT_AUDIENCE_MAX + 1) + 1];
    char *rest = text;
    char *audience;

    sa_get_text(query, text, sizeof(text));
    session->aud_count = 0;
    while ((audience = strsep(&rest, "\n")) != NULL && session->aud_count < SA_JWT_AUDIENCES) {
        size_t len = strnlen(audience, SA_JWT_AUDIENCE_MAX);

        if (len > 0)
            memcpy(session->aud[session->aud_count++], audience, len);
    }
}

void
sa_audiences_write(unsigned count, const char (*audiences)[SA_JWT_AUDIENCE_MAX + 1],
                   char ret_text[SA_AUDIENCES_TEXT_LEN + 1])
{
    char *at = ret_text;

    for (unsigned i = 0; i < count; i++) {
        at = stpcpy(at, i == 0 ? "" : "\n");
        at = stpcpy(at, audiences[i]);
    }
    *at = '\0';
}

void
sa_session_read(struct sa_query *query, struct sa_session *session)
{
    memset(session, 0, sizeof(*session));
    sa_get_text(query, session->id, sizeof(session->id));
    session->kind = (enum sa_session_kind)sa_get_int(query);
    sa_get_text(query, session->subject, sizeof(session->subject));
    sa_get_text(query, session->user, sizeof(session->user));
    session->uid = (uint32_t)sa_get_int(query);
    sa_get_text(query, session->client_id, sizeof(session->client_id));
    session->client_row = (uint32_t)sa_get_int(query);
    sa_get_text(query, session->service, sizeof(session->service));
    sa_get_text(query, session->source, sizeof(session->source));
    sa_get_text(query, session->tty, sizeof(session->tty));
    session->leader_pid = (uint32_t)sa_get_int(query);
    session->leader_start = (uint64_t)sa_get_int(query);
    sa_get_blob(query, session->boot_id, sizeof(session->boot_id));
    session->audit_session = sa_get_int(query);
    session->created_ms = sa_get_int(query);
    session->last_used_ms = sa_get_int(query);
    session->idle_ms = sa_get_int(query);
    session->expires_ms = sa_get_int(query);
    session->auth_time_s = sa_get_int(query);
    sa_get_text(query, session->amr, sizeof(session->amr));
    sa_get_text(query, session->acr, sizeof(session->acr));
    read_audiences(query, session);
    sa_get_text(query, session->scope, sizeof(session->scope));
    session->rotates = sa_get_int(query) != 0;
    session->grace_s = (uint32_t)sa_get_int(query);
    session->generation = (uint32_t)sa_get_int(query);
    sa_get_text(query, session->binding.x5t, sizeof(session->binding.x5t));
    sa_get_text(query, session->binding.jkt, sizeof(session->binding.jkt));
    session->gateway = (uint16_t)sa_get_int(query);
}

/* ---- begin ---- */

struct opening {
    const struct sa_session *session;
    const uint8_t *handle_mac;
    const struct sa_login_change *change; /* NULL: none */
    struct sa_over_limit over;
};

/* Whoever was disabled or deleted since the caller looked gets no session that outlives it. */
static enum sa_status
check_owner(struct sa_sql *sql, const struct sa_session *session)
{
    static const char OWNER[] = "SELECT 1 FROM users AS u, clients AS c "
                                "WHERE u.subject = ? AND u.active <> 0 AND c.number = ? AND c.active <> 0";

    SA_QUERY(query, sql, OWNER);
    sa_put_text(&query, session->subject);
    sa_put_int(&query, session->client_row);
    return sa_query_step(&query);
}

static enum sa_status
open_session(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] =
        "INSERT INTO sessions (id, kind, subject, user, uid, client_id, client_row, service, source, tty, "
        "leader_pid, leader_start, boot_id, audit_session, created_ms, last_used_ms, idle_ms, expires_ms, "
        "auth_time_s, amr, acr, audiences, scope, rotates, grace_s, generation, cnf_x5t, cnf_jkt, "
        "gateway, handle_mac) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    struct opening *opening = work->context;
    const struct sa_session *session = opening->session;
    char audiences[SA_JWT_AUDIENCES * (SA_JWT_AUDIENCE_MAX + 1) + 1];
    enum sa_status status = check_owner(sql, session);

    if (status == SA_OK && opening->change != NULL)
        status = sa_login_put(sql, opening->change);
    if (status == SA_OK)
        status = sa_sessions_end_over_limit(sql, session, &work->record, &opening->over);
    if (status != SA_OK)
        return status;
    work->others = opening->over.records;
    work->other_count = opening->over.count;
    sa_audiences_write(session->aud_count, session->aud, audiences);
    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, session->id);
    sa_put_int(&query, session->kind);
    sa_put_text(&query, session->subject);
    sa_put_text(&query, session->user);
    sa_put_int(&query, session->uid);
    sa_put_text(&query, session->client_id);
    sa_put_int(&query, session->client_row);
    sa_put_text(&query, session->service);
    sa_put_text(&query, session->source);
    sa_put_text(&query, session->tty);
    sa_put_int(&query, session->leader_pid);
    sa_put_int(&query, (int64_t)session->leader_start);
    sa_put_blob(&query, session->boot_id, sizeof(session->boot_id));
    sa_put_int(&query, session->audit_session);
    sa_put_int(&query, session->created_ms);
    sa_put_int(&query, session->last_used_ms);
    sa_put_int(&query, session->idle_ms);
    sa_put_int(&query, session->expires_ms);
    sa_put_int(&query, session->auth_time_s);
    sa_put_text(&query, session->amr);
    sa_put_text(&query, session->acr);
    sa_put_text(&query, audiences);
    sa_put_text(&query, session->scope);
    sa_put_int(&query, session->rotates);
    sa_put_int(&query, session->grace_s);
    sa_put_int(&query, session->generation);
    sa_put_text(&query, session->binding.x5t);
    sa_put_text(&query, session->binding.jkt);
    sa_put_int(&query, session->gateway);
    if (opening->handle_mac == NULL)
        sa_put_null(&query);
    else
        sa_put_blob(&query, opening->handle_mac, SA_MAC_LEN);
    return sa_query_run(&query);
}

enum sa_status
sa_store_session_open(struct sa_store *store, const struct sa_session *session,
                      const uint8_t handle_mac[SA_MAC_LEN], const struct sa_audit *audit)
{
    return sa_store_login_session(store, session, handle_mac, NULL, audit);
}

enum sa_status
sa_store_login_session(struct sa_store *store, const struct sa_session *session,
                       const uint8_t handle_mac[SA_MAC_LEN], const struct sa_login_change *change,
                       const struct sa_audit *audit)
{
    struct opening opening = {.session = session, .handle_mac = handle_mac, .change = change};
    struct sa_work work = sa_work(open_session, &opening, audit);

    assert(session->aud_count <= SA_JWT_AUDIENCES);
    return sa_store_write(store, &work);
}

/* ---- look ---- */

struct lookup {
    const char *text;
    int64_t now_ms;
    const char *id;
    const uint8_t *handle_mac; /* where there is no id */
    struct sa_session *session;
    struct sa_user *owner; /* NULL: is not asked for */
};

#define OWNER_COLUMNS                                                                                        \
    "u.active, u.not_before_s, u.not_after_s, u.must_change, u.changed_s, u.max_days, u.inactive_days"

/* What says whether an account may be used. */
static void
read_owner(struct sa_query *query, struct sa_user *owner)
{
    owner->active = sa_get_int(query) != 0;
    owner->not_before_s = sa_get_int(query);
    owner->not_after_s = sa_get_int(query);
    owner->must_change = sa_get_int(query) != 0;
    owner->changed_s = sa_get_int(query);
    owner->max_days = (uint32_t)sa_get_int(query);
    int64_t inactive = sa_get_int(query);
    owner->has_inactive = inactive >= 0;
    owner->inactive_days = inactive >= 0 ? (uint32_t)inactive : 0;
}

static enum sa_status
find(struct sa_sql *sql, void *context)
{
    const struct lookup *lookup = context;
    struct sa_session session;

    SA_QUERY(query, sql, lookup->text);
    sa_put_int(&query, lookup->now_ms);
    if (lookup->id != NULL)
        sa_put_text(&query, lookup->id);
    else
        sa_put_blob(&query, lookup->handle_mac, SA_MAC_LEN);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    sa_session_read(&query, &session);
    if (lookup->owner != NULL)
        read_owner(&query, lookup->owner);
    status = sa_query_done(&query);
    if (status == SA_OK)
        *lookup->session = session;
    return status;
}

enum sa_status
sa_store_session_live(struct sa_store *store, const char *id, int64_t now_ms, struct sa_session *ret_session)
{
    static const char BY_ID[] = "SELECT " SA_SESSION_COLUMNS " " SA_SESSION_LIVE "AND s.id = ?2";
    struct lookup lookup = {.text = BY_ID, .now_ms = now_ms, .id = id, .session = ret_session};

    return sa_store_read(store, find, &lookup);
}

enum sa_status
sa_store_session_owned(struct sa_store *store, const char *id, int64_t now_ms, struct sa_session *ret_session,
                       struct sa_user *ret_owner)
{
    static const char BY_ID[] =
        "SELECT " SA_SESSION_COLUMNS ", " OWNER_COLUMNS " " SA_SESSION_LIVE "AND s.id = ?2";
    struct lookup lookup = {
        .text = BY_ID, .now_ms = now_ms, .id = id, .session = ret_session, .owner = ret_owner};

    return sa_store_read(store, find, &lookup);
}

enum sa_status
sa_store_session_by_handle(struct sa_store *store, const uint8_t handle_mac[SA_MAC_LEN], int64_t now_ms,
                           struct sa_session *ret_session, struct sa_user *ret_owner)
{
    static const char BY_HANDLE[] =
        "SELECT " SA_SESSION_COLUMNS ", " OWNER_COLUMNS " " SA_SESSION_LIVE "AND s.handle_mac = ?2";
    struct lookup lookup = {.text = BY_HANDLE,
                            .now_ms = now_ms,
                            .handle_mac = handle_mac,
                            .session = ret_session,
                            .owner = ret_owner};

    return sa_store_read(store, find, &lookup);
}

struct listing {
    struct sa_session_query want;
    struct sa_session *sessions;
    unsigned count;
    bool more;
};

/* All rows of a query that is bound, up to the limit. */
static enum sa_status
read_list(struct sa_query *query, struct listing *listing)
{
    enum sa_status status;

    while ((status = sa_query_step(query)) == SA_OK) {
        if (listing->count == listing->want.limit) {
            listing->more = true;
            return SA_OK;
        }
        sa_session_read(query, &listing->sessions[listing->count++]);
    }
    return status == SA_NOT_FOUND ? sa_query_done(query) : status;
}

/* Sessions are listed by the order in which they were opened, which their ids do not show. */
static enum sa_status
find_place(struct sa_sql *sql, const char *after, int64_t *ret_place)
{
    static const char PLACE[] = "SELECT number FROM sessions WHERE id = ?";

    if (after[0] == '\0') {
        *ret_place = INT64_MAX;
        return SA_OK;
    }
    SA_QUERY(query, sql, PLACE);
    sa_put_text(&query, after);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        *ret_place = sa_get_int(&query);
    return status;
}

/*
 * By the index that narrows most, and by what else is asked. A client is found by its row: the sessions of
 * one that was deleted have ended.
 */
#define PAGE                                                                                                 \
    "AND s.number < ?2 AND (?5 = '' OR s.client_id = ?5) AND (?6 = '' OR s.source = ?6) "                    \
    "AND (?7 = 0 OR s.last_used_ms < ?7) ORDER BY s.number DESC LIMIT ?3"

static enum sa_status
read_newest(struct sa_sql *sql, void *context)
{
    static const char ALL[] = "SELECT " SA_SESSION_COLUMNS " " SA_SESSION_LIVE PAGE;
    static const char OF_USER[] = "SELECT " SA_SESSION_COLUMNS " " SA_SESSION_LIVE "AND s.subject = ?4 " PAGE;
    static const char OF_CLIENT[] = "SELECT " SA_SESSION_COLUMNS " " SA_SESSION_LIVE
                                    "AND s.client_row = (SELECT number FROM clients WHERE id = ?5) " PAGE;
    struct listing *listing = context;
    const struct sa_session_query *want = &listing->want;
    int64_t place;
    enum sa_status status = find_place(sql, want->after, &place);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, want->subject[0] != '\0' ? OF_USER : want->client_id[0] != '\0' ? OF_CLIENT : ALL);
    sa_put_int(&query, want->now_ms);
    sa_put_int(&query, place);
    sa_put_int(&query, (int64_t)want->limit + 1);
    sa_put_text(&query, want->subject);
    sa_put_text(&query, want->client_id);
    sa_put_text(&query, want->source);
    sa_put_int(&query, want->used_before_ms);
    return read_list(&query, listing);
}

static enum sa_status
read_leaders(struct sa_sql *sql, void *context)
{
    static const char LEADERS[] = "SELECT " SA_SESSION_COLUMNS " " SA_SESSION_LIVE
                                  "AND s.kind = 1 AND s.leader_pid > 0 AND s.id > ?2 ORDER BY s.id LIMIT ?3";
    struct listing *listing = context;

    SA_QUERY(query, sql, LEADERS);
    sa_put_int(&query, listing->want.now_ms);
    sa_put_text(&query, listing->want.after);
    sa_put_int(&query, listing->want.limit);
    return read_list(&query, listing);
}

/* Room for what is asked, then the reading; the rows are the caller's. */
static enum sa_status
list(struct sa_store *store, enum sa_status (*read)(struct sa_sql *sql, void *context),
     struct listing *listing)
{
    assert(listing->want.limit >= 1 && listing->want.limit <= SA_PAGE_MAX);
    listing->sessions = calloc(listing->want.limit, sizeof(*listing->sessions));
    if (listing->sessions == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read, listing);
    if (status != SA_OK)
        free(listing->sessions);
    return status;
}

static const char *
or_any(const char *text)
{
    return text == NULL ? "" : text;
}

enum sa_status
sa_store_session_list(struct sa_store *store, const struct sa_session_query *query,
                      struct sa_session **ret_sessions, unsigned *ret_count, bool *ret_more)
{
    struct listing listing = {.want = *query};

    listing.want.subject = or_any(query->subject);
    listing.want.client_id = or_any(query->client_id);
    listing.want.source = or_any(query->source);
    listing.want.after = or_any(query->after);
    enum sa_status status = list(store, read_newest, &listing);
    if (status != SA_OK)
        return status;
    *ret_sessions = listing.sessions;
    *ret_count = listing.count;
    *ret_more = listing.more;
    return SA_OK;
}

enum sa_status
sa_store_session_leaders(struct sa_store *store, const char *after_id, int64_t now_ms,
                         struct sa_session **ret_sessions, unsigned *ret_count)
{
    struct listing listing = {.want = {.after = after_id, .limit = SA_PAGE_MAX, .now_ms = now_ms}};

    enum sa_status status = list(store, read_leaders, &listing);
    if (status != SA_OK)
        return status;
    *ret_sessions = listing.sessions;
    *ret_count = listing.count;
    return SA_OK;
}
