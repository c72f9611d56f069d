#include "client/secauth_call.h"

#include <stdlib.h>

#include "secauth/v1/key.pb-c.h"
#include "secauth/v1/token.pb-c.h"

#define SERVICE &secauth__v1__token_service__descriptor

/* A result lives in the arena of its reply, together with this: one free wipes all of it. */
struct token {
    struct secauth_token result; /* first, so that the caller's pointer is ours */
    struct sa_arena *arena;
};

struct introspection {
    struct secauth_introspection result;
    struct sa_arena *arena;
};

struct key_set {
    struct secauth_key_set result;
    struct sa_arena *arena;
};

static bool
fill_request(const struct secauth_request *request, Secauth__V1__TokenRequest *ret_tokens)
{
    union {
        const char *const *read;
        char **write;
    } audiences;

    secauth__v1__token_request__init(ret_tokens);
    if (request == NULL || (request->audiences == NULL && request->audience_count > 0))
        return false;
    for (size_t i = 0; i < request->audience_count; i++)
        if (request->audiences[i] == NULL)
            return false;
    audiences.read = request->audiences;
    ret_tokens->n_audiences = request->audience_count;
    ret_tokens->audiences = audiences.write;
    if (request->scope != NULL)
        ret_tokens->scope = sa_secauth_borrow(request->scope);
    return true;
}

static enum secauth_status
missing(struct secauth_error *ret_error)
{
    return sa_secauth_fail(SA_INVALID_ARGUMENT, "an argument that is needed is NULL", ret_error);
}

