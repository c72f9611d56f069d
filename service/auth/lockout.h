/*
 * Lockout that is hard to turn into a weapon (design section 6): waits of a (user, source), the guard of a
 * user, sources that are known to a user, and alarms. A table in memory decides; what it says is committed
 * with the record of the decision (store_login.h), and read back at the start.
 *
 * Functions of their arguments: the clock is CLOCK_BOOTTIME and comes in. Thread-safe; nothing waits.
 */
#ifndef SA_LOCKOUT_H
#define SA_LOCKOUT_H

#include "service/auth/rules.h"
#include "service/auth/source.h"
#include "service/store/store_login.h"

struct sa_lockout;

struct sa_lockout_limits {
    unsigned free_failures; /* of a pair, before it waits */
    int64_t wait_max_ms;
    unsigned service_wait_max_ms; /* of pairs whose source is no more than a service's name */
    unsigned guard_failures;
    int64_t guard_window_ms;
    int64_t known_s; /* how long a source stays known */
    unsigned pairs;  /* entries: an hour of failures at the full hash rate */
};

/* NULL for lack of memory. */
struct sa_lockout *sa_lockout_new(const struct sa_lockout_limits *limits, const struct sa_keyring *keyring);
void sa_lockout_free(struct sa_lockout *lockout);
SA_DEFINE_OWN(sa_lockout, sa_lockout_free)

/* Take over what the store kept: SA_OK, SA_STORAGE, SA_NO_MEMORY. */
SA_MUST_CHECK enum sa_status sa_lockout_load(struct sa_lockout *lockout, struct sa_store *store,
                                             struct sa_now now);

/* One attempt. */
struct sa_lockout_try {
    struct sa_bytes name;       /* as it was typed */
    const struct sa_user *user; /* NULL for a name without a record */
    const struct sa_source *source;
    struct sa_bytes password; /* for telling the same wrong one again; kept as a keyed hash, in memory only */
    bool is_console;
    bool may_be_known; /* the source is an address or a uid, not shared, not reported by a gateway or a
                          service uid */
    struct sa_now now;
};

/* What stands against an attempt, before anything is hashed. Takes nothing. */
struct sa_lockout_state {
    uint32_t wait_ms;  /* the pair waits */
    unsigned failures; /* of the pair */
    bool is_known;     /* the source is known to the user, or the console */
    bool on_guard;     /* and this source is not known: a second factor is asked, or without one denied */
    int64_t factor_s;  /* the last grant from here with every factor asked, seconds since 1970; 0: none */
};
void sa_lockout_look(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                     struct sa_lockout_state *ret_state);

/*
 * Take a failure of the pair before the hash, so that parallel guesses cannot outrun the count. Returns 0, or
 * how many milliseconds the pair waits: then nothing was taken and nothing may be hashed.
 */
uint32_t sa_lockout_take(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/* It was nobody's guess, or nothing was decided: the failure goes back. */
void sa_lockout_give_back(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/*
 * It was wrong. The change is to be committed with the record; where that fails, give back.
 *   counts  false for sshd's filler, and for a name that needs no count.
 */
void sa_lockout_failed(struct sa_lockout *lockout, const struct sa_lockout_try *attempt, bool counts,
                       struct sa_login_change *change);

/*
 * It was right, and everything that was asked was proven. Memory follows once the change is committed
 * (sa_lockout_committed).
 *   every_factor  a second factor was proven as well, or none is asked of this user.
 */
void sa_lockout_succeeded(struct sa_lockout *lockout, const struct sa_lockout_try *attempt, bool every_factor,
                          struct sa_login_change *change);
void sa_lockout_committed(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/* The password was changed: the last wrong ones are forgotten. */
void sa_lockout_forget_passwords(struct sa_lockout *lockout, struct sa_bytes name);

#endif
