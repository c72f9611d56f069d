#include "service/rpc/login_tokens.h"

#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/refresh.h"
#include "service/auth/session.h"
#include "service/auth/token.h"
#include "service/rpc/grant.h"

enum sa_status
rpc_login_check_client(struct sa_call *call, const Secauth__V1__ClientAuth *auth,
                       const Secauth__V1__TokenRequest *tokens, struct sa_granted *ret_granted)
{
    SA_OWN(sa_client) client = NULL;
    struct sa_scope_request request;
    struct sa_binding binding;

    if (auth == NULL)
        return sa_call_refuse(call, "client", "the public client that asks; required through a gateway");
    if (tokens == NULL)
        return sa_call_refuse(call, "tokens", "what the client asks for; required through a gateway");
    enum sa_status status = rpc_read_tokens(call, tokens, &request);
    if (status == SA_OK)
        status = rpc_authenticate_client(call, auth, &client, &binding);
    if (status != SA_OK)
        return status;
    if (client->kind != SA_CLIENT_PUBLIC || !client->login)
        return SA_UNAUTHORIZED_CLIENT;
    status = sa_scope_grant(client, NULL, &request, ret_granted);
    if (status == SA_OK)
        ret_granted->binding = binding;
    return status;
}

static enum sa_status
put_session(struct sa_call *call, const struct sa_session *session, const char *refresh,
            Secauth__V1__TokenGrant *grant)
{
    if (!rpc_put_text(call, session->id, &grant->session_id))
        return SA_NO_MEMORY;
    if (refresh[0] != '\0' && !rpc_put_bytes(call, sa_bytes_of(refresh), &grant->refresh_token))
        return SA_NO_MEMORY;
    return SA_OK;
}

static const char *
detail_of(struct sa_call *call, const char *proof, const char *grant)
{
    return proof == NULL ? grant : rpc_detail(call, "%s %s", proof, grant);
}

enum sa_status
rpc_login_grant_tokens(struct sa_call *call, const struct sa_user *user, const struct sa_granted *granted,
                       const struct sa_proof *proof, const struct sa_login_change *change,
                       struct sa_audit *record, Secauth__V1__TokenGrant **ret_grant)
{
    struct sa_authority *authority = call->authority;
    SA_OWN(sa_client) client = NULL;
    struct sa_refresh_token refresh;
    char refresh_text[SA_REFRESH_LEN + 1] = "";
    uint8_t handle_mac[SA_MAC_LEN];
    struct sa_session session;
    struct sa_token token;

    enum sa_status status = sa_store_client_by_id(authority->store, sa_bytes_of(record->client_id), &client);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_INVALID_CLIENT : status; /* deleted while the hash was computed */
    sa_session_begin(authority, SA_SESSION_TOKEN, user, client, &call->source, proof, call->now.wall_ms,
                     &session);
    sa_session_hold(authority, client, granted, &session);
    sa_refresh_new(&refresh);
    sa_refresh_lookup(authority->keyring, &refresh, handle_mac);
    if (sa_client_may(client, SA_GRANT_REFRESH))
        sa_refresh_format(authority->keyring, &refresh, refresh_text);
    session.gateway = call->caller.gateway_number;
    struct sa_token_subject subject = {.client = client,
                                       .session = &session,
                                       .ttl_s = sa_token_ttl(authority, client),
                                       .gateway = session.gateway,
                                       .binding = &granted->binding};
    status = sa_token_mint(authority, &subject, granted, call->now.wall_ms, &token);
    if (status == SA_TOO_LARGE)
        status = sa_call_refuse(call, "tokens", RPC_TOO_MUCH);
    if (status == SA_OK)
        status = rpc_put_grant(call, &token, granted, ret_grant);
    if (status == SA_OK)
        status = put_session(call, &session, refresh_text, *ret_grant);
    if (status == SA_OK) {
        record->session_id = session.id;
        record->detail = detail_of(call, record->detail, rpc_grant_detail(call, &token, granted));
        status = sa_store_login_session(authority->store, &session, handle_mac, change, record);
    }
    sa_wipe(&token, sizeof(token));
    sa_wipe(refresh_text, sizeof(refresh_text));
    sa_wipe(&refresh, sizeof(refresh));
    return status;
}