/* The grant of a reply; nothing but a whole one is success. */
static enum secauth_status
take_grant(struct sa_arena **arena, const Secauth__V1__TokenGrant *grant, struct secauth_token **ret_token,
           struct secauth_error *ret_error)
{
    if (grant == NULL || grant->access_token.len == 0 || grant->expires_in_seconds == 0)
        return sa_secauth_fail(SA_MALFORMED, NULL, ret_error);
    struct token *token = sa_arena_alloc(*arena, sizeof(*token));
    if (token == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    token->result = (struct secauth_token){
        .access_token = sa_secauth_text(*arena, &grant->access_token),
        .expires_in_seconds = grant->expires_in_seconds,
        .scope = grant->scope,
        .refresh_token = grant->refresh_token.len > 0 ? sa_secauth_text(*arena, &grant->refresh_token) : NULL,
        .session_id = grant->session_id,
        .replayed = grant->replayed,
    };
    if (token->result.access_token == NULL ||
        (grant->refresh_token.len > 0 && token->result.refresh_token == NULL))
        return sa_secauth_fail(SA_MALFORMED, NULL, ret_error);
    token->arena = sa_arena_take(arena);
    *ret_token = &token->result;
    return SECAUTH_OK;
}

enum secauth_status
secauth_issue(struct secauth *handle, const struct secauth_client *client,
              const struct secauth_request *request, uint32_t timeout_millis,
              struct secauth_token **ret_token, struct secauth_error *ret_error)
{
    Secauth__V1__IssueTokenRequest message = SECAUTH__V1__ISSUE_TOKEN_REQUEST__INIT;
    Secauth__V1__ClientAuth auth;
    Secauth__V1__TokenRequest tokens;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (!sa_secauth_fill_client(client, &auth) || !fill_request(request, &tokens) || ret_token == NULL)
        return missing(ret_error);
    message.client = &auth;
    message.tokens = &tokens;
    enum secauth_status status = sa_secauth_call(handle, SERVICE, "IssueToken", &message.base, timeout_millis,
                                                 arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    return take_grant(&arena, ((const Secauth__V1__IssueTokenResponse *)reply)->grant, ret_token, ret_error);
}

static enum secauth_status
issue_attested(struct secauth *handle, const char *session_id, const char *client_id,
               const struct secauth_request *request, uint32_t timeout_millis,
               struct secauth_token **ret_token, struct secauth_error *ret_error)
{
    Secauth__V1__IssueAttestedTokenRequest message = SECAUTH__V1__ISSUE_ATTESTED_TOKEN_REQUEST__INIT;
    Secauth__V1__TokenRequest tokens;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (!fill_request(request, &tokens) || ret_token == NULL)
        return missing(ret_error);
    message.session_id = sa_secauth_borrow(session_id);
    message.client_id = sa_secauth_borrow(client_id);
    message.tokens = &tokens;
    enum secauth_status status = sa_secauth_call(handle, SERVICE, "IssueAttestedToken", &message.base,
                                                 timeout_millis, arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    return take_grant(&arena, ((const Secauth__V1__IssueAttestedTokenResponse *)reply)->grant, ret_token,
                      ret_error);
}

enum secauth_status
secauth_issue_attested(struct secauth *handle, const char *session_id, const struct secauth_request *request,
                       uint32_t timeout_millis, struct secauth_token **ret_token,
                       struct secauth_error *ret_error)
{
    if (session_id == NULL)
        session_id = secure_getenv("SECAUTH_SESSION");
    if (session_id == NULL)
        return sa_secauth_fail(SA_SESSION_INVALID, "SECAUTH_SESSION is not set", ret_error);
    return issue_attested(handle, session_id, "", request, timeout_millis, ret_token, ret_error);
}

enum secauth_status
secauth_issue_attested_client(struct secauth *handle, const char *client_id,
                              const struct secauth_request *request, uint32_t timeout_millis,
                              struct secauth_token **ret_token, struct secauth_error *ret_error)
{
    if (client_id == NULL)
        return missing(ret_error);
    return issue_attested(handle, "", client_id, request, timeout_millis, ret_token, ret_error);
}

enum secauth_status
secauth_exchange(struct secauth *handle, const struct secauth_client *client, const char *subject_token,
                 const struct secauth_request *request, uint32_t timeout_millis,
                 struct secauth_token **ret_token, struct secauth_error *ret_error)
{
    Secauth__V1__ExchangeTokenRequest message = SECAUTH__V1__EXCHANGE_TOKEN_REQUEST__INIT;
    Secauth__V1__ClientAuth auth;
    Secauth__V1__TokenRequest tokens;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (!sa_secauth_fill_client(client, &auth) || subject_token == NULL || ret_token == NULL ||
        !fill_request(request, &tokens))
        return missing(ret_error);
    message.client = &auth;
    message.subject_token = sa_secauth_borrow_bytes(subject_token);
    message.tokens = &tokens;
    enum secauth_status status = sa_secauth_call(handle, SERVICE, "ExchangeToken", &message.base,
                                                 timeout_millis, arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    return take_grant(&arena, ((const Secauth__V1__ExchangeTokenResponse *)reply)->grant, ret_token,
                      ret_error);
}

enum secauth_status
secauth_refresh(struct secauth *handle, const struct secauth_client *client, const char *refresh_token,
                const struct secauth_request *request, uint32_t timeout_millis,
                struct secauth_token **ret_token, struct secauth_error *ret_error)
{
    Secauth__V1__RefreshTokenRequest message = SECAUTH__V1__REFRESH_TOKEN_REQUEST__INIT;
    Secauth__V1__ClientAuth auth;
    Secauth__V1__TokenRequest tokens;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (!sa_secauth_fill_client(client, &auth) || refresh_token == NULL || ret_token == NULL ||
        (request != NULL && !fill_request(request, &tokens)))
        return missing(ret_error);
    message.client = &auth;
    message.refresh_token = sa_secauth_borrow_bytes(refresh_token);
    message.tokens = request != NULL ? &tokens : NULL;
    enum secauth_status status = sa_secauth_call_again(handle, SERVICE, "RefreshToken", &message.base,
                                                       timeout_millis, arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    return take_grant(&arena, ((const Secauth__V1__RefreshTokenResponse *)reply)->grant, ret_token,
                      ret_error);
}

void
secauth_token_free(struct secauth_token *token)
{
    if (token != NULL)
        sa_arena_free(((struct token *)token)->arena);
}

static struct secauth_introspection
introspection_of(const Secauth__V1__IntrospectTokenResponse *reply)
{
    if (!reply->active)
        return (struct secauth_introspection){.scope = "",
                                              .client_id = "",
                                              .username = "",
                                              .token_type = "",
                                              .sub = "",
                                              .iss = "",
                                              .jti = "",
                                              .sid = "",
                                              .jkt = "",
                                              .x5t = ""};
    return (struct secauth_introspection){
        .active = 1,
        .scope = reply->scope,
        .client_id = reply->client_id,
        .username = reply->username,
        .token_type = reply->token_type,
        .exp = reply->exp,
        .iat = reply->iat,
        .sub = reply->sub,
        .audiences = (const char *const *)reply->aud,
        .audience_count = reply->n_aud,
        .iss = reply->iss,
        .jti = reply->jti,
        .sid = reply->sid,
        .jkt = reply->cnf == NULL ? "" : reply->cnf->jkt,
        .x5t = reply->cnf == NULL ? "" : reply->cnf->x5t_s256,
    };
}

enum secauth_status
secauth_introspect(struct secauth *handle, const struct secauth_client *client, const char *token,
                   uint32_t timeout_millis, struct secauth_introspection **ret_introspection,
                   struct secauth_error *ret_error)
{
    Secauth__V1__IntrospectTokenRequest message = SECAUTH__V1__INTROSPECT_TOKEN_REQUEST__INIT;
    Secauth__V1__ClientAuth auth;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (!sa_secauth_fill_client(client, &auth) || token == NULL || ret_introspection == NULL)
        return missing(ret_error);
    message.client = &auth;
    message.token = sa_secauth_borrow_bytes(token);
    enum secauth_status status = sa_secauth_call(handle, SERVICE, "IntrospectToken", &message.base,
                                                 timeout_millis, arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    struct introspection *introspection = sa_arena_alloc(arena, sizeof(*introspection));
    if (introspection == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    introspection->result = introspection_of((const Secauth__V1__IntrospectTokenResponse *)reply);
    introspection->arena = sa_arena_take(&arena);
    *ret_introspection = &introspection->result;
    return SECAUTH_OK;
}

void
secauth_introspection_free(struct secauth_introspection *introspection)
{
    if (introspection != NULL)
        sa_arena_free(((struct introspection *)introspection)->arena);
}

enum secauth_status
secauth_revoke(struct secauth *handle, const struct secauth_client *client, const char *token,
               uint32_t timeout_millis, struct secauth_error *ret_error)
{
    Secauth__V1__RevokeTokenRequest message = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    Secauth__V1__ClientAuth auth;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (!sa_secauth_fill_client(client, &auth) || token == NULL)
        return missing(ret_error);
    message.client = &auth;
    message.token = sa_secauth_borrow_bytes(token);
    enum secauth_status status = sa_secauth_call(handle, SERVICE, "RevokeToken", &message.base,
                                                 timeout_millis, arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    bool accepted = ((const Secauth__V1__RevokeTokenResponse *)reply)->accepted;
    return accepted ? SECAUTH_OK : sa_secauth_fail(SA_MALFORMED, NULL, ret_error);
}

enum secauth_status
secauth_get_key_set(struct secauth *handle, uint32_t timeout_millis, struct secauth_key_set **ret_key_set,
                    struct secauth_error *ret_error)
{
    Secauth__V1__GetKeySetRequest message = SECAUTH__V1__GET_KEY_SET_REQUEST__INIT;
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(SA_SECAUTH_ARENA_MAX);

    if (ret_key_set == NULL)
        return missing(ret_error);
    enum secauth_status status = sa_secauth_call(handle, &secauth__v1__key_service__descriptor, "GetKeySet",
                                                 &message.base, timeout_millis, arena, &reply, ret_error);
    if (status != SECAUTH_OK)
        return status;
    const Secauth__V1__GetKeySetResponse *said = (const Secauth__V1__GetKeySetResponse *)reply;
    struct key_set *key_set = sa_arena_alloc(arena, sizeof(*key_set));
    if (key_set == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    key_set->result = (struct secauth_key_set){.jwks = sa_secauth_text(arena, &said->jwks),
                                               .etag = said->etag,
                                               .max_age_seconds = said->max_age_seconds};
    if (said->jwks.len == 0 || key_set->result.jwks == NULL)
        return sa_secauth_fail(SA_MALFORMED, NULL, ret_error);
    key_set->arena = sa_arena_take(&arena);
    *ret_key_set = &key_set->result;
    return SECAUTH_OK;
}

void
secauth_key_set_free(struct secauth_key_set *key_set)
{
    if (key_set != NULL)
        sa_arena_free(((struct key_set *)key_set)->arena);
}
