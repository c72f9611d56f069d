/* Whether an account may be used now, and what a new password must be. Functions of their arguments. */
#ifndef SA_ACCOUNT_H
#define SA_ACCOUNT_H

#include "service/store/store.h"

/*
 * The state of an account: SA_OK, SA_ACCOUNT_DISABLED, SA_ACCOUNT_EXPIRED, SA_ACCOUNT_NOT_YET_VALID, or
 * SA_PASSWORD_EXPIRED where it may be used once the password was changed. A password that expired longer ago
 * than its inactive days expires the account.
 */
enum sa_status sa_account_state(const struct sa_user *user, int64_t now_ms);

/* Whether a state shuts the account whatever is proven. */
bool sa_account_is_closed(enum sa_status state);

/* A state as a reason for the log: "ACCOUNT_DISABLED", ...; a constant. */
const char *sa_account_reason(enum sa_status state);

/* Days until the password expires, at least 1, where its owner is to be told by now; else 0. */
uint32_t sa_account_warning_days(const struct sa_user *user, int64_t now_ms);

/* Whether the person may change the password now: min_days have passed, or it has expired anyhow. */
bool sa_account_may_change_yet(const struct sa_user *user, int64_t now_ms);

/* Whether the password was set more than a day from now: a clock was wrong. It refuses nothing. */
bool sa_account_is_from_the_future(const struct sa_user *user, int64_t now_ms);

/*
 * Judge the form of a new password.
 *   current     the one that it replaces, where it is known; else absent.
 *   min_length  characters.
 * Returns NULL, or the rule that it breaks, a constant.
 */
const char *sa_account_new_password(struct sa_bytes password, struct sa_bytes current, int64_t min_length,
                                    const struct sa_password_policy *policy);

#endif
