#include "service/rpc/user_message.h"

#include <stdio.h>

#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/auth/new_password.h"

#define TIME_MAX 253402300799 /* the end of the year 9999 */
#define DAYS_MAX 99999u

static enum sa_status
check_dates(struct sa_call *call, const Secauth__V1__User *from)
{
    if (from->not_before < 0 || from->not_before > TIME_MAX)
        return sa_call_refuse(call, "user.not_before", "seconds since 1970, or 0");
    if (from->not_after < 0 || from->not_after > TIME_MAX)
        return sa_call_refuse(call, "user.not_after", "seconds since 1970, or 0");
    if (from->not_after != 0 && from->not_after <= from->not_before)
        return sa_call_refuse(call, "user.not_after", "later than not_before");
    return SA_OK;
}

static enum sa_status
check_ageing(struct sa_call *call, const Secauth__V1__User *from)
{
    if (from->password_max_days > DAYS_MAX)
        return sa_call_refuse(call, "user.password_max_days", "at most 99999 days");
    if (from->password_warn_days > DAYS_MAX)
        return sa_call_refuse(call, "user.password_warn_days", "at most 99999 days");
    if (from->password_min_days > DAYS_MAX)
        return sa_call_refuse(call, "user.password_min_days", "at most 99999 days");
    if (from->password_inactive != NULL && from->password_inactive->value > DAYS_MAX)
        return sa_call_refuse(call, "user.password_inactive", "at most 99999 days");
    return SA_OK;
}

static enum sa_status
check_groups(struct sa_call *call, const Secauth__V1__User *from)
{
    if (from->n_groups > SA_USER_GROUPS_MAX)
        return sa_call_refuse(call, "user.groups", "at most 64 groups");
    for (size_t i = 0; i < from->n_groups; i++)
        if (!sa_name_is_group(sa_bytes_of(from->groups[i])))
            return sa_call_refuse(call, "user.groups", SA_RULE_GROUP);
    return SA_OK;
}

