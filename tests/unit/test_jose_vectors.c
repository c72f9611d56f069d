/* links: sa_verify sa_crypto */
/*
 * The library's reader of key sets and signatures (client/verify_jws.h) against tokens that others made: the
 * appendices of RFC 7515, RFC 7519 and RFC 7520, and Wycheproof's files where they are present: the folder
 * that SA_VECTORS names, else ../shared/vectors/wycheproof beside the project. Where a vector is valid and is
 * refused all the same, the stricter reading is meant:
 *
 *   HS256, HS384, HS512     a verifier with the key is an issuer; symmetric keys in a set refuse the set
 *   RS384, RS512, PS*, ES384, ES512, EdDSA   nothing of secauth signs with them: an algorithm fewer to
 * mistake no kid                  the key is the one that the token names, never one that is tried (RFC 7515
 * A.2, A.3) characters outside of the alphabet in base64url   one text, one value (Wycheproof signature 372,
 * 373) a public exponent under 65,537                    RFC 7518 sets no limit; secauth's keys have 65,537
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>

#include "client/verify_jws.h"
#include "service/crypto/encode.h"

#define FOLDER "../shared/vectors/wycheproof"

/* The payload of RFC 7515 A.1 to A.3 and A.5, and of RFC 7519 section 3.1 and 6.1. */
#define JOE "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static const char *reason;

/* Whether a set of this one key verifies the token. */
static bool
verifies(const char *jwk, const char *token)
{
    char set[8192];
    struct sa_verify_keys *keys;
    struct sa_compact parts;
    struct sa_compact_header header;

    assert_true(snprintf(set, sizeof(set), "{\"keys\":[%s]}", jwk) < (int)sizeof(set));
    if (sa_verify_keys_read(sa_bytes_of(set), &keys, &reason) != SA_OK)
        return false;
    bool good = sa_verify_jws(keys, sa_bytes_of(token), &parts, &header, &reason) == SA_OK;
    sa_verify_keys_free(keys);
    return good;
}

/* Whether a key of kid "k" made this signature, in base64url. */
static bool
signs(const char *jwk, struct sa_bytes message, struct sa_bytes signature)
{
    char set[4096];
    struct sa_verify_keys *keys;

    assert_true(snprintf(set, sizeof(set), "{\"keys\":[%s]}", jwk) < (int)sizeof(set));
    if (sa_verify_keys_read(sa_bytes_of(set), &keys, &reason) != SA_OK)
        return false;
    bool good = sa_verify_signature(sa_verify_key(keys, "k"), message, signature);
    sa_verify_keys_free(keys);
    return good;
}

static bool
signs_text(const char *jwk, const char *message, const char *signature)
{
    uint8_t raw[1024];
    size_t len;

    assert_int_equal(sa_compact_decode(sa_bytes_of(signature), raw, &len), SA_OK);
    return signs(jwk, sa_bytes_of(message), sa_bytes(raw, len));
}

#define A2_KEY                                                                                               \
    "{\"kty\":\"RSA\",\"kid\":\"k\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"               \
    "wWJcyQoTbji9k0l8W26mPddxHmf"                                                                            \
    "HQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_"         \
    "7OMg0LOL-"                                                                                              \
    "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"     \
    "I5IhlJ"                                                                                                 \
    "H7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"}"
#define A2_SIGNATURE                                                                                         \
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"                  \
    "O8W2Fp5jujGbds9uJdbF9"                                                                                  \
    "CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"        \
    "eSN9383LcOL"                                                                                            \
    "n6_dO--xi12jzDwusC-"                                                                                    \
    "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtV"                \
    "rBp0igcN_IoypGlUPQGe77Rw"
#define A3_KEY                                                                                               \
    "{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define A3_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define RS256_HEADER "eyJhbGciOiJSUzI1NiJ9"
#define ES256_HEADER "eyJhbGciOiJFUzI1NiJ9"

static void
rfc_7515_a2_and_a3_verify_and_a_token_without_kid_does_not(void **state SA_UNUSED)
{
    assert_true(signs_text(A2_KEY, RS256_HEADER "." JOE, A2_SIGNATURE));
    assert_true(signs_text(A3_KEY, ES256_HEADER "." JOE, A3_SIGNATURE));
    assert_false(signs_text(A2_KEY, ES256_HEADER "." JOE, A2_SIGNATURE));
    assert_false(signs_text(A3_KEY, RS256_HEADER "." JOE, A3_SIGNATURE));
    assert_false(signs_text(A2_KEY, ES256_HEADER "." JOE, A3_SIGNATURE));
    assert_false(signs_text(A3_KEY, RS256_HEADER "." JOE, A2_SIGNATURE));
    assert_false(verifies(A2_KEY, RS256_HEADER "." JOE "." A2_SIGNATURE));
    assert_string_equal(reason, "kid");
    assert_false(verifies(A3_KEY, ES256_HEADER "." JOE "." A3_SIGNATURE));
    assert_string_equal(reason, "kid");
}

