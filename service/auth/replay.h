/*
 * Proofs that were seen: assertions and DPoP proofs are taken once (RFC 7523 section 3, RFC 9449
 * section 11.1). In memory; bounded: SA_REPLAY_MAX at once, and then no proof is taken until some are old
 * enough to be forgotten. What it cannot remember it refuses: proofs made before the daemon began, or before
 * what it has forgotten. Thread-safe.
 */
#ifndef SA_REPLAY_H
#define SA_REPLAY_H

#include "proto/status.h"
#include "service/base/clock.h"
#include "service/crypto/keyring.h"

#define SA_REPLAY_MAX       65536u
#define SA_PROOF_LIFE_S     60 /* of a proof, from when it was made */
#define SA_PROOF_LEEWAY_S   5  /* by which another clock may differ */
#define SA_REPLAY_MEMORY_MS ((SA_PROOF_LIFE_S + 2 * SA_PROOF_LEEWAY_S) * INT64_C(1000))

struct sa_replay;

/*
 *   room     how many proofs it remembers: SA_REPLAY_MAX but in tests.
 *   keyring  outlives it.
 * NULL for lack of memory.
 */
struct sa_replay *sa_replay_new(uint32_t room, const struct sa_keyring *keyring, struct sa_now now);
void sa_replay_free(struct sa_replay *replay);
SA_DEFINE_OWN(sa_replay, sa_replay_free)

enum sa_replay_kind { SA_REPLAY_ASSERTION = 1, SA_REPLAY_DPOP = 2 };

/* A proof whose signature and times are good. */
struct sa_seen_proof {
    enum sa_replay_kind kind;
    const char *who; /* whose `jti` it is: the client's id, or the thumbprint of the key */
    const char *jti;
    int64_t iat_s;      /* when it was made, within SA_PROOF_LIFE_S and the leeway */
    const char *source; /* who is charged, where nobody is proven: a public client's; NULL: its client is */
};

/*
 * Take it. Proofs of public clients, which anybody can make, have half of the room together and an eighth
 * from one source, so that they do not keep out those that are proven. Returns SA_OK; SA_ALREADY_EXISTS where
 * it was taken before; SA_NOT_FOUND where it is from before what is remembered; SA_OVERLOADED where there is
 * no room, and in the first SA_PROOF_LEEWAY_S after the start: a new proof is taken then.
 */
SA_MUST_CHECK enum sa_status sa_replay_accept(struct sa_replay *replay, const struct sa_seen_proof *proof,
                                              struct sa_now now);

#endif
