#include "service/crypto/jwk.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <stdio.h>

#include "service/crypto/jose.h"
#include "service/crypto/signing_key.h"

#define RSA_MIN_BITS 2048
#define RSA_MAX_BITS 4096
#define RSA_N_MAX    (RSA_MAX_BITS / 8u)
#define RSA_E_MIN    3u /* bytes, of which 65,537 is the least odd number */
#define RSA_E_MAX    4u
#define EC_POINT_LEN (1 + 2 * SA_ES256_COORD)
#define TEXT_MAX     (SA_BASE64URL_LEN(RSA_N_MAX) + 1)

/* A number of bytes, from canonical base64url; 0 where there is none that fits. */
static size_t
bytes_of(const struct sa_json *object, const char *name, uint8_t *ret_data, size_t size)
{
    const struct sa_json *value = sa_json_member(object, name);
    size_t len;

    if (value == NULL || value->kind != SA_JSON_STRING ||
        sa_base64url_decode(value->text, ret_data, size, &len) != SA_OK)
        return 0;
    return len;
}

static EVP_PKEY *
key_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
        EVP_PKEY_free(key); /* some versions leave an empty one behind */
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

/* Whether the public half is what it should be: for EC, a point on the curve that is not infinity. */
static bool
is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;

    EVP_PKEY_CTX_free(context);
    return sound;
}

/* Members of the thumbprint in lexicographic order, without white space (RFC 7638 section 3). */
static void
thumbprint(const char *members, char ret_thumbprint[SA_KID_LEN + 1])
{
    uint8_t digest[SA_SHA256_LEN];

    sa_sha256(sa_bytes_of(members), digest);
    sa_base64url(sa_bytes(digest, sizeof(digest)), ret_thumbprint);
}

static bool
read_ec(const struct sa_json *object, struct sa_jwk *jwk)
{
    uint8_t point[EC_POINT_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
    char crv[8], x[SA_BASE64URL_LEN(SA_ES256_COORD) + 1], y[sizeof(x)], group[] = "P-256", text[160];

    if (!sa_jose_string(object, "crv", crv, sizeof(crv)) || strcmp(crv, group) != 0 ||
        bytes_of(object, "x", point + 1, SA_ES256_COORD) != SA_ES256_COORD ||
        bytes_of(object, "y", point + 1 + SA_ES256_COORD, SA_ES256_COORD) != SA_ES256_COORD)
        return false;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end(),
    };
    jwk->alg = SA_KEY_ES256;
    jwk->key = key_from("EC", params);
    if (jwk->key == NULL || !is_sound(jwk->key))
        return false;
    sa_base64url(sa_bytes(point + 1, SA_ES256_COORD), x);
    sa_base64url(sa_bytes(point + 1 + SA_ES256_COORD, SA_ES256_COORD), y);
    snprintf(text, sizeof(text), "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    thumbprint(text, jwk->thumbprint);
    return true;
}

static EVP_PKEY *
rsa_from(struct sa_bytes modulus, struct sa_bytes exponent)
{
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (builder != NULL && n != NULL && e != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(builder);
    if (params != NULL)
        key = key_from("RSA", params);
    OSSL_PARAM_free(params);
    BN_free(e);
    BN_free(n);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

/* RFC 7518 section 6.3.1: both numbers are without leading zeros. */
static bool
read_rsa(const struct sa_json *object, struct sa_jwk *jwk)
{
    uint8_t n[RSA_N_MAX], e[RSA_E_MAX];
    char n_text[TEXT_MAX], e_text[SA_BASE64URL_LEN(RSA_E_MAX) + 1], text[TEXT_MAX + 64];
    size_t n_len = bytes_of(object, "n", n, sizeof(n));
    size_t e_len = bytes_of(object, "e", e, sizeof(e));

    if (n_len < RSA_MIN_BITS / 8 || n[0] == 0 || (n[n_len - 1] & 1) == 0)
        return false;
    if (e_len < RSA_E_MIN || e[0] == 0 || (e[e_len - 1] & 1) == 0)
        return false;
    jwk->alg = SA_KEY_RS256;
    jwk->key = rsa_from(sa_bytes(n, n_len), sa_bytes(e, e_len));
    if (jwk->key == NULL || EVP_PKEY_get_bits(jwk->key) < RSA_MIN_BITS ||
        EVP_PKEY_get_bits(jwk->key) > RSA_MAX_BITS)
        return false;
    sa_base64url(sa_bytes(n, n_len), n_text);
    sa_base64url(sa_bytes(e, e_len), e_text);
    snprintf(text, sizeof(text), "{\"e\":\"%s\",\"kty\":\"RSA\",\"n\":\"%s\"}", e_text, n_text);
    thumbprint(text, jwk->thumbprint);
    return true;
}

/* No member of a private or a symmetric key: whoever sent one has given it away. */
static bool
is_public(const struct sa_json *object)
{
    static const char *const PRIVATE[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

    for (size_t i = 0; i < SA_COUNT(PRIVATE); i++)
        if (sa_json_member(object, PRIVATE[i]) != NULL)
            return false;
    return true;
}

/* What it says that it is for; nothing said is fine. */
static bool
is_for_signatures(const struct sa_json *object, const struct sa_jwk *jwk)
{
    char alg[16], use[16];

    return sa_jose_string(object, "alg", alg, sizeof(alg)) &&
           (alg[0] == '\0' || strcmp(alg, sa_key_alg_name(jwk->alg)) == 0) &&
           sa_jose_string(object, "use", use, sizeof(use)) && (use[0] == '\0' || strcmp(use, "sig") == 0);
}

bool
sa_jwk_read(const struct sa_json *object, struct sa_jwk *ret_jwk)
{
    struct sa_jwk jwk = {.key = NULL};
    char kty[8];

    bool good = object != NULL && is_public(object) &&
                sa_jose_string(object, "kid", jwk.kid, sizeof(jwk.kid)) &&
                sa_jose_string(object, "kty", kty, sizeof(kty));
    if (good && strcmp(kty, "EC") == 0)
        good = read_ec(object, &jwk);
    else
        good = good && strcmp(kty, "RSA") == 0 && read_rsa(object, &jwk);
    if (!good || !is_for_signatures(object, &jwk)) {
        sa_jwk_clear(&jwk);
        return false;
    }
    *ret_jwk = jwk;
    return true;
}

void
sa_jwk_clear(struct sa_jwk *jwk)
{
    EVP_PKEY_free(jwk->key);
    jwk->key = NULL;
}
