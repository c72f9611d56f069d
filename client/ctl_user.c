#include "client/ctl_user.h"

#include <pwd.h>
#include <stdio.h>
#include <sys/random.h>

const struct sa_ctl_column sa_ctl_user_columns[SA_CTL_USER_COLUMNS] = {
    {"NAME", "name", SA_CTL_PLAIN},
    {"UID", "uid", SA_CTL_PLAIN},
    {"ACTIVE", "active", SA_CTL_PLAIN},
    {"PASSWORD", "password_kind", SA_CTL_PLAIN},
    {"MUST CHANGE", "must_change_password", SA_CTL_PLAIN},
    {"GROUPS", "groups", SA_CTL_PLAIN},
    {"FULL NAME", "full_name", SA_CTL_PLAIN},
};

static const struct sa_ctl_column details[] = {
    {"name", "name", SA_CTL_PLAIN},
    {"uid", "uid", SA_CTL_PLAIN},
    {"subject", "subject", SA_CTL_PLAIN},
    {"full name", "full_name", SA_CTL_PLAIN},
    {"email", "email", SA_CTL_PLAIN},
    {"active", "active", SA_CTL_PLAIN},
    {"not before", "not_before", SA_CTL_TIME_S},
    {"not after", "not_after", SA_CTL_TIME_S},
    {"groups", "groups", SA_CTL_PLAIN},
    {"password", "password_kind", SA_CTL_PLAIN},
    {"password set", "password_changed", SA_CTL_TIME_S},
    {"good for days", "password_max_days", SA_CTL_PLAIN},
    {"warned days before", "password_warn_days", SA_CTL_PLAIN},
    {"days between changes", "password_min_days", SA_CTL_PLAIN},
    {"inactive days", "password_inactive", SA_CTL_PLAIN},
    {"must change", "must_change_password", SA_CTL_PLAIN},
};

enum sa_ctl_exit
sa_ctl_print_user(const struct sa_ctl *ctl, const json_t *reply)
{
    return sa_ctl_print_one(ctl, json_object_get(reply, "user"), details, SA_COUNT(details));
}

static enum sa_ctl_exit
parse_dates(const char *not_before, const char *not_after, Secauth__V1__User *ret_user)
{
    enum sa_ctl_exit result = SA_CTL_OK;

    if (not_before != NULL)
        result = sa_ctl_parse_date(not_before, &ret_user->not_before);
    if (result == SA_CTL_OK && not_after != NULL)
        result = sa_ctl_parse_date(not_after, &ret_user->not_after);
    return result;
}

static enum sa_ctl_exit
parse_user(struct sa_ctl *ctl, struct sa_ctl_list *groups, Secauth__V1__PosixId *uid,
           Secauth__V1__User *ret_user)
{
    struct sa_ctl_number number = {.max = SA_CTL_ID_MAX};
    char *full_name = NULL, *email = NULL, *not_before = NULL, *not_after = NULL;
    bool must_change = false, from_host = false;
    const struct sa_ctl_option options[] = {
        {"--groups-from-host", .flag = &from_host},
        {"--uid", .number = &number},
        {"--full-name", .text = &full_name},
        {"--email", .text = &email},
        {"--group", .list = groups},
        {"--not-before", .text = &not_before},
        {"--not-after", .text = &not_after},
        {"--must-change", .flag = &must_change},
    };

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &ret_user->name, 1);
    if (result != SA_CTL_OK)
        return result;
    if (!number.given) {
        sa_ctl_complain("--uid is needed: the number that this host knows the user by (`id -u NAME`)");
        return sa_ctl_usage(ctl);
    }
    uid->id = (uint32_t)number.value;
    ret_user->uid = uid;
    if (full_name != NULL)
        ret_user->full_name = full_name;
    if (email != NULL)
        ret_user->email = email;
    if (from_host)
        sa_ctl_host_groups(ret_user->name, groups);
    ret_user->n_groups = groups->count;
    ret_user->groups = groups->items;
    ret_user->must_change_password = must_change;
    return parse_dates(not_before, not_after, ret_user);
}

enum sa_ctl_exit
sa_ctl_user_add(struct sa_ctl *ctl)
{
    Secauth__V1__CreateUserRequest request = SECAUTH__V1__CREATE_USER_REQUEST__INIT;
    Secauth__V1__User user = SECAUTH__V1__USER__INIT;
    Secauth__V1__PosixId uid = SECAUTH__V1__POSIX_ID__INIT;
    struct sa_ctl_list groups = {0};
    json_auto_t *reply = NULL;
    SA_CTL_SECRET(password);

    enum sa_ctl_exit result = parse_user(ctl, &groups, &uid, &user);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("Password of the new user: ", true, &password);
    if (result != SA_CTL_OK)
        return result;
    request.user = &user;
    request.password = sa_ctl_secret_field(&password);
    result = sa_ctl_call(ctl, SA_CTL_USERS, "CreateUser", &request.base, &reply);
    return result == SA_CTL_OK ? sa_ctl_print_user(ctl, reply) : result;
}

