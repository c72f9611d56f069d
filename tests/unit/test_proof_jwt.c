/* links: sa_crypto */
/* What others sign to prove themselves, and the keys that they register (service/crypto/proof_jwt.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/crypto/proof_jwt.h"
#include "tests/support/proof_text.h"

#define CLAIMS                                                                                               \
    "{\"iss\":\"c\",\"sub\":\"c\",\"aud\":\"https://a.example\",\"exp\":60,\"iat\":1,\"jti\":\"j\"}"
#define DPOP_CLAIMS "{\"htm\":\"POST\",\"htu\":\"https://a.example/m\",\"iat\":1,\"jti\":\"j\"}"
#define TEXT_MAX    6000u

static struct sa_signing_key *key;

static int
start(void **state SA_UNUSED)
{
    key = sa_signing_key_generate(SA_KEY_ES256);
    return key == NULL ? -1 : 0;
}

static int
stop(void **state SA_UNUSED)
{
    sa_signing_key_free(key);
    return 0;
}

/* A form, with the members of our public key in the place of each KEY. */
static void
fill(const char *form, char ret_text[TEXT_MAX])
{
    const char *place;
    size_t at = 0;

    for (; (place = strstr(form, "KEY")) != NULL; form = place + 3)
        at +=
            (size_t)snprintf(ret_text + at, TEXT_MAX - at, "%.*s%s", (int)(place - form), form, key->members);
    snprintf(ret_text + at, TEXT_MAX - at, "%s", form);
}

static enum sa_status
assert_with(const char *header, const char *claims)
{
    char jwks[PROOF_JWKS_MAX], text[SA_JWT_MAX + 1];
    struct sa_assertion assertion;

    proof_jwks(key, jwks);
    assert_true(proof_sign(key, sa_bytes_of(header), sa_bytes_of(claims), text));
    return sa_assertion_verify(sa_bytes_of(jwks), sa_bytes_of(text), &assertion);
}

static enum sa_status
prove_with(const char *header)
{
    char text[SA_JWT_MAX + 1];
    struct sa_dpop dpop;

    assert_true(proof_sign(key, sa_bytes_of(header), sa_bytes_of(DPOP_CLAIMS), text));
    return sa_dpop_verify(sa_bytes_of(text), &dpop);
}

/* Our public key as the only one of a set, with so many bytes of white space behind it, or so many ones in
 * it. */
