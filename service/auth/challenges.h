/*
 * What waits for the answer to a challenge (design section 6): in memory only, single-use, two minutes, bound
 * to name, source and caller. Thread-safe.
 */
#ifndef SA_CHALLENGES_H
#define SA_CHALLENGES_H

#include "proto/bytes.h"
#include "service/auth/source.h"
#include "service/crypto/encode.h"
#include "service/crypto/keyring.h"

#define SA_CHALLENGES_MAX      4096u /* in all; then the source that holds the most loses its oldest */
#define SA_CHALLENGES_PER_PAIR 4u    /* of one name from one source; then its oldest goes */
#define SA_CHALLENGE_LIFE_MS   120000

/* Whose it is: the second step must come from where the first one came from. */
struct sa_challenge_owner {
    struct sa_bytes name; /* byte for byte */
    const struct sa_source
        *source;             /* on the user socket the caller's uid, through a gateway client and address */
    struct sa_bytes service; /* PAM's, or the gateway's name */
    unsigned via;            /* the socket: enum sa_via */
};

/* What the first step found, for the second. */
struct sa_challenge {
    bool is_charged;    /* the first step counts as a failure until a grant says otherwise (`always`) */
    const char *reason; /* why it is denied whatever the answer is, a constant; NULL: it is proven so far */
    uint8_t password_mac[SA_MAC_LEN]; /* an answer equal to the password is no guess at a code */
    uint8_t hash_mac[SA_MAC_LEN];     /* of the record's hash: another one, and the proof is void */
    uint8_t next_mac[SA_MAC_LEN];     /* of another hash of the same password; zeros: there is none */
};

struct sa_challenges;

/* NULL for lack of memory. */
struct sa_challenges *sa_challenges_new(void);
void sa_challenges_free(struct sa_challenges *challenges);
SA_DEFINE_OWN(sa_challenges, sa_challenges_free)

/* Keep one; *ret_state is its secret name. */
void sa_challenges_issue(struct sa_challenges *challenges, const struct sa_challenge_owner *owner,
                         const struct sa_challenge *challenge, int64_t boot_ms,
                         char ret_state[SA_ID_LEN + 1]);

/*
 * Take it: it is gone afterwards. False where there is none of that state and owner, or it is too old; a
 * stranger's try leaves it where it is.
 */
SA_MUST_CHECK bool sa_challenges_redeem(struct sa_challenges *challenges, struct sa_bytes state,
                                        const struct sa_challenge_owner *owner, int64_t boot_ms,
                                        struct sa_challenge *ret_challenge);

/*
 * The same password is about to get another hash (a rehash): proofs of the old one stand, those too whose
 * challenge is issued a moment later. Before the commit, so that no answer meets the new hash first; where it
 * fails, nothing has the new one.
 */
void sa_challenges_rehashing(struct sa_challenges *challenges, const uint8_t old_mac[SA_MAC_LEN],
                             const uint8_t new_mac[SA_MAC_LEN]);

#endif
