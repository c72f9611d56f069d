/* Signatures of signing keys, over SHA-256 digests. */
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdlib.h>

#include "service/crypto/signing_key.h"

#define DER_SIGNATURE_MAX 80 /* two integers of up to 33 bytes */

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

/* RFC 7518 section 3.3: RSASSA-PKCS1-v1_5 with SHA-256. ECDSA needs to be told nothing. */
static bool
set_scheme(enum sa_key_alg alg, EVP_PKEY_CTX *context)
{
    return alg != SA_KEY_RS256 || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
                                   EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1);
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
    if (signer->context != NULL &&
        (EVP_PKEY_sign_init(signer->context) != 1 || !set_scheme(key->alg, signer->context))) {
        EVP_PKEY_CTX_free(signer->context);
        signer->context = NULL;
    }
    return signer->context;
}

/* OpenSSL's DER as r and s. */
static bool
from_der(const uint8_t *der, size_t len, uint8_t ret_signature[SA_ES256_LEN])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);

    if (pair == NULL)
        return false;
    bool done = BN_bn2binpad(ECDSA_SIG_get0_r(pair), ret_signature, SA_ES256_COORD) == (int)SA_ES256_COORD &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), ret_signature + SA_ES256_COORD, SA_ES256_COORD) ==
                    (int)SA_ES256_COORD;
    ECDSA_SIG_free(pair);
    return done;
}

size_t
sa_signing_key_signature_len(const struct sa_signing_key *key)
{
    return key->alg == SA_KEY_RS256 ? SA_RS256_LEN : SA_ES256_LEN;
}

enum sa_status
sa_signing_key_sign(const struct sa_signing_key *key, const uint8_t digest[32],
                    uint8_t ret_signature[SA_SIGNATURE_MAX])
{
    uint8_t made[SA_SIGNATURE_MAX];
    size_t len = sizeof(made);
    EVP_PKEY_CTX *context = signing_context(key);

    if (context == NULL || EVP_PKEY_sign(context, made, &len, digest, 32) != 1)
        return SA_INTERNAL;
    if (key->alg == SA_KEY_ES256)
        return from_der(made, len, ret_signature) ? SA_OK : SA_INTERNAL;
    if (len != SA_RS256_LEN)
        return SA_INTERNAL;
    memcpy(ret_signature, made, len);
    return SA_OK;
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
sa_signature_verifies(EVP_PKEY *key, enum sa_key_alg alg, const uint8_t digest[32], struct sa_bytes signature)
{
    uint8_t der[DER_SIGNATURE_MAX];

    if (signature.len != (alg == SA_KEY_ES256 ? SA_ES256_LEN : (size_t)EVP_PKEY_get_size(key)))
        return false;
    if (alg == SA_KEY_ES256)
        signature = sa_bytes(der, to_der(signature.data, der));
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool good = signature.len > 0 && context != NULL && EVP_PKEY_verify_init(context) == 1 &&
                set_scheme(alg, context) &&
                EVP_PKEY_verify(context, signature.data, signature.len, digest, 32) == 1;

    EVP_PKEY_CTX_free(context);
    return good;
}

bool
sa_signing_key_verifies(const struct sa_signing_key *key, const uint8_t digest[32], struct sa_bytes signature)
{
    return sa_signature_verifies(key->pair, key->alg, digest, signature);
}
