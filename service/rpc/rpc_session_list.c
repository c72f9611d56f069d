/* SessionService: what people and administrators see of sessions, and how they end them. */
#include <stdlib.h>

#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/rpc/page.h"

#define SOURCE_MAX 320u

/* ---- whose ---- */

static enum sa_status
find_own(struct sa_call *call, struct sa_bytes name, struct sa_user **ret_user)
{
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_uid(call->authority->store, call->caller.uid, &user);
    if (status != SA_OK)
        return status;
    if (name.len > 0 && !sa_bytes_equal(sa_bytes_of(user->name), name)) {
        call->log_reason = "NOT_ONESELF";
        return SA_PERMISSION_DENIED;
    }
    *ret_user = sa_user_take(&user);
    return SA_OK;
}

/* The user of that name, or with none the caller's own record. SA_NOT_FOUND where there is no such record. */
static enum sa_status
find_user(struct sa_call *call, struct sa_bytes name, struct sa_user **ret_user)
{
    if (name.len > 0 && !sa_name_is_user(name))
        return sa_call_refuse(call, "user", SA_RULE_USER_NAME);
    if (!call->caller.administrator || name.len == 0)
        return find_own(call, name, ret_user);
    return sa_store_user_by_name(call->authority->store, name, ret_user);
}

/* A live session that the caller may see: another's is as unknown as one that never was. */
static enum sa_status
find_session(struct sa_call *call, const char *id, struct sa_session *ret_session)
{
    if (!sa_name_is_id(sa_bytes_of(id)))
        return sa_call_refuse(call, "session_id", SA_RULE_ID);
    enum sa_status status = sa_store_session_live(call->authority->store, id, call->now.wall_ms, ret_session);
    if (status == SA_OK && !call->caller.administrator && ret_session->uid != call->caller.uid)
        return SA_NOT_FOUND;
    return status;
}

/* ---- rows ---- */

static bool
put_audiences(struct sa_call *call, const struct sa_session *session, Secauth__V1__Session *row)
{
    row->audiences = sa_arena_alloc(call->arena, SA_JWT_AUDIENCES * sizeof(*row->audiences));
    if (row->audiences == NULL)
        return false;
    for (unsigned i = 0; i < session->aud_count; i++)
        if (!rpc_put_text(call, session->aud[i], &row->audiences[i]))
            return false;
    row->n_audiences = session->aud_count;
    return true;
}

static bool
put_session(struct sa_call *call, const struct sa_session *session, Secauth__V1__Session *row)
{
    secauth__v1__session__init(row);
    row->kind = session->kind == SA_SESSION_LOGIN ? SECAUTH__V1__SESSION_KIND__SESSION_KIND_LOGIN
                                                  : SECAUTH__V1__SESSION_KIND__SESSION_KIND_TOKEN;
    row->created_ms = session->created_ms;
    row->last_used_ms = session->last_used_ms;
    row->expires_ms = session->expires_ms;
    row->idle_expires_ms = session->idle_ms == 0 ? 0 : session->last_used_ms + session->idle_ms;
    row->auth_time = session->auth_time_s;
    row->leader_pid = session->leader_pid;
    return rpc_put_text(call, session->id, &row->session_id) &&
           rpc_put_text(call, session->user, &row->user) &&
           rpc_put_text(call, session->subject, &row->subject) &&
           rpc_put_text(call, session->client_id, &row->client_id) &&
           rpc_put_text(call, session->service, &row->service) &&
           rpc_put_text(call, session->source, &row->source) && rpc_put_text(call, session->tty, &row->tty) &&
           rpc_put_text(call, session->amr, &row->amr) && rpc_put_text(call, session->acr, &row->acr) &&
           rpc_put_text(call, session->scope, &row->scope) && put_audiences(call, session, row) &&
           rpc_put_id(call, session->audit_session, &row->audit_session);
}

/* ---- ListSessions ---- */

static enum sa_status
put_page(struct sa_call *call, const struct sa_session *sessions, unsigned count, bool more,
         Secauth__V1__ListSessionsResponse *reply)
{
    Secauth__V1__Session *rows = sa_arena_alloc(call->arena, count * sizeof(*rows));
    struct rpc_page page = {0};

    reply->sessions = sa_arena_alloc(call->arena, count * sizeof(*reply->sessions));
    if (rows == NULL || reply->sessions == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        if (!put_session(call, &sessions[i], &rows[i]))
            return SA_NO_MEMORY;
        if (!rpc_page_take(&page, &rows[i].base))
            break;
        reply->sessions[i] = &rows[i];
        reply->n_sessions++;
    }
    if (reply->n_sessions == 0 || (!more && reply->n_sessions == count))
        return SA_OK;
    return rpc_put_text(call, sessions[reply->n_sessions - 1].id, &reply->next_page_token) ? SA_OK
                                                                                           : SA_NO_MEMORY;
}

