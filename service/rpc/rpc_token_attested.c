/* TokenService/IssueAttestedToken: the kernel says which uid asks, the id says which of its sessions. */
#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/leader.h"
#include "service/auth/names.h"
#include "service/auth/session.h"
#include "service/auth/token.h"
#include "service/rpc/grant.h"

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

enum sa_status
rpc_token_issue_attested(struct sa_call *call, const Secauth__V1__IssueAttestedTokenRequest *request,
                         Secauth__V1__IssueAttestedTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_ATTEST, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) host = NULL;
    SA_OWN(sa_user) user = NULL;
    struct sa_scope_request wanted;
    struct sa_granted granted;
    struct sa_session session;

    enum sa_status status = rpc_read_tokens(call, request->tokens, &wanted);
    if (status != SA_OK)
        return status;
    /* A session that is not one's own is a failed proof: each has its record, so they have their rate. */
    call->retry_ms = sa_buckets_wait(call->authority->buckets, &call->source, call->now.boot_ms);
    if (call->retry_ms > 0)
        return SA_RATE_LIMITED;
    status = attest(call, request->session_id, &session, &user, &record.reason);
    if (status != SA_OK) {
        call->counts_against_source = status == SA_SESSION_INVALID;
        record.session_id = sa_name_is_id(sa_bytes_of(request->session_id)) ? request->session_id : NULL;
        return rpc_grant_refuse(call, &record, status);
    }
    rpc_grant_audit_session(&record, &session);
    status = sa_client_host(call->authority, &host);
    if (status == SA_OK)
        status = sa_scope_grant(host, user, &wanted, &granted);
    if (status != SA_OK)
        return rpc_grant_refuse(call, &record, status);
    struct sa_token_subject subject = {host, &session, (uint32_t)call->authority->conf->token_attested_ttl};
    status = rpc_grant_prepare(call, &subject, &granted, &record, &reply->grant);
    if (status == SA_INVALID_GRANT) /* its last second is running */
        return rpc_grant_refuse(call, &record, SA_SESSION_INVALID);
    if (status != SA_OK)
        return status;
    status = sa_store_session_use(call->authority->store, session.id, call->now.wall_ms, &record);
    return status == SA_NOT_FOUND ? rpc_grant_refuse(call, &record, SA_SESSION_INVALID)
                                  : status; /* it ended just now */
}
