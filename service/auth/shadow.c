#include "service/auth/shadow.h"

#include "service/auth/names.h"

#define DAY_S    86400
#define FIELDS   9u
#define DAYS_MAX 99999 /* "for ever" by convention, and the most that any tool writes */
#define NO_VALUE (-1)

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
    if (value[MAX] != NO_VALUE && value[MAX] < DAYS_MAX && value[CHANGED] > 0)
        user->max_days =
            value[MAX] > 0 ? (uint32_t)value[MAX] : 1; /* 0 is "every day" there, "for ever" here */
    user->warn_days = value[WARN] > 0 ? (uint32_t)value[WARN] : 0;
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
    if (sa_password_inspect(policy, user->hash, &kind, &rule) != SA_OK)
        return rule;
    if (kind == SA_PASSWORD_NONE)
        user->hash[0] = '\0';
    return NULL;
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
