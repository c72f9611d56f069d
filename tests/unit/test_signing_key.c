/* links: sa_crypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "service/crypto/signing_key.h"

#define ISSUER "https://auth.example"

static struct sa_signing_key *ec;
static struct sa_signing_key *rsa;

static int
start(void **state SA_UNUSED)
{
    ec = sa_signing_key_generate(SA_KEY_ES256);
    rsa = sa_signing_key_generate(SA_KEY_RS256);
    return ec != NULL && rsa != NULL ? 0 : -1;
}

static int
stop(void **state SA_UNUSED)
{
    sa_signing_key_free(ec);
    sa_signing_key_free(rsa);
    return 0;
}

/*
 * RFC 7515 appendices A.2 (RS256) and A.3 (ES256): the private keys as PKCS #8, made of the numbers that
 * stand there; what is signed; the signatures. The ids are the RFC 7638 thumbprints of the public keys there.
 */
static const struct vector {
    enum sa_key_alg alg;
    const char *private_der; /* base64url */
    const char *kid;
    const char *input;
    const char *signature;
} vectors[] = {
    {.alg = SA_KEY_RS256,
     .private_der =
         "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh-BYK4uPJtGXOjS1lYmM2K5J9vinh8CR3_BYlzJChNuOL"
         "2TSXxbbqY913EeZ8dCn5VrD7io8ImtxLaYk8wTM_U-3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn"
         "juygxmj3AbONv_s4yDQs4v5tJ_reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5ROjtZMEQxrZHYJqkeDrrnGya11UxMFBj"
         "i4NmXG9veoKjlnAqH2QbgtPr8jkiGUkftoaHLFcW9Qr4NY2ai50Xw0Byj3-H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg"
         "VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeX"
         "Zx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj"
         "kn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl"
         "_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K"
         "pLttoLhyt3SmqdEf_kgHePDdtzEafpAu-cS191R2JiuoF2yzWXnwFDcqGigp5BNr0AHQfD8_Lk8l1Mk09jxxCfui5nYooNya"
         "c8YFjm3vItzVCVDnEd3BbVWG8qf6deqElMGAg-C2V0L4oNXnP7LZcPAZRwKBgQC5A8R-CZW2MvRTLLHzwZkUXV866cff7tx6"
         "kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAPrq3rbAOal78eUH5OcED6eNuCV8ixEu1e"
         "WcPNCS_l1OW1EnXUEoEHKl54Xrrz2uNwkgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7_Ls5bkUp"
         "5u9SN0Ai3Ya6hNnvWJMb7sXQX6U_zyO2M_hTip7tUeh7CXgwo59dkpN75gJLVds29-DAncu3KXU4f2Fa-7bLNrur53k8KwPO"
         "q2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf_evpitUf-4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG"
         "yoAe9fa65iNqCq-jdw6PVNGo2hxfjSiZ8IIzHdsPXI89__pMjZcQK9r-CCoRjaZjOYiIDktVWZzmevJuv6WywUqd57LE3Zar"
         "3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3"
         "ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
     .kid = "IsUn6_e04MaShXFIISMp4kG62LWzMIPy_MvSA5pJgX8",
     .input =
         "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9"
         "pc19yb290Ijp0cnVlfQ",
     .signature =
         "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG"
         "bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K"
         "0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6"
         "LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {.alg = SA_KEY_ES256,
     .private_der =
         "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LKhRANC"
         "AAR_zc4ncPbEXUGDy-5v20t7WAczNXvp7xO6z248e9FURcfxRM0bvZt-hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt",
     .kid = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U",
     .input =
         "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9"
         "pc19yb290Ijp0cnVlfQ",
     .signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
};

static struct sa_claims
sample(void)
{
    struct sa_claims claims = {.aud_count = 1, .exp = 2000000000, .iat = 1999999400};

    strcpy(claims.iss, ISSUER);
    strcpy(claims.sub, "subject");
    strcpy(claims.aud[0], "demo");
    strcpy(claims.client_id, "svc");
    sa_jti_make(1999999400000, 7, 42, claims.jti);
    return claims;
}

/* The claims of `token` under a header of the test's own, signed by `key` as it signs. */
static void
sign_under(const struct sa_signing_key *key, const char *alg, const char *kid, const char *token,
           char ret_token[SA_JWT_MAX + 1])
{
    uint8_t digest[SA_SHA256_LEN];
    uint8_t signature[SA_SIGNATURE_MAX];
    const char *claims = strchr(token, '.');
    char header[256];

    snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", alg, kid);
    sa_base64url(sa_bytes_of(header), ret_token);
    strncat(ret_token, claims, (size_t)(strrchr(token, '.') - claims));
    sa_sha256(sa_bytes_of(ret_token), digest);
    assert_int_equal(sa_signing_key_sign(key, digest, signature), SA_OK);
    strcat(ret_token, ".");
    sa_base64url(sa_bytes(signature, sa_signing_key_signature_len(key)), ret_token + strlen(ret_token));
}

static enum sa_status
verify(const char *token)
{
    struct sa_signing_key *both[] = {ec, rsa};
    struct sa_claims claims;

    const char *reason;
    return sa_jwt_verify(both, 2, ISSUER, sa_bytes_of(token), &claims, &reason);
}

static void
a_key_verifies_with_its_own_algorithm_only(void **state SA_UNUSED)
{
    static const char *const others[] = {"none", "None", "", "HS256", "RS384", "PS256", "ES384", "rs256"};
    struct sa_signing_key *keys[] = {ec, rsa};
    struct sa_claims claims = sample();
    char token[SA_JWT_MAX + 1];
    char forged[SA_JWT_MAX + 1];

    for (unsigned i = 0; i < SA_COUNT(keys); i++) {
        const struct sa_signing_key *key = keys[i];
        const struct sa_signing_key *other = keys[1 - i];
        assert_int_equal(sa_jwt_sign(key, &claims, token), SA_OK);
        sign_under(key, sa_key_alg_name(key->alg), key->kid, token, forged);
        assert_int_equal(verify(forged), SA_OK);
        sign_under(key, sa_key_alg_name(other->alg), key->kid, token, forged);
        assert_int_equal(verify(forged), SA_INVALID_GRANT);
        sign_under(key, sa_key_alg_name(key->alg), other->kid, token, forged);
        assert_int_equal(verify(forged), SA_INVALID_GRANT);
        sign_under(key, sa_key_alg_name(other->alg), other->kid, token, forged);
        assert_int_equal(verify(forged), SA_INVALID_GRANT);
        for (unsigned j = 0; j < SA_COUNT(others); j++) {
            sign_under(key, others[j], key->kid, token, forged);
            assert_int_equal(verify(forged), SA_INVALID_GRANT);
        }
    }
}

static void
a_signature_of_another_length_is_refused(void **state SA_UNUSED)
{
    const struct sa_signing_key *keys[] = {ec, rsa};
    uint8_t digest[SA_SHA256_LEN] = "a digest of something or other";
    uint8_t signature[SA_SIGNATURE_MAX + 1] = {0};

    for (unsigned i = 0; i < SA_COUNT(keys); i++) {
        size_t len = sa_signing_key_signature_len(keys[i]);
        assert_int_equal(sa_signing_key_sign(keys[i], digest, signature), SA_OK);
        assert_true(sa_signing_key_verifies(keys[i], digest, sa_bytes(signature, len)));
        assert_false(sa_signing_key_verifies(keys[i], digest, sa_bytes(signature, len - 1)));
        assert_false(sa_signing_key_verifies(keys[i], digest, sa_bytes(signature, len + 1)));
        assert_false(sa_signing_key_verifies(keys[i], digest, sa_bytes(signature, 0)));
        memset(signature, 0, sizeof(signature));
        assert_false(sa_signing_key_verifies(keys[i], digest, sa_bytes(signature, len)));
    }
}

static void
load_is_refused(EVP_PKEY *pair)
{
    SA_OWN(sa_signing_key) key = NULL;
    uint8_t *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pair);
    int len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    assert_true(len > 0);
    assert_int_equal(sa_signing_key_load(sa_bytes(der, (size_t)len), &key), SA_INTERNAL);
    OPENSSL_free(der);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(pair);
}

