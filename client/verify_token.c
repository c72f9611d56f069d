/* Access tokens, verified offline (client/secauth.h). */
#include "client/verify_token.h"

#include <stdlib.h>
#include <time.h>

#include "client/secauth_call.h"

#define LEEWAY_MAX 300

/* Making one. */

static bool
copy_text(const char *from, char *ret_to, size_t size)
{
    size_t len = from == NULL ? 0 : strnlen(from, size);

    if (len == 0 || len == size)
        return false;
    memcpy(ret_to, from, len + 1);
    return true;
}

static bool
take_identity(struct secauth_verifier *verifier, const struct secauth_identity *identity)
{
    if (identity == NULL || identity->audiences == NULL || identity->audience_count == 0 ||
        identity->audience_count > SA_VERIFY_AUDIENCES || identity->leeway_seconds > LEEWAY_MAX ||
        !copy_text(identity->issuer, verifier->issuer, sizeof(verifier->issuer)))
        return false;
    for (size_t i = 0; i < identity->audience_count; i++)
        if (!copy_text(identity->audiences[i], verifier->audiences[i], sizeof(verifier->audiences[i])))
            return false;
    verifier->audience_count = identity->audience_count;
    verifier->accept_jwt = identity->accept_jwt != 0;
    verifier->leeway_seconds = identity->leeway_seconds == 0  ? SECAUTH_LEEWAY_SECONDS
                               : identity->leeway_seconds < 0 ? 0
                                                              : identity->leeway_seconds;
    return true;
}

enum secauth_status
secauth_verifier_new(const struct secauth_identity *identity, struct secauth_verifier **ret_verifier,
                     struct secauth_error *ret_error)
{
    struct secauth_verifier *verifier = calloc(1, sizeof(*verifier));

    if (verifier == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    if (!take_identity(verifier, identity) || ret_verifier == NULL) {
        free(verifier);
        return sa_secauth_fail(SA_INVALID_ARGUMENT,
                               "identity: an issuer, 1 to 8 audiences, a leeway of at most 300 s", ret_error);
    }
    if (pthread_rwlock_init(&verifier->lock, NULL) != 0) {
        free(verifier);
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    }
    *ret_verifier = verifier;
    return SECAUTH_OK;
}

void
secauth_verifier_free(struct secauth_verifier *verifier)
{
    if (verifier == NULL)
        return;
    sa_verify_keys_free(verifier->keys);
    sa_denied_clear(&verifier->denied);
    pthread_rwlock_destroy(&verifier->lock);
    free(verifier);
}

enum secauth_status
secauth_verifier_set_keys(struct secauth_verifier *verifier, const char *jwks, size_t jwks_len,
                          struct secauth_error *ret_error)
{
    struct sa_verify_keys *keys;
    const char *reason;

    if (verifier == NULL || jwks == NULL)
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "an argument that is needed is NULL", ret_error);
    enum sa_status status = sa_verify_keys_read(sa_bytes(jwks, jwks_len), &keys, &reason);
    if (status != SA_OK)
        return sa_secauth_fail(status, status == SA_NO_MEMORY ? NULL : reason, ret_error);
    pthread_rwlock_wrlock(&verifier->lock);
    struct sa_verify_keys *before = verifier->keys;
    verifier->keys = keys;
    pthread_rwlock_unlock(&verifier->lock);
    sa_verify_keys_free(before);
    return SECAUTH_OK;
}

/* Verifying. */

static bool
is_audience_of(const struct secauth_verifier *verifier, const char *name)
{
    for (size_t i = 0; i < verifier->audience_count; i++)
        if (strcmp(verifier->audiences[i], name) == 0)
            return true;
    return false;
}

static bool
is_meant_for(const struct secauth_verifier *verifier, const struct secauth_claims *claims, const char *wanted)
{
    for (size_t i = 0; i < claims->audience_count; i++) {
        const char *name = claims->audiences[i];
        if (wanted != NULL ? strcmp(name, wanted) == 0 : is_audience_of(verifier, name))
            return true;
    }
    return false;
}

/* Whether one of the words of `list` is this one. */
static bool
has_word(const char *list, const char *word, size_t len)
{
    while (*list != '\0') {
        size_t length = strcspn(list, " ");
        if (length == len && memcmp(list, word, len) == 0)
            return true;
        list += length;
        list += strspn(list, " ");
    }
    return false;
}

static bool
has_scopes(const char *granted, const char *wanted)
{
    for (wanted += strspn(wanted, " "); *wanted != '\0'; wanted += strspn(wanted, " ")) {
        size_t len = strcspn(wanted, " ");
        if (!has_word(granted, wanted, len))
            return false;
        wanted += len;
    }
    return true;
}

