/*
 * TokenService: IssueToken, IssueAttestedToken, RefreshToken. A token is signed before the commit and
 * leaves after it.
 */
#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/leader.h"
#include "service/auth/names.h"
#include "service/auth/refresh.h"
#include "service/auth/session.h"
#include "service/auth/token.h"
#include "service/rpc/shared.h"

/*
 * A request that an authenticated client or a session may not make: recorded under the reason that its record
 * has, else under the status's own name.
 */
static enum sa_status
refuse(struct sa_call *call, struct sa_audit *record, enum sa_status status)
{
    if (status != SA_INVALID_SCOPE && status != SA_INVALID_TARGET && status != SA_UNAUTHORIZED_CLIENT &&
        status != SA_SESSION_INVALID && status != SA_INVALID_GRANT)
        return status;
    record->outcome = SA_OUTCOME_DENIED;
    if (record->reason == NULL)
        record->reason = sa_status_row(status)->reason;
    return rpc_denied(call, record, status);
}

/* Sign, fill in the reply, complete the record: all but the commit. */
static enum sa_status
prepare(struct sa_call *call, const struct sa_token_subject *subject, const struct sa_granted *granted,
        struct sa_audit *record, Secauth__V1__TokenGrant **ret_grant)
{
    struct sa_token token;

    enum sa_status status = sa_token_mint(call->authority, subject, granted, call->now.wall_ms, &token);
    if (status == SA_OK)
        status = rpc_put_grant(call, &token, granted, ret_grant);
    if (status == SA_OK && subject->session != NULL &&
        !rpc_put_text(call, subject->session->id, &(*ret_grant)->session_id))
        status = SA_NO_MEMORY;
    if (status == SA_OK)
        record->detail = rpc_grant_detail(call, &token, granted);
    sa_wipe(&token, sizeof(token));
    return status;
}

static void
audit_session(struct sa_audit *record, const struct sa_session *session)
{
    record->user = session->user;
    record->subject = session->subject;
    record->client_id = session->client_id;
    record->session_id = session->id;
}

/* The reply is there already; it leaves if, and only if, its record is on the disk. */
static enum sa_status
issued(struct sa_call *call)
{
    return call->committed;
}

static enum sa_status
commit(struct sa_call *call, const struct sa_audit *record)
{
    return sa_call_commit(call, sa_store_audit_work(call->arena, record), issued);
}

/* ---- IssueToken: client_credentials (RFC 6749 section 4.4) ---- */

enum sa_status
rpc_token_issue(struct sa_call *call, const Secauth__V1__IssueTokenRequest *request,
                Secauth__V1__IssueTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) client = NULL;
    struct sa_scope_request wanted;
    struct sa_granted granted;

    enum sa_status status = rpc_read_tokens(call, request->tokens, &wanted);
    if (status == SA_OK)
        status = rpc_authenticate_client(call, request->client, &client);
    if (status != SA_OK)
        return status;
    record.client_id = request->client->client_id;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || !sa_client_may(client, SA_GRANT_CLIENT_CREDENTIALS))
        return refuse(call, &record, SA_UNAUTHORIZED_CLIENT);
    status = sa_scope_grant(client, NULL, &wanted, &granted);
    if (status != SA_OK)
        return refuse(call, &record, status);
    struct sa_token_subject subject = {client, NULL, sa_token_ttl(call->authority, client)};
    status = prepare(call, &subject, &granted, &record, &reply->grant);
    return status == SA_OK ? commit(call, &record) : status;
}

/* ---- IssueAttestedToken: the kernel says which uid asks, the id says which of its sessions ---- */

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
        return refuse(call, &record, status);
    }
    audit_session(&record, &session);
    status = sa_client_host(call->authority, &host);
    if (status == SA_OK)
        status = sa_scope_grant(host, user, &wanted, &granted);
    if (status != SA_OK)
        return refuse(call, &record, status);
    struct sa_token_subject subject = {host, &session, (uint32_t)call->authority->conf->token_attested_ttl};
    status = prepare(call, &subject, &granted, &record, &reply->grant);
    if (status == SA_INVALID_GRANT) /* its last second is running */
        return refuse(call, &record, SA_SESSION_INVALID);
    if (status != SA_OK)
        return status;
    status = sa_store_session_use(call->authority->store, session.id, call->now.wall_ms, &record);
    return status == SA_NOT_FOUND ? refuse(call, &record, SA_SESSION_INVALID)
                                  : status; /* it ended just now */
}

/* ---- RefreshToken (RFC 6749 section 6, RFC 9700 section 4.14) ---- */

/* In the call's arena: the commit outlives the step that prepares it. */
struct refreshing {
    struct sa_refresh_token presented;
    struct sa_client *client; /* for the first step only */
    struct sa_scope_request wanted;
    struct sa_session session;      /* as it was when the token was presented */
    struct sa_refresh row;          /* what is presented to the store */
    struct sa_refreshed refreshed;  /* what the store made of it */
    Secauth__V1__TokenGrant *grant; /* NULL: there is nothing to hand out */
};

/*
 * All that can fail without the store's word fails here, before the generation advances: a refused scope
 * leaves the token that was presented as good as it was.
 */
