/* Proving a password (design section 6): who is charged, what it costs, and how long a denial takes. */
#ifndef SA_LOGIN_H
#define SA_LOGIN_H

#include "service/auth/authority.h"

#define SA_LOGIN_UNKNOWN_LEN 33u /* "?" and 32 hexadecimal digits */

struct sa_login_try {
    struct sa_bytes password; /* of any length */
    const char *hash;         /* NULL: a name without a record, which costs the same */
    const struct sa_source *source;
    int64_t boot_ms;
};

/*
 * Check a password: takes a unit of the source, then hashes.
 *
 * The unit stays taken, for the caller to give back (sa_buckets_give_back) where the proof was no guess. It
 * was given back here already with any other status than SA_OK.
 *
 *   ret_match     written on SA_OK.
 *   ret_retry_ms  written on SA_RATE_LIMITED: nothing was hashed.
 *
 * Returns SA_OK, SA_RATE_LIMITED, SA_NO_MEMORY (it could not be decided). Lane: hash.
 */
SA_MUST_CHECK enum sa_status sa_login_prove(struct sa_authority *authority,
                                            const struct sa_login_try *attempt, bool *ret_match,
                                            uint32_t *ret_retry_ms);

/* Take note of a stored hash: denials take as long as the dearest one needs, before it was ever computed. */
void sa_login_saw_hash(struct sa_authority *authority, const char *encoded);

/*
 * When a denial leaves: the same time after it was admitted for every kind of denial, twice the dearest hash
 * or the configured floor, and a random part. random  any random number.
 */
int64_t sa_login_denial_boot_ms(const struct sa_authority *authority, int64_t admitted_boot_ms,
                                uint32_t random);

/*
 * Hashed denials queue, and then leave later than that. What was seen of it lately (2 s, as much work as
 * queues) is what those without a hash are delayed by, so that they are as late as the last of them.
 *   kept  of a job that is kept a place: they queue by themselves.
 */
void sa_login_saw_denial(struct sa_authority *authority, bool kept, int64_t due_boot_ms, int64_t boot_ms);
int64_t sa_login_late_ms(const struct sa_authority *authority, bool kept, int64_t boot_ms);

/*
 * sshd's filler: what it sends for people whom it refuses by itself (auth-pam.c: repeated, and cut to any
 * length).
 */
bool sa_login_is_filler(struct sa_bytes password);

/* Why a password that did not match did not, for the log: a constant. */
const char *sa_login_mismatch_reason(struct sa_bytes password);

/*
 * How a name without a record is called in the audit log: people type passwords there, so it is a keyed
 * hash.
 */
void sa_login_unknown_name(const struct sa_authority *authority, struct sa_bytes name,
                           char ret_text[SA_LOGIN_UNKNOWN_LEN + 1]);

/* Whether a name that the host knows and that has no record is left to others (`unmanaged = ask`). */
bool sa_login_leaves_unmanaged(const struct sa_authority *authority);

/* Replace a weaker hash after a good login. */
bool sa_login_wants_rehash(const struct sa_authority *authority, const char *hash, size_t password_len);
SA_MUST_CHECK enum sa_status sa_login_hash(struct sa_authority *authority, struct sa_bytes password,
                                           char ret_encoded[SA_PASSWORD_HASH_MAX + 1]);

#endif
