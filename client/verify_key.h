/* The inside of a public key, for the files that read it and verify with it. */
#ifndef SA_VERIFY_KEY_H
#define SA_VERIFY_KEY_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client/verify_jws.h"

#define SA_VERIFY_COORDINATE 32u /* bytes of P-256 */
#define SA_VERIFY_DIGEST     32u /* of SHA-256 */
#define SA_VERIFY_CONTEXTS   16u

/*
 * A key, and contexts that verify with it: making one costs a good part of what verifying does, and one
 * serves a single thread at a time, so what is idle is kept.
 */
struct sa_verify_key {
    bool rsa; /* RS256, else ES256 */
    size_t signature_len;
    EVP_PKEY *key;
    const EVP_MD *sha256; /* the keys' */
    char kid[SA_VERIFY_KID_MAX + 1];
    pthread_mutex_t lock; /* of what follows */
    size_t idle;
    EVP_PKEY_CTX *contexts[SA_VERIFY_CONTEXTS];
};

struct sa_verify_keys {
    atomic_uint holders;
    EVP_MD *sha256; /* fetched once */
    size_t count;
    struct sa_verify_key keys[SA_VERIFY_KEYS_MAX];
};

#endif