static bool
is_good_with(size_t spaces, unsigned values)
{
    char text[TEXT_MAX];
    int len = snprintf(text, sizeof(text), "{\"keys\":[{%s}],\"more\":[", key->members);

    for (unsigned i = 0; i < values; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s1", i == 0 ? "" : ",");
    len += snprintf(text + len, sizeof(text) - (size_t)len, "]}%*s", (int)spaces, "");
    return sa_jwks_is_good(sa_bytes(text, (size_t)len));
}

static void
a_set_of_keys_over_its_bytes_or_values_is_refused(void **state SA_UNUSED)
{
    char text[TEXT_MAX];
    size_t len = (size_t)snprintf(text, sizeof(text), "{\"keys\":[{%s}],\"more\":[]}", key->members);

    /* The set, its two members, the key and the four members of that are 8. */
    assert_true(is_good_with(0, 64 - 8));
    assert_false(is_good_with(0, 64 - 8 + 1));
    assert_true(is_good_with(SA_JWKS_MAX - len, 0));
    assert_false(is_good_with(SA_JWKS_MAX - len + 1, 0));
}

/* A modulus of 2,048 bits, odd, whose high bit is set. */
static bool
rsa_set_is_good(const char *exponent)
{
    char modulus[SA_BASE64URL_LEN(256) + 1], text[512];
    uint8_t n[256];

    memset(n, 0xa5, sizeof(n));
    sa_base64url(sa_bytes(n, sizeof(n)), modulus);
    snprintf(text, sizeof(text), "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}]}", modulus,
             exponent);
    return sa_jwks_is_good(sa_bytes_of(text));
}

static void
an_rsa_key_has_an_exponent_of_65537_or_more(void **state SA_UNUSED)
{
    assert_true(rsa_set_is_good("AQAB"));
    assert_true(rsa_set_is_good("AQAAAQ"));
    assert_false(rsa_set_is_good("Aw"));   /* 3 */
    assert_false(rsa_set_is_good("__8"));  /* 65,535 */
    assert_false(rsa_set_is_good("AQAA")); /* even */
    assert_false(rsa_set_is_good("AAEAAQ"));
}

static void
what_is_no_set_of_one_or_two_public_keys_is_refused(void **state SA_UNUSED)
{
    static const char *const FORMS[] = {
        "",
        "{}",
        "[]",
        "[{KEY}]",
        "{\"keys\":[]}",
        "{\"keys\":{KEY}}",
        "{\"keys\":[1]}",
        "{\"keys\":[{KEY,\"d\":\"AA\"}]}",
        "{\"keys\":[{KEY,\"use\":\"enc\"}]}",
        "{\"keys\":[{KEY,\"alg\":\"RS256\"}]}",
        "{\"keys\":[{KEY,\"kty\":\"EC\"}]}",
        "{\"keys\":[{KEY}],\"keys\":[{KEY}]}",
        "{\"keys\":[{KEY,\"kid\":\"a\"},{KEY,\"kid\":\"\\u0061\"}]}",
        "{\"keys\":[{KEY,\"kid\":\"a\"},{KEY,\"kid\":\"b\"},{KEY,\"kid\":\"c\"}]}",
        "{\"keys\":[{KEY}]} x",
    };
    char text[TEXT_MAX];

    for (size_t i = 0; i < SA_COUNT(FORMS); i++) {
        fill(FORMS[i], text);
        assert_false(sa_jwks_is_good(sa_bytes_of(text)));
    }
}

static void
a_header_with_anything_beside_alg_kid_and_typ_is_no_assertions(void **state SA_UNUSED)
{
    static const char *const HEADERS[] = {
        "{\"alg\":\"ES256\",\"cty\":\"JWT\"}",
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"ES256\",\"jwk\":{}}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"ES256\"}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}",
        "{\"alg\":\"ES256\",\"kid\":\"\"}",
        "{\"alg\":\"ES256\",\"typ\":[\"JWT\"]}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"nOnE\"}",
        "{}",
        "[\"alg\",\"ES256\"]",
        "{\"alg\":\"ES256\"} ",
    };

    for (size_t i = 0; i + 1 < SA_COUNT(HEADERS); i++)
        assert_int_equal(assert_with(HEADERS[i], CLAIMS), SA_INVALID_CLIENT);
    assert_int_equal(assert_with(HEADERS[SA_COUNT(HEADERS) - 1], CLAIMS), SA_OK); /* white space is none */
    assert_int_equal(assert_with("{\"alg\":\"ES256\",\"kid\":\"x\",\"typ\":\"JWT\"}", CLAIMS), SA_OK);
}

static void
claims_that_are_no_object_or_name_a_member_twice_are_refused(void **state SA_UNUSED)
{
    static const char *const BAD[] = {
        "[]",
        "\"iss\"",
        "{}",
        "{\"iss\":\"c\",\"sub\":\"c\",\"aud\":\"a\",\"exp\":60,\"iat\":1,\"jti\":\"j\",\"jt\\u0069\":\"k\"}",
        "{\"iss\":\"c\",\"sub\":\"c\",\"aud\":[\"a\"],\"exp\":60,\"iat\":1,\"jti\":\"j\"}",
        "{\"iss\":\"c\",\"sub\":\"c\",\"aud\":\"a\",\"exp\":60.0,\"iat\":1,\"jti\":\"j\"}",
        "{\"iss\":\"c\",\"sub\":\"c\",\"aud\":\"a\",\"exp\":9,\"iat\":1,\"jti\":\"j\",\"\":{\"\":1,\"\":1}}",
    };

    for (size_t i = 0; i < SA_COUNT(BAD); i++)
        assert_int_equal(assert_with("{\"alg\":\"ES256\"}", BAD[i]), SA_INVALID_CLIENT);
}

static void
a_proof_whose_header_holds_more_or_less_is_refused(void **state SA_UNUSED)
{
    static const char *const FORMS[] = {
        "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\"}",
        "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":1}",
        "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":[{KEY}]}",
        "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"jwk\":{KEY}}",
        "{\"typ\":\"dpop+jwt\",\"alg\":\"RS256\",\"jwk\":{KEY}}",
        "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"kid\":\"k\",\"jwk\":{KEY}}",
        "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{KEY,\"d\":\"AA\"}}",
        "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{KEY,\"crv\":\"P-256\"}}",
        "[\"dpop+jwt\",\"ES256\",{KEY}]",
    };
    char header[TEXT_MAX];

    for (size_t i = 0; i < SA_COUNT(FORMS); i++) {
        fill(FORMS[i], header);
        assert_int_equal(prove_with(header), SA_INVALID_DPOP_PROOF);
    }
    proof_dpop_header(key, header);
    assert_int_equal(prove_with(header), SA_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_of_keys_over_its_bytes_or_values_is_refused),
        cmocka_unit_test(an_rsa_key_has_an_exponent_of_65537_or_more),
        cmocka_unit_test(what_is_no_set_of_one_or_two_public_keys_is_refused),
        cmocka_unit_test(a_header_with_anything_beside_alg_kid_and_typ_is_no_assertions),
        cmocka_unit_test(claims_that_are_no_object_or_name_a_member_twice_are_refused),
        cmocka_unit_test(a_proof_whose_header_holds_more_or_less_is_refused),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
