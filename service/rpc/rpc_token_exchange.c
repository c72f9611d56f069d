/*
 * TokenService/ExchangeToken (RFC 8693): a service hands a token that was meant for it on, as one for the
 * service that it calls itself.
 */
#include "service/auth/client.h"
#include "service/auth/exchange.h"
#include "service/auth/inside.h"
#include "service/auth/token.h"
#include "service/rpc/grant.h"

#define TOKEN_RULE    "the access token that is exchanged, 1 to 4,096 bytes; required"
#define AUDIENCE_RULE "exactly one audience"

/* In the call's arena: the record names what it says, and outlives the step. */
struct exchange {
    struct sa_claims original;
    struct sa_binding binding;
    struct sa_granted granted;
};

/*
 * Read the subject token: one of ours that is good at this moment, or SA_INVALID_GRANT, one for all that is
 * not.
 */
static enum sa_status
read_original(struct sa_call *call, struct sa_bytes token, struct sa_claims *ret_original)
{
    uint32_t row;
    bool live = false;

    enum sa_status status = sa_token_read(call->authority, token, ret_original, &row, &call->log_reason);
    if (status == SA_OK)
        status = sa_token_is_live(call->authority, ret_original, row, call->now.wall_ms, &live);
    return status == SA_OK && !live ? SA_INVALID_GRANT : status;
}

/*
 * A token that is bound never becomes one that whoever bears it may use: who hands it on proves a key of its
 * own (docs/decisions/0115).
 */
static bool
loses_its_binding(const struct exchange *exchange)
{
    const struct sa_binding *before = &exchange->original.cnf;
    const struct sa_binding *now = &exchange->binding;

    return (before->x5t[0] != '\0' || before->jkt[0] != '\0') && now->x5t[0] == '\0' && now->jkt[0] == '\0';
}

static enum sa_status
judge(struct sa_call *call, const struct sa_client *client, const struct sa_scope_request *wanted,
      struct sa_bytes token, struct exchange *exchange, struct sa_audit *record)
{
    if (client->kind != SA_CLIENT_CONFIDENTIAL || !sa_client_may(client, SA_GRANT_EXCHANGE)) {
        rpc_count_unproven(call, client);
        return SA_UNAUTHORIZED_CLIENT;
    }
    enum sa_status status = read_original(call, token, &exchange->original);
    if (status != SA_OK)
        return status;
    record->user = exchange->original.username;
    record->subject = exchange->original.sub;
    record->session_id = exchange->original.sid;
    record->detail = rpc_detail(call, "from=%s", exchange->original.jti);
    status = sa_exchange_grant(client, &exchange->original, wanted, &exchange->granted);
    if (status == SA_INVALID_GRANT)
        record->reason = exchange->original.act_count >= SA_JWT_ACTORS ? "TOO_MANY_ACTORS" : "OTHER_AUDIENCE";
    if (status == SA_OK && loses_its_binding(exchange)) {
        record->reason = "UNBOUND";
        return SA_INVALID_GRANT;
    }
    return status;
}

/* Who must still be there when the record is committed. */
static enum sa_status
commit(struct sa_call *call, const struct sa_client *client, const struct sa_claims *original,
       const struct sa_audit *record)
{
    struct sa_grant grant = {.client_row = client->row,
                             .session_id = original->sid,
                             .subject_client = original->sid[0] == '\0' ? original->sub : "",
                             .now_ms = call->now.wall_ms};

    if (sa_jti_parse(original->jti, &grant.minted_ms, NULL, NULL) != SA_OK)
        return SA_INTERNAL; /* it was read before */
    return rpc_grant_commit(call, &grant, record);
}

enum sa_status
rpc_token_exchange(struct sa_call *call, const Secauth__V1__ExchangeTokenRequest *request,
                   Secauth__V1__ExchangeTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_EXCHANGE, SA_OUTCOME_GRANTED, NULL);
    struct exchange *exchange = sa_arena_alloc(call->arena, sizeof(*exchange));
    struct sa_bytes token = rpc_bytes(request->subject_token);
    SA_OWN(sa_client) client = NULL;
    struct sa_scope_request wanted;

    if (exchange == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = rpc_read_tokens(call, request->tokens, &wanted);
    if (status == SA_OK && wanted.audience_count != 1)
        status = sa_call_refuse(call, "tokens.audiences", AUDIENCE_RULE);
    if (status == SA_OK && (token.len == 0 || token.len > SA_JWT_MAX))
        status = sa_call_refuse(call, "subject_token", TOKEN_RULE);
    if (status == SA_OK)
        status = rpc_authenticate_client(call, request->client, &client, &exchange->binding);
    if (status != SA_OK)
        return status;
    record.client_id = request->client->client_id;
    status = judge(call, client, &wanted, token, exchange, &record);
    if (status != SA_OK)
        return rpc_grant_refuse(call, &record, status);
    struct sa_token_subject subject = {.client = client,
                                       .ttl_s = sa_token_ttl(call->authority, client),
                                       .binding = &exchange->binding,
                                       .original = &exchange->original};
    const char *from = record.detail;
    status = rpc_grant_prepare(call, &subject, &exchange->granted, &record, &reply->grant);
    if (status != SA_OK) /* its last second is running, or its person has just gone */
        return rpc_grant_refuse(call, &record, status);
    record.detail = rpc_detail(call, "%s %s", from, record.detail);
    if (exchange->original.sid[0] != '\0' &&
        !rpc_put_text(call, exchange->original.sid, &reply->grant->session_id))
        return SA_NO_MEMORY;
    return commit(call, client, &exchange->original, &record);
}
