/* The inside of the authority, for the rules and the handlers that ask them. */
#ifndef SA_AUTH_INSIDE_H
#define SA_AUTH_INSIDE_H

#include <stdatomic.h>

#include "service/auth/authority.h"
#include "service/auth/breached.h"
#include "service/auth/challenges.h"
#include "service/auth/handles.h"
#include "service/auth/lockout.h"
#include "service/auth/replay.h"
#include "service/auth/rules.h"
#include "service/auth/secret_uses.h"
#include "service/auth/stamps.h"
#include "service/auth/turned_away.h"

/* By how much hashed denials left later than at their time. */
struct sa_late {
    _Atomic int64_t ms;
    _Atomic int64_t seen_boot_ms;
};

struct sa_authority {
    const struct sa_conf *_Atomic conf;   /* swapped whole by sa_authority_set_conf */
    const struct sa_rules *_Atomic rules; /* likewise, by sa_authority_set_rules */
    const char *_Atomic last_good;        /* likewise; "": the files are in force */
    const struct sa_keyring *keyring;
    struct sa_store *store;
    struct sa_password_policy policy;
    struct sa_buckets *buckets;
    struct sa_handles *handles;
    struct sa_challenges *challenges;
    struct sa_lockout *lockout;
    struct sa_breached *breached;
    struct sa_turned_away *turned_away;
    struct sa_stamps *stamps;
    struct sa_signing *signing;
    struct sa_replay *replay;
    struct sa_secret_uses *uses;
    uint8_t boot_id[SA_BOOT_ID_LEN];
    atomic_uint dearest_ms; /* the dearest hash that was seen; only ever grows */
    struct sa_late late[2]; /* hashed denials: of ordinary jobs, of kept ones */
    unsigned hash_ms;       /* the policy's own, as measured at start */
    unsigned hash_threads;
    char reaped[SA_ID_LEN + 1]; /* where the reaper's last turn ended; the tick's alone */
};

/* Take note of what a hash has cost; what denials take follows from the dearest. */
void sa_authority_saw_hash(struct sa_authority *authority, unsigned millis);

#endif
