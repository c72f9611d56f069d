/* The inside of a verifier, for the files that verify with it and that tell it what was revoked. */
#ifndef SA_VERIFY_TOKEN_H
#define SA_VERIFY_TOKEN_H

#include <pthread.h>

#include "client/verify_denied.h"
#include "client/verify_jws.h"

#define SA_VERIFY_ISSUER_MAX 255u

struct secauth_verifier {
    char issuer[SA_VERIFY_ISSUER_MAX + 1];
    char audiences[SA_VERIFY_AUDIENCES][SA_VERIFY_AUDIENCE_MAX + 1];
    size_t audience_count;
    int64_t leeway_seconds;
    bool accept_jwt;

    pthread_rwlock_t lock;       /* of what follows */
    struct sa_verify_keys *keys; /* NULL: none yet */
    struct sa_denied denied;
    /* When a follower heard last that it knows everything, milliseconds of CLOCK_BOOTTIME; 0: never. */
    int64_t keys_heard_ms;
    int64_t revocations_heard_ms;
};

#endif