static enum sa_status
check_list(struct sa_call *call, const Secauth__V1__ListSessionsRequest *request)
{
    if (request->page_size > SA_PAGE_MAX)
        return sa_call_refuse(call, "page_size", "1 to 500, or 0 for 100");
    if (request->page_token[0] != '\0' && !sa_name_is_id(sa_bytes_of(request->page_token)))
        return sa_call_refuse(call, "page_token", "where the last page ended");
    if (request->client_id[0] != '\0' && !sa_name_is_client_id(sa_bytes_of(request->client_id)))
        return sa_call_refuse(call, "client_id", SA_RULE_CLIENT_ID);
    if (strlen(request->source) > SOURCE_MAX)
        return sa_call_refuse(call, "source", "at most 320 bytes");
    if (request->used_before_ms < 0)
        return sa_call_refuse(call, "used_before_ms", "milliseconds since 1970, or 0 for any");
    return SA_OK;
}

enum sa_status
rpc_session_list(struct sa_call *call, const Secauth__V1__ListSessionsRequest *request,
                 Secauth__V1__ListSessionsResponse *reply)
{
    struct sa_session_query query = {.client_id = request->client_id,
                                     .source = request->source,
                                     .used_before_ms = request->used_before_ms,
                                     .after = request->page_token,
                                     .limit = rpc_page_size(request->page_size),
                                     .now_ms = call->now.wall_ms};
    SA_OWN(sa_user) user = NULL;
    struct sa_session *sessions;
    unsigned count;
    bool more;

    enum sa_status status = check_list(call, request);
    if (status == SA_OK && (!call->caller.administrator || request->user.len > 0)) {
        status = find_user(call, rpc_bytes(request->user), &user);
        if (status == SA_NOT_FOUND)
            return SA_OK; /* no record, no sessions */
    }
    if (status != SA_OK)
        return status;
    query.subject = user == NULL ? "" : user->subject;
    status = sa_store_session_list(call->authority->store, &query, &sessions, &count, &more);
    if (status == SA_NOT_FOUND)
        return sa_call_refuse(call, "page_token", "where the last page ended");
    if (status != SA_OK)
        return status;
    status = put_page(call, sessions, count, more, reply);
    free(sessions);
    return status;
}

/* ---- GetSession ---- */

enum sa_status
rpc_session_get(struct sa_call *call, const Secauth__V1__GetSessionRequest *request,
                Secauth__V1__GetSessionResponse *reply)
{
    struct sa_session session;
    enum sa_status status = find_session(call, request->session_id, &session);

    if (status != SA_OK)
        return status;
    reply->session = sa_arena_alloc(call->arena, sizeof(*reply->session));
    return reply->session != NULL && put_session(call, &session, reply->session) ? SA_OK : SA_NO_MEMORY;
}

/* ---- RevokeSession ---- */

enum sa_status
rpc_session_revoke(struct sa_call *call, const Secauth__V1__RevokeSessionRequest *request,
                   Secauth__V1__RevokeSessionResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SESSION_REVOKE, SA_OUTCOME_GRANTED, NULL);
    struct sa_session session;
    enum sa_status status = find_session(call, request->session_id, &session);

    if (status != SA_OK)
        return status;
    record.user = session.user;
    record.subject = session.subject;
    record.client_id = session.client_id;
    record.session_id = session.id;
    status = sa_store_session_end(call->authority->store, session.id, call->now.wall_ms, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}

/* ---- RevokeUserSessions ---- */

enum sa_status
rpc_session_revoke_user(struct sa_call *call, const Secauth__V1__RevokeUserSessionsRequest *request,
                        Secauth__V1__RevokeUserSessionsResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SESSION_REVOKE, SA_OUTCOME_GRANTED, NULL);
    const char *spare = request->spare_session_id;
    SA_OWN(sa_user) user = NULL;

    if (call->caller.via == SA_VIA_ROOT && request->user.len == 0)
        return sa_call_refuse(call, "user", "whose sessions; root has none");
    if (spare[0] != '\0' && !sa_name_is_id(sa_bytes_of(spare)))
        return sa_call_refuse(call, "spare_session_id", SA_RULE_ID);
    enum sa_status status = find_user(call, rpc_bytes(request->user), &user);
    if (status == SA_NOT_FOUND && request->user.len == 0)
        return SA_NOT_MANAGED;
    if (status != SA_OK)
        return status;
    rpc_audit_user(&record, user);
    status = sa_store_session_end_all(call->authority->store, user->subject, spare, call->now.wall_ms,
                                      &record, &reply->revoked);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
