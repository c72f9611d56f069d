/* links: sa_crypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>

#include "service/crypto/signing_key.h"

#define ISSUER "https://auth.example"

static struct sa_signing_key *key;
static struct sa_signing_key *other;

static int
start(void **state SA_UNUSED)
{
    key = sa_signing_key_generate(SA_KEY_ES256);
    other = sa_signing_key_generate(SA_KEY_ES256);
    return key != NULL && other != NULL ? 0 : -1;
}

static int
stop(void **state SA_UNUSED)
{
    sa_signing_key_free(key);
    sa_signing_key_free(other);
    return 0;
}

static struct sa_claims
sample(void)
{
    struct sa_claims claims = {.aud_count = 1, .exp = 2000000000, .iat = 1999999400};

    strcpy(claims.iss, ISSUER);
    strcpy(claims.sub, "subject");
    strcpy(claims.aud[0], "demo");
    strcpy(claims.client_id, "svc");
    strcpy(claims.scope, "read write");
    sa_jti_make(1999999400000, 7, 42, claims.jti);
    return claims;
}

static const char *reason;

static enum sa_status
verify(const char *token, struct sa_claims *ret_claims)
{
    return sa_jwt_verify(&key, 1, ISSUER, sa_bytes_of(token), ret_claims, &reason);
}

static void
refused(const char *token)
{
    struct sa_claims claims;

    assert_int_equal(verify(token, &claims), SA_INVALID_GRANT);
}

/* A token of given header and claims, signed by the key as it signs its own. */
static void
forge(const char *header, const char *claims, char ret_token[SA_JWT_MAX + 1])
{
    char good[SA_JWT_MAX + 1];
    struct sa_claims some = sample();

    assert_int_equal(sa_jwt_sign(key, &some, good), SA_OK);
    sa_base64url(sa_bytes_of(header), ret_token);
    strcat(ret_token, ".");
    sa_base64url(sa_bytes_of(claims), ret_token + strlen(ret_token));
    strcat(ret_token, strrchr(good, '.'));
}

static void
a_token_with_any_character_changed_is_refused(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    struct sa_claims claims = sample();

    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    for (size_t i = 0; token[i] != '\0'; i++) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        refused(token);
        token[i] = kept;
    }
    assert_int_equal(verify(token, &claims), SA_OK);
}

static void
another_key_issuer_or_form_is_refused(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    char text[SA_JWT_MAX + 8];
    struct sa_claims claims = sample();

    assert_int_equal(sa_jwt_sign(other, &claims, token), SA_OK);
    refused(token);
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    assert_int_equal(sa_jwt_verify(&key, 1, ISSUER "/", sa_bytes_of(token), &claims, &reason),
                     SA_INVALID_GRANT);
    snprintf(text, sizeof(text), "%s=", token);
    refused(text);
    snprintf(text, sizeof(text), "%s.", token);
    refused(text);
    snprintf(text, sizeof(text), " %s", token);
    refused(text);
    snprintf(text, sizeof(text), "%.*s", (int)strlen(token) - 2, token);
    refused(text);
    *strrchr(token, '.') = '\0';
    refused(token);
    refused("");
    refused("..");
}

static void
a_header_that_is_not_ours_is_refused(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    char header[300];
    const char *kid = sa_signing_key_kid(key);
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"dpop+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jku\":\"https://x\"}",
        "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
        "[\"ES256\",\"at+jwt\",\"%s\"]",
    };

    for (size_t i = 0; i < SA_COUNT(headers); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof(header), headers[i], kid);
#pragma GCC diagnostic pop
        forge(header, "{}", token);
        refused(token);
    }
}

/* A token of our own key, and a header of ours, with a member more among its claims. */
static void
sign_with(const char *member, char ret_token[SA_JWT_MAX + 1])
{
    char text[SA_JWT_MAX + 1];
    char header[200];
    uint8_t digest[SA_SHA256_LEN];
    uint8_t signature[SA_SIGNATURE_MAX];
    struct sa_claims some = sample();

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
             sa_signing_key_kid(key));
    snprintf(text, sizeof(text),
             "{\"iss\":\"%s\",\"sub\":\"subject\",\"aud\":\"demo\",\"exp\":2000000000,\"iat\":1999999400,"
             "\"jti\":\"%s\",\"client_id\":\"svc\"%s%s}",
             ISSUER, some.jti, member[0] == '\0' ? "" : ",", member);
    sa_base64url(sa_bytes_of(header), ret_token);
    strcat(ret_token, ".");
    sa_base64url(sa_bytes_of(text), ret_token + strlen(ret_token));
    sa_sha256(sa_bytes_of(ret_token), digest);
    assert_int_equal(sa_signing_key_sign(key, digest, signature), SA_OK);
    strcat(ret_token, ".");
    sa_base64url(sa_bytes(signature, sa_signing_key_signature_len(key)), ret_token + strlen(ret_token));
}

