#include "service/auth/token.h"

#include <assert.h>
#include <stdio.h>

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/auth/signing.h"

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

enum sa_status
sa_token_mint(struct sa_authority *authority, const struct sa_token_subject *subject,
              const struct sa_granted *granted, int64_t now_ms, struct sa_token *ret_token)
{
    struct sa_claims claims = {.aud_count = granted->aud_count};
    int64_t life_s = subject->ttl_s;

    if (subject->session != NULL && (subject->session->expires_ms - now_ms) / 1000 < life_s)
        life_s = (subject->session->expires_ms - now_ms) / 1000;
    if (life_s <= 0)
        return SA_INVALID_GRANT;
    PUT(claims.iss, authority->conf->token_issuer);
    PUT(claims.client_id, subject->client->id);
    PUT(claims.sub, subject->client->id);
    PUT(claims.scope, granted->scope);
    memcpy(claims.aud, granted->aud, sizeof(claims.aud));
    if (subject->session != NULL)
        say_session(subject->session, &claims);
    claims.exp = now_ms / 1000 + life_s;
    claims.iat = now_ms / 1000 - authority->conf->token_backdate;
    sa_jti_make(now_ms, (uint16_t)authority->conf->token_instance, subject->client->row, claims.jti);
    ret_token->expires_in_s = (uint32_t)life_s;
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
              uint32_t *ret_client_row)
{
    SA_OWN(sa_signing_set) set = sa_signing_hold(authority);

    enum sa_status status =
        sa_jwt_verify(set->keys, set->count, authority->conf->token_issuer, token, ret_claims);
    if (status != SA_OK)
        return status;
    return sa_jti_parse(ret_claims->jti, NULL, NULL, ret_client_row) == SA_OK ? SA_OK : SA_INVALID_GRANT;
}

enum sa_status
sa_token_account_is_open(struct sa_authority *authority, const char *subject, int64_t now_ms, bool *ret_open)
{
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_subject(authority->store, subject, &user);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_open = status == SA_OK && !sa_account_is_closed(sa_account_state(user, now_ms));
    return SA_OK;
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

static enum sa_status
session_is_open(struct sa_authority *authority, const char *sid, int64_t now_ms, bool *ret_open)
{
    struct sa_session session;

    enum sa_status status = sa_store_session_live(authority->store, sid, now_ms, &session);
    if (status == SA_OK)
        return sa_token_account_is_open(authority, session.subject, now_ms, ret_open);
    *ret_open = false;
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_token_is_live(struct sa_authority *authority, const struct sa_claims *claims, uint32_t client_row,
                 int64_t now_ms, bool *ret_live)
{
    bool revoked = false;
    bool good = now_ms / 1000 < claims->exp;
    enum sa_status status = SA_OK;

    if (good)
        status = client_stands(authority, claims, client_row, &good);
    if (status == SA_OK && good)
        status = sa_store_token_is_revoked(authority->store, claims->jti, &revoked);
    if (status == SA_OK && good && claims->sid[0] != '\0')
        status = session_is_open(authority, claims->sid, now_ms, &good);
    if (status == SA_OK)
        *ret_live = good && !revoked;
    return status;
}
