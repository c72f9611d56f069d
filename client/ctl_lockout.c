#include "client/ctl.h"

#include <stdio.h>

#include "secauth/v1/lockout.pb-c.h"

#define SERVICE   &secauth__v1__lockout_service__descriptor
#define PAGE_SIZE 100u

static const struct sa_ctl_column columns[] = {
    {"KIND", "kind", SA_CTL_PLAIN},
    {"USER", "user", SA_CTL_PLAIN},
    {"SOURCE", "source", SA_CTL_PLAIN},
    {"FAILURES", "failures", SA_CTL_PLAIN},
    {"WAITS MS", "wait_ms", SA_CTL_PLAIN},
    {"LOCKED", "locked", SA_CTL_PLAIN},
    {"ENDS IN MS", "remaining_ms", SA_CTL_PLAIN},
};

/* Whose failures: `--user` and `--source`, where they are given; `--all`, where a command has it. */
struct whose {
    ProtobufCBinaryData user;
    char *source;
    bool all;
};

static enum sa_ctl_exit
parse(struct sa_ctl *ctl, bool takes_all, struct whose *whose)
{
    char *user = NULL;
    char *source = NULL;
    const struct sa_ctl_option options[] = {
        {"--user", .text = &user}, {"--source", .text = &source}, {"--all", .flag = &whose->all}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options) - (takes_all ? 0 : 1), NULL, 0);
    if (user != NULL)
        whose->user = sa_ctl_text_field(user);
    if (source != NULL)
        whose->source = source;
    return result;
}

enum sa_ctl_exit
sa_ctl_lockout_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListLockoutsRequest request = SECAUTH__V1__LIST_LOCKOUTS_REQUEST__INIT;
    struct whose whose = {request.user, request.source, false};
    json_auto_t *rows = NULL;

    enum sa_ctl_exit result = parse(ctl, false, &whose);
    if (result != SA_CTL_OK)
        return result;
    request.user = whose.user;
    request.source = whose.source;
    request.page_size = PAGE_SIZE;
    result = sa_ctl_list(ctl, SERVICE, "ListLockouts", &request.base, &request.page_token, "lockouts", &rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns)) : result;
}

/* What stands against one user, and where it is known from. */
enum sa_ctl_exit
sa_ctl_lockout_show(struct sa_ctl *ctl)
{
    static const struct sa_ctl_column known[] = {
        {"KNOWN SOURCE", "source", SA_CTL_PLAIN},
        {"LAST USED", "last_used", SA_CTL_TIME_S},
    };
    Secauth__V1__GetLockoutRequest request = SECAUTH__V1__GET_LOCKOUT_REQUEST__INIT;
    char *user = NULL;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &user, 1);
    if (result != SA_CTL_OK)
        return result;
    request.user = sa_ctl_text_field(user);
    result = sa_ctl_call(ctl, SERVICE, "GetLockout", &request.base, &reply);
    if (result == SA_CTL_OK && ctl->json)
        return sa_ctl_print_json(reply);
    if (result == SA_CTL_OK)
        result = sa_ctl_print_rows(ctl, json_object_get(reply, "lockouts"), columns, SA_COUNT(columns));
    if (result == SA_CTL_OK)
        result = sa_ctl_print_rows(ctl, json_object_get(reply, "known_sources"), known, SA_COUNT(known));
    return result;
}

enum sa_ctl_exit
sa_ctl_lockout_clear(struct sa_ctl *ctl)
{
    Secauth__V1__ClearLockoutRequest request = SECAUTH__V1__CLEAR_LOCKOUT_REQUEST__INIT;
    struct whose whose = {request.user, request.source, false};
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = parse(ctl, true, &whose);
    if (result != SA_CTL_OK)
        return result;
    request.user = whose.user;
    request.source = whose.source;
    request.all = whose.all;
    result = sa_ctl_call(ctl, SERVICE, "ClearLockout", &request.base, &reply);
    if (result == SA_CTL_OK && ctl->json)
        return sa_ctl_print_json(reply);
    if (result == SA_CTL_OK)
        printf("%" JSON_INTEGER_FORMAT " counts are gone\n",
               json_integer_value(json_object_get(reply, "cleared")));
    return result;
}