static void
a_binding_or_an_actor_that_is_not_understood_is_refused(void **state SA_UNUSED)
{
    static const char *const members[] = {
        "\"cnf\":{}",
        "\"cnf\":\"x\"",
        "\"cnf\":[]",
        "\"cnf\":{\"jkt\":\"\"}",
        "\"cnf\":{\"jkt\":1}",
        "\"cnf\":{\"kid\":\"x\"}",
        "\"cnf\":{\"jkt\":\"x\",\"kid\":\"x\"}",
        "\"cnf\":{\"jkt\":\"x\",\"jkt\":\"y\"}",
        "\"cnf\":{\"jkt\":\"01234567890123456789012345678901234567890123\"}",
        "\"act\":\"x\"",
        "\"act\":{}",
        "\"act\":{\"sub\":\"\"}",
        "\"act\":{\"act\":{\"sub\":\"a\"}}",
        "\"act\":{\"sub\":\"a\",\"act\":[]}",
        "\"act\":{\"sub\":\"a\",\"act\":{\"sub\":\"b\",\"act\":{\"sub\":\"c\",\"act\":{\"sub\":\"d\"}}}}",
        "\"groups\":\"staff\"",
        "\"groups\":[1]",
    };
    char token[SA_JWT_MAX + 1];
    struct sa_claims claims;

    sign_with("", token);
    assert_int_equal(verify(token, &claims), SA_OK);
    for (size_t i = 0; i < SA_COUNT(members); i++) {
        sign_with(members[i], token);
        refused(token);
    }
}

static void
a_binding_groups_and_who_acts_are_read_back(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    struct sa_claims claims = sample(), read;

    strcpy(claims.cnf.x5t, "0123456789012345678901234567890123456789012");
    strcpy(claims.cnf.jkt, "abcdefghij012345678901234567890123456789012");
    strcpy(claims.act[0], "now");
    strcpy(claims.act[1], "before");
    strcpy(claims.act[2], "first");
    claims.act_count = 3;
    claims.has_groups = true;
    strcpy(claims.groups, "staff ops");
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    assert_int_equal(verify(token, &read), SA_OK);
    assert_memory_equal(&read.cnf, &claims.cnf, sizeof(read.cnf));
    assert_int_equal(read.act_count, 3);
    assert_string_equal(read.act[0], "now");
    assert_string_equal(read.act[2], "first");
    assert_true(read.has_groups);
    assert_string_equal(read.groups, "staff ops");
    claims = sample();
    claims.has_groups = true;
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    assert_int_equal(verify(token, &read), SA_OK);
    assert_true(read.has_groups);
    assert_string_equal(read.groups, "");
    assert_int_equal(read.act_count, 0);
    assert_string_equal(read.cnf.jkt, "");
}

/* RFC 8693 section 4.1, RFC 8705 section 3.1: what others read. */
static void
a_binding_and_a_chain_have_their_standard_form(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    uint8_t text[SA_JWT_MAX + 1];
    size_t len;
    struct sa_claims claims = sample();

    strcpy(claims.cnf.x5t, "x");
    strcpy(claims.act[0], "now");
    strcpy(claims.act[1], "before");
    claims.act_count = 2;
    claims.has_groups = true;
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    char *begin = strchr(token, '.') + 1;
    *strchr(begin, '.') = '\0';
    assert_int_equal(sa_base64url_decode(sa_bytes_of(begin), text, sizeof(text) - 1, &len), SA_OK);
    text[len] = '\0';
    assert_non_null(strstr((char *)text, ",\"groups\":[],\"cnf\":{\"x5t#S256\":\"x\"},"
                                         "\"act\":{\"sub\":\"now\",\"act\":{\"sub\":\"before\"}}}"));
}

static void
a_plain_typ_is_taken_as_well(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    char header[200];
    char encoded[300];
    struct sa_claims claims = sample(), read;

    claims.plain_typ = true;
    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
             sa_signing_key_kid(key));
    sa_base64url(sa_bytes_of(header), encoded);
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    assert_memory_equal(token, encoded, strlen(encoded));
    assert_int_equal(token[strlen(encoded)], '.');
    assert_int_equal(verify(token, &read), SA_OK);
}

static void
what_was_signed_is_read_back(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    struct sa_claims claims = sample(), read;

    strcpy(claims.aud[1], "second");
    claims.aud_count = 2;
    sa_random_id(claims.sid);
    strcpy(claims.amr, "pwd otp");
    strcpy(claims.acr, "2");
    strcpy(claims.username, "quo\"te\\");
    claims.auth_time = 1999999000;
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    assert_int_equal(verify(token, &read), SA_OK);
    assert_string_equal(read.aud[1], "second");
    assert_string_equal(read.amr, "pwd otp");
    assert_string_equal(read.username, "quo\"te\\");
    assert_string_equal(read.jti, claims.jti);
    assert_int_equal(read.exp, claims.exp);
    assert_int_equal(read.auth_time, claims.auth_time);
}

