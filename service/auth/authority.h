/*
 * What the rules stand on: configuration, store, keys, and what lives in memory only. One a daemon.
 */
#ifndef SA_AUTHORITY_H
#define SA_AUTHORITY_H

#include "service/auth/source.h"
#include "service/base/conf.h"
#include "service/crypto/jwt.h"
#include "service/crypto/keyring.h"
#include "service/crypto/password.h"
#include "service/store/store_session.h"

struct sa_authority;

/* How new hashes are made and which stored ones are taken, as configured. */
struct sa_password_policy sa_authority_hashes(const struct sa_conf *conf);

/*
 * Make it: loads the signing keys, makes the first one where there is none (and its record), measures a hash.
 *
 *   conf, keyring, store  outlive it.
 *   now                   the time.
 *   ret_why               on any other status than SA_OK the reason in plain words, a constant.
 */
SA_MUST_CHECK enum sa_status sa_authority_new(const struct sa_conf *conf, const struct sa_keyring *keyring,
                                              struct sa_store *store, struct sa_now now,
                                              struct sa_authority **ret_authority, const char **ret_why);
void sa_authority_free(struct sa_authority *authority);
SA_DEFINE_OWN(sa_authority, sa_authority_free)

/*
 * Another configuration from now on, for whatever is decided next; what was made from the old one at the
 * start (keys, buckets, the cost of hashes) stays. The old one stays where it is: calls may still look at it.
 * Any thread.
 */
void sa_authority_set_conf(struct sa_authority *authority, const struct sa_conf *conf);

/* Other rules from now on, under the same terms; until the first call those of an empty file. Any thread. */
struct sa_rules;
void sa_authority_set_rules(struct sa_authority *authority, const struct sa_rules *rules);

/* Those in force; without an authority those of an empty file. */
const struct sa_rules *sa_authority_rules(const struct sa_authority *authority);

/*
 * For GetStatus: the daemon runs on a last good copy, and why; "": it does not. The text outlives the
 * authority.
 */
void sa_authority_set_last_good(struct sa_authority *authority, const char *why);

/*
 * Read the list of breached passwords anew, from `path` ("" for none); sa_authority_new reads it first. Where
 * this fails the one before stays. Statuses and *ret_why as sa_breached_load has them. Any thread.
 */
SA_MUST_CHECK enum sa_status sa_authority_load_breached(struct sa_authority *authority, const char *path,
                                                        const char **ret_why);

/* The buckets of failed proofs, for dispatch: it looks at a client's, and charges it after a failed proof. */
struct sa_buckets *sa_authority_buckets(struct sa_authority *authority);

/*
 * End the login sessions whose leader is gone, move the signing keys and a rotation of the master key along,
 * end and purge what time is over for. Called about once a second, on the store lane; never takes long.
 */
void sa_authority_tick(struct sa_authority *authority, struct sa_now now);

/* Write what was counted for a minute; with `at_once` whatever was counted, before the daemon stops. Waits
 * for the store. */
void sa_authority_settle(struct sa_authority *authority, struct sa_now now, bool at_once);

/*
 * Count a denial that cost no hash; it is written with others, once a minute. `reason` is a constant. Without
 * an authority nothing is counted.
 */
void sa_authority_turned_away(struct sa_authority *authority, const struct sa_source *source,
                              const char *reason, int64_t boot_ms);

/* How many threads the hash lane may have, and how many jobs may wait for it: two seconds of work, or a
 * few dozen. */
void sa_authority_hash_lane(const struct sa_authority *authority, unsigned *ret_threads, unsigned *ret_queue);

#endif