/* Whether this host knows a record's name under its uid, and the uid under its name. */
static bool
is_orphan(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    uid_t uid = (uid_t)json_integer_value(json_object_get(row, "uid"));
    const struct passwd *entry = name == NULL ? NULL : getpwnam(name);

    if (entry == NULL || entry->pw_uid != uid)
        return true;
    entry = getpwuid(uid);
    return entry == NULL || strcmp(entry->pw_name, name) != 0;
}

enum sa_ctl_exit
sa_ctl_user_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListUsersRequest request = SECAUTH__V1__LIST_USERS_REQUEST__INIT;
    bool orphans = false;
    const struct sa_ctl_option options[] = {{"--orphans", .flag = &orphans}};
    json_auto_t *rows = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    request.page_size = SA_CTL_PAGE;
    result = sa_ctl_list(ctl, SA_CTL_USERS, "ListUsers", &request.base, &request.page_token, "users", &rows);
    if (result != SA_CTL_OK)
        return result;
    for (size_t i = json_array_size(rows); orphans && i > 0; i--)
        if (!is_orphan(json_array_get(rows, i - 1)))
            json_array_remove(rows, i - 1);
    return sa_ctl_print_rows(ctl, rows, sa_ctl_user_columns, SA_CTL_USER_COLUMNS);
}

enum sa_ctl_exit
sa_ctl_user_show(struct sa_ctl *ctl)
{
    Secauth__V1__GetUserRequest request = SECAUTH__V1__GET_USER_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.name, 1);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, SA_CTL_USERS, "GetUser", &request.base, &reply);
    return result == SA_CTL_OK ? sa_ctl_print_user(ctl, reply) : result;
}

/* 26 letters and digits that are not taken for one another: 130 bits. */
static enum sa_ctl_exit
generate(struct sa_ctl_secret *ret_password)
{
    static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t random[26];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        sa_ctl_complain("the system gives no random numbers");
        return SA_CTL_BROKEN;
    }
    for (size_t i = 0; i < sizeof(random); i++)
        ret_password->data[i] = (uint8_t)letters[random[i] % sizeof(letters)];
    ret_password->len = sizeof(random);
    sa_wipe(random, sizeof(random));
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_user_passwd(struct sa_ctl *ctl)
{
    Secauth__V1__SetUserPasswordRequest request = SECAUTH__V1__SET_USER_PASSWORD_REQUEST__INIT;
    bool temporary = false, must_change = false, generated = false;
    const struct sa_ctl_option options[] = {{"--temporary", .flag = &temporary},
                                            {"--must-change", .flag = &must_change}, /* its first name */
                                            {"--generate", .flag = &generated}};
    SA_CTL_SECRET(password);

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &request.name, 1);
    if (result == SA_CTL_OK)
        result = generated ? generate(&password) : sa_ctl_ask_secret("New password: ", true, &password);
    if (result != SA_CTL_OK)
        return result;
    request.password = sa_ctl_secret_field(&password);
    request.must_change = temporary || must_change;
    result = sa_ctl_do(ctl, SA_CTL_USERS, "SetUserPassword", &request.base,
                       "the password of %s is set%s; every session of the user has ended", request.name,
                       request.must_change ? ", and must be changed at the next login" : "");
    if (result == SA_CTL_OK && generated)
        fprintf(ctl->json ? stderr : stdout, "%s\n", (const char *)password.data);
    return result;
}

static enum sa_ctl_exit
set_active(struct sa_ctl *ctl, bool active)
{
    Secauth__V1__SetUserActiveRequest request = SECAUTH__V1__SET_USER_ACTIVE_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.name, 1);
    if (result != SA_CTL_OK)
        return result;
    request.active = active;
    return sa_ctl_do(ctl, SA_CTL_USERS, "SetUserActive", &request.base, "%s is %s", request.name,
                     active ? "enabled" : "disabled; every session of the user has ended");
}

enum sa_ctl_exit
sa_ctl_user_disable(struct sa_ctl *ctl)
{
    return set_active(ctl, false);
}

enum sa_ctl_exit
sa_ctl_user_enable(struct sa_ctl *ctl)
{
    return set_active(ctl, true);
}

enum sa_ctl_exit
sa_ctl_user_delete(struct sa_ctl *ctl)
{
    Secauth__V1__DeleteUserRequest request = SECAUTH__V1__DELETE_USER_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.name, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SA_CTL_USERS, "DeleteUser", &request.base, "%s is deleted", request.name);
}
