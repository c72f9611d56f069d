/* Clients and tokens for tests of the token service. */
#ifndef SA_TESTS_TOKEN_FIXTURE_H
#define SA_TESTS_TOKEN_FIXTURE_H

#include "service/auth/token.h"
#include "tests/support/rules_fixture.h"

struct rig_client {
    const char *id;
    bool public;
    bool login;
    bool refresh;
    uint32_t grace_s;
    const char *owned;     /* one audience that it is, or NULL */
    const char *audiences; /* "demo=read,write other=write,admin" */
};

/* Split "demo=read,write other=x" into audiences of a message. */
static inline void
rig_put_audiences(Secauth__V1__Client *client, char *list)
{
    static Secauth__V1__ClientAudience audiences[8];
    static Secauth__V1__ClientAudience *pointers[8];
    static char *scopes[8][8];
    char *end, *inner;

    client->audiences = pointers;
    for (char *word = strtok_r(list, " ", &end); word != NULL; word = strtok_r(NULL, " ", &end)) {
        size_t at = client->n_audiences++;
        char *equals = strchr(word, '=');
        secauth__v1__client_audience__init(&audiences[at]);
        *equals = '\0';
        audiences[at].audience = word;
        audiences[at].scopes = scopes[at];
        for (char *scope = strtok_r(equals + 1, ",", &inner); scope != NULL;
             scope = strtok_r(NULL, ",", &inner))
            scopes[at][audiences[at].n_scopes++] = scope;
        pointers[at] = &audiences[at];
    }
}

/* Register a client; its secret, where it has one, goes to ret_secret. */
static inline void
rig_add_client(struct rig *rig, const struct rig_client *said, char ret_secret[64])
{
    Secauth__V1__CreateClientRequest request = SECAUTH__V1__CREATE_CLIENT_REQUEST__INIT;
    Secauth__V1__CreateClientResponse reply = SECAUTH__V1__CREATE_CLIENT_RESPONSE__INIT;
    Secauth__V1__Client client = SECAUTH__V1__CLIENT__INIT;
    Secauth__V1__Seconds grace = SECAUTH__V1__SECONDS__INIT;
    Secauth__V1__ClientGrant grants[2];
    char *owned[1] = {RIG_TEXT(said->owned)};
    char list[256];

    request.client = &client;
    client.client_id = RIG_TEXT(said->id);
    client.kind = said->public ? SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC
                               : SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL;
    client.login = said->login;
    client.grants = grants;
    if (!said->public)
        grants[client.n_grants++] = SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_CLIENT_CREDENTIALS;
    if (said->refresh)
        grants[client.n_grants++] = SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_REFRESH_TOKEN;
    grace.value = said->grace_s;
    client.grace = &grace;
    if (said->owned != NULL) {
        client.audiences_owned = owned;
        client.n_audiences_owned = 1;
    }
    snprintf(list, sizeof(list), "%s", said->audiences);
    rig_put_audiences(&client, list);
    assert_int_equal(rig_call(rig, rig_root(), "ClientService/CreateClient", &request.base, &reply.base),
                     SA_OK);
    if (ret_secret != NULL)
        snprintf(ret_secret, 64, "%.*s", (int)reply.secret.len, (const char *)reply.secret.data);
}

/* Open an audience to people. */
static inline void
rig_open_to_people(struct rig *rig, const char *audience, const char *scope, const char *group)
{
    Secauth__V1__SetClientAudienceRequest request = SECAUTH__V1__SET_CLIENT_AUDIENCE_REQUEST__INIT;
    Secauth__V1__SetClientAudienceResponse reply = SECAUTH__V1__SET_CLIENT_AUDIENCE_RESPONSE__INIT;
    Secauth__V1__ClientAudience said = SECAUTH__V1__CLIENT_AUDIENCE__INIT;
    char *scopes[1] = {RIG_TEXT(scope)};

    request.client_id = RIG_TEXT(SA_HOST_CLIENT);
    request.audience = &said;
    said.audience = RIG_TEXT(audience);
    said.scopes = scopes;
    said.n_scopes = 1;
    said.group = RIG_TEXT(group);
    assert_int_equal(rig_call(rig, rig_root(), "ClientService/SetClientAudience", &request.base, &reply.base),
                     SA_OK);
}

/* What a request of tokens holds; messages that live as long as it. */
struct rig_ask {
    Secauth__V1__ClientAuth client;
    Secauth__V1__TokenRequest tokens;
    char *audiences[8];
};

/* audience: "" for none, or up to two parted by a space; NULL scope is "". */
static inline void
rig_ask(struct rig_ask *ask, const char *client_id, const char *secret, const char *audience,
        const char *scope)
{
    static char words[128];
    char *end;

    secauth__v1__client_auth__init(&ask->client);
    secauth__v1__token_request__init(&ask->tokens);
    ask->client.client_id = RIG_TEXT(client_id);
    if (secret != NULL && secret[0] != '\0') {
        ask->client.method_case = SECAUTH__V1__CLIENT_AUTH__METHOD_SECRET;
        ask->client.secret = RIG_BYTES(secret);
    }
    snprintf(words, sizeof(words), "%s", audience);
    ask->tokens.audiences = ask->audiences;
    for (char *word = strtok_r(words, " ", &end); word != NULL; word = strtok_r(NULL, " ", &end))
        ask->audiences[ask->tokens.n_audiences++] = word;
    ask->tokens.scope = RIG_TEXT(scope == NULL ? "" : scope);
}

