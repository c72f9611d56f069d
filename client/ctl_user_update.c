#include <stdio.h>
#include <stdlib.h>

#include "client/ctl_user.h"

#define DAYS_MAX 99999u

struct update {
    char *full_name, *email, *not_before, *not_after, *must_change, *inactive, *groups;
    struct sa_ctl_number max_days, min_days, warn_days;
    struct sa_ctl_list group_add, group_remove, wanted;
    Secauth__V1__User user;
    Secauth__V1__Days days;
    Secauth__V1__UserField fields[8];
    size_t field_count;
};

static void
add_field(struct update *update, Secauth__V1__UserField field)
{
    update->fields[update->field_count++] = field;
}

static int64_t
number_of(const json_t *record, const char *key)
{
    return json_integer_value(json_object_get(record, key));
}

/* What is not said stays: dates and ageing are changed as a whole. */
static enum sa_ctl_exit
fill_dates(struct update *update, const json_t *record)
{
    const struct {
        const char *text;
        int64_t *field;
        const char *key;
    } dates[] = {{update->not_before, &update->user.not_before, "not_before"},
                 {update->not_after, &update->user.not_after, "not_after"}};

    if (update->not_before == NULL && update->not_after == NULL)
        return SA_CTL_OK;
    add_field(update, SECAUTH__V1__USER_FIELD__USER_FIELD_DATES);
    for (size_t i = 0; i < SA_COUNT(dates); i++) {
        enum sa_ctl_exit result = SA_CTL_OK;
        if (dates[i].text == NULL)
            *dates[i].field = number_of(record, dates[i].key);
        else if (strcmp(dates[i].text, "never") != 0)
            result = sa_ctl_parse_date(dates[i].text, dates[i].field);
        if (result != SA_CTL_OK)
            return result;
    }
    return SA_CTL_OK;
}

