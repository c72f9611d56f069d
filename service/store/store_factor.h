/*
 * Second factors as the store keeps them: the TOTP key sealed for its subject, recovery codes as keyed
 * hashes.
 */
#ifndef SA_STORE_FACTOR_H
#define SA_STORE_FACTOR_H

#include "service/crypto/totp.h"
#include "service/store/store.h"

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
/* Arm the one that waits; `step` is the one of its first code, spent by that. SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_totp_arm(struct sa_store *store, const char *subject, int64_t step,
                                               int64_t now_s, const struct sa_audit *audit);
/* Replace the recovery codes. */
SA_MUST_CHECK enum sa_status sa_store_recovery_set(struct sa_store *store, const char *subject,
                                                   const uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN],
                                                   const struct sa_audit *audit);
/* Remove all of it. SA_OK, also where there was nothing. */
SA_MUST_CHECK enum sa_status sa_store_factors_remove(struct sa_store *store, const char *subject,
                                                     const struct sa_audit *audit);

#endif