/* A grant's texts, copied out of the call's arena. */
struct rig_grant {
    char access[SA_JWT_MAX + 1];
    char refresh[64];
    char scope[SA_SCOPE_LIST_MAX + 1];
    char sid[SA_ID_LEN + 1];
    uint32_t expires_in;
    bool replayed;
};

static inline void
rig_copy_grant(const Secauth__V1__TokenGrant *from, struct rig_grant *ret_grant)
{
    assert_non_null(from);
    assert_string_equal(from->token_type, "Bearer");
    snprintf(ret_grant->access, sizeof(ret_grant->access), "%.*s", (int)from->access_token.len,
             (const char *)from->access_token.data);
    snprintf(ret_grant->refresh, sizeof(ret_grant->refresh), "%.*s", (int)from->refresh_token.len,
             from->refresh_token.len == 0 ? "" : (const char *)from->refresh_token.data);
    snprintf(ret_grant->scope, sizeof(ret_grant->scope), "%s", from->scope);
    snprintf(ret_grant->sid, sizeof(ret_grant->sid), "%s", from->session_id);
    ret_grant->expires_in = from->expires_in_seconds;
    ret_grant->replayed = from->replayed;
}

/* client_credentials. */
static inline enum sa_status
rig_issue(struct rig *rig, const struct rig_ask *ask, struct rig_grant *ret_grant)
{
    Secauth__V1__IssueTokenRequest request = SECAUTH__V1__ISSUE_TOKEN_REQUEST__INIT;
    Secauth__V1__IssueTokenResponse reply = SECAUTH__V1__ISSUE_TOKEN_RESPONSE__INIT;
    struct rig_ask said = *ask;

    request.client = &said.client;
    request.tokens = &said.tokens;
    said.tokens.audiences = said.audiences;
    enum sa_status status =
        rig_call(rig, rig_network("203.0.113.9"), "TokenService/IssueToken", &request.base, &reply.base);
    if (status == SA_OK)
        rig_copy_grant(reply.grant, ret_grant);
    return status;
}

/* A person logs in through a public client. */
static inline enum sa_status
rig_login_through(struct rig *rig, const struct rig_ask *ask, const char *user, const char *password,
                  struct rig_grant *ret_grant)
{
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__BeginAuthenticationResponse reply = SECAUTH__V1__BEGIN_AUTHENTICATION_RESPONSE__INIT;
    struct rig_ask said = *ask;

    said.tokens.audiences = said.audiences;
    request.user = RIG_BYTES(user);
    request.password = RIG_BYTES(password);
    request.client = &said.client;
    request.tokens = &said.tokens;
    enum sa_status status = rig_call(rig, rig_network("203.0.113.9"), "AuthnService/BeginAuthentication",
                                     &request.base, &reply.base);
    if (status == SA_OK)
        rig_copy_grant(reply.grant, ret_grant);
    return status;
}

static inline enum sa_status
rig_refresh(struct rig *rig, const struct rig_ask *ask, const char *token, struct rig_grant *ret_grant)
{
    Secauth__V1__RefreshTokenRequest request = SECAUTH__V1__REFRESH_TOKEN_REQUEST__INIT;
    Secauth__V1__RefreshTokenResponse reply = SECAUTH__V1__REFRESH_TOKEN_RESPONSE__INIT;
    struct rig_ask said = *ask;

    said.tokens.audiences = said.audiences;
    request.client = &said.client;
    request.tokens = &said.tokens;
    request.refresh_token = RIG_BYTES(token);
    enum sa_status status =
        rig_call(rig, rig_network("203.0.113.9"), "TokenService/RefreshToken", &request.base, &reply.base);
    if (status == SA_OK)
        rig_copy_grant(reply.grant, ret_grant);
    return status;
}

/* What introspection says; the reply lives until the next call. `ask` NULL: root. */
static inline bool
rig_is_active(struct rig *rig, const struct rig_ask *ask, const char *token,
              Secauth__V1__IntrospectTokenResponse *ret_reply)
{
    Secauth__V1__IntrospectTokenRequest request = SECAUTH__V1__INTROSPECT_TOKEN_REQUEST__INIT;
    struct rig_ask said;

    secauth__v1__introspect_token_response__init(ret_reply);
    request.token = RIG_BYTES(token);
    if (ask != NULL) {
        said = *ask;
        request.client = &said.client;
    }
    assert_int_equal(rig_call(rig, ask == NULL ? rig_root() : rig_network("203.0.113.9"),
                              "TokenService/IntrospectToken", &request.base, &ret_reply->base),
                     SA_OK);
    if (!ret_reply->active)
        assert_int_equal(secauth__v1__introspect_token_response__get_packed_size(ret_reply), 0);
    return ret_reply->active;
}

static inline struct sa_claims
rig_claims(const struct rig *rig, const char *token)
{
    struct sa_claims claims;
    const char *reason;
    uint32_t row;

    assert_int_equal(sa_token_read(rig->authority, sa_bytes_of(token), &claims, &row, &reason), SA_OK);
    return claims;
}

#endif
