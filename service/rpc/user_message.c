#include "service/rpc/user_message.h"

#include <stdio.h>

#include "service/auth/names.h"

#define TIME_MAX 253402300799 /* the end of the year 9999 */
#define DAYS_MAX 99999u

/* Times and days of an account. */
static enum sa_status
check_times(struct sa_call *call, const Secauth__V1__User *from)
{
    if (from->not_before < 0 || from->not_before > TIME_MAX)
        return sa_call_refuse(call, "user.not_before", "seconds since 1970, or 0");
    if (from->not_after < 0 || from->not_after > TIME_MAX)
        return sa_call_refuse(call, "user.not_after", "seconds since 1970, or 0");
    if (from->not_after != 0 && from->not_after <= from->not_before)
        return sa_call_refuse(call, "user.not_after", "later than not_before");
    if (from->password_max_days > DAYS_MAX)
        return sa_call_refuse(call, "user.password_max_days", "at most 99999 days");
    if (from->password_warn_days > DAYS_MAX)
        return sa_call_refuse(call, "user.password_warn_days", "at most 99999 days");
    return SA_OK;
}

static enum sa_status
check(struct sa_call *call, const Secauth__V1__User *from)
{
    if (!sa_name_is_user(sa_bytes_of(from->name)))
        return sa_call_refuse(call, "user.name", SA_RULE_USER_NAME);
    if (from->uid == NULL || from->uid->id > RPC_UID_MAX)
        return sa_call_refuse(call, "user.uid", RPC_RULE_UID);
    if (strlen(from->full_name) > 255)
        return sa_call_refuse(call, "user.full_name", RPC_RULE_FULL_NAME);
    if (from->email[0] != '\0' && !sa_name_is_email(sa_bytes_of(from->email)))
        return sa_call_refuse(call, "user.email", SA_RULE_EMAIL);
    if (from->n_groups > SA_USER_GROUPS_MAX)
        return sa_call_refuse(call, "user.groups", "at most 64 groups");
    for (size_t i = 0; i < from->n_groups; i++)
        if (!sa_name_is_group(sa_bytes_of(from->groups[i])))
            return sa_call_refuse(call, "user.groups", SA_RULE_GROUP);
    return check_times(call, from);
}

static bool
has_group(const struct sa_user *user, const char *group)
{
    for (unsigned i = 0; i < user->group_count; i++)
        if (strcmp(user->groups[i], group) == 0)
            return true;
    return false;
}

enum sa_status
rpc_read_user(struct sa_call *call, const Secauth__V1__User *from, struct sa_user *ret_user)
{
    enum sa_status status = check(call, from);

    if (status != SA_OK)
        return status;
    *ret_user = (struct sa_user){.uid = from->uid->id,
                                 .not_before_s = from->not_before,
                                 .not_after_s = from->not_after,
                                 .must_change = from->must_change_password,
                                 .max_days = from->password_max_days,
                                 .warn_days = from->password_warn_days};
    snprintf(ret_user->name, sizeof(ret_user->name), "%s", from->name);
    snprintf(ret_user->full_name, sizeof(ret_user->full_name), "%s", from->full_name);
    snprintf(ret_user->email, sizeof(ret_user->email), "%s", from->email);
    for (size_t i = 0; i < from->n_groups; i++)
        if (!has_group(ret_user, from->groups[i]))
            strcpy(ret_user->groups[ret_user->group_count++], from->groups[i]);
    return SA_OK;
}

static bool
put_groups(struct sa_call *call, const struct sa_user *user, Secauth__V1__User *row)
{
    row->groups = sa_arena_alloc(call->arena, user->group_count * sizeof(*row->groups));
    if (row->groups == NULL)
        return false;
    for (unsigned i = 0; i < user->group_count; i++)
        if (!rpc_put_text(call, user->groups[i], &row->groups[i]))
            return false;
    row->n_groups = user->group_count;
    return true;
}

bool
rpc_put_user(struct sa_call *call, const struct sa_user *user, enum sa_password_kind kind,
             Secauth__V1__User *row)
{
    secauth__v1__user__init(row);
    row->active = user->active;
    row->not_before = user->not_before_s;
    row->not_after = user->not_after_s;
    row->must_change_password = user->must_change;
    row->password_changed = user->changed_s;
    row->password_max_days = user->max_days;
    row->password_warn_days = user->warn_days;
    return rpc_put_text(call, user->name, &row->name) && rpc_put_id(call, user->uid, &row->uid) &&
           rpc_put_text(call, user->subject, &row->subject) &&
           rpc_put_text(call, user->full_name, &row->full_name) &&
           rpc_put_text(call, user->email, &row->email) &&
           rpc_put_text(call, sa_password_kind_name(kind), &row->password_kind) &&
           put_groups(call, user, row);
}
