#include "service/auth/token.h"

#include <assert.h>
#include <stdio.h>

#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/signing.h"
#include "service/store/store_not_before.h"

/* Copy a text that is known to fit. */
#define PUT(to, from)                                                                                        \
    do {                                                                                                     \
        static_assert(sizeof(to) >= 9, "an array, not a pointer");                                           \
        snprintf(to, sizeof(to), "%s", from);                                                                \
    } while (0)

/* What is said of the person: what was proven when the session began, and which session it is. */
static void
say_session(const struct sa_session *session, struct sa_claims *claims)
{
    PUT(claims->sub, session->subject);
    PUT(claims->sid, session->id);
    PUT(claims->username, session->user);
    PUT(claims->amr, session->amr);
    PUT(claims->acr, session->acr);
    claims->auth_time = session->auth_time_s;
}

/* Likewise what an exchanged token says, and who acts now before whoever did (RFC 8693 section 4.1). */
static void
say_original(const struct sa_claims *original, struct sa_claims *claims)
{
    PUT(claims->sub, original->sub);
    PUT(claims->sid, original->sid);
    PUT(claims->username, original->username);
    PUT(claims->amr, original->amr);
    PUT(claims->acr, original->acr);
    claims->auth_time = original->auth_time;
    PUT(claims->act[0], claims->client_id);
    claims->act_count = 1;
    for (unsigned i = 0; i < original->act_count && claims->act_count < SA_JWT_ACTORS; i++)
        PUT(claims->act[claims->act_count++], original->act[i]);
}

