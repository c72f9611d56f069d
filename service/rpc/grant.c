/*
 * Grants of tokens: what IssueToken, RefreshToken, IssueAttestedToken and a login through a gateway have
 * in common.
 */
#include "service/rpc/grant.h"

#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/scope.h"

#define SCOPE_RULE "at most 1,024 bytes"

enum sa_status
rpc_read_tokens(struct sa_call *call, const Secauth__V1__TokenRequest *tokens,
                struct sa_scope_request *ret_request)
{
    if (tokens == NULL) {
        *ret_request = (struct sa_scope_request){.scope = ""};
        return SA_OK;
    }
    if (tokens->n_audiences > SA_JWT_AUDIENCES)
        return sa_call_refuse(call, "tokens.audiences", "at most 8 audiences");
    for (size_t i = 0; i < tokens->n_audiences; i++) {
        size_t len = strlen(tokens->audiences[i]);
        if (len == 0 || len > SA_JWT_AUDIENCE_MAX)
            return sa_call_refuse(call, "tokens.audiences", "audiences of 1 to 64 bytes");
    }
    if (strlen(tokens->scope) > SA_SCOPE_LIST_MAX)
        return sa_call_refuse(call, "tokens.scope", SCOPE_RULE);
    *ret_request =
        (struct sa_scope_request){(const char *const *)tokens->audiences, tokens->n_audiences, tokens->scope};
    return SA_OK;
}

enum sa_status
rpc_put_grant(struct sa_call *call, const struct sa_token *token, const struct sa_granted *granted,
              Secauth__V1__TokenGrant **ret_grant)
{
    Secauth__V1__TokenGrant *grant = sa_arena_alloc(call->arena, sizeof(*grant));

    if (grant == NULL)
        return SA_NO_MEMORY;
    secauth__v1__token_grant__init(grant);
    if (!rpc_put_bytes(call, sa_bytes_of(token->jwt), &grant->access_token) ||
        !rpc_put_text(call, token->type, &grant->token_type) ||
        !rpc_put_text(call, granted->scope, &grant->scope))
        return SA_NO_MEMORY;
    grant->expires_in_seconds = token->expires_in_s;
    *ret_grant = grant;
    return SA_OK;
}

const char *
rpc_grant_detail(struct sa_call *call, const struct sa_token *token, const struct sa_granted *granted)
{
    char audiences[SA_JWT_AUDIENCES * (SA_JWT_AUDIENCE_MAX + 1) + 1] = "";
    char scopes[SA_SCOPE_LIST_MAX + 1];
    size_t at = 0;

    for (unsigned i = 0; i < granted->aud_count; i++) {
        size_t len = strlen(granted->aud[i]);
        if (at > 0)
            audiences[at++] = ',';
        memcpy(audiences + at, granted->aud[i], len + 1);
        at += len;
    }
    memcpy(scopes, granted->scope, sizeof(scopes));
    for (char *space = scopes; (space = strchr(space, ' ')) != NULL;)
        *space = ',';
    return rpc_detail(call, "jti=%s aud=%s scope=%s", token->jti, audiences, scopes);
}

enum sa_status
rpc_grant_refuse(struct sa_call *call, struct sa_audit *record, enum sa_status status)
{
    if (status != SA_INVALID_SCOPE && status != SA_INVALID_TARGET && status != SA_UNAUTHORIZED_CLIENT &&
        status != SA_SESSION_INVALID && status != SA_INVALID_GRANT && status != SA_INVALID_CLIENT)
        return status;
    record->outcome = SA_OUTCOME_DENIED;
    if (record->reason == NULL)
        record->reason = sa_status_row(status)->reason;
    return rpc_denied(call, record, status);
}

void
rpc_count_unproven(struct sa_call *call, const struct sa_client *client)
{
    call->counts_against_source = client->kind == SA_CLIENT_PUBLIC;
}

enum sa_status
rpc_grant_prepare(struct sa_call *call, const struct sa_token_subject *subject,
                  const struct sa_granted *granted, struct sa_audit *record,
                  Secauth__V1__TokenGrant **ret_grant)
{
    struct sa_token_subject through = *subject;
    struct sa_token token;

    through.gateway = call->caller.gateway_number;
    enum sa_status status = sa_token_mint(call->authority, &through, granted, call->now.wall_ms, &token);
    if (status == SA_TOO_LARGE)
        return sa_call_refuse(call, "tokens", RPC_TOO_MUCH);
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

/* The reply is there already; it leaves if, and only if, its record is on the disk. */
static enum sa_status
handed_out(struct sa_call *call)
{
    return call->committed;
}

enum sa_status
rpc_grant_commit(struct sa_call *call, const struct sa_grant *grant, const struct sa_audit *record)
{
    return sa_call_commit(call, sa_store_grant_work(call->arena, grant, record), handed_out);
}

void
rpc_grant_audit_session(struct sa_audit *record, const struct sa_session *session)
{
    record->user = session->user;
    record->subject = session->subject;
    record->client_id = session->client_id;
    record->session_id = session->id;
}
