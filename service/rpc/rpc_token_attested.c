/*
 * TokenService/IssueAttestedToken: the kernel says which uid asks, the request says for which of its
 * sessions, or as which client.
 */
#include "service/auth/attest.h"
#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/leader.h"
#include "service/auth/names.h"
#include "service/auth/session.h"
#include "service/auth/token.h"
#include "service/rpc/grant.h"

#define WHICH_RULE "either a session or a client"

/* ---- a person's session ---- */

/*
 * The session and its person, or SA_SESSION_INVALID: one for unknown, ended and somebody else's.
 * *ret_reason: the record's, where the status does not say it all.
 */
static enum sa_status
attest(struct sa_call *call, const char *id, struct sa_session *ret_session, struct sa_user **ret_user,
       const char **ret_reason)
{
    if (!call->caller.has_uid || !sa_name_is_id(sa_bytes_of(id)))
        return SA_SESSION_INVALID;
    /* A container may have the uid of a person of ours without being theirs. */
    if (!sa_process_is_here(call->caller.pid)) {
        *ret_reason = "OTHER_PID_NAMESPACE";
        return SA_SESSION_INVALID;
    }
    enum sa_status status = sa_store_session_live(call->authority->store, id, call->now.wall_ms, ret_session);
    if (status == SA_OK)
        status = sa_store_user_by_subject(call->authority->store, ret_session->subject, ret_user);
    if (status == SA_OK && !sa_session_admits(call->authority, ret_session, *ret_user, call->caller.uid))
        return SA_SESSION_INVALID;
    if (status == SA_OK && sa_account_is_closed(sa_account_state(*ret_user, call->now.wall_ms)))
        return SA_SESSION_INVALID;
    return status == SA_NOT_FOUND ? SA_SESSION_INVALID : status;
}

static enum sa_status
issue_for_session(struct sa_call *call, const Secauth__V1__IssueAttestedTokenRequest *request,
                  const struct sa_scope_request *wanted, Secauth__V1__IssueAttestedTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_ATTEST, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) host = NULL;
    SA_OWN(sa_user) user = NULL;
    struct sa_granted granted;
    struct sa_session session;

    enum sa_status status = attest(call, request->session_id, &session, &user, &record.reason);
    if (status != SA_OK) {
        call->counts_against_source = status == SA_SESSION_INVALID;
        record.session_id = sa_name_is_id(sa_bytes_of(request->session_id)) ? request->session_id : NULL;
        return rpc_grant_refuse(call, &record, status);
    }
    rpc_grant_audit_session(&record, &session);
    status = sa_client_host(call->authority, &host);
    if (status == SA_OK)
        status = sa_scope_grant(host, user, wanted, &granted);
    if (status != SA_OK)
        return rpc_grant_refuse(call, &record, status);
    struct sa_token_subject subject = {
        .client = host, .session = &session, .ttl_s = (uint32_t)call->authority->conf->token_attested_ttl};
    status = rpc_grant_prepare(call, &subject, &granted, &record, &reply->grant);
    if (status == SA_INVALID_GRANT) /* its last second is running */
        return rpc_grant_refuse(call, &record, SA_SESSION_INVALID);
    if (status != SA_OK)
        return status;
    status = sa_store_session_use(call->authority->store, session.id, call->now.wall_ms, &record);
    return status == SA_NOT_FOUND ? rpc_grant_refuse(call, &record, SA_SESSION_INVALID)
                                  : status; /* it ended just now */
}

/* ---- a client ---- */

/*
 * The client that the calling process is, or SA_INVALID_CLIENT: one for unknown, disabled, and not this
 * process.
 */
static enum sa_status
attest_client(struct sa_call *call, const char *id, struct sa_client **ret_client, const char **ret_reason)
{
    const struct sa_caller *caller = &call->caller;
    struct sa_attested process = {caller->has_uid, caller->uid, caller->pid, caller->pid_start};
    SA_OWN(sa_client) client = NULL;

    if (!sa_name_is_client_id(sa_bytes_of(id)))
        return SA_INVALID_CLIENT;
    enum sa_status status = sa_store_client_by_id(call->authority->store, sa_bytes_of(id), &client);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_INVALID_CLIENT : status;
    const char *obstacle = sa_attest(client, &process);
    if (obstacle == NULL && !client->active)
        obstacle = "DISABLED";
    if (obstacle != NULL) {
        *ret_reason = obstacle;
        return SA_INVALID_CLIENT;
    }
    *ret_client = sa_client_take(&client);
    return SA_OK;
}

/* Nobody has proven a key here: whose tokens are bound to one gets none. */
static bool
may_have_tokens(const struct sa_client *client)
{
    return client->kind == SA_CLIENT_CONFIDENTIAL && sa_client_may(client, SA_GRANT_CLIENT_CREDENTIALS) &&
           client->certificate_count == 0 && !client->dpop_bound;
}

static enum sa_status
issue_for_client(struct sa_call *call, const Secauth__V1__IssueAttestedTokenRequest *request,
                 const struct sa_scope_request *wanted, Secauth__V1__IssueAttestedTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_ATTEST, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) client = NULL;
    struct sa_granted granted;

    record.client_id =
        rpc_escaped(call, sa_bytes(request->client_id, strnlen(request->client_id, SA_CLIENT_ID_MAX)));
    enum sa_status status = attest_client(call, request->client_id, &client, &record.reason);
    call->counts_against_source = status == SA_INVALID_CLIENT;
    if (status == SA_OK && !may_have_tokens(client))
        status = SA_UNAUTHORIZED_CLIENT;
    if (status == SA_OK)
        status = sa_scope_grant(client, NULL, wanted, &granted);
    if (status != SA_OK)
        return rpc_grant_refuse(call, &record, status);
    struct sa_token_subject subject = {.client = client, .ttl_s = sa_token_ttl(call->authority, client)};
    status = rpc_grant_prepare(call, &subject, &granted, &record, &reply->grant);
    if (status != SA_OK)
        return status;
    struct sa_grant grant = {.client_row = client->row, .session_id = "", .subject_client = ""};
    return rpc_grant_commit(call, &grant, &record);
}

enum sa_status
rpc_token_issue_attested(struct sa_call *call, const Secauth__V1__IssueAttestedTokenRequest *request,
                         Secauth__V1__IssueAttestedTokenResponse *reply)
{
    struct sa_scope_request wanted;

    enum sa_status status = rpc_read_tokens(call, request->tokens, &wanted);
    if (status != SA_OK)
        return status;
    if (request->session_id[0] != '\0' && request->client_id[0] != '\0')
        return sa_call_refuse(call, "client_id", WHICH_RULE);
    /* What is not one's own is a failed proof: each has its record, so they have their rate. */
    call->retry_ms = sa_buckets_wait(call->authority->buckets, &call->source, call->now.boot_ms);
    if (call->retry_ms > 0)
        return SA_RATE_LIMITED;
    return request->client_id[0] != '\0' ? issue_for_client(call, request, &wanted, reply)
                                         : issue_for_session(call, request, &wanted, reply);
}
