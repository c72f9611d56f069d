/* links: secauth sa_crypto */
/* Verification offline (client/secauth.h): keys, headers and signatures. */
#include "tests/support/verify_fixture.h"

#include <openssl/err.h>
#include <pthread.h>

static void
a_header_chooses_nothing_but_one_of_our_keys(void **state SA_UNUSED)
{
    char header[300];
    const char *claims = claims_with(NULL, NULL);
    const struct {
        const char *format;
        const struct sa_signing_key *named;
        const char *reason;
    } cases[] = {
        {"{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", ec, "alg"},
        {"{\"alg\":\"nOnE\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", ec, "alg"},
        {"{\"alg\":\"\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", ec, "alg"},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", ec, "alg"},
        {"{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", ec, "alg"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", rsa, "alg"},
        {"{\"alg\":\"es256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", ec, "alg"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", stranger, "kid"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"../%s\"}", ec, "kid"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s' OR 1=1--\"}", ec, "kid"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}%.0s", ec, "kid"},
        {"{\"alg\":\"ES256\",\"kid\":\"%s\"}", ec, "typ"},
        {"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", ec, "typ"},
        {"{\"alg\":\"ES256\",\"typ\":\"application/at+jwt\",\"kid\":\"%s\"}", ec, "typ"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[\"exp\"]}", ec, "crit"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jku\":\"file:///etc/passwd\"}", ec, "jku"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"x5u\":\"https://x\"}", ec, "x5u"},
        {"{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jwk\":{\"kty\":\"EC\"}}", ec, "jwk"},
    };

    for (size_t i = 0; i < SA_COUNT(cases); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof(header), cases[i].format, sa_signing_key_kid(cases[i].named));
#pragma GCC diagnostic pop
        refused(sign(ec, header, claims), cases[i].reason);
    }
    refused(sign(stranger, header_of(ec), claims), "signature");
    accepted(sign(ec, header_of(ec), claims));
    accepted(sign(rsa, header_of(rsa), claims));
}

static void
a_signature_has_one_form(void **state SA_UNUSED)
{
    char token[2 * SA_JWT_MAX];
    uint8_t raw[SA_SIGNATURE_MAX + 4] = {0};
    size_t len;

    strcpy(token, sign(ec, header_of(ec), claims_with(NULL, NULL)));
    char *signature = strrchr(token, '.') + 1;
    assert_int_equal(strlen(signature), 86);
    assert_int_equal(sa_base64url_decode(sa_bytes_of(signature), raw, sizeof(raw), &len), SA_OK);
    for (size_t wrong = 0; wrong <= 66; wrong++) {
        sa_base64url(sa_bytes(raw, wrong), signature);
        if (wrong != 64)
            refused(token, "signature");
    }
    uint8_t der[80] = {0x30, 0x44, 0x02, 0x20};
    memcpy(der + 4, raw, 32);
    der[36] = 0x02;
    der[37] = 0x20;
    memcpy(der + 38, raw + 32, 32);
    sa_base64url(sa_bytes(der, 70), signature);
    refused(token, "signature");
    memset(der, 0, sizeof(der));
    sa_base64url(sa_bytes(der, 64), signature);
    refused(token, "signature");
    strcpy(signature, "");
    refused(token, "signature");
    sa_base64url(sa_bytes(raw, 64), signature);
    accepted(token);
    /* The bits that are left over. */
    signature[85]++;
    refused(token, "form");
    signature[85]--;
    strcat(token, "=");
    refused(token, "form");
    token[strlen(token) - 1] = '\0';
    strcat(token, ".");
    refused(token, "form");
    token[strlen(token) - 1] = '\0';
    for (size_t i = 0; token[i] != '\0'; i++) {
        struct secauth_claims *claims;
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(verify_with(verifier, token, NULL, NULL, NOW, &claims), SECAUTH_INVALID_GRANT);
        token[i] = kept;
    }
    accepted(token);
}

static void
what_is_no_token_is_refused(void **state SA_UNUSED)
{
    static char large[SECAUTH_TOKEN_MAX + 100];
    static char groups[3000];

    refused("", "form");
    refused("..", "form");
    refused("a.b", "form");
    refused("Bearer x.y.z", "form");
    memset(large, 'A', sizeof(large) - 1);
    refused(large, "form");
    /* A good token that is too long. */
    strcpy(groups, "\"groups\":[");
    while (strlen(groups) < 2950)
        strcat(groups, "\"a-group-of-some-people\",");
    groups[strlen(groups) - 1] = ']';
    refused(sign(ec, header_of(ec), claims_with(NULL, groups)), "form");
    refused(sign(ec, header_of(ec), "x"), "json");
    refused(sign(ec, header_of(ec), "[]"), "claim");
    refused(sign(ec, header_of(ec), "{}"), "claim");
}

static void
keys_that_could_mislead_are_refused_as_a_set(void **state SA_UNUSED)
{
    static const char *const CASES[][2] = {
        {"", "json"},
        {"[]", "keys"},
        {"{\"keys\":{}}", "keys"},
        {"{\"keys\":[1]}", "keys"},
        {"{\"keys\":[]}", "empty"},
        {"{\"keys\":[],\"keys\":[]}", "duplicate"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\",\"kid\":\"a\"}]}", "secret"},
        {"{\"keys\":[{\"kty\":\"EC\",\"d\":\"AA\",\"kid\":\"a\"}]}", "secret"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"a\"},{\"kty\":\"OKP\",\"kid\":\"b\"}]}",
         "empty"},
    };

    for (size_t i = 0; i < SA_COUNT(CASES); i++) {
        assert_int_equal(secauth_verifier_set_keys(verifier, CASES[i][0], strlen(CASES[i][0]), &error),
                         SECAUTH_INVALID_ARGUMENT);
        assert_string_equal(error.message, CASES[i][1]);
    }
    struct sa_signing_key *twice[] = {ec, ec};
    char *set = sa_jwks(twice, 2);
    assert_int_equal(secauth_verifier_set_keys(verifier, set, strlen(set), &error), SECAUTH_INVALID_ARGUMENT);
    assert_string_equal(error.message, "kid");
    free(set);
    accepted(sign(ec, header_of(ec), claims_with(NULL, NULL))); /* the old keys stay */
    struct sa_signing_key *one[] = {stranger};
    set = sa_jwks(one, 1);
    assert_int_equal(secauth_verifier_set_keys(verifier, set, strlen(set), &error), SECAUTH_OK);
    refused(sign(ec, header_of(ec), claims_with(NULL, NULL)), "kid");
    accepted(sign(stranger, header_of(stranger), claims_with(NULL, NULL)));
    assert_int_equal(secauth_verifier_set_keys(verifier, jwks, strlen(jwks), &error), SECAUTH_OK);
    free(set);
}

/* SSL_get_error(3) of a service that speaks TLS in the same thread looks there. */
static void
no_error_is_left_in_the_threads_queue(void **state SA_UNUSED)
{
    static const char OFF_THE_CURVE[] = "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\","
                                        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_"
                                        "FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}]}";
    char token[2 * SA_JWT_MAX];

    ERR_clear_error();
    strcpy(token, sign(ec, header_of(ec), claims_with(NULL, NULL)));
    memset(strrchr(token, '.') + 1, '_', 85); /* r and s beyond the order */
    strcpy(token + strlen(token) - 1, "A");
    refused(token, "signature");
    refused(sign(stranger, header_of(ec), claims_with(NULL, NULL)), "signature");
    assert_int_equal(secauth_verifier_set_keys(verifier, OFF_THE_CURVE, strlen(OFF_THE_CURVE), &error),
                     SECAUTH_INVALID_ARGUMENT);
    assert_string_equal(error.message, "empty");
    assert_int_equal(ERR_peek_error(), 0);
}

static void
what_is_missing_is_named(void **state SA_UNUSED)
{
    struct secauth_identity identity = {ISSUER, audiences, 2, 301, 0};
    struct secauth_verifier *made = NULL;
    struct secauth_claims *claims;

    assert_int_equal(secauth_verifier_new(NULL, &made, &error), SECAUTH_INVALID_ARGUMENT);
    assert_int_equal(secauth_verifier_new(&identity, &made, &error), SECAUTH_INVALID_ARGUMENT);
    identity = (struct secauth_identity){ISSUER, audiences, 0, 0, 0};
    assert_int_equal(secauth_verifier_new(&identity, &made, &error), SECAUTH_INVALID_ARGUMENT);
    identity = (struct secauth_identity){"", audiences, 1, 0, 0};
    assert_int_equal(secauth_verifier_new(&identity, &made, &error), SECAUTH_INVALID_ARGUMENT);
    assert_null(made);
    identity = (struct secauth_identity){ISSUER, audiences, 1, 0, 0};
    assert_int_equal(secauth_verifier_new(&identity, &made, &error), SECAUTH_OK);
    refused_by(made, sign(ec, header_of(ec), claims_with(NULL, NULL)), SECAUTH_INVALID_GRANT, "kid");
    assert_int_equal(secauth_verify(NULL, "x", NULL, &claims, &error), SECAUTH_INVALID_ARGUMENT);
    assert_int_equal(secauth_verify(made, NULL, NULL, &claims, &error), SECAUTH_INVALID_ARGUMENT);
    assert_int_equal(secauth_verify(made, "x", NULL, NULL, &error), SECAUTH_INVALID_ARGUMENT);
    assert_int_equal(secauth_verify(made, "x", NULL, &claims, NULL), SECAUTH_INVALID_GRANT);
    secauth_verifier_free(made);
    secauth_verifier_free(NULL);
}

/* Many threads, one verifier, keys that change under them. */
static char shared_token[SA_JWT_MAX + 1];

static void *
verify_often(void *failures)
{
    struct secauth_want want = {.at_seconds = NOW};

    for (int i = 0; i < 300; i++) {
        struct secauth_claims *claims;
        if (secauth_verify(verifier, shared_token, &want, &claims, NULL) != SECAUTH_OK)
            ++*(int *)failures;
        else
            secauth_claims_free(claims);
    }
    return NULL;
}

static void
many_threads_use_one_verifier_while_keys_change(void **state SA_UNUSED)
{
    pthread_t threads[8];
    int failures[8] = {0};

    strcpy(shared_token, sign(ec, header_of(ec), claims_with(NULL, NULL)));
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &failures[i]), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(secauth_verifier_set_keys(verifier, jwks, strlen(jwks), NULL), SECAUTH_OK);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_chooses_nothing_but_one_of_our_keys),
        cmocka_unit_test(a_signature_has_one_form),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(keys_that_could_mislead_are_refused_as_a_set),
        cmocka_unit_test(no_error_is_left_in_the_threads_queue),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(many_threads_use_one_verifier_while_keys_change),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
