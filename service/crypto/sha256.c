/*
 * SHA-256 by OpenSSL, which has the processor's own instructions for it; by libsodium where OpenSSL has no
 * memory. One context a thread: to make one costs more than a short digest.
 */
#include <assert.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>

#include "service/crypto/encode.h"

static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;
static bool context_key_made;
static EVP_MD *sha256;

static void
context_free(void *context)
{
    EVP_MD_CTX_free(context);
}

static void
prepare(void)
{
    context_key_made = pthread_key_create(&context_key, context_free) == 0;
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static EVP_MD_CTX *
thread_context(void)
{
    pthread_once(&context_once, prepare);
    if (!context_key_made || sha256 == NULL)
        return NULL;
    EVP_MD_CTX *context = pthread_getspecific(context_key);
    if (context == NULL) {
        context = EVP_MD_CTX_new();
        if (context != NULL && pthread_setspecific(context_key, context) != 0) {
            EVP_MD_CTX_free(context);
            context = NULL;
        }
    }
    return context;
}

void
sa_sha256(struct sa_bytes data, uint8_t ret_digest[SA_SHA256_LEN])
{
    static_assert(crypto_hash_sha256_BYTES == SA_SHA256_LEN, "a digest is what libsodium says");
    EVP_MD_CTX *context = thread_context();

    if (context == NULL || EVP_DigestInit_ex2(context, sha256, NULL) != 1 ||
        EVP_DigestUpdate(context, data.data, data.len) != 1 ||
        EVP_DigestFinal_ex(context, ret_digest, NULL) != 1)
        crypto_hash_sha256(ret_digest, data.data, data.len);
}