static void
keys_of_other_kinds_and_sizes_are_not_loaded(void **state SA_UNUSED)
{
    load_is_refused(EVP_EC_gen("P-384"));
    load_is_refused(EVP_EC_gen("secp256k1"));
    load_is_refused(EVP_RSA_gen(1024));
    load_is_refused(EVP_RSA_gen(3072));
    load_is_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

static void
the_examples_of_rfc_7515_come_out_as_they_stand_there(void **state SA_UNUSED)
{
    for (unsigned i = 0; i < SA_COUNT(vectors); i++) {
        const struct vector *vector = &vectors[i];
        SA_OWN(sa_signing_key) key = NULL;
        uint8_t der[SA_JWT_PRIVATE_MAX], expected[SA_SIGNATURE_MAX], made[SA_SIGNATURE_MAX];
        uint8_t digest[SA_SHA256_LEN];
        size_t der_len, len;

        assert_int_equal(sa_base64url_decode(sa_bytes_of(vector->private_der), der, sizeof(der), &der_len),
                         SA_OK);
        assert_int_equal(
            sa_base64url_decode(sa_bytes_of(vector->signature), expected, sizeof(expected), &len), SA_OK);
        assert_int_equal(sa_signing_key_load(sa_bytes(der, der_len), &key), SA_OK);
        assert_int_equal(sa_signing_key_alg(key), vector->alg);
        assert_string_equal(sa_signing_key_kid(key), vector->kid);
        sa_sha256(sa_bytes_of(vector->input), digest);
        assert_true(sa_signing_key_verifies(key, digest, sa_bytes(expected, len)));
        assert_int_equal(sa_signing_key_sign(key, digest, made), SA_OK);
        if (vector->alg == SA_KEY_RS256) /* ES256 has a random number in it */
            assert_memory_equal(made, expected, len);
        expected[len / 2] ^= 1;
        assert_false(sa_signing_key_verifies(key, digest, sa_bytes(expected, len)));
    }
}

static void
the_largest_private_half_fits(void **state SA_UNUSED)
{
    for (unsigned i = 0; i < 3; i++) {
        SA_OWN(sa_signing_key) key = sa_signing_key_generate(SA_KEY_RS256);
        SA_OWN(sa_secret) secret = sa_signing_key_private(key);
        SA_OWN(sa_signing_key) again = NULL;

        assert_non_null(secret);
        assert_int_equal(sa_signing_key_load(sa_secret_bytes(secret), &again), SA_OK);
        assert_string_equal(sa_signing_key_kid(again), sa_signing_key_kid(key));
    }
}

static void
a_thread_signs_with_one_key_after_another(void **state SA_UNUSED)
{
    struct sa_claims claims = sample();
    char token[SA_JWT_MAX + 1];

    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(sa_jwt_sign(i % 2 == 0 ? ec : rsa, &claims, token), SA_OK);
        assert_int_equal(verify(token), SA_OK);
    }
}