/* A person's groups at this moment, where the client's tokens say them. SA_INVALID_GRANT for nobody. */
static enum sa_status
say_groups(struct sa_authority *authority, const struct sa_client *client, struct sa_claims *claims)
{
    SA_OWN(sa_user) user = NULL;
    size_t len = 0;

    if (!client->say_groups || claims->sid[0] == '\0')
        return SA_OK;
    enum sa_status status = sa_store_user_by_subject(authority->store, claims->sub, &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_INVALID_GRANT : status;
    claims->has_groups = true;
    for (unsigned i = 0; i < user->group_count; i++) {
        if (len + strlen(user->groups[i]) + 1 >= sizeof(claims->groups))
            return SA_TOO_LARGE;
        len += (size_t)snprintf(claims->groups + len, sizeof(claims->groups) - len, "%s%s",
                                len == 0 ? "" : " ", user->groups[i]);
    }
    return SA_OK;
}

/* Whether every service that it is for knows no other `typ`. */
static bool
is_plain(const struct sa_client *client, const struct sa_granted *granted)
{
    for (unsigned i = 0; i < granted->aud_count; i++) {
        const struct sa_client_audience *audience = sa_scope_audience(client, granted->aud[i]);
        if (audience == NULL || !audience->plain_typ)
            return false;
    }
    return true;
}

/* How long it lives, in seconds; not over 0: no more. */
static int64_t
life_of(const struct sa_token_subject *subject, int64_t now_ms)
{
    int64_t life_s = subject->ttl_s;
    int64_t left_s = life_s;

    if (subject->session != NULL)
        left_s = (subject->session->expires_ms - now_ms) / 1000;
    if (subject->original != NULL)
        left_s = subject->original->exp - now_ms / 1000;
    return left_s < life_s ? left_s : life_s;
}

enum sa_status
sa_token_mint(struct sa_authority *authority, const struct sa_token_subject *subject,
              const struct sa_granted *granted, int64_t now_ms, struct sa_token *ret_token)
{
    struct sa_claims claims = {.aud_count = granted->aud_count};
    int64_t life_s = life_of(subject, now_ms);

    if (life_s <= 0)
        return SA_INVALID_GRANT;
    PUT(claims.iss, authority->conf->token_issuer);
    PUT(claims.client_id, subject->client->id);
    PUT(claims.sub, subject->client->id);
    PUT(claims.scope, granted->scope);
    memcpy(claims.aud, granted->aud, sizeof(claims.aud));
    if (subject->session != NULL)
        say_session(subject->session, &claims);
    if (subject->original != NULL)
        say_original(subject->original, &claims);
    if (subject->binding != NULL)
        claims.cnf = *subject->binding;
    claims.plain_typ = is_plain(subject->client, granted);
    enum sa_status status = say_groups(authority, subject->client, &claims);
    if (status != SA_OK)
        return status;
    claims.exp = now_ms / 1000 + life_s;
    claims.iat = now_ms / 1000 - authority->conf->token_backdate;
    sa_jti_make(now_ms, subject->gateway, subject->client->row, claims.jti);
    ret_token->expires_in_s = (uint32_t)life_s;
    ret_token->type = claims.cnf.jkt[0] != '\0' ? "DPoP" : "Bearer";
    PUT(ret_token->jti, claims.jti);
    SA_OWN(sa_signing_set) set = sa_signing_hold(authority);
    return sa_jwt_sign(sa_signing_signer(set, now_ms), &claims, ret_token->jwt);
}

uint32_t
sa_token_ttl(const struct sa_authority *authority, const struct sa_client *client)
{
    return client->access_ttl_s != 0 ? client->access_ttl_s : (uint32_t)authority->conf->token_access_ttl;
}

enum sa_status
sa_token_read(const struct sa_authority *authority, struct sa_bytes token, struct sa_claims *ret_claims,
              uint32_t *ret_client_row, const char **ret_reason)
{
    SA_OWN(sa_signing_set) set = sa_signing_hold(authority);

    enum sa_status status =
        sa_jwt_verify(set->keys, set->count, authority->conf->token_issuer, token, ret_claims, ret_reason);
    return status != SA_OK ? status : sa_jti_parse(ret_claims->jti, NULL, NULL, ret_client_row);
}

bool
sa_token_is_for(const struct sa_claims *claims, const struct sa_client *client)
{
    for (unsigned i = 0; i < claims->aud_count; i++)
        if (sa_client_owns(client, claims->aud[i]))
            return true;
    return false;
}

/*
 * Whether the client still stands behind a token. One made anew under the id has another row: it is another
 * client. One that was enabled again owns nothing of before.
 */
static enum sa_status
client_stands(struct sa_authority *authority, const struct sa_claims *claims, uint32_t row, bool *ret_stands)
{
    SA_OWN(sa_client) client = NULL;
    int64_t minted_ms;

    enum sa_status status = sa_store_client_by_id(authority->store, sa_bytes_of(claims->client_id), &client);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_stands = status == SA_OK && client->row == row && client->active &&
                  sa_jti_parse(claims->jti, &minted_ms, NULL, NULL) == SA_OK &&
                  minted_ms >= client->enabled_ms;
    return SA_OK;
}

/*
 * A token that stands for another client than it was issued to was exchanged for one of that client's: it
 * goes with it, too.
 */
static enum sa_status
subject_stands(struct sa_authority *authority, const struct sa_claims *claims, bool *ret_stands)
{
    SA_OWN(sa_client) client = NULL;
    int64_t minted_ms;

    enum sa_status status = sa_store_client_by_id(authority->store, sa_bytes_of(claims->sub), &client);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_stands = status == SA_OK && client->active &&
                  sa_jti_parse(claims->jti, &minted_ms, NULL, NULL) == SA_OK &&
                  minted_ms >= client->created_ms && minted_ms >= client->enabled_ms;
    return SA_OK;
}

static enum sa_status
is_ruled_out(struct sa_authority *authority, const struct sa_claims *claims, int64_t now_ms, bool *ret_is)
{
    struct sa_minted minted = {.subject = claims->sub};

    if (sa_jti_parse(claims->jti, &minted.mint_ms, &minted.instance, &minted.client_row) != SA_OK)
        return SA_INTERNAL; /* it was read before */
    return sa_store_not_before_voids(authority->store, &minted, now_ms, ret_is);
}

static enum sa_status
session_is_open(struct sa_authority *authority, const char *sid, int64_t now_ms, bool *ret_open)
{
    struct sa_session session;
    struct sa_user owner;

    enum sa_status status = sa_store_session_owned(authority->store, sid, now_ms, &session, &owner);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_open = status == SA_OK && !sa_account_is_closed(sa_account_state(&owner, now_ms));
    return SA_OK;
}

enum sa_status
sa_token_is_live(struct sa_authority *authority, const struct sa_claims *claims, uint32_t client_row,
                 int64_t now_ms, bool *ret_live)
{
    bool revoked = false;
    bool ruled_out = false;
    bool good = now_ms / 1000 < claims->exp;
    enum sa_status status = SA_OK;

    if (good)
        status = client_stands(authority, claims, client_row, &good);
    if (status == SA_OK && good)
        status = sa_store_token_is_revoked(authority->store, claims->jti, &revoked);
    if (status == SA_OK && good && claims->sid[0] != '\0')
        status = session_is_open(authority, claims->sid, now_ms, &good);
    if (status == SA_OK && good && claims->sid[0] == '\0' && strcmp(claims->sub, claims->client_id) != 0)
        status = subject_stands(authority, claims, &good);
    if (status == SA_OK && good)
        status = is_ruled_out(authority, claims, now_ms, &ruled_out);
    if (status == SA_OK)
        *ret_live = good && !revoked && !ruled_out;
    return status;
}
