/*
 * The keys that sign access tokens, and the key set that verifies them: in memory, as the store has them.
 * Every change makes a new set; who holds one goes on with it.
 */
#ifndef SA_SIGNING_H
#define SA_SIGNING_H

#include <pthread.h>
#include <stdatomic.h>

#include "service/auth/authority.h"
#include "service/base/bell.h"

/* Immutable and counted. */
struct sa_signing_set {
    atomic_uint holders;
    unsigned count; /* those first that sign last, as the store tells them */
    struct sa_signing_key *keys[SA_KEYS_MAX];
    struct sa_key_row rows[SA_KEYS_MAX];            /* what is known of each; no private halves */
    char *jwks;                                     /* RFC 7517 section 5: all of them */
    char etag[SA_BASE64URL_LEN(SA_SHA256_LEN) + 1]; /* base64url of SHA-256 of `jwks` */
};

/* The set of now; never NULL once the authority has started. Let go with sa_signing_set_free. */
struct sa_signing_set *sa_signing_hold(const struct sa_authority *authority);
void sa_signing_set_free(struct sa_signing_set *set);
SA_DEFINE_OWN(sa_signing_set, sa_signing_set_free)

/* The key that signs now; never NULL. */
const struct sa_signing_key *sa_signing_signer(const struct sa_signing_set *set, int64_t now_ms);

/* Rung when there is another set. */
struct sa_bell *sa_signing_bell(struct sa_authority *authority);

/* ---- for the authority, and for key_life.c ---- */

struct sa_signing {
    pthread_mutex_t lock; /* of the pointer that follows */
    struct sa_signing_set *set;
    pthread_mutex_t changing; /* held through every change of the keys, and of what follows */
    bool stale;               /* the store has what the set has not */
    int64_t retry_boot_ms;    /* not before then: the last change failed */
    struct sa_bell bell;      /* rung when there is another set */
};

struct sa_signing *sa_signing_new(void); /* without a set yet; NULL for lack of memory */
void sa_signing_free(struct sa_signing *signing);

/*
 * Read the set anew from the store, and publish it. On any other status than SA_OK the one before stays:
 * SA_INTERNAL (sealed with another master key), SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_signing_reload(struct sa_authority *authority);

#endif
