/* TokenService: IntrospectToken (RFC 7662) and RevokeToken (RFC 7009), both from live state. */
#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/refresh.h"
#include "service/auth/scope.h"
#include "service/auth/token.h"
#include "service/rpc/shared.h"

#define TOKEN_MAX  4096u
#define TOKEN_RULE "at most 4,096 bytes"

#define FULL_RETRY_MS 60000u

/* ---- IntrospectToken ---- */

static bool
put_audiences(struct sa_call *call, unsigned count, const char (*audiences)[SA_JWT_AUDIENCE_MAX + 1],
              Secauth__V1__IntrospectTokenResponse *reply)
{
    reply->aud = sa_arena_alloc(call->arena, SA_JWT_AUDIENCES * sizeof(*reply->aud));
    if (reply->aud == NULL)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!rpc_put_text(call, audiences[i], &reply->aud[i]))
            return false;
    reply->n_aud = count;
    return true;
}

/* Words separated by spaces, one by one. */
static bool
put_words(struct sa_call *call, const char *words, size_t *ret_count, char ***ret_words)
{
    struct sa_bytes word;
    size_t count = 0;

    for (const char *at = words; sa_scope_next(&at, &word);)
        count++;
    char **list = sa_arena_alloc(call->arena, (count + 1) * sizeof(*list));
    for (size_t i = 0; list != NULL && sa_scope_next(&words, &word); i++) {
        list[i] = sa_arena_alloc(call->arena, word.len + 1);
        if (list[i] == NULL)
            return false;
        memcpy(list[i], word.data, word.len);
        list[i][word.len] = '\0';
    }
    *ret_count = count;
    *ret_words = list;
    return list != NULL;
}

static bool
put_binding(struct sa_call *call, const struct sa_binding *cnf, Secauth__V1__TokenBinding **ret_binding)
{
    Secauth__V1__TokenBinding *binding;

    if (cnf->x5t[0] == '\0' && cnf->jkt[0] == '\0')
        return true;
    binding = sa_arena_alloc(call->arena, sizeof(*binding));
    if (binding == NULL)
        return false;
    secauth__v1__token_binding__init(binding);
    *ret_binding = binding;
    return rpc_put_text(call, cnf->x5t, &binding->x5t_s256) && rpc_put_text(call, cnf->jkt, &binding->jkt);
}

static bool
put_actors(struct sa_call *call, const struct sa_claims *claims, Secauth__V1__IntrospectTokenResponse *reply)
{
    reply->act = sa_arena_alloc(call->arena, SA_JWT_ACTORS * sizeof(*reply->act));
    if (reply->act == NULL)
        return false;
    for (unsigned i = 0; i < claims->act_count; i++)
        if (!rpc_put_text(call, claims->act[i], &reply->act[i]))
            return false;
    reply->n_act = claims->act_count;
    return true;
}

/* What is said of the person, of a token and of a session alike. */
static bool
put_person(struct sa_call *call, const char *amr, const char *acr, int64_t auth_time,
           Secauth__V1__IntrospectTokenResponse *reply)
{
    reply->auth_time = auth_time;
    return put_words(call, amr, &reply->n_amr, &reply->amr) && rpc_put_text(call, acr, &reply->acr);
}

static enum sa_status
put_access(struct sa_call *call, const struct sa_claims *claims, Secauth__V1__IntrospectTokenResponse *reply)
{
    if (!rpc_put_text(call, claims->scope, &reply->scope) ||
        !rpc_put_text(call, claims->client_id, &reply->client_id) ||
        !rpc_put_text(call, claims->username, &reply->username) ||
        !rpc_put_text(call, claims->cnf.jkt[0] != '\0' ? "DPoP" : "Bearer", &reply->token_type) ||
        !rpc_put_text(call, claims->sub, &reply->sub) || !rpc_put_text(call, claims->iss, &reply->iss) ||
        !rpc_put_text(call, claims->jti, &reply->jti) || !rpc_put_text(call, claims->sid, &reply->sid) ||
        !put_audiences(call, claims->aud_count, claims->aud, reply) ||
        !put_person(call, claims->amr, claims->acr, claims->auth_time, reply) ||
        !put_words(call, claims->groups, &reply->n_groups, &reply->groups) ||
        !put_binding(call, &claims->cnf, &reply->cnf) || !put_actors(call, claims, reply))
        return SA_NO_MEMORY;
    reply->exp = claims->exp;
    reply->iat = claims->iat;
    reply->active = true;
    return SA_OK;
}