static enum sa_status
check_parts(struct sa_call *call, const Secauth__V1__User *from, unsigned parts)
{
    enum sa_status status = rpc_check_user_name(call, "user.name", from->name);

    if (status == SA_OK && (parts & SA_USER_FULL_NAME) != 0 && strlen(from->full_name) > 255)
        status = sa_call_refuse(call, "user.full_name", RPC_RULE_FULL_NAME);
    if (status == SA_OK && (parts & SA_USER_EMAIL) != 0 && from->email[0] != '\0' &&
        !sa_name_is_email(sa_bytes_of(from->email)))
        status = sa_call_refuse(call, "user.email", SA_RULE_EMAIL);
    if (status == SA_OK && (parts & SA_USER_GROUPS) != 0)
        status = check_groups(call, from);
    if (status == SA_OK && (parts & SA_USER_DATES) != 0)
        status = check_dates(call, from);
    if (status == SA_OK && (parts & SA_USER_AGEING) != 0)
        status = check_ageing(call, from);
    return status;
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
rpc_read_user_parts(struct sa_call *call, const Secauth__V1__User *from, unsigned parts,
                    struct sa_user *ret_user)
{
    const Secauth__V1__Days *inactive = from->password_inactive;
    enum sa_status status = check_parts(call, from, parts);

    if (status != SA_OK)
        return status;
    *ret_user = (struct sa_user){.not_before_s = from->not_before,
                                 .not_after_s = from->not_after,
                                 .must_change = from->must_change_password,
                                 .max_days = from->password_max_days,
                                 .warn_days = from->password_warn_days,
                                 .min_days = from->password_min_days,
                                 .has_inactive = inactive != NULL,
                                 .inactive_days = inactive == NULL ? 0 : inactive->value};
    snprintf(ret_user->name, sizeof(ret_user->name), "%s", from->name);
    snprintf(ret_user->full_name, sizeof(ret_user->full_name), "%s", from->full_name);
    snprintf(ret_user->email, sizeof(ret_user->email), "%s", from->email);
    for (size_t i = 0; (parts & SA_USER_GROUPS) != 0 && i < from->n_groups; i++)
        if (!has_group(ret_user, from->groups[i]))
            strcpy(ret_user->groups[ret_user->group_count++], from->groups[i]);
    return SA_OK;
}

enum sa_status
rpc_read_user(struct sa_call *call, const Secauth__V1__User *from, struct sa_user *ret_user)
{
    enum sa_status status = rpc_check_user_name(call, "user.name", from->name);

    if (status == SA_OK && (from->uid == NULL || from->uid->id > RPC_UID_MAX))
        status = sa_call_refuse(call, "user.uid", RPC_RULE_UID);
    if (status == SA_OK)
        status = rpc_read_user_parts(call, from, ~0u, ret_user);
    if (status == SA_OK)
        ret_user->uid = from->uid->id;
    return status;
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

static bool
put_inactive(struct sa_call *call, const struct sa_user *user, Secauth__V1__User *row)
{
    if (!user->has_inactive)
        return true;
    row->password_inactive = sa_arena_alloc(call->arena, sizeof(*row->password_inactive));
    if (row->password_inactive == NULL)
        return false;
    secauth__v1__days__init(row->password_inactive);
    row->password_inactive->value = user->inactive_days;
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
    row->password_min_days = user->min_days;
    if (!put_inactive(call, user, row))
        return false;
    return rpc_put_text(call, user->name, &row->name) && rpc_put_id(call, user->uid, &row->uid) &&
           rpc_put_text(call, user->subject, &row->subject) &&
           rpc_put_text(call, user->full_name, &row->full_name) &&
           rpc_put_text(call, user->email, &row->email) &&
           rpc_put_text(call, sa_password_kind_name(kind), &row->password_kind) &&
           put_groups(call, user, row);
}

enum sa_status
rpc_check_user_name(struct sa_call *call, const char *field, const char *name)
{
    return sa_name_is_user(sa_bytes_of(name)) ? SA_OK : sa_call_refuse(call, field, SA_RULE_USER_NAME);
}

enum sa_status
rpc_begin_user_change(struct sa_call *call, enum sa_event event, const char *name, struct sa_user **ret_user,
                      struct sa_audit *ret_record)
{
    enum sa_status status = rpc_check_user_name(call, "name", name);

    if (status == SA_OK)
        status = sa_store_user_by_name(call->authority->store, sa_bytes_of(name), ret_user);
    if (status != SA_OK)
        return status;
    *ret_record = sa_call_audit(call, event, SA_OUTCOME_GRANTED, NULL);
    rpc_audit_user(ret_record, *ret_user);
    return SA_OK;
}

enum sa_status
rpc_reply_user(struct sa_call *call, const struct sa_user *user, Secauth__V1__User **ret_row)
{
    enum sa_password_kind kind = SA_PASSWORD_NONE;
    const char *rule;

    if (sa_password_inspect(&call->authority->policy, user->hash, &kind, &rule) != SA_OK)
        kind = SA_PASSWORD_NONE; /* a limit was lowered since: it is of no use now */
    *ret_row = sa_arena_alloc(call->arena, sizeof(**ret_row));
    return *ret_row != NULL && rpc_put_user(call, user, kind, *ret_row) ? SA_OK : SA_NO_MEMORY;
}

enum sa_status
rpc_check_new_password(struct sa_call *call, const char *field, struct sa_bytes password,
                       struct sa_bytes current, const char *name)
{
    char rule[SA_PASSWORD_RULE_MAX + 1];
    char *kept;

    enum sa_status status = sa_new_password_check(call->authority, password, current, name, rule);
    if (status != SA_PASSWORD_REFUSED)
        return status;
    if (!rpc_put_text(call, rule, &kept))
        return SA_NO_MEMORY;
    (void)sa_call_refuse(call, field, kept);
    return SA_PASSWORD_REFUSED;
}
