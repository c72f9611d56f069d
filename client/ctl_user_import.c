#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "client/ctl_user.h"

/* A name that secauth's own groups can have: [a-z_][a-z0-9_-]{0,31}. */
static bool
fits(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len &&
           strchr("0123456789-", name[0]) == NULL;
}

void
sa_ctl_host_groups(const char *name, struct sa_ctl_list *groups)
{
    const struct passwd *entry = getpwnam(name);
    gid_t gids[SA_CTL_LIST_MAX * 16];
    int count = (int)SA_COUNT(gids);

    if (entry == NULL || getgrouplist(name, entry->pw_gid, gids, &count) < 0) {
        sa_ctl_complain("this host says no groups of `%s`", name);
        return;
    }
    for (int i = 0; i < count; i++) {
        const struct group *group = getgrgid(gids[i]);
        char *copy = NULL;
        if (group == NULL)
            continue;
        if (fits(group->gr_name) && groups->count < SA_CTL_LIST_MAX)
            copy = strdup(group->gr_name);
        if (copy == NULL)
            sa_ctl_complain("%s: the host's group `%s` is left out", name, group->gr_name);
        else
            groups->items[groups->count++] = copy;
    }
}

struct import {
    struct sa_ctl_number uid;
    char *full_name;
    bool groups_from_host;
    bool dry_run;
    unsigned line_number;
    json_t *users; /* what was imported */
};

#define NAME_SIZE 64u

/* The name at the start of a line, and the uid that this host knows it by, unless `uid` has been given. */
static enum sa_ctl_exit
look_up(const struct sa_ctl_secret *line, unsigned line_number, bool has_uid, char ret_name[NAME_SIZE],
        uint32_t *uid)
{
    size_t len = strcspn((const char *)line->data, ":");

    if (len == 0 || len >= NAME_SIZE || line->data[len] != ':') {
        sa_ctl_complain("line %u is no line of shadow(5): a name and a colon come first", line_number);
        return SA_CTL_INVALID;
    }
    snprintf(ret_name, NAME_SIZE, "%.*s", (int)len, (const char *)line->data);
    if (has_uid)
        return SA_CTL_OK;
    const struct passwd *entry = getpwnam(ret_name);
    if (entry == NULL) {
        sa_ctl_complain("line %u: this host has no user `%s`; give the uid with --uid", line_number,
                        ret_name);
        return SA_CTL_NOT_FOUND;
    }
    *uid = entry->pw_uid;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
give_groups(struct sa_ctl *ctl, char *name)
{
    Secauth__V1__UpdateUserRequest request = SECAUTH__V1__UPDATE_USER_REQUEST__INIT;
    Secauth__V1__User user = SECAUTH__V1__USER__INIT;
    Secauth__V1__UserField field = SECAUTH__V1__USER_FIELD__USER_FIELD_GROUPS;
    struct sa_ctl_list groups = {0};
    json_auto_t *reply = NULL;

    sa_ctl_host_groups(name, &groups);
    user.name = name;
    user.groups = groups.items;
    user.n_groups = groups.count;
    request.user = &user;
    request.fields = &field;
    request.n_fields = 1;
    return sa_ctl_call(ctl, SA_CTL_USERS, "UpdateUser", &request.base, &reply);
}

static enum sa_ctl_exit
import_line(struct sa_ctl *ctl, struct import *import, struct sa_ctl_secret *line)
{
    Secauth__V1__ImportUserRequest request = SECAUTH__V1__IMPORT_USER_REQUEST__INIT;
    Secauth__V1__PosixId uid = SECAUTH__V1__POSIX_ID__INIT;
    json_auto_t *reply = NULL;
    char name[NAME_SIZE];

    uid.id = (uint32_t)import->uid.value;
    enum sa_ctl_exit result = look_up(line, import->line_number, import->uid.given, name, &uid.id);
    if (result != SA_CTL_OK)
        return result;
    if (import->dry_run) {
        printf("line %u: %s, uid %u\n", import->line_number, name, uid.id);
        return SA_CTL_OK;
    }
    request.uid = &uid;
    request.shadow_line = sa_ctl_secret_field(line);
    if (import->full_name != NULL)
        request.full_name = import->full_name;
    result = sa_ctl_call(ctl, SA_CTL_USERS, "ImportUser", &request.base, &reply);
    if (result != SA_CTL_OK) {
        sa_ctl_complain("line %u was not imported", import->line_number);
        return result;
    }
    if (import->groups_from_host)
        result = give_groups(ctl, name);
    if (result != SA_CTL_OK)
        return result;
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
    struct import import = {.uid = {.max = SA_CTL_ID_MAX}};
    const struct sa_ctl_option options[] = {{"--uid", .number = &import.uid},
                                            {"--full-name", .text = &import.full_name},
                                            {"--groups-from-host", .flag = &import.groups_from_host},
                                            {"--dry-run", .flag = &import.dry_run}};
    struct sa_ctl_list names = {0};
    json_auto_t *users = json_array();

    enum sa_ctl_exit result = sa_ctl_parse_names(ctl, options, SA_COUNT(options), &names);
    if (result == SA_CTL_OK && names.count > 1)
        result = sa_ctl_usage(ctl);
    if (result != SA_CTL_OK)
        return result;
    if (names.count == 1 && freopen(names.items[0], "r", stdin) == NULL) {
        sa_ctl_complain("%s: %s", names.items[0], strerror(errno));
        return SA_CTL_BROKEN;
    }
    import.users = users;
    result = import_lines(ctl, &import);
    enum sa_ctl_exit printed = SA_CTL_OK;
    if (json_array_size(users) > 0 || ctl->json)
        printed = sa_ctl_print_rows(ctl, users, sa_ctl_user_columns, SA_CTL_USER_COLUMNS);
    if (result == SA_CTL_OK && import.line_number == 1) {
        sa_ctl_complain(
            "nothing on stdin: write lines of shadow(5) there, for instance from `getent shadow NAME`");
        result = SA_CTL_USAGE;
    }
    return result != SA_CTL_OK ? result : printed;
}
