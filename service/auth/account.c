#include "service/auth/account.h"

#include "service/base/secret.h"

#define DAY_S      86400
#define BCRYPT_MAX 72u

/* When the password expires; 0 for never: shadow(5) counts from the last change, and without one not at all.
 */
static int64_t
password_end_s(const struct sa_user *user)
{
    return user->max_days == 0 || user->changed_s == 0 ? 0
                                                       : user->changed_s + (int64_t)user->max_days * DAY_S;
}

enum sa_status
sa_account_state(const struct sa_user *user, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;
    int64_t end_s = password_end_s(user);

    if (!user->active)
        return SA_ACCOUNT_DISABLED;
    if (user->not_after_s != 0 && now_s >= user->not_after_s)
        return SA_ACCOUNT_EXPIRED;
    if (user->has_inactive && end_s != 0 && now_s >= end_s + (int64_t)user->inactive_days * DAY_S)
        return SA_ACCOUNT_EXPIRED;
    if (now_s < user->not_before_s)
        return SA_ACCOUNT_NOT_YET_VALID;
    return user->must_change || (end_s != 0 && now_s >= end_s) ? SA_PASSWORD_EXPIRED : SA_OK;
}

bool
sa_account_is_closed(enum sa_status state)
{
    return state != SA_OK && state != SA_PASSWORD_EXPIRED;
}

const char *
sa_account_reason(enum sa_status state)
{
    return sa_status_row(state)->reason;
}

uint32_t
sa_account_warning_days(const struct sa_user *user, int64_t now_ms)
{
    int64_t left_s = password_end_s(user) - now_ms / 1000;

    if (password_end_s(user) == 0 || left_s <= 0 || left_s > (int64_t)user->warn_days * DAY_S)
        return 0;
    return (uint32_t)((left_s + DAY_S - 1) / DAY_S);
}

bool
sa_account_may_change_yet(const struct sa_user *user, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;

    if (user->min_days == 0 || user->changed_s == 0 || sa_account_is_from_the_future(user, now_ms) ||
        sa_account_state(user, now_ms) == SA_PASSWORD_EXPIRED)
        return true;
    return now_s >= user->changed_s + (int64_t)user->min_days * DAY_S;
}

bool
sa_account_is_from_the_future(const struct sa_user *user, int64_t now_ms)
{
    return user->changed_s > now_ms / 1000 + DAY_S; /* shadow(5) knows the day only, of some time zone */
}

/* Characters of UTF-8, or of anything else: every byte that does not go on from the one before. */
static int64_t
characters(struct sa_bytes text)
{
    int64_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

const char *
sa_account_new_password(struct sa_bytes password, struct sa_bytes current, int64_t min_length,
                        const struct sa_password_policy *policy)
{
    if (password.len == 0)
        return "a password of at least one byte";
    if (password.len > SA_PASSWORD_MAX)
        return "at most 511 bytes";
    if (memchr(password.data, 0, password.len) != NULL)
        return "no byte of value zero";
    if (policy->kind == SA_PASSWORD_BCRYPT && password.len > BCRYPT_MAX)
        return "at most 72 bytes, for bcrypt reads no more";
    if (characters(password) < min_length)
        return "longer: it has fewer characters than configured (password.min_length)";
    if (current.len > 0 && sa_secret_equal(password, current))
        return "another password than the current one";
    return NULL;
}
