/* TokenService/RefreshToken (RFC 6749 section 6, RFC 9700 section 4.14). */
#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/refresh.h"
#include "service/auth/token.h"
#include "service/base/log.h"
#include "service/rpc/grant.h"

/* In the call's arena: the commit outlives the step that prepares it. */
struct refreshing {
    struct sa_refresh_token presented;
    struct sa_client *client; /* for the first step only */
    bool is_unproven;         /* the client is a public one */
    struct sa_scope_request wanted;
    struct sa_binding binding;      /* what has been proven now */
    struct sa_session session;      /* as it was when the token was presented */
    struct sa_refresh row;          /* what is presented to the store */
    struct sa_refreshed refreshed;  /* what the store made of it */
    Secauth__V1__TokenGrant *grant; /* NULL: there is nothing to hand out */
};

/* A session that is bound goes on with the same key only (RFC 9449 section 5): a stolen token does not do. */
static bool
keeps_its_binding(const struct refreshing *refreshing)
{
    const struct sa_binding *before = &refreshing->session.binding;

    return (before->x5t[0] == '\0' || strcmp(before->x5t, refreshing->binding.x5t) == 0) &&
           (before->jkt[0] == '\0' || strcmp(before->jkt, refreshing->binding.jkt) == 0);
}

/*
 * All that can fail without the store's word fails here, before the generation advances: a refused scope
 * leaves the token that was presented as good as it was.
 */
static enum sa_status
prepare_refresh(struct sa_call *call, struct refreshing *refreshing, struct sa_audit *record)
{
    const struct sa_session *session = &refreshing->session;
    struct sa_granted granted;

    if (!keeps_its_binding(refreshing)) {
        record->reason = "OTHER_KEY";
        return SA_INVALID_GRANT;
    }
    enum sa_status status = sa_scope_narrow(refreshing->client, session, &refreshing->wanted, &granted);
    if (status != SA_OK)
        return status;
    struct sa_token_subject subject = {.client = refreshing->client,
                                       .session = session,
                                       .ttl_s = sa_token_ttl(call->authority, refreshing->client),
                                       .binding = &refreshing->binding};
    return rpc_grant_prepare(call, &subject, &granted, record, &refreshing->grant);
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

/* What an honest client never does: somebody has a token that is not theirs, or the database is an old one.
 */
static void
raise_alarm(struct sa_call *call, const struct refreshing *refreshing)
{
    switch (refreshing->refreshed.result) {
    case SA_REFRESH_REUSED:
        call->log_reason = "REUSED";
        sa_log(SA_LOG_WARNING, "alarm event=TOKEN_REUSE reason=REUSED session=%s", refreshing->session.id);
        return;
    case SA_REFRESH_ROLLBACK:
        call->log_reason = "STATE_ROLLBACK";
        sa_log(SA_LOG_ERROR,
               "alarm event=TOKEN_ROLLBACK reason=STATE_ROLLBACK session=%s: the database is older than its "
               "tokens",
               refreshing->session.id);
        return;
    case SA_REFRESH_SAME:
    case SA_REFRESH_ROTATED:
    case SA_REFRESH_REPLAYED:
    case SA_REFRESH_STALE:
    default:
        return;
    }
}

/* Each has its record, so whoever is not proven has a rate of them. A duplicate that was slow is no fault. */
static enum sa_status
count_denial(struct sa_call *call, const struct refreshing *refreshing, enum sa_status status)
{
    if (status == SA_INVALID_GRANT && refreshing->refreshed.result != SA_REFRESH_STALE)
        call->counts_against_source = refreshing->is_unproven;
    return status;
}

static enum sa_status
refreshed(struct sa_call *call)
{
    struct refreshing *refreshing = call->state;
    Secauth__V1__RefreshTokenResponse *reply = (Secauth__V1__RefreshTokenResponse *)call->reply;

    if (call->committed == SA_INVALID_GRANT)
        raise_alarm(call, refreshing);
    if (call->committed != SA_OK)
        return count_denial(call, refreshing, call->committed);
    if (refreshing->grant == NULL)
        return count_denial(call, refreshing, SA_INVALID_GRANT);
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
    struct sa_user owner;
    enum sa_status status = sa_store_session_by_handle(call->authority->store, refreshing->row.handle_mac,
                                                       call->now.wall_ms, &refreshing->session, &owner);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    if (status == SA_OK && refreshing->session.client_row == refreshing->client->row) {
        rpc_grant_audit_session(&record, &refreshing->session);
        status = sa_account_is_closed(sa_account_state(&owner, call->now.wall_ms))
                     ? SA_INVALID_GRANT
                     : prepare_refresh(call, refreshing, &record);
        if (status != SA_OK)
            return count_denial(call, refreshing, rpc_grant_refuse(call, &record, status));
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
        status = rpc_authenticate_client(call, request->client, &client, &refreshing->binding);
    if (status == SA_OK && !sa_client_may(client, SA_GRANT_REFRESH))
        status = SA_UNAUTHORIZED_CLIENT;
    if (status != SA_OK)
        return status;
    refreshing->client = client;
    refreshing->is_unproven = client->kind == SA_CLIENT_PUBLIC;
    fill_row(call, refreshing);
    status = present(call, refreshing, request->client->client_id);
    refreshing->client = NULL;
    return status;
}
