#include "service/crypto/signing_key.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/crypto/keyring.h"

#define RSA_BITS 2048u
#define RSA_E    65537u

static char *
make_pem(EVP_PKEY *pair)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    char *pem = NULL;

    if (bio != NULL && PEM_write_bio_PUBKEY(bio, pair) == 1) {
        long len = BIO_get_mem_data(bio, &text);
        pem = len > 0 ? strndup(text, (size_t)len) : NULL;
    }
    BIO_free(bio);
    return pem;
}

/* ---- what the kinds of keys do differently ---- */

/* A number of the public key as `len` bytes, base64url. */
static bool
number(EVP_PKEY *pair, const char *name, size_t len, char *ret_text)
{
    uint8_t raw[SA_RS256_LEN];
    BIGNUM *number = NULL;
    bool done = len <= sizeof(raw) && EVP_PKEY_get_bn_param(pair, name, &number) == 1 &&
                BN_bn2binpad(number, raw, (int)len) == (int)len;

    if (done)
        sa_base64url(sa_bytes(raw, len), ret_text);
    BN_free(number);
    return done;
}

static EVP_PKEY *
generate_ec(void)
{
    return EVP_EC_gen("P-256");
}

static bool
is_ec(EVP_PKEY *pair)
{
    char group[32] = "";

    return EVP_PKEY_is_a(pair, "EC") && EVP_PKEY_get_group_name(pair, group, sizeof(group), NULL) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

static bool
describe_ec(EVP_PKEY *pair, char ret_members[SA_JWK_MEMBERS_MAX])
{
    char x[SA_BASE64URL_LEN(SA_ES256_COORD) + 1];
    char y[SA_BASE64URL_LEN(SA_ES256_COORD) + 1];

    if (!number(pair, OSSL_PKEY_PARAM_EC_PUB_X, SA_ES256_COORD, x) ||
        !number(pair, OSSL_PKEY_PARAM_EC_PUB_Y, SA_ES256_COORD, y))
        return false;
    snprintf(ret_members, SA_JWK_MEMBERS_MAX, "\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"", x,
             y);
    return true;
}

static EVP_PKEY *
generate_rsa(void)
{
    return EVP_RSA_gen(RSA_BITS);
}

static bool
is_rsa(EVP_PKEY *pair)
{
    BIGNUM *e = NULL;
    bool is = EVP_PKEY_is_a(pair, "RSA") && EVP_PKEY_get_bits(pair) == (int)RSA_BITS &&
              EVP_PKEY_get_bn_param(pair, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_word(e, RSA_E);

    BN_free(e);
    return is;
}

static bool
describe_rsa(EVP_PKEY *pair, char ret_members[SA_JWK_MEMBERS_MAX])
{
    char n[SA_BASE64URL_LEN(SA_RS256_LEN) + 1];

    if (!number(pair, OSSL_PKEY_PARAM_RSA_N, SA_RS256_LEN, n))
        return false;
    snprintf(ret_members, SA_JWK_MEMBERS_MAX, "\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"%s\"", n);
    return true;
}

static const struct kind {
    enum sa_key_alg alg;
    const char *name;
    EVP_PKEY *(*generate)(void);
    bool (*is)(EVP_PKEY *pair);
    bool (*describe)(EVP_PKEY *pair, char ret_members[SA_JWK_MEMBERS_MAX]);
} kinds[] = {
    {SA_KEY_ES256, "ES256", generate_ec, is_ec, describe_ec},
    {SA_KEY_RS256, "RS256", generate_rsa, is_rsa, describe_rsa},
};

static const struct kind *
kind_of(enum sa_key_alg alg)
{
    for (unsigned i = 0; i < SA_COUNT(kinds); i++)
        if (kinds[i].alg == alg)
            return &kinds[i];
    abort(); /* our own enum */
}

const char *
sa_key_alg_name(enum sa_key_alg alg)
{
    return kind_of(alg)->name;
}

/* ---- making ---- */

/* RFC 7638 section 3: the required members in lexicographic order, without white space. */
static void
thumbprint(struct sa_signing_key *key)
{
    char text[SA_JWK_MEMBERS_MAX + 3];
    uint8_t digest[SA_SHA256_LEN];

    snprintf(text, sizeof(text), "{%s}", key->members);
    sa_sha256(sa_bytes_of(text), digest);
    sa_base64url(sa_bytes(digest, sizeof(digest)), key->kid);
}

static void
make_header(struct sa_signing_key *key, bool plain_typ)
{
    char *header = key->headers[plain_typ].text;
    char text[128];

    snprintf(text, sizeof(text), "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}", sa_key_alg_name(key->alg),
             plain_typ ? "JWT" : "at+jwt", key->kid);
    static_assert(sizeof(key->headers[0].text) > SA_BASE64URL_LEN(sizeof(text)) + 1, "a header fits");
    sa_base64url(sa_bytes_of(text), header);
    strcat(header, ".");
    key->headers[plain_typ].len = strlen(header);
}

/* Takes the pair over, also on failure. */
static struct sa_signing_key *
from_pair(const struct kind *kind, EVP_PKEY *pair)
{
    struct sa_signing_key *key = pair == NULL ? NULL : calloc(1, sizeof(*key));

    if (key == NULL) {
        EVP_PKEY_free(pair);
        return NULL;
    }
    atomic_init(&key->holders, 1);
    key->alg = kind->alg;
    key->pair = pair;
    key->pem = make_pem(pair);
    if (key->pem == NULL || !kind->describe(pair, key->members)) {
        sa_signing_key_free(key);
        return NULL;
    }
    thumbprint(key);
    make_header(key, false);
    make_header(key, true);
    return key;
}

struct sa_signing_key *
sa_signing_key_generate(enum sa_key_alg alg)
{
    const struct kind *kind = kind_of(alg);

    sa_crypto_start();
    return from_pair(kind, kind->generate());
}

static const struct kind *
recognize(EVP_PKEY *pair)
{
    for (unsigned i = 0; i < SA_COUNT(kinds); i++)
        if (kinds[i].is(pair))
            return &kinds[i];
    return NULL;
}

enum sa_status
sa_signing_key_load(struct sa_bytes private_der, struct sa_signing_key **ret_key)
{
    const uint8_t *at = private_der.data;

    sa_crypto_start();
    EVP_PKEY *pair = d2i_AutoPrivateKey(NULL, &at, (long)private_der.len);
    if (pair == NULL)
        return SA_INTERNAL;
    const struct kind *kind = at == private_der.data + private_der.len ? recognize(pair) : NULL;
    if (kind == NULL) {
        EVP_PKEY_free(pair);
        return SA_INTERNAL;
    }
    struct sa_signing_key *key = from_pair(kind, pair);
    if (key == NULL)
        return SA_NO_MEMORY;
    *ret_key = key;
    return SA_OK;
}

struct sa_signing_key *
sa_signing_key_hold(struct sa_signing_key *key)
{
    atomic_fetch_add(&key->holders, 1);
    return key;
}

void
sa_signing_key_free(struct sa_signing_key *key)
{
    if (key == NULL || atomic_fetch_sub(&key->holders, 1) > 1)
        return;
    EVP_PKEY_free(key->pair);
    free(key->pem);
    free(key);
}

struct sa_secret *
sa_signing_key_private(const struct sa_signing_key *key)
{
    struct sa_secret *secret = NULL;
    uint8_t *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key->pair);
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    if (len > 0 && (unsigned)len <= SA_JWT_PRIVATE_MAX)
        secret = sa_secret_copy(sa_bytes(der, (size_t)len));
    if (len > 0)
        OPENSSL_clear_free(der, (size_t)len);
    PKCS8_PRIV_KEY_INFO_free(info);
    return secret;
}

enum sa_key_alg
sa_signing_key_alg(const struct sa_signing_key *key)
{
    return key->alg;
}

const char *
sa_signing_key_kid(const struct sa_signing_key *key)
{
    return key->kid;
}

const char *
sa_signing_key_pem(const struct sa_signing_key *key)
{
    return key->pem;
}

char *
sa_jwks(struct sa_signing_key *const *keys, unsigned count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (out == NULL)
        return NULL;
    fputs("{\"keys\":[", out);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%s{%s,\"kid\":\"%s\",\"use\":\"sig\",\"alg\":\"%s\"}", i == 0 ? "" : ",",
                keys[i]->members, keys[i]->kid, sa_key_alg_name(keys[i]->alg));
    fputs("]}", out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}
