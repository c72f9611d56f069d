#include "service/auth/shadow.h"

#include <assert.h>
#include <stdio.h>

#include "service/auth/names.h"

#define DAY_S    86400
#define FIELDS   9u
#define DAYS_MAX 99999 /* "for ever" by convention, and the most that any tool writes */
#define NO_VALUE INT64_C(-1)

enum field { NAME, HASH, CHANGED, MIN, MAX, WARN, INACTIVE, EXPIRE, RESERVED };

/* Cut the line at its colons; false unless there are exactly nine fields of printable ASCII. */
static bool
split(struct sa_bytes line, struct sa_bytes ret_fields[FIELDS])
{
    size_t at = 0;
    unsigned count = 0;

    for (size_t i = 0; i <= line.len; i++) {
        if (i < line.len && (line.data[i] < 0x21 || line.data[i] > 0x7e))
            return false;
        if (i < line.len && line.data[i] != ':')
            continue;
        if (count == FIELDS)
            return false;
        ret_fields[count++] = sa_bytes(line.data + at, i - at);
        at = i + 1;
    }
    return count == FIELDS;
}

/*
 * A number of days, or NO_VALUE for an empty field; false for anything else. -1 is taken as empty, as
 * others do.
 */
static bool
days(struct sa_bytes field, int64_t *ret_days)
{
    int64_t value = 0;

    if (field.len == 0 || sa_bytes_equal(field, sa_bytes_of("-1"))) {
        *ret_days = NO_VALUE;
        return true;
    }
    for (size_t i = 0; i < field.len; i++) {
        if (field.data[i] < '0' || field.data[i] > '9')
            return false;
        value = value * 10 + (field.data[i] - '0');
        if (value > DAYS_MAX)
            return false;
    }
    *ret_days = value;
    return true;
}

static const char *
read_ageing(const struct sa_bytes fields[FIELDS], struct sa_user *user)
{
    int64_t value[FIELDS];

    for (unsigned i = CHANGED; i <= EXPIRE; i++)
        if (!days(fields[i], &value[i]))
            return "days from 0 to 99999, or nothing, in the fields of a shadow(5) line that hold days";
    if (fields[RESERVED].len > 0)
        return "an empty ninth field in a shadow(5) line";
    /* shadow(5): a change on day 0 means that the password must be changed at the next login. */
    user->must_change = value[CHANGED] == 0;
    user->changed_s = value[CHANGED] > 0 ? value[CHANGED] * DAY_S : 0;
    if (value[MAX] != NO_VALUE && value[MAX] < DAYS_MAX)
        user->max_days =
            value[MAX] > 0 ? (uint32_t)value[MAX] : 1; /* 0 is "every day" there, "for ever" here */
    user->warn_days = value[WARN] > 0 ? (uint32_t)value[WARN] : 0;
    user->min_days = value[MIN] > 0 ? (uint32_t)value[MIN] : 0;
    user->has_inactive = value[INACTIVE] != NO_VALUE;
    user->inactive_days = user->has_inactive ? (uint32_t)value[INACTIVE] : 0;
    user->shadow_form = (value[MIN] == NO_VALUE ? SA_SHADOW_MIN_EMPTY : 0u) |
                        (value[MAX] == NO_VALUE ? SA_SHADOW_MAX_EMPTY : 0u) |
                        (value[MAX] == 0 ? SA_SHADOW_MAX_ZERO : 0u) |
                        (value[WARN] == NO_VALUE ? SA_SHADOW_WARN_EMPTY : 0u);
    if (value[EXPIRE] != NO_VALUE)
        user->not_after_s = value[EXPIRE] > 0 ? value[EXPIRE] * DAY_S : 1; /* day 0 is over as well */
    return NULL;
}

static const char *
read_hash(struct sa_bytes field, const struct sa_password_policy *policy, struct sa_user *user)
{
    enum sa_password_kind kind;
    const char *rule;

    if (field.len == 0)
        return "a hash in the second field: without one anybody could log in";
    if (field.len > SA_PASSWORD_HASH_MAX)
        return "a hash of at most 383 characters";
    memcpy(user->hash, field.data, field.len);
    user->hash[field.len] = '\0';
    return sa_password_inspect(policy, user->hash, &kind, &rule) == SA_OK ? NULL : rule;
}

enum sa_status
sa_shadow_parse(struct sa_bytes line, const struct sa_password_policy *policy, struct sa_user *ret_user,
                const char **ret_rule)
{
    struct sa_bytes fields[FIELDS];
    SA_OWN(sa_user) user = sa_user_new();
    const char *rule = NULL;

    if (user == NULL)
        return SA_NO_MEMORY;
    if (line.len == 0 || line.len > SA_SHADOW_LINE_MAX || !split(line, fields))
        rule = "a line of nine fields as shadow(5) has it, at most 1,024 bytes";
    else if (!sa_name_is_user(fields[NAME]))
        rule = SA_RULE_USER_NAME;
    if (rule == NULL)
        rule = read_ageing(fields, user);
    if (rule == NULL)
        rule = read_hash(fields[HASH], policy, user);
    if (rule != NULL) {
        *ret_rule = rule;
        return SA_INVALID_ARGUMENT;
    }
    memcpy(user->name, fields[NAME].data, fields[NAME].len);
    *ret_user = *user;
    return SA_OK;
}

/* ---- writing ---- */

/* A number of days and a colon; nothing for NO_VALUE. */
static char *
put_days(char *at, int64_t value)
{
    return at + (value == NO_VALUE ? sprintf(at, ":") : sprintf(at, ":%lld", (long long)value));
}

/* What each field held, where the days that are kept do not say it. */
static void
fill(const struct sa_user *user, int64_t ret_value[FIELDS])
{
    uint32_t form = user->shadow_form;

    ret_value[CHANGED] = user->must_change ? 0 : user->changed_s == 0 ? NO_VALUE : user->changed_s / DAY_S;
    ret_value[MIN] = user->min_days;
    ret_value[MAX] = user->max_days == 0 ? DAYS_MAX : user->max_days;
    ret_value[WARN] = user->warn_days;
    ret_value[INACTIVE] = user->has_inactive ? user->inactive_days : NO_VALUE;
    ret_value[EXPIRE] = user->not_after_s == 0 ? NO_VALUE : user->not_after_s / DAY_S;
    if (user->min_days == 0 && (form & SA_SHADOW_MIN_EMPTY) != 0)
        ret_value[MIN] = NO_VALUE;
    if (user->max_days == 0 && (form & SA_SHADOW_MAX_EMPTY) != 0)
        ret_value[MAX] = NO_VALUE;
    if (user->max_days == 1 && (form & SA_SHADOW_MAX_ZERO) != 0)
        ret_value[MAX] = 0;
    if (user->warn_days == 0 && (form & SA_SHADOW_WARN_EMPTY) != 0)
        ret_value[WARN] = NO_VALUE;
}

void
sa_shadow_format(const struct sa_user *user, char ret_line[SA_SHADOW_LINE_MAX + 1])
{
    static_assert(SA_USER_NAME_MAX + SA_PASSWORD_HASH_MAX + 2 + 6 * 21 < SA_SHADOW_LINE_MAX, "it fits");
    int64_t value[FIELDS];
    char *at = ret_line + sprintf(ret_line, "%s:%s%s", user->name, user->active ? "" : "!",
                                  user->hash[0] == '\0' ? "*" : user->hash);

    fill(user, value);
    for (unsigned i = CHANGED; i <= EXPIRE; i++)
        at = put_days(at, value[i]);
    strcpy(at, ":");
}
