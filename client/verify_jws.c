#include "client/verify_jws.h"

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "client/verify_key.h"

#define DER_MAX 72u /* a sequence of two integers of up to 33 bytes */

/* Contexts. */

static EVP_PKEY_CTX *
context_new(const struct sa_verify_key *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key->key, NULL);

    /* RFC 7518 section 3.3: RSASSA-PKCS1-v1_5 with SHA-256. ECDSA needs to be told nothing. */
    if (context != NULL && EVP_PKEY_verify_init(context) == 1 &&
        (!key->rsa || (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
                       EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1)))
        return context;
    EVP_PKEY_CTX_free(context);
    return NULL;
}

static EVP_PKEY_CTX *
context_take(struct sa_verify_key *key)
{
    EVP_PKEY_CTX *context = NULL;

    pthread_mutex_lock(&key->lock);
    if (key->idle > 0)
        context = key->contexts[--key->idle];
    pthread_mutex_unlock(&key->lock);
    return context != NULL ? context : context_new(key);
}

static void
context_give(struct sa_verify_key *key, EVP_PKEY_CTX *context)
{
    pthread_mutex_lock(&key->lock);
    if (key->idle < SA_VERIFY_CONTEXTS) {
        key->contexts[key->idle++] = context;
        context = NULL;
    }
    pthread_mutex_unlock(&key->lock);
    EVP_PKEY_CTX_free(context);
}

/* Signatures. */

/* A DER integer from big-endian bytes: the shortest, and never negative. */
static size_t
put_integer(const uint8_t from[SA_VERIFY_COORDINATE], uint8_t *out)
{
    size_t skip = 0;

    while (skip < SA_VERIFY_COORDINATE - 1 && from[skip] == 0)
        skip++;
    size_t pad = from[skip] >> 7, len = SA_VERIFY_COORDINATE - skip;
    out[0] = 0x02;
    out[1] = (uint8_t)(len + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, from + skip, len);
    return 2 + pad + len;
}

/* r and s as the DER that OpenSSL verifies. That both are in range is OpenSSL's to say. */
static size_t
to_der(const uint8_t signature[2 * SA_VERIFY_COORDINATE], uint8_t ret_der[DER_MAX])
{
    size_t len = 2;

    len += put_integer(signature, ret_der + len);
    len += put_integer(signature + SA_VERIFY_COORDINATE, ret_der + len);
    ret_der[0] = 0x30;
    ret_der[1] = (uint8_t)(len - 2);
    return len;
}

static bool
digest_is_signed(struct sa_verify_key *key, const uint8_t digest[SA_VERIFY_DIGEST], struct sa_bytes signature)
{
    uint8_t der[DER_MAX];

    if (signature.len != key->signature_len)
        return false;
    if (!key->rsa)
        signature = sa_bytes(der, to_der(signature.data, der));
    EVP_PKEY_CTX *context = context_take(key);
    if (context == NULL)
        return false;
    bool good = EVP_PKEY_verify(context, signature.data, signature.len, digest, SA_VERIFY_DIGEST) == 1;
    context_give(key, context);
    return good;
}

bool
sa_verify_signature(struct sa_verify_key *key, struct sa_bytes signed_part, struct sa_bytes signature)
{
    uint8_t digest[SA_VERIFY_DIGEST];

    ERR_set_mark(); /* the error queue is the thread's, and may be looked at by others than us */
    bool good = EVP_Digest(signed_part.data, signed_part.len, digest, NULL, key->sha256, NULL) == 1 &&
                digest_is_signed(key, digest, signature);
    ERR_pop_to_mark();
    return good;
}

const char *
sa_verify_key_alg(const struct sa_verify_key *key)
{
    return key->rsa ? "RS256" : "ES256";
}

enum sa_status
sa_verify_jws(const struct sa_verify_keys *keys, struct sa_bytes token, struct sa_compact *ret_parts,
              struct sa_compact_header *ret_header, const char **ret_reason)
{
    uint8_t signature[SA_COMPACT_DECODED_MAX(SA_COMPACT_TOKEN_MAX)];
    size_t len;

    *ret_reason = "form";
    if (!sa_compact_split(token, ret_parts) ||
        sa_compact_read_header(ret_parts->header, ret_header, ret_reason) != SA_OK)
        return SA_INVALID_GRANT;
    struct sa_verify_key *key =
        keys == NULL || ret_header->kid == NULL ? NULL : sa_verify_key(keys, ret_header->kid);
    if (key == NULL) {
        *ret_reason = "kid";
        return SA_INVALID_GRANT;
    }
    if (strcmp(ret_header->alg, sa_verify_key_alg(key)) != 0) {
        *ret_reason = "alg";
        return SA_INVALID_GRANT;
    }
    *ret_reason = "form";
    if (sa_compact_decode(ret_parts->signature, signature, &len) != SA_OK)
        return SA_INVALID_GRANT;
    *ret_reason = "signature";
    return sa_verify_signature(key, ret_parts->signed_part, sa_bytes(signature, len)) ? SA_OK
                                                                                      : SA_INVALID_GRANT;
}
