/*
 * What a decision about a login changes, beside its record: one function, one transaction.
 *
 * Names and sources are keyed hashes here (SA_KEY_LOCKOUT), so that a stolen database does not say who
 * mistyped where; for a user with a record and for its source the readable form stands beside it, for
 * `lockout list`.
 */
#ifndef SA_STORE_LOGIN_H
#define SA_STORE_LOGIN_H

#include "service/store/store_session.h"

#define SA_LOCKOUT_KEY_LEN 16u

/* Failures of one user from one source. */
struct sa_pair_row {
    uint8_t key[SA_LOCKOUT_KEY_LEN];  /* of both */
    uint8_t name[SA_LOCKOUT_KEY_LEN]; /* of the user alone */
    char user[SA_USER_NAME_MAX + 34]; /* readable: the name, or "?" and hexadecimal */
    char source[321];
    uint32_t failures;  /* 0: the row goes */
    int64_t left_ms;    /* what remained of the wait at the last failure */
    int64_t failed_ms;  /* wall clock */
    int64_t expires_ms; /* wall clock: the row goes, unless another failure comes first */
};

/* A user's failures from sources that are not known. */
struct sa_guard_row {
    uint8_t name[SA_LOCKOUT_KEY_LEN];
    char user[SA_USER_NAME_MAX + 34];
    uint32_t failures; /* within the window; 0: the row goes */
    int64_t left_ms;   /* of the guard at the last failure; 0: none is up */
    int64_t failed_ms; /* wall clock, as the next one */
    int64_t expires_ms;
};

/* A source that is known to a user. */
struct sa_known_row {
    char subject[SA_ID_LEN + 1];
    char source[321];
    int64_t used_s;   /* the last grant */
    int64_t factor_s; /* the last one for which a second factor was proven; 0: none */
};

/* A second factor was used: checked and changed in the transaction, since two logins may show one code at
 * once. */
struct sa_factor_use {
    const char *subject;
    bool is_totp;
    int64_t step;                /* TOTP: accepted only if later than the last, */
    uint32_t failures_max;       /* and only while fewer wrong codes than these are counted */
    const uint8_t *recovery_mac; /* recovery code: accepted only if it is there, and gone afterwards */
};

struct sa_login_change {
    bool has_pair, has_guard, has_known, has_factor;
    struct sa_pair_row pair;
    struct sa_guard_row guard;
    struct sa_known_row known;
    struct sa_factor_use factor;    /* with has_factor; its success clears the count of wrong codes */
    const char *wrong_code_subject; /* one more wrong code of this user; NULL: none */
};

/*
 * Commit a decision with what it changes.
 *   change  NULL or all false: the record alone.
 * Returns SA_OK; SA_NOT_FOUND where the factor was used already (nothing is changed, and there is no record:
 * the caller denies, with a record of its own).
 */
SA_MUST_CHECK enum sa_status sa_store_login(struct sa_store *store, const struct sa_login_change *change,
                                            const struct sa_audit *audit);

/* Begin a session as sa_store_session_open does, with what the login changes (NULL: nothing), in one commit.
 */
SA_MUST_CHECK enum sa_status sa_store_login_session(struct sa_store *store, const struct sa_session *session,
                                                    const uint8_t handle_mac[SA_MAC_LEN],
                                                    const struct sa_login_change *change,
                                                    const struct sa_audit *audit);

/* What was kept: every row, one at a time, the oldest first. A callback that says false ends it. It runs
 * within the reading transaction, so it must not wait. */
SA_MUST_CHECK enum sa_status
sa_store_pairs(struct sa_store *store, bool (*take)(void *user, const struct sa_pair_row *row), void *user);
SA_MUST_CHECK enum sa_status
sa_store_guards(struct sa_store *store, bool (*take)(void *user, const struct sa_guard_row *row), void *user);

/* Whether a source is known to a user since `since_s`. SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_known(struct sa_store *store, const char *subject, const char *source,
                                            int64_t since_s, struct sa_known_row *ret_row);
/* All of a user's, latest first; *ret_rows is freed with free(). */
SA_MUST_CHECK enum sa_status sa_store_known_list(struct sa_store *store, const char *subject, int64_t since_s,
                                                 unsigned limit, struct sa_known_row **ret_rows,
                                                 unsigned *ret_count);

/* `lockout clear`: pairs of a user, of a source, of both, or all; guards where no source is named; and the
 * user's wrong codes. */
struct sa_lockout_clear {
    const uint8_t *name; /* NULL: any */
    const char *source;  /* NULL: any */
    const char *subject; /* whose wrong codes go as well; NULL: nobody's, unless everything goes */
};
SA_MUST_CHECK enum sa_status sa_store_lockout_clear(struct sa_store *store,
                                                    const struct sa_lockout_clear *clear,
                                                    const struct sa_audit *audit, unsigned *ret_cleared);

#endif