/* Whether it is time. exp is at least a second that can be added to. */
static const char *
wrong_time(const struct secauth_verifier *verifier, const struct sa_verify_claims *claims, int64_t now)
{
    const struct secauth_claims *said = &claims->result;

    if (said->exp <= now - verifier->leeway_seconds)
        return "expired"; /* RFC 7519 section 4.1.4: on or after it */
    if (said->iat > now + verifier->leeway_seconds || claims->nbf > now + verifier->leeway_seconds)
        return "early";
    return NULL;
}

/* Who bears a bound token has proven nothing yet. */
static bool
is_proven(const char *bound, const char *proven)
{
    return bound[0] == '\0' || (proven != NULL && strcmp(bound, proven) == 0);
}

static enum sa_status
judge(struct secauth_verifier *verifier, const struct sa_verify_claims *claims,
      const struct secauth_want *want, const char **ret_reason)
{
    int64_t now = want->at_seconds != 0 ? want->at_seconds : (int64_t)time(NULL);

    *ret_reason = "issuer";
    if (strcmp(claims->result.iss, verifier->issuer) != 0)
        return SA_INVALID_GRANT;
    *ret_reason = "audience";
    if (!is_meant_for(verifier, &claims->result, want->audience))
        return SA_INVALID_TARGET;
    *ret_reason = wrong_time(verifier, claims, now);
    if (*ret_reason != NULL)
        return SA_INVALID_GRANT;
    *ret_reason = "revoked";
    pthread_rwlock_rdlock(&verifier->lock);
    bool denied = sa_denied_has(&verifier->denied, claims);
    pthread_rwlock_unlock(&verifier->lock);
    if (denied)
        return SA_INVALID_GRANT;
    *ret_reason = "bound";
    if (!is_proven(claims->result.jkt, want->jkt) || !is_proven(claims->result.x5t, want->x5t))
        return SA_INVALID_GRANT;
    *ret_reason = "scope";
    return want->scope == NULL || has_scopes(claims->result.scope, want->scope) ? SA_OK : SA_INVALID_SCOPE;
}

/* RFC 9068 section 2.1, written as secauth writes it: no prefix, no other case. */
static bool
is_good_type(const struct secauth_verifier *verifier, const char *typ)
{
    return typ != NULL && (strcmp(typ, "at+jwt") == 0 || (verifier->accept_jwt && strcmp(typ, "JWT") == 0));
}

static enum sa_status
verify(struct secauth_verifier *verifier, struct sa_bytes token, const struct secauth_want *want,
       struct sa_verify_claims **ret_claims, const char **ret_reason)
{
    struct sa_compact parts;
    struct sa_compact_header header;
    SA_OWN(sa_verify_claims) claims = NULL;

    pthread_rwlock_rdlock(&verifier->lock);
    SA_OWN(sa_verify_keys) keys = verifier->keys == NULL ? NULL : sa_verify_keys_hold(verifier->keys);
    pthread_rwlock_unlock(&verifier->lock);
    enum sa_status status = sa_verify_jws(keys, token, &parts, &header, ret_reason);
    if (status != SA_OK)
        return status;
    *ret_reason = "typ";
    if (!is_good_type(verifier, header.typ))
        return SA_INVALID_GRANT;
    status = sa_verify_claims_read(parts.payload, &claims, ret_reason);
    if (status != SA_OK)
        return status;
    status = judge(verifier, claims, want, ret_reason);
    if (status == SA_OK)
        *ret_claims = sa_verify_claims_take(&claims);
    return status;
}

enum secauth_status
secauth_verify(struct secauth_verifier *verifier, const char *token, const struct secauth_want *want,
               struct secauth_claims **ret_claims, struct secauth_error *ret_error)
{
    static const struct secauth_want NOTHING = {0};
    struct sa_verify_claims *claims;
    const char *reason = NULL;

    if (verifier == NULL || token == NULL || ret_claims == NULL)
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "an argument that is needed is NULL", ret_error);
    if (want == NULL)
        want = &NOTHING;
    if (want->audience != NULL && !is_audience_of(verifier, want->audience))
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "want.audience: not one of the verifier's", ret_error);
    struct sa_bytes bytes = sa_bytes(token, strnlen(token, SECAUTH_TOKEN_MAX + 1));
    enum sa_status status = verify(verifier, bytes, want, &claims, &reason);
    if (status != SA_OK)
        return sa_secauth_fail(status, status == SA_NO_MEMORY ? NULL : reason, ret_error);
    *ret_claims = &claims->result;
    return SECAUTH_OK;
}

void
secauth_claims_free(struct secauth_claims *claims)
{
    sa_verify_claims_free((struct sa_verify_claims *)claims);
}