static void
an_rsa_key_is_published_with_its_public_members_only(void **state SA_UNUSED)
{
    char *text = sa_jwks(&rsa, 1);
    json_t *set = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_t *jwk = json_array_get(json_object_get(set, "keys"), 0);

    assert_int_equal(json_object_size(jwk), 6);
    assert_string_equal(json_string_value(json_object_get(jwk, "kty")), "RSA");
    assert_string_equal(json_string_value(json_object_get(jwk, "e")), "AQAB");
    assert_int_equal(json_string_length(json_object_get(jwk, "n")), 342);
    assert_string_equal(json_string_value(json_object_get(jwk, "alg")), "RS256");
    assert_string_equal(json_string_value(json_object_get(jwk, "use")), "sig");
    assert_string_equal(json_string_value(json_object_get(jwk, "kid")), sa_signing_key_kid(rsa));
    json_decref(set);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_verifies_with_its_own_algorithm_only),
        cmocka_unit_test(a_signature_of_another_length_is_refused),
        cmocka_unit_test(keys_of_other_kinds_and_sizes_are_not_loaded),
        cmocka_unit_test(the_examples_of_rfc_7515_come_out_as_they_stand_there),
        cmocka_unit_test(the_largest_private_half_fits),
        cmocka_unit_test(a_thread_signs_with_one_key_after_another),
        cmocka_unit_test(an_rsa_key_is_published_with_its_public_members_only),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