static enum sa_status
prepare_refresh(struct sa_call *call, struct refreshing *refreshing, struct sa_audit *record)
{
    const struct sa_session *session = &refreshing->session;
    struct sa_granted granted;
    bool open = false;

    enum sa_status status =
        sa_token_account_is_open(call->authority, session->subject, call->now.wall_ms, &open);
    if (status == SA_OK && !open)
        status = SA_INVALID_GRANT;
    if (status == SA_OK)
        status = sa_scope_narrow(refreshing->client, session, &refreshing->wanted, &granted);
    if (status != SA_OK)
        return status;
    struct sa_token_subject subject = {refreshing->client, session,
                                       sa_token_ttl(call->authority, refreshing->client)};
    return prepare(call, &subject, &granted, record, &refreshing->grant);
}

/* The token to hand out next: the same one, or the successor that follows from it. */
static enum sa_status
put_refresh(struct sa_call *call, const struct refreshing *refreshing)
{
    struct sa_refresh_token next = refreshing->presented;
    Secauth__V1__TokenGrant *grant = refreshing->grant;
    char text[SA_REFRESH_LEN + 1];

    next.generation = refreshing->refreshed.generation;
    sa_refresh_format(call->authority->keyring, &next, text);
    bool put = rpc_put_bytes(call, sa_bytes(text, SA_REFRESH_LEN), &grant->refresh_token);
    grant->replayed = refreshing->refreshed.result == SA_REFRESH_REPLAYED;
    sa_wipe(text, sizeof(text));
    sa_wipe(&next, sizeof(next));
    return put ? SA_OK : SA_NO_MEMORY;
}

/* ---- second step: the store has spoken ---- */

static enum sa_status
refreshed(struct sa_call *call)
{
    struct refreshing *refreshing = call->state;
    Secauth__V1__RefreshTokenResponse *reply = (Secauth__V1__RefreshTokenResponse *)call->reply;

    if (call->committed != SA_OK)
        return call->committed;
    if (refreshing->grant == NULL)
        return SA_INVALID_GRANT;
    reply->grant = refreshing->grant;
    return put_refresh(call, refreshing);
}

/* ---- first step ---- */

/* Present it. Where there is nothing to hand out, the store still says what it was, and records it. */
static enum sa_status
present(struct sa_call *call, struct refreshing *refreshing, const char *client_id)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, NULL);

    record.client_id = client_id;
    enum sa_status status = sa_store_session_by_handle(call->authority->store, refreshing->row.handle_mac,
                                                       call->now.wall_ms, &refreshing->session);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    if (status == SA_OK && refreshing->session.client_row == refreshing->client->row) {
        audit_session(&record, &refreshing->session);
        status = prepare_refresh(call, refreshing, &record);
        if (status != SA_OK)
            return refuse(call, &record, status);
    }
    return sa_call_commit(
        call, sa_store_refresh_work(call->arena, &refreshing->row, &record, &refreshing->refreshed),
        refreshed);
}

/* Shape and tag come first, before any I/O (design section 7). */
static enum sa_status
read_presented(struct sa_call *call, struct sa_bytes text, struct sa_refresh_token *ret_presented)
{
    enum sa_status status = sa_refresh_parse(call->authority->keyring, text, ret_presented);

    if (status == SA_OK)
        return SA_OK;
    call->counts_against_source = status == SA_INVALID_GRANT; /* a forgery, as against rubbish */
    call->log_reason = status == SA_INVALID_GRANT ? "FORGED" : "MALFORMED";
    return SA_INVALID_GRANT;
}

static void
fill_row(const struct sa_call *call, struct refreshing *refreshing)
{
    refreshing->row = (struct sa_refresh){.generation = refreshing->presented.generation,
                                          .client_row = refreshing->client->row,
                                          .now = call->now};
    memcpy(refreshing->row.boot_id, call->authority->boot_id, SA_BOOT_ID_LEN);
    sa_refresh_lookup(call->authority->keyring, &refreshing->presented, refreshing->row.handle_mac);
}

enum sa_status
rpc_token_refresh(struct sa_call *call, const Secauth__V1__RefreshTokenRequest *request,
                  SA_UNUSED Secauth__V1__RefreshTokenResponse *reply)
{
    struct refreshing *refreshing = sa_arena_alloc(call->arena, sizeof(*refreshing));
    SA_OWN(sa_client) client = NULL;

    if (refreshing == NULL)
        return SA_NO_MEMORY;
    call->state = refreshing;
    enum sa_status status = rpc_read_tokens(call, request->tokens, &refreshing->wanted);
    if (status == SA_OK)
        status = read_presented(call, rpc_bytes(request->refresh_token), &refreshing->presented);
    if (status == SA_OK)
        status = rpc_authenticate_client(call, request->client, &client);
    if (status == SA_OK && !sa_client_may(client, SA_GRANT_REFRESH))
        status = SA_UNAUTHORIZED_CLIENT;
    if (status != SA_OK)
        return status;
    refreshing->client = client;
    fill_row(call, refreshing);
    status = present(call, refreshing, request->client->client_id);
    refreshing->client = NULL;
    return status;
}
