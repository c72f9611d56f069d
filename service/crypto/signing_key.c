#include "service/crypto/signing_key.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/crypto/keyring.h"

#define DER_SIGNATURE_MAX 80 /* two integers of up to 33 bytes */

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

static bool
coordinate(EVP_PKEY *pair, const char *name, char *ret_text)
{
    uint8_t raw[SA_ES256_COORD];
    BIGNUM *number = NULL;
    bool done = EVP_PKEY_get_bn_param(pair, name, &number) == 1 &&
                BN_bn2binpad(number, raw, sizeof(raw)) == (int)sizeof(raw);

    if (done)
        sa_base64url(sa_bytes(raw, sizeof(raw)), ret_text);
    BN_free(number);
    return done;
}

/* RFC 7638 section 3: the required members in lexicographic order, without white space. */
static void
thumbprint(struct sa_signing_key *key)
{
    char text[192];
    uint8_t digest[SA_SHA256_LEN];

    snprintf(text, sizeof(text), "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", key->x,
             key->y);
    sa_sha256(sa_bytes_of(text), digest);
    sa_base64url(sa_bytes(digest, sizeof(digest)), key->kid);
}

static void
make_header(struct sa_signing_key *key)
{
    char text[128];

    snprintf(text, sizeof(text), "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}", key->kid);
    static_assert(sizeof(key->header) > SA_BASE64URL_LEN(sizeof(text)) + 1, "a header fits");
    sa_base64url(sa_bytes_of(text), key->header);
    key->header_len = strlen(key->header);
    key->header[key->header_len++] = '.';
    key->header[key->header_len] = '\0';
}

/* Takes the pair over, also on failure. */
static struct sa_signing_key *
from_pair(EVP_PKEY *pair)
{
    struct sa_signing_key *key = pair == NULL ? NULL : calloc(1, sizeof(*key));

    if (key == NULL) {
        EVP_PKEY_free(pair);
        return NULL;
    }
    key->pair = pair;
    key->pem = make_pem(pair);
    if (key->pem == NULL || !coordinate(pair, OSSL_PKEY_PARAM_EC_PUB_X, key->x) ||
        !coordinate(pair, OSSL_PKEY_PARAM_EC_PUB_Y, key->y)) {
        sa_signing_key_free(key);
        return NULL;
    }
    thumbprint(key);
    make_header(key);
    return key;
}

struct sa_signing_key *
sa_signing_key_generate(void)
{
    sa_crypto_start();
    return from_pair(EVP_EC_gen("P-256"));
}

enum sa_status
sa_signing_key_load(struct sa_bytes private_der, struct sa_signing_key **ret_key)
{
    const uint8_t *at = private_der.data;

    sa_crypto_start();
    EVP_PKEY *pair = d2i_AutoPrivateKey(NULL, &at, (long)private_der.len);
    if (pair == NULL)
        return SA_INTERNAL;
    char group[32] = "";
    if (at != private_der.data + private_der.len || !EVP_PKEY_is_a(pair, "EC") ||
        EVP_PKEY_get_group_name(pair, group, sizeof(group), NULL) != 1 || strcmp(group, "prime256v1") != 0) {
        EVP_PKEY_free(pair);
        return SA_INTERNAL;
    }
    struct sa_signing_key *key = from_pair(pair);
    if (key == NULL)
        return SA_NO_MEMORY;
    *ret_key = key;
    return SA_OK;
}

void
sa_signing_key_free(struct sa_signing_key *key)
{
    if (key == NULL)
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
        fprintf(
            out,
            "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\",\"kid\":\"%s\",\"use\":\"sig\","
            "\"alg\":\"ES256\"}",
            i == 0 ? "" : ",", keys[i]->x, keys[i]->y, keys[i]->kid);
    fputs("]}", out);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- signatures ---- */

/*
 * A thread's signing context: making one costs as much as a tenth of a signature. It holds a reference to its
 * key pair, so a pair's address cannot come back for another key while it is compared here.
 */
struct signer {
    EVP_PKEY *pair;
    EVP_PKEY_CTX *context;
};

static pthread_key_t signer_key;
static pthread_once_t signer_once = PTHREAD_ONCE_INIT;
static bool signer_key_made;

static void
signer_free(void *data)
{
    struct signer *signer = data;

    EVP_PKEY_CTX_free(signer->context);
    free(signer);
}

static void
signer_key_make(void)
{
    signer_key_made = pthread_key_create(&signer_key, signer_free) == 0;
}

static struct signer *
thread_signer(void)
{
    pthread_once(&signer_once, signer_key_make);
    if (!signer_key_made)
        return NULL;
    struct signer *signer = pthread_getspecific(signer_key);
    if (signer == NULL) {
        signer = calloc(1, sizeof(*signer));
        if (signer != NULL && pthread_setspecific(signer_key, signer) != 0) {
            free(signer);
            signer = NULL;
        }
    }
    return signer;
}

static EVP_PKEY_CTX *
signing_context(const struct sa_signing_key *key)
{
    struct signer *signer = thread_signer();

    if (signer == NULL)
        return NULL;
    if (signer->context != NULL && signer->pair == key->pair)
        return signer->context;
    EVP_PKEY_CTX_free(signer->context);
    signer->pair = key->pair;
    signer->context = EVP_PKEY_CTX_new(key->pair, NULL);
    if (signer->context != NULL && EVP_PKEY_sign_init(signer->context) != 1) {
        EVP_PKEY_CTX_free(signer->context);
        signer->context = NULL;
    }
    return signer->context;
}

enum sa_status
sa_signing_key_sign(const struct sa_signing_key *key, const uint8_t digest[32],
                    uint8_t ret_signature[SA_ES256_LEN])
{
    uint8_t der[DER_SIGNATURE_MAX];
    size_t der_len = sizeof(der);
    const uint8_t *at = der;
    EVP_PKEY_CTX *context = signing_context(key);

    if (context == NULL || EVP_PKEY_sign(context, der, &der_len, digest, 32) != 1)
        return SA_INTERNAL;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    if (pair == NULL)
        return SA_INTERNAL;
    bool done = BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_signature, SA_ES256_COORD) == (int)SA_ES256_COORD &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_signature + SA_ES256_COORD, SA_ES256_COORD) ==
                    (int)SA_ES256_COORD;
    ECDSA_SIG_free(pair);
    return done ? SA_OK : SA_INTERNAL;
}

/* r and s as the DER that OpenSSL verifies; 0 where they cannot be. */
static size_t
to_der(const uint8_t signature[SA_ES256_LEN], uint8_t ret_der[DER_SIGNATURE_MAX])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, SA_ES256_COORD, NULL);
    BIGNUM *s = BN_bin2bn(signature + SA_ES256_COORD, SA_ES256_COORD, NULL);
    int len = -1;

    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        BN_free(r);
        BN_free(s);
    } else {
        uint8_t *out = ret_der;
        len = i2d_ECDSA_SIG(pair, NULL);
        len = len > DER_SIGNATURE_MAX ? -1 : i2d_ECDSA_SIG(pair, &out);
    }
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

bool
sa_signing_key_verifies(const struct sa_signing_key *key, const uint8_t digest[32],
                        const uint8_t signature[SA_ES256_LEN])
{
    uint8_t der[DER_SIGNATURE_MAX];
    size_t der_len = to_der(signature, der);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->pair, NULL);
    bool good = der_len > 0 && context != NULL && EVP_PKEY_verify_init(context) == 1 &&
                EVP_PKEY_verify(context, der, der_len, digest, 32) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}
