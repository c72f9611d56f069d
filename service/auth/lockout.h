/*
 * Lockout that is hard to turn into a weapon (design section 6): waits of a (user, source), the guard of a
 * user, and alarms. A table in memory decides; what it says is committed with the record of the decision
 * (store_login.h), and read back at the start.
 *
 * Functions of their arguments: the clock is CLOCK_BOOTTIME and comes in, and so does what the store knows of
 * the source. Thread-safe; nothing waits.
 */
#ifndef SA_LOCKOUT_H
#define SA_LOCKOUT_H

#include "service/auth/rules.h"
#include "service/auth/source.h"
#include "service/store/store_login.h"

#define SA_LOCKOUT_IDLE_MS INT64_C(3600000)  /* without a failure for so long, a pair is forgotten */
#define SA_GUARD_WINDOW_MS INT64_C(86400000) /* of distinct failures, and how long a guard stays up */
#define SA_SERVICE_WAIT_MS 5000u             /* of pairs whose source is no more than a service's name */
#define SA_SPRAY_NAMES     10u

struct sa_lockout;

struct sa_lockout_limits {
    unsigned free_failures; /* of a pair, before it waits */
    int64_t wait_max_ms;
    unsigned guard_failures; /* at most UINT32_MAX / 2 */
    unsigned pairs;          /* as many as can fail within SA_LOCKOUT_IDLE_MS, at the full hash rate */
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
    const char *name_text;      /* for `lockout list`: the user's name, or what stands for another */
    const struct sa_source *source;
    struct sa_bytes password; /* for telling the same wrong one again; kept as a keyed hash, in memory only */
    bool is_console;
    bool may_be_known; /* the source is an address or a uid, not shared, not reported by a gateway or a
                          service uid: sa_lockout_may_be_known */
    bool is_known;     /* it is known to the user (sa_store_known) */
    bool is_oneself;   /* it is the user's own uid: no stranger, whatever is known */
    bool matched;      /* a right password that is denied all the same: no guess, but it looks like one */
    struct sa_now now;
    bool counted; /* lockout.c's own: what a failed commit undoes */
    bool guarded;
};

/* Whether a source is of the kind that can become known: an address or a uid that nobody shares. */
bool sa_lockout_may_be_known(const struct sa_rules *rules, const struct sa_source *source);

/* What stands against an attempt, before anything is hashed. Takes nothing. */
struct sa_lockout_state {
    uint32_t wait_ms;  /* the pair waits */
    unsigned failures; /* of the pair */
    bool on_guard;     /* and this source is not known: a second factor is asked, or without one denied */
};
void sa_lockout_look(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                     struct sa_lockout_state *ret_state);

/*
 * Take a failure of the pair before the hash, so that parallel guesses cannot outrun the count. Returns 0, or
 * how many milliseconds the pair waits, or SA_LOCKOUT_UNDECIDED, where those under way may all be right: ask
 * again once one of them is decided. Unless it is 0 nothing was taken and nothing may be hashed. At most as
 * many are taken at once as there are hash workers.
 */
#define SA_LOCKOUT_UNDECIDED UINT32_MAX
uint32_t sa_lockout_claim(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/* It was nobody's guess, or nothing was decided, or a second factor comes first: what was taken goes back. */
void sa_lockout_give_back(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/* What deserves a record and a line of its own. */
enum sa_alarm { SA_ALARM_GUARD = 1, SA_ALARM_SPRAY = 2 }; /* bits */

/*
 * It was wrong: what was taken has become a failure.
 *   counts  false for sshd's filler, and for a name that needs no count.
 *   change  what is to be committed with the record; where that fails, sa_lockout_undo.
 * Returns alarms: bits of enum sa_alarm.
 */
unsigned sa_lockout_failed(struct sa_lockout *lockout, struct sa_lockout_try *attempt, bool counts,
                           struct sa_login_change *change);
void sa_lockout_undo(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/* How a right password came to be granted. */
struct sa_lockout_proof {
    bool every_factor; /* a second factor was proven as well, or none is asked of this user */
    bool factor;       /* one was proven */
};

/*
 * It was right, and everything that was asked was proven: only this pair is cleared. Memory follows once the
 * change is committed (sa_lockout_committed); what was taken is to be given back in any case.
 */
void sa_lockout_succeeded(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                          const struct sa_lockout_proof *proof, struct sa_login_change *change);
void sa_lockout_committed(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);

/*
 * A session was opened after a good `account` (a key login): its source is known to the user from then on.
 * False where that does not apply; else *ret_row is to be committed with the session.
 */
SA_MUST_CHECK bool sa_lockout_session_change(const struct sa_rules *rules, const struct sa_user *user,
                                             const struct sa_source *source, struct sa_now now,
                                             struct sa_known_row *ret_row);

/* ---- for administrators ---- */

/* The key of a name, as in rows. */
void sa_lockout_name_key(const struct sa_lockout *lockout, struct sa_bytes name,
                         uint8_t ret_key[SA_LOCKOUT_KEY_LEN]);

/* What remains of a row now. 0 failures: nothing stands against anybody any more. */
struct sa_lockout_left {
    uint32_t failures;
    uint32_t wait_ms; /* of a pair */
    int64_t guard_ms; /* of a guard that is up */
};
void sa_lockout_pair_left(struct sa_lockout *lockout, const uint8_t key[SA_LOCKOUT_KEY_LEN], int64_t boot_ms,
                          struct sa_lockout_left *ret_left);
void sa_lockout_guard_left(struct sa_lockout *lockout, const uint8_t name[SA_LOCKOUT_KEY_LEN],
                           int64_t boot_ms, struct sa_lockout_left *ret_left);

/*
 * Forget failures: of a name (NULL: any), of a source (NULL: any); guards go where no source is named. After
 * the store has forgotten them.
 */
void sa_lockout_clear(struct sa_lockout *lockout, const uint8_t *name, const char *source);

#endif