/*
 * Whoever the token is neither meant for nor issued to sees an inactive one. `asker` is NULL for an
 * administrator.
 */
static enum sa_status
introspect_access(struct sa_call *call, const struct sa_client *asker, struct sa_bytes token,
                  Secauth__V1__IntrospectTokenResponse *reply)
{
    struct sa_claims claims;
    uint32_t client_row;
    bool live = false;

    enum sa_status status = sa_token_read(call->authority, token, &claims, &client_row, &call->log_reason);
    if (status == SA_INVALID_GRANT)
        return SA_OK;
    if (status == SA_OK && asker != NULL && client_row != asker->row && !sa_token_is_for(&claims, asker))
        return SA_OK;
    if (status == SA_OK)
        status = sa_token_is_live(call->authority, &claims, client_row, call->now.wall_ms, &live);
    return status == SA_OK && live ? put_access(call, &claims, reply) : status;
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static enum sa_status
put_refresh(struct sa_call *call, const struct sa_session *session,
            Secauth__V1__IntrospectTokenResponse *reply)
{
    int64_t idle_end_ms =
        session->idle_ms == 0 ? session->expires_ms : session->last_used_ms + session->idle_ms;

    if (!rpc_put_text(call, session->scope, &reply->scope) ||
        !rpc_put_text(call, session->client_id, &reply->client_id) ||
        !rpc_put_text(call, session->user, &reply->username) ||
        !rpc_put_text(call, "refresh_token", &reply->token_type) ||
        !rpc_put_text(call, session->subject, &reply->sub) ||
        !rpc_put_text(call, call->authority->conf->token_issuer, &reply->iss) ||
        !rpc_put_text(call, session->id, &reply->sid) ||
        !put_audiences(call, session->aud_count, session->aud, reply) ||
        !put_person(call, session->amr, session->acr, session->auth_time_s, reply) ||
        !put_binding(call, &session->binding, &reply->cnf))
        return SA_NO_MEMORY;
    reply->exp = earlier(session->expires_ms, idle_end_ms) / 1000;
    reply->iat = session->created_ms / 1000;
    reply->active = true;
    return SA_OK;
}

/*
 * Only the client that it was issued to, and administrators, see a refresh token; and of a session only
 * the newest.
 */
static enum sa_status
introspect_refresh(struct sa_call *call, const struct sa_client *asker, const struct sa_refresh_token *token,
                   Secauth__V1__IntrospectTokenResponse *reply)
{
    struct sa_session session;
    struct sa_user owner;
    uint8_t mac[SA_MAC_LEN];

    sa_refresh_lookup(call->authority->keyring, token, mac);
    enum sa_status status =
        sa_store_session_by_handle(call->authority->store, mac, call->now.wall_ms, &session, &owner);
    if (status == SA_NOT_FOUND)
        return SA_OK;
    if (status == SA_OK &&
        ((asker != NULL && session.client_row != asker->row) || token->generation != session.generation))
        return SA_OK;
    if (status != SA_OK || sa_account_is_closed(sa_account_state(&owner, call->now.wall_ms)))
        return status;
    return put_refresh(call, &session, reply);
}

/* A client must prove itself here; root and administrators need not be one. */
static enum sa_status
identify(struct sa_call *call, const Secauth__V1__ClientAuth *auth, struct sa_client **ret_client)
{
    if (auth == NULL && call->caller.administrator)
        return SA_OK;
    return rpc_authenticate_confidential(call, auth, ret_client);
}

enum sa_status
rpc_token_introspect(struct sa_call *call, const Secauth__V1__IntrospectTokenRequest *request,
                     Secauth__V1__IntrospectTokenResponse *reply)
{
    SA_OWN(sa_client) asker = NULL;
    struct sa_bytes text = rpc_bytes(request->token);
    struct sa_refresh_token token = {.generation = 0}; /* which no session has */

    if (text.len > TOKEN_MAX)
        return sa_call_refuse(call, "token", TOKEN_RULE);
    enum sa_status status = identify(call, request->client, &asker);
    if (status != SA_OK)
        return status;
    /* A forged refresh token takes the way of a genuine one: how long that is would tell it from rubbish. */
    if (sa_refresh_parse(call->authority->keyring, text, &token) == SA_INVALID_ARGUMENT)
        status = introspect_access(call, asker, text, reply);
    else
        status = introspect_refresh(call, asker, &token, reply);
    sa_wipe(&token, sizeof(token));
    return status;
}

/* ---- RevokeToken ---- */

/* Another client's token: refused, and told (RFC 7009 section 2.1). Nothing is revoked. */
static enum sa_status
refuse_other(struct sa_call *call, struct sa_audit *record)
{
    record->outcome = SA_OUTCOME_DENIED;
    record->reason = "OTHER_CLIENT";
    return rpc_denied(call, record, SA_INVALID_GRANT);
}

static enum sa_status
revoke_refresh(struct sa_call *call, const struct sa_client *client, const struct sa_refresh_token *token,
               struct sa_audit *record)
{
    struct sa_session session;
    uint8_t mac[SA_MAC_LEN];

    sa_refresh_lookup(call->authority->keyring, token, mac);
    enum sa_status status =
        sa_store_session_by_handle(call->authority->store, mac, call->now.wall_ms, &session, NULL);
    if (status == SA_NOT_FOUND)
        return SA_OK;
    if (status != SA_OK)
        return status;
    record->user = session.user;
    record->subject = session.subject;
    record->session_id = session.id;
    record->detail = "token=refresh";
    if (session.client_row != client->row)
        return refuse_other(call, record);
    return sa_store_session_end(call->authority->store, session.id, call->now.wall_ms, record);
}

static enum sa_status
revoke_access(struct sa_call *call, const struct sa_client *client, struct sa_bytes text,
              struct sa_audit *record)
{
    struct sa_claims claims;
    uint32_t client_row;

    enum sa_status status = sa_token_read(call->authority, text, &claims, &client_row, &call->log_reason);
    if (status == SA_INVALID_GRANT)
        return SA_OK;
    if (status != SA_OK || call->now.wall_ms / 1000 >= claims.exp)
        return status;
    record->user = claims.username;
    record->subject = claims.sub;
    record->session_id = claims.sid;
    record->detail = rpc_detail(call, "token=access jti=%s", claims.jti);
    if (client_row != client->row)
        return refuse_other(call, record);
    const struct sa_claims *said = &claims;
    struct sa_revoked_token token = {said->jti, said->exp, client_row, said->aud_count, said->aud};
    status = sa_store_token_revoke(call->authority->store, &token, record);
    if (status != SA_TOO_LARGE)
        return status;
    call->retry_ms = FULL_RETRY_MS; /* some expire, and meanwhile no verifier's memory is filled */
    return SA_RATE_LIMITED;
}

/* What means nothing, or nothing any more, is a success too (RFC 7009 section 2.2). */
enum sa_status
rpc_token_revoke(struct sa_call *call, const Secauth__V1__RevokeTokenRequest *request,
                 Secauth__V1__RevokeTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_REVOKE, SA_OUTCOME_GRANTED, NULL);
    struct sa_bytes text = rpc_bytes(request->token);
    SA_OWN(sa_client) client = NULL;
    struct sa_refresh_token token;

    if (text.len > TOKEN_MAX)
        return sa_call_refuse(call, "token", TOKEN_RULE);
    enum sa_status status = rpc_authenticate_client(call, request->client, &client, NULL);
    if (status != SA_OK)
        return status;
    record.client_id = client->id;
    if (sa_refresh_parse(call->authority->keyring, text, &token) == SA_OK)
        status = revoke_refresh(call, client, &token, &record);
    else
        status = revoke_access(call, client, text, &record);
    sa_wipe(&token, sizeof(token));
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
