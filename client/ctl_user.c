#include "client/ctl.h"

#include <pwd.h>
#include <stdio.h>

#include "secauth/v1/user.pb-c.h"

#define SERVICE   &secauth__v1__user_service__descriptor
#define PAGE_SIZE 100u
#define ID_MAX    4294967294u

static const struct sa_ctl_column columns[] = {
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
    {"must change", "must_change_password", SA_CTL_PLAIN},
};

/* The record in a response. */
static enum sa_ctl_exit
print_user(const struct sa_ctl *ctl, const json_t *reply)
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
    struct sa_ctl_number number = {.max = ID_MAX};
    char *full_name = NULL, *email = NULL, *not_before = NULL, *not_after = NULL;
    bool must_change = false;
    const struct sa_ctl_option options[] = {
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
    result = sa_ctl_call(ctl, SERVICE, "CreateUser", &request.base, &reply);
    return result == SA_CTL_OK ? print_user(ctl, reply) : result;
}

enum sa_ctl_exit
sa_ctl_user_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListUsersRequest request = SECAUTH__V1__LIST_USERS_REQUEST__INIT;
    json_auto_t *rows = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    request.page_size = PAGE_SIZE;
    result = sa_ctl_list(ctl, SERVICE, "ListUsers", &request.base, &request.page_token, "users", &rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns)) : result;
}

enum sa_ctl_exit
sa_ctl_user_show(struct sa_ctl *ctl)
{
    Secauth__V1__GetUserRequest request = SECAUTH__V1__GET_USER_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.name, 1);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, SERVICE, "GetUser", &request.base, &reply);
    return result == SA_CTL_OK ? print_user(ctl, reply) : result;
}

enum sa_ctl_exit
sa_ctl_user_passwd(struct sa_ctl *ctl)
{
    Secauth__V1__SetUserPasswordRequest request = SECAUTH__V1__SET_USER_PASSWORD_REQUEST__INIT;
    bool must_change = false;
    const struct sa_ctl_option options[] = {{"--must-change", .flag = &must_change}};
    SA_CTL_SECRET(password);

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &request.name, 1);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("New password: ", true, &password);
    if (result != SA_CTL_OK)
        return result;
    request.password = sa_ctl_secret_field(&password);
    request.must_change = must_change;
    return sa_ctl_do(ctl, SERVICE, "SetUserPassword", &request.base,
                     "the password of %s is set; every session of the user has ended", request.name);
}

static enum sa_ctl_exit
set_active(struct sa_ctl *ctl, bool active)
{
    Secauth__V1__SetUserActiveRequest request = SECAUTH__V1__SET_USER_ACTIVE_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.name, 1);
    if (result != SA_CTL_OK)
        return result;
    request.active = active;
    return sa_ctl_do(ctl, SERVICE, "SetUserActive", &request.base, "%s is %s", request.name,
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
    return sa_ctl_do(ctl, SERVICE, "DeleteUser", &request.base, "%s is deleted", request.name);
}

/* Import. */

struct import {
    struct sa_ctl_number uid;
    char *full_name;
    unsigned line_number;
    json_t *users; /* what was imported */
};

/* The uid that this host knows the user of a line by. */
static enum sa_ctl_exit
look_up(const struct sa_ctl_secret *line, unsigned line_number, uint32_t *ret_uid)
{
    char name[64];
    size_t len = strcspn((const char *)line->data, ":");

    if (len == 0 || len >= sizeof(name) || line->data[len] != ':') {
        sa_ctl_complain("line %u is no line of shadow(5): a name and a colon come first", line_number);
        return SA_CTL_INVALID;
    }
    snprintf(name, sizeof(name), "%.*s", (int)len, (const char *)line->data);
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL) {
        sa_ctl_complain("line %u: this host has no user `%s`; give the uid with --uid", line_number, name);
        return SA_CTL_NOT_FOUND;
    }
    *ret_uid = entry->pw_uid;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
import_line(struct sa_ctl *ctl, struct import *import, struct sa_ctl_secret *line)
{
    Secauth__V1__ImportUserRequest request = SECAUTH__V1__IMPORT_USER_REQUEST__INIT;
    Secauth__V1__PosixId uid = SECAUTH__V1__POSIX_ID__INIT;
    json_auto_t *reply = NULL;

    uid.id = (uint32_t)import->uid.value;
    enum sa_ctl_exit result = import->uid.given ? SA_CTL_OK : look_up(line, import->line_number, &uid.id);
    if (result != SA_CTL_OK)
        return result;
    request.uid = &uid;
    request.shadow_line = sa_ctl_secret_field(line);
    if (import->full_name != NULL)
        request.full_name = import->full_name;
    result = sa_ctl_call(ctl, SERVICE, "ImportUser", &request.base, &reply);
    if (result != SA_CTL_OK) {
        sa_ctl_complain("line %u was not imported", import->line_number);
        return result;
    }
    return json_array_append(import->users, json_object_get(reply, "user")) == 0 ? SA_CTL_OK
                                                                                 : sa_ctl_no_memory();
}

/* Every line, past those that are refused; the result is the first one that is not SA_CTL_OK. */
static enum sa_ctl_exit
import_lines(struct sa_ctl *ctl, struct import *import)
{
    enum sa_ctl_exit first = SA_CTL_OK;

    for (;;) {
        SA_CTL_SECRET(line);
        bool end;
        enum sa_ctl_exit result = sa_ctl_read_line(&line, &end);
        import->line_number++;
        if (result == SA_CTL_OK && end)
            return first;
        if (result == SA_CTL_OK && import->uid.given && import->line_number > 1) {
            sa_ctl_complain("--uid goes with one line only; line %u was not imported", import->line_number);
            result = SA_CTL_USAGE;
        } else if (result == SA_CTL_OK && line.len > 0) {
            result = import_line(ctl, import, &line);
        }
        if (first == SA_CTL_OK)
            first = result;
        if (result == SA_CTL_USAGE || result == SA_CTL_UNAVAILABLE || result == SA_CTL_BROKEN)
            return first;
    }
}

enum sa_ctl_exit
sa_ctl_user_import(struct sa_ctl *ctl)
{
    struct import import = {.uid = {.max = ID_MAX}};
    const struct sa_ctl_option options[] = {{"--uid", .number = &import.uid},
                                            {"--full-name", .text = &import.full_name}};
    json_auto_t *users = json_array();

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    import.users = users;
    result = import_lines(ctl, &import);
    enum sa_ctl_exit printed = SA_CTL_OK;
    if (json_array_size(users) > 0 || ctl->json)
        printed = sa_ctl_print_rows(ctl, users, columns, SA_COUNT(columns));
    if (result == SA_CTL_OK && import.line_number == 1) {
        sa_ctl_complain(
            "nothing on stdin: write lines of shadow(5) there, for instance from `getent shadow NAME`");
        result = SA_CTL_USAGE;
    }
    return result != SA_CTL_OK ? result : printed;
}
