/* Users as lines of shadow(5): the way back to pam_unix. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "client/ctl_user.h"

/* What pam_unix would make of a line, where that is not what secauth makes of it. */
static void
warn(const char *name, const char *line)
{
    const char *hash = line + strcspn(line, ":");

    hash += *hash == ':';
    if (strstr(hash, "$argon2") != NULL && strstr(hash, "$argon2") < hash + strcspn(hash, ":"))
        sa_ctl_complain("%s: pam_unix cannot read this hash (Argon2id): the user needs a new password there",
                        name);
    else if (hash[0] == '*' || (hash[0] == '!' && strchr("!*:", hash[1]) != NULL))
        sa_ctl_complain("%s: there is no password in this line: the user needs a new one there", name);
    else if (hash[0] == '!')
        sa_ctl_complain("%s: only the password is locked in this line: keys would still let the user in",
                        name);
}

static enum sa_ctl_exit
export_one(struct sa_ctl *ctl, char *name, FILE *out)
{
    Secauth__V1__ExportUserRequest request = SECAUTH__V1__EXPORT_USER_REQUEST__INIT;
    json_auto_t *reply = NULL;

    request.name = name;
    enum sa_ctl_exit result = sa_ctl_call(ctl, SA_CTL_USERS, "ExportUser", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    const char *line = json_string_value(json_object_get(reply, "shadow_line"));
    if (line == NULL || fprintf(out, "%s\n", line) < 0) {
        sa_ctl_complain("%s: the line cannot be written: %s", name, strerror(errno));
        return SA_CTL_BROKEN;
    }
    warn(name, line);
    return SA_CTL_OK;
}

static enum sa_ctl_exit
export_all(struct sa_ctl *ctl, FILE *out)
{
    Secauth__V1__ListUsersRequest request = SECAUTH__V1__LIST_USERS_REQUEST__INIT;
    json_auto_t *rows = NULL;
    json_t *row;
    size_t i;

    request.page_size = SA_CTL_PAGE;
    enum sa_ctl_exit result =
        sa_ctl_list(ctl, SA_CTL_USERS, "ListUsers", &request.base, &request.page_token, "users", &rows);
    json_array_foreach(rows, i, row)
    {
        char name[64];
        if (result != SA_CTL_OK)
            return result;
        snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(row, "name")));
        result = export_one(ctl, name, out);
    }
    return result;
}

/* The file is made anew, mode 0600: it holds hashes. One that is there already stays. */
static enum sa_ctl_exit
open_output(const char *path, FILE **ret_out)
{
    int fd = path == NULL ? dup(STDOUT_FILENO)
                          : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

    if (out == NULL) {
        sa_ctl_complain("%s: %s", path == NULL ? "stdout" : path, strerror(errno));
        return SA_CTL_BROKEN;
    }
    *ret_out = out;
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_user_export(struct sa_ctl *ctl)
{
    char *path = NULL;
    bool all = false;
    const struct sa_ctl_option options[] = {{"--file", .text = &path}, {"--all", .flag = &all}};
    struct sa_ctl_list names = {0};
    FILE *out;

    enum sa_ctl_exit result = sa_ctl_parse_names(ctl, options, SA_COUNT(options), &names);
    if (result == SA_CTL_OK && all == (names.count > 0))
        result = sa_ctl_usage(ctl);
    if (result == SA_CTL_OK)
        result = open_output(path, &out);
    if (result != SA_CTL_OK)
        return result;
    if (all)
        result = export_all(ctl, out);
    for (size_t i = 0; result == SA_CTL_OK && i < names.count; i++)
        result = export_one(ctl, names.items[i], out);
    if (fclose(out) != 0 && result == SA_CTL_OK) {
        sa_ctl_complain("the lines cannot be written: %s", strerror(errno));
        result = SA_CTL_BROKEN;
    }
    return result;
}