static void
a_signature_is_always_86_characters(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    struct sa_claims claims = sample();
    unsigned short_r = 0;

    /* One r in 256 begins with a zero byte: 600 tokens without one are 1 in 10. */
    for (unsigned i = 0; i < 600; i++) {
        uint8_t raw[64];
        size_t len;
        claims.iat = 1900000000 + i;
        assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
        const char *signature = strrchr(token, '.') + 1;
        assert_int_equal(strlen(signature), 86);
        assert_int_equal(sa_base64url_decode(sa_bytes_of(signature), raw, sizeof(raw), &len), SA_OK);
        short_r += raw[0] == 0 || raw[32] == 0;
        assert_int_equal(verify(token, &claims), SA_OK);
    }
    print_message("%u of 600 with a leading zero\n", short_r);
}

static void
one_audience_is_a_string_and_several_are_an_array(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1];
    uint8_t text[SA_JWT_MAX];
    size_t len;
    struct sa_claims claims = sample();

    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
    char *begin = strchr(token, '.') + 1;
    *strchr(begin, '.') = '\0';
    assert_int_equal(sa_base64url_decode(sa_bytes_of(begin), text, sizeof(text), &len), SA_OK);
    json_t *object = json_loadb((char *)text, len, 0, NULL);
    assert_true(json_is_string(json_object_get(object, "aud")));
    assert_null(json_object_get(object, "sid"));
    assert_null(json_object_get(object, "amr"));
    json_decref(object);
}

static void
claims_that_do_not_fit_are_refused_whole(void **state SA_UNUSED)
{
    char token[SA_JWT_MAX + 1] = "untouched";
    struct sa_claims claims = sample();

    memset(claims.iss, '"', sizeof(claims.iss) - 1);
    memset(claims.scope, '\\', sizeof(claims.scope) - 1);
    assert_int_equal(sa_jwt_sign(key, &claims, token), SA_TOO_LARGE);
}

static void
a_private_key_survives_its_sealing(void **state SA_UNUSED)
{
    SA_OWN(sa_secret) secret = sa_signing_key_private(key);
    SA_OWN(sa_signing_key) again = NULL;

    assert_non_null(secret);
    assert_int_equal(sa_signing_key_load(sa_secret_bytes(secret), &again), SA_OK);
    assert_string_equal(sa_signing_key_kid(again), sa_signing_key_kid(key));
    assert_int_equal(sa_signing_key_load(sa_bytes(sa_secret_bytes(secret).data, 20), &again), SA_INTERNAL);
    assert_non_null(strstr(sa_signing_key_pem(key), "BEGIN PUBLIC KEY"));
    assert_null(strstr(sa_signing_key_pem(key), "PRIVATE"));
}

static void
the_key_set_holds_public_members_only(void **state SA_UNUSED)
{
    struct sa_signing_key *both[] = {key, other};
    char *text = sa_jwks(both, 2);
    json_t *set = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *keys = json_object_get(set, "keys");

    assert_int_equal(json_array_size(keys), 2);
    assert_int_equal(json_object_size(json_array_get(keys, 0)), 7);
    assert_null(json_object_get(json_array_get(keys, 0), "d"));
    assert_string_equal(json_string_value(json_object_get(json_array_get(keys, 1), "kid")),
                        sa_signing_key_kid(other));
    json_decref(set);
    free(text);
}

static void
a_token_id_holds_its_parts(void **state SA_UNUSED)
{
    char jti[SA_JTI_LEN + 1];
    int64_t mint_ms;
    uint16_t instance;
    uint32_t row;

    sa_jti_make(1764028800123, 65535, 4000000000u, jti);
    assert_int_equal(sa_jti_parse(jti, &mint_ms, &instance, &row), SA_OK);
    assert_int_equal(mint_ms, 1764028800123);
    assert_int_equal(instance, 65535);
    assert_true(row == 4000000000u);
    assert_int_equal(sa_jti_parse("short", NULL, NULL, NULL), SA_INVALID_ARGUMENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_with_any_character_changed_is_refused),
        cmocka_unit_test(another_key_issuer_or_form_is_refused),
        cmocka_unit_test(a_header_that_is_not_ours_is_refused),
        cmocka_unit_test(a_binding_or_an_actor_that_is_not_understood_is_refused),
        cmocka_unit_test(a_binding_groups_and_who_acts_are_read_back),
        cmocka_unit_test(a_binding_and_a_chain_have_their_standard_form),
        cmocka_unit_test(a_plain_typ_is_taken_as_well),
        cmocka_unit_test(what_was_signed_is_read_back),
        cmocka_unit_test(a_signature_is_always_86_characters),
        cmocka_unit_test(one_audience_is_a_string_and_several_are_an_array),
        cmocka_unit_test(claims_that_do_not_fit_are_refused_whole),
        cmocka_unit_test(a_private_key_survives_its_sealing),
        cmocka_unit_test(the_key_set_holds_public_members_only),
        cmocka_unit_test(a_token_id_holds_its_parts),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
