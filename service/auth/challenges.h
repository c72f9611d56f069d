/*
 * What waits for the answer to a challenge (design section 6): in memory only, two minutes, single-use.
 */
#ifndef SA_CHALLENGES_H
#define SA_CHALLENGES_H

#include "service/auth/authority.h"
#include "service/auth/source.h"

#define SA_CHALLENGES_MAX      4096u /* in all; then the source that holds the most loses its oldest */
#define SA_CHALLENGES_PER_PAIR 4u    /* of one name from one source; then its oldest goes */
#define SA_CHALLENGE_MS        120000

struct sa_challenges;

/* What the first step found, for the second. Texts are kept as copies. */
struct sa_challenge {
    char subject[SA_ID_LEN + 1]; /* "" for a name without a record (policy `always`) */
    bool matched;                /* the password was right */
    const char *reason;          /* why it is denied whatever the answer is, a constant; NULL: it is not */
    char client_id[SA_CLIENT_ID_MAX + 1]; /* through a gateway */
    uint8_t password_mac[SA_MAC_LEN];     /* an answer equal to the password is no guess at a code */
    uint8_t hash_mac[SA_MAC_LEN];         /* of the record's hash: another one, and the proof is void */
};

SA_MUST_CHECK struct sa_challenges *sa_challenges_new(void);
void sa_challenges_free(struct sa_challenges *challenges);

/* Keep one for (name, source) and the caller that the source names; *ret_state is its secret name. */
void sa_challenges_issue(struct sa_challenges *challenges, struct sa_bytes name,
                         const struct sa_source *source, const struct sa_challenge *challenge,
                         int64_t boot_ms, char ret_state[SA_ID_LEN + 1]);

/*
 * Take it. False where there is none of that state, name and source, or it is too old; a stranger's try
 * leaves it where it is.
 */
SA_MUST_CHECK bool sa_challenges_redeem(struct sa_challenges *challenges, struct sa_bytes state,
                                        struct sa_bytes name, const struct sa_source *source, int64_t boot_ms,
                                        struct sa_challenge *ret_challenge);

#endif
