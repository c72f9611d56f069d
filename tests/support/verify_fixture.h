/* A verifier, and a test key that signs anything, for tests of offline verification. */
#ifndef SA_TESTS_VERIFY_FIXTURE_H
#define SA_TESTS_VERIFY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#include "client/secauth.h"
#include "service/crypto/signing_key.h"

#define ISSUER "https://auth.example"
#define NOW    2000000000
/* Minted at 1999999995000 ms through gateway 7 for client 42. */
static char JTI[SA_JTI_LEN + 1];

static struct sa_signing_key *ec, *rsa, *stranger;
static char *jwks;
static struct secauth_verifier *verifier;
static struct secauth_error error;

static const char *const audiences[] = {"demo", "second"};

static inline struct secauth_verifier *
new_verifier(int leeway, int accept_jwt)
{
    struct secauth_identity identity = {ISSUER, audiences, 2, leeway, accept_jwt};
    struct secauth_verifier *made = NULL;

    assert_int_equal(secauth_verifier_new(&identity, &made, NULL), SECAUTH_OK);
    assert_int_equal(secauth_verifier_set_keys(made, jwks, strlen(jwks), &error), SECAUTH_OK);
    return made;
}

static inline int
start(void **state SA_UNUSED)
{
    ec = sa_signing_key_generate(SA_KEY_ES256);
    rsa = sa_signing_key_generate(SA_KEY_RS256);
    stranger = sa_signing_key_generate(SA_KEY_ES256);
    struct sa_signing_key *keys[] = {ec, rsa};
    jwks = sa_jwks(keys, 2);
    sa_jti_make(1999999995000, 7, 42, JTI);
    verifier = new_verifier(0, 0);
    return 0;
}

static inline int
stop(void **state SA_UNUSED)
{
    secauth_verifier_free(verifier);
    free(jwks);
    sa_signing_key_free(ec);
    sa_signing_key_free(rsa);
    sa_signing_key_free(stranger);
    return 0;
}

/* Header and claims signed as they are. */
static inline const char *
sign(const struct sa_signing_key *key, const char *header, const char *claims)
{
    static char token[3 * SA_JWT_MAX];
    uint8_t digest[SA_SHA256_LEN], signature[SA_SIGNATURE_MAX];

    sa_base64url(sa_bytes_of(header), token);
    strcat(token, ".");
    sa_base64url(sa_bytes_of(claims), token + strlen(token));
    sa_sha256(sa_bytes_of(token), digest);
    assert_int_equal(sa_signing_key_sign(key, digest, signature), SA_OK);
    strcat(token, ".");
    sa_base64url(sa_bytes(signature, sa_signing_key_signature_len(key)), token + strlen(token));
    return token;
}

static inline const char *
header_of(const struct sa_signing_key *key)
{
    static char header[200];

    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
             sa_key_alg_name(sa_signing_key_alg(key)), sa_signing_key_kid(key));
    return header;
}

/* Claims that are good at NOW; `change` is a member, or members, that take the place of `without`. */
static inline const char *
claims_with(const char *without, const char *change)
{
    static char claims[SA_JWT_MAX];
    struct {
        const char *name;
        char member[80];
    } members[] = {
        {"iss", "\"iss\":\"" ISSUER "\""},     {"sub", "\"sub\":\"subject\""},
        {"aud", "\"aud\":\"demo\""},           {"exp", "\"exp\":2000000600"},
        {"iat", "\"iat\":1999999995"},         {"jti", ""},
        {"scope", "\"scope\":\"read write\""}, {"client_id", "\"client_id\":\"svc\""},
    };

    snprintf(members[5].member, sizeof(members[5].member), "\"jti\":\"%s\"", JTI);
    strcpy(claims, "{");
    for (size_t i = 0; i < SA_COUNT(members); i++)
        if (without == NULL || strcmp(members[i].name, without) != 0)
            sprintf(claims + strlen(claims), "%s%s", claims[1] == '\0' ? "" : ",", members[i].member);
    if (change != NULL)
        sprintf(claims + strlen(claims), ",%s", change);
    return strcat(claims, "}");
}

static inline enum secauth_status
verify_with(struct secauth_verifier *with, const char *token, const char *audience, const char *scope,
            int64_t at, struct secauth_claims **ret_claims)
{
    struct secauth_want want = {.audience = audience, .scope = scope, .at_seconds = at};

    error.message[0] = '\0';
    return secauth_verify(with, token, &want, ret_claims, &error);
}

static inline void
refused_by(struct secauth_verifier *with, const char *token, enum secauth_status status, const char *reason)
{
    struct secauth_claims *claims = NULL;

    enum secauth_status got = verify_with(with, token, NULL, NULL, NOW, &claims);
    if (got != status || strcmp(error.message, reason) != 0)
        fail_msg("%.600s: %s %s, not %s", token, secauth_status_name(got), error.message, reason);
    assert_null(claims);
}

static inline void
refused(const char *token, const char *reason)
{
    refused_by(verifier, token, SECAUTH_INVALID_GRANT, reason);
}

static inline void
accepted(const char *token)
{
    struct secauth_claims *claims = NULL;

    if (verify_with(verifier, token, NULL, NULL, NOW, &claims) != SECAUTH_OK)
        fail_msg("%s: %s", token, error.message);
    secauth_claims_free(claims);
}

static inline void
refused_claims(const char *without, const char *change, const char *reason)
{
    refused(sign(ec, header_of(ec), claims_with(without, change)), reason);
}

#endif