static enum sa_ctl_exit
fill_inactive(struct update *update, const json_t *record)
{
    const json_t *now = json_object_get(record, "password_inactive");
    char *end = NULL;

    if (update->inactive == NULL) {
        if (!json_is_null(now) && now != NULL)
            update->user.password_inactive = &update->days;
        update->days.value =
            (uint32_t)(json_is_object(now) ? number_of(now, "value") : json_integer_value(now));
        return SA_CTL_OK;
    }
    if (strcmp(update->inactive, "never") == 0)
        return SA_CTL_OK;
    unsigned long value = strtoul(update->inactive, &end, 10);
    if (strspn(update->inactive, "0123456789") == 0 || *end != '\0' || value > DAYS_MAX) {
        sa_ctl_complain("--inactive-days takes 0 to %u, or never", DAYS_MAX);
        return SA_CTL_USAGE;
    }
    update->days.value = (uint32_t)value;
    update->user.password_inactive = &update->days;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
fill_ageing(struct update *update, const json_t *record)
{
    Secauth__V1__User *user = &update->user;

    if (!update->max_days.given && !update->min_days.given && !update->warn_days.given &&
        update->inactive == NULL)
        return SA_CTL_OK;
    add_field(update, SECAUTH__V1__USER_FIELD__USER_FIELD_AGEING);
    user->password_max_days = (uint32_t)(update->max_days.given ? (int64_t)update->max_days.value
                                                                : number_of(record, "password_max_days"));
    user->password_min_days = (uint32_t)(update->min_days.given ? (int64_t)update->min_days.value
                                                                : number_of(record, "password_min_days"));
    user->password_warn_days = (uint32_t)(update->warn_days.given ? (int64_t)update->warn_days.value
                                                                  : number_of(record, "password_warn_days"));
    return fill_inactive(update, record);
}

static bool
has(const struct sa_ctl_list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

static enum sa_ctl_exit
want(struct update *update, const char *group)
{
    if (has(&update->group_remove, group) || has(&update->wanted, group))
        return SA_CTL_OK;
    if (update->wanted.count == SA_CTL_LIST_MAX) {
        sa_ctl_complain("a user has at most %u groups", SA_CTL_LIST_MAX);
        return SA_CTL_INVALID;
    }
    char *copy = strdup(group);
    if (copy == NULL)
        return sa_ctl_no_memory();
    update->wanted.items[update->wanted.count++] = copy;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
fill_groups(struct update *update, const json_t *record)
{
    const json_t *now = json_object_get(record, "groups"), *item;
    struct sa_ctl_list given = {0};
    enum sa_ctl_exit result = SA_CTL_OK;
    size_t i;

    if (update->groups == NULL && update->group_add.count == 0 && update->group_remove.count == 0)
        return SA_CTL_OK;
    add_field(update, SECAUTH__V1__USER_FIELD__USER_FIELD_GROUPS);
    if (update->groups != NULL && update->groups[0] != '\0')
        result = sa_ctl_split(update->groups, &given);
    for (i = 0; result == SA_CTL_OK && i < given.count; i++)
        result = want(update, given.items[i]);
    if (update->groups == NULL)
        json_array_foreach(now, i, item) if (result == SA_CTL_OK) result =
            want(update, json_string_value(item));
    for (i = 0; result == SA_CTL_OK && i < update->group_add.count; i++)
        result = want(update, update->group_add.items[i]);
    update->user.groups = update->wanted.items;
    update->user.n_groups = update->wanted.count;
    return result;
}

static enum sa_ctl_exit
fill(struct update *update, const json_t *record)
{
    if (update->full_name != NULL) {
        update->user.full_name = update->full_name;
        add_field(update, SECAUTH__V1__USER_FIELD__USER_FIELD_FULL_NAME);
    }
    if (update->email != NULL) {
        update->user.email = update->email;
        add_field(update, SECAUTH__V1__USER_FIELD__USER_FIELD_EMAIL);
    }
    if (update->must_change != NULL) {
        update->user.must_change_password = strcmp(update->must_change, "yes") == 0;
        add_field(update, SECAUTH__V1__USER_FIELD__USER_FIELD_MUST_CHANGE);
        if (!update->user.must_change_password && strcmp(update->must_change, "no") != 0) {
            sa_ctl_complain("--must-change takes yes or no, not `%s`", update->must_change);
            return SA_CTL_USAGE;
        }
    }
    enum sa_ctl_exit result = fill_dates(update, record);
    if (result == SA_CTL_OK)
        result = fill_ageing(update, record);
    return result == SA_CTL_OK ? fill_groups(update, record) : result;
}

static enum sa_ctl_exit
parse_update(struct sa_ctl *ctl, struct update *update)
{
    const struct sa_ctl_option options[] = {
        {"--full-name", .text = &update->full_name},     {"--email", .text = &update->email},
        {"--not-before", .text = &update->not_before},   {"--not-after", .text = &update->not_after},
        {"--max-days", .number = &update->max_days},     {"--min-days", .number = &update->min_days},
        {"--warn-days", .number = &update->warn_days},   {"--inactive-days", .text = &update->inactive},
        {"--must-change", .text = &update->must_change}, {"--groups", .text = &update->groups},
        {"--group-add", .list = &update->group_add},     {"--group-remove", .list = &update->group_remove},
    };

    update->max_days.max = update->min_days.max = update->warn_days.max = DAYS_MAX;
    return sa_ctl_parse(ctl, options, SA_COUNT(options), &update->user.name, 1);
}

enum sa_ctl_exit
sa_ctl_user_update(struct sa_ctl *ctl)
{
    Secauth__V1__GetUserRequest get = SECAUTH__V1__GET_USER_REQUEST__INIT;
    Secauth__V1__UpdateUserRequest request = SECAUTH__V1__UPDATE_USER_REQUEST__INIT;
    struct update update = {.user = SECAUTH__V1__USER__INIT, .days = SECAUTH__V1__DAYS__INIT};
    json_auto_t *now = NULL, *reply = NULL;

    enum sa_ctl_exit result = parse_update(ctl, &update);
    if (result != SA_CTL_OK)
        return result;
    get.name = update.user.name;
    result = sa_ctl_call(ctl, SA_CTL_USERS, "GetUser", &get.base, &now);
    if (result == SA_CTL_OK)
        result = fill(&update, json_object_get(now, "user"));
    if (result == SA_CTL_OK && update.field_count == 0) {
        sa_ctl_complain("nothing to change is said");
        result = sa_ctl_usage(ctl);
    }
    if (result == SA_CTL_OK) {
        request.user = &update.user;
        request.fields = update.fields;
        request.n_fields = update.field_count;
        result = sa_ctl_call(ctl, SA_CTL_USERS, "UpdateUser", &request.base, &reply);
    }
    for (size_t i = 0; i < update.wanted.count; i++)
        free(update.wanted.items[i]);
    return result == SA_CTL_OK ? sa_ctl_print_user(ctl, reply) : result;
}
