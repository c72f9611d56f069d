/*
 * Second factors as the store keeps them: the TOTP key sealed for its subject, recovery codes as keyed
 * hashes.
 */
#ifndef SA_STORE_FACTOR_H
#define SA_STORE_FACTOR_H

#include "service/crypto/totp.h"
#include "service/store/store.h"

struct sa_factor_use; /* store/store_login.h */

#define SA_TOTP_KEY_MIN   16u
#define SA_TOTP_KEY_MAX   64u
#define SA_RECOVERY_CODES 10u

struct sa_totp {
    enum sa_totp_algorithm algorithm;
    unsigned digits; /* 6 or 8 */
    size_t key_len;
    uint8_t key[SA_TOTP_KEY_MAX]; /* a secret: wipe it */
    bool armed;
    int64_t armed_s;
    int64_t last_step; /* the last one accepted; -1: none */
};

struct sa_factors_state {
    bool has_totp; /* an armed one: `totp` */
    struct sa_totp totp;
    bool has_pending; /* one that waits for its first code: `pending` */
    struct sa_totp pending;
    unsigned recovery_codes; /* that are left */
    uint32_t failures;       /* wrong codes in a row */
};

/* What a user has; all false for nothing. The caller wipes it. SA_OK, SA_STORAGE, SA_NO_MEMORY. */
SA_MUST_CHECK enum sa_status sa_store_factors(struct sa_store *store, const char *subject,
                                              struct sa_factors_state *ret_state);
/* Keep a key that waits for its first code, in place of one that waits. SA_OK or SA_NOT_FOUND (no such user).
 */
SA_MUST_CHECK enum sa_status sa_store_totp_enroll(struct sa_store *store, const char *subject,
                                                  const struct sa_totp *totp, const struct sa_audit *audit);
/* What arms a key. */
struct sa_totp_arming {
    const struct sa_totp *pending; /* whose code was judged: it must be the one that waits still */
    int64_t step;                  /* of that code, spent by it */
    int64_t now_s;
    const struct sa_factor_use *current; /* what proved the factors in force, spent likewise; NULL: nothing */
    const uint8_t (*macs)[SA_MAC_LEN];   /* SA_RECOVERY_CODES new recovery codes; NULL: they stay */
};
/*
 * Arm the one that waits, in place of one that is armed. SA_OK; SA_NOT_FOUND where another one waits by now,
 * or none, or `current` was used already: nothing is changed and nothing recorded.
 */
SA_MUST_CHECK enum sa_status sa_store_totp_arm(struct sa_store *store, const char *subject,
                                               const struct sa_totp_arming *arming,
                                               const struct sa_audit *audit);
/* Replace the recovery codes. `current` and SA_NOT_FOUND as above; SA_NOT_FOUND for no such user, too. */
SA_MUST_CHECK enum sa_status sa_store_recovery_set(struct sa_store *store, const char *subject,
                                                   const struct sa_factor_use *current,
                                                   const uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN],
                                                   const struct sa_audit *audit);
/* Remove all of it. SA_OK, also where there was nothing. */
SA_MUST_CHECK enum sa_status sa_store_factors_remove(struct sa_store *store, const char *subject,
                                                     const struct sa_audit *audit);

#endif