/* RFC 7515 A.1 and RFC 7519 3.1 (HS256), RFC 7515 A.4 (ES512), A.5 and RFC 7519 6.1 (none). */
static void
what_rfc_7515_and_7519_sign_otherwise_is_refused(void **state SA_UNUSED)
{
    assert_false(verifies("{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_"
                          "T-1qS0gZH75aKtMN3Yj0i"
                          "PS4hcgUuTwjAzZr1Z9CAow\"}",
                          "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE
                          ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_string_equal(reason, "secret");
    assert_false(verifies(A3_KEY, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE
                                  ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
    assert_false(verifies(A3_KEY, "eyJhbGciOiJub25lIn0." JOE "."));
    assert_string_equal(reason, "alg");
    assert_false(verifies(
        "{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-521\",\"x\":"
        "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EO"
        "nYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"
        "x3S1WDhjDl"
        "y79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-m"
        "ZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrm"
        "xYbSW9ERBXukOXolLzeO_Jn"));
    assert_string_equal(reason, "empty");
}

/* RFC 7520 section 4.1 (RS256): its payload is prose, which a JWS may hold and a token may not. */
static void
rfc_7520_4_1_verifies(void **state SA_UNUSED)
{
    const char *key = "{\"kty\":\"RSA\",\"kid\":\"bilbo.baggins@hobbiton.example\",\"use\":\"sig\",\"e\":"
                      "\"AQAB\",\"n\":\"n4EPtAOCc9AlkeQHPzHStgAbgs"
                      "7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_"
                      "AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2l"
                      "bzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-"
                      "OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0Z"
                      "CuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__"
                      "kRhuaxwUkRz5iaiQkqgc"
                      "5gHdrNP5zw\"}";
    const char *token =
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9."
        "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1"
        "c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24n"
        "dC"
        "BrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4."
        "MRjdkly7"
        "_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-"
        "BDkoB"
        "wA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_"
        "qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is"
        "9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_"
        "fcIe8"
        "u9ipH84ogoree7vjbU5y18kDquDg";

    assert_true(verifies(key, token));
    char changed[2048];
    snprintf(changed, sizeof(changed), "%s", token);
    changed[90]++;
    assert_false(verifies(key, changed));
    assert_string_equal(reason, "signature");
}

/* Wycheproof. */

/* NULL where the files are not there, which is said. */
static json_t *
groups_of(const char *name)
{
    const char *folder = getenv("SA_VECTORS");
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : FOLDER, name);
    json_t *file = json_load_file(path, 0, NULL);
    if (file == NULL) {
        assert_null(folder); /* who names a folder means it */
        print_message("%s is not here: these vectors were skipped\n", path);
        return NULL;
    }
    json_t *groups = json_incref(json_object_get(file, "testGroups"));
    json_decref(file);
    assert_true(json_array_size(groups) > 0);
    return groups;
}

static const char *
text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static bool
is_valid(const json_t *test)
{
    return strcmp(text_of(test, "result"), "valid") == 0;
}

static struct sa_bytes
bytes_of_hex(const char *hex, uint8_t *ret_data)
{
    size_t len = strlen(hex) / 2;

    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        ret_data[i] = (uint8_t)byte;
    }
    return sa_bytes(ret_data, len);
}

static bool
is_ours(const char *alg)
{
    return alg != NULL && (strcmp(alg, "ES256") == 0 || strcmp(alg, "RS256") == 0);
}

/* What is valid is accepted where the algorithm is ours, and nothing else ever is. */
static void
decide_tokens(const char *name, unsigned least)
{
    size_t at, of;
    json_t *group, *test, *groups = groups_of(name);
    unsigned accepted = 0, strict = 0, refused = 0;

    json_array_foreach(groups, at, group)
    {
        const json_t *key = json_object_get(group, "public");
        char *text = json_dumps(key != NULL ? key : json_object_get(group, "private"), JSON_COMPACT);
        const json_t *list = json_object_get(key != NULL ? key : json_object_get(group, "private"), "keys");
        const json_t *first = list == NULL ? NULL : json_array_get(list, 0);
        const char *alg = text_of(first != NULL ? first : key, "alg");
        char *inner = text;
        if (list != NULL) { /* a set: what stands between its brackets */
            inner = strchr(text, '[') + 1;
            *strrchr(text, ']') = '\0';
        }
        json_array_foreach(json_object_get(group, "tests"), of, test)
        {
            const char *token = text_of(test, "jws");
            bool good = token != NULL && verifies(inner, token);
            if (good != (is_valid(test) && is_ours(alg)))
                fail_msg("%s %lld %s: %s", name, json_integer_value(json_object_get(test, "tcId")),
                         text_of(test, "comment"), good ? "was accepted" : reason);
            accepted += good;
            strict += !good && is_valid(test);
            refused += !good && !is_valid(test);
        }
        free(text);
    }
    json_decref(groups);
    if (groups != NULL) {
        print_message("%s: %u accepted, %u refused, %u valid and refused\n", name, accepted, refused, strict);
        assert_true(accepted >= least && accepted + refused + strict > 20);
    }
}

static void
wycheproof_tokens_are_decided_right(void **state SA_UNUSED)
{
    decide_tokens("json_web_signature_test.json", 5);
}

static void
wycheproof_key_sets_are_decided_right(void **state SA_UNUSED)
{
    decide_tokens("json_web_key_test.json", 1);
}

/* A coordinate as Wycheproof writes it, in 32 bytes. */
static void
put_coordinate(const json_t *key, const char *name, char ret_text[44])
{
    uint8_t raw[64], padded[32] = {0};
    struct sa_bytes bytes = bytes_of_hex(text_of(key, name), raw);
    size_t skip = bytes.len > 32 ? bytes.len - 32 : 0;

    memcpy(padded + 32 - (bytes.len - skip), bytes.data + skip, bytes.len - skip);
    sa_base64url(sa_bytes(padded, 32), ret_text);
}

static unsigned
decide_signatures(const char *name, const json_t *group, const char *jwk, bool key_is_ours)
{
    size_t at;
    json_t *test;
    unsigned count = 0;
    static uint8_t message[65536], signature[4096];

    json_array_foreach(json_object_get(group, "tests"), at, test)
    {
        bool good = signs(jwk, bytes_of_hex(text_of(test, "msg"), message),
                          bytes_of_hex(text_of(test, "sig"), signature));
        if (good != (is_valid(test) && key_is_ours))
            fail_msg("%s %lld %s: %s", name, json_integer_value(json_object_get(test, "tcId")),
                     text_of(test, "comment"), good ? "was accepted" : "was refused");
        count++;
    }
    return count;
}

static void
wycheproof_es256_signatures_are_decided_right(void **state SA_UNUSED)
{
    const char *name = "ecdsa_secp256r1_sha256_p1363_test.json";
    size_t at;
    json_t *group, *groups = groups_of(name);
    unsigned count = 0;

    json_array_foreach(groups, at, group)
    {
        char jwk[256], x[44], y[44];
        put_coordinate(json_object_get(group, "publicKey"), "wx", x);
        put_coordinate(json_object_get(group, "publicKey"), "wy", y);
        snprintf(jwk, sizeof(jwk),
                 "{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
        count += decide_signatures(name, group, jwk, true);
    }
    json_decref(groups);
    assert_true(groups == NULL || count > 200);
}

static void
wycheproof_rs256_signatures_are_decided_right(void **state SA_UNUSED)
{
    const char *name = "rsa_signature_2048_sha256_test.json";
    size_t at;
    json_t *group, *groups = groups_of(name);
    unsigned count = 0;

    json_array_foreach(groups, at, group)
    {
        const json_t *key = json_object_get(group, "keyJwk");
        char jwk[1024];
        snprintf(jwk, sizeof(jwk), "{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}",
                 text_of(key, "n"), text_of(key, "e"));
        count += decide_signatures(name, group, jwk, strcmp(text_of(key, "e"), "AQAB") == 0);
    }
    json_decref(groups);
    assert_true(groups == NULL || count > 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_7515_a2_and_a3_verify_and_a_token_without_kid_does_not),
        cmocka_unit_test(what_rfc_7515_and_7519_sign_otherwise_is_refused),
        cmocka_unit_test(rfc_7520_4_1_verifies),
        cmocka_unit_test(wycheproof_tokens_are_decided_right),
        cmocka_unit_test(wycheproof_key_sets_are_decided_right),
        cmocka_unit_test(wycheproof_es256_signatures_are_decided_right),
        cmocka_unit_test(wycheproof_rs256_signatures_are_decided_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
