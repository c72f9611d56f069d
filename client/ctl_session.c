#include "client/ctl.h"

#include <stdio.h>
#include <stdlib.h>

#include "secauth/v1/session.pb-c.h"

#define SERVICE   &secauth__v1__session_service__descriptor
#define PAGE_SIZE 100u

static const struct sa_ctl_column columns[] = {
    {"SESSION", "session_id", SA_CTL_PLAIN},
    {"KIND", "kind", SA_CTL_PLAIN},
    {"USER", "user", SA_CTL_PLAIN},
    {"CLIENT", "client_id", SA_CTL_PLAIN},
    {"SERVICE", "service", SA_CTL_PLAIN},
    {"SOURCE", "source", SA_CTL_PLAIN},
    {"TTY", "tty", SA_CTL_PLAIN},
    {"PROVEN", "amr", SA_CTL_PLAIN},
    {"BEGAN", "created_ms", SA_CTL_TIME_MS},
    {"LAST USED", "last_used_ms", SA_CTL_TIME_MS},
    {"ENDS", "expires_ms", SA_CTL_TIME_MS},
};

static const struct sa_ctl_column details[] = {
    {"session", "session_id", SA_CTL_PLAIN},
    {"kind", "kind", SA_CTL_PLAIN},
    {"user", "user", SA_CTL_PLAIN},
    {"subject", "subject", SA_CTL_PLAIN},
    {"client", "client_id", SA_CTL_PLAIN},
    {"audiences", "audiences", SA_CTL_PLAIN},
    {"scope", "scope", SA_CTL_PLAIN},
    {"service", "service", SA_CTL_PLAIN},
    {"source", "source", SA_CTL_PLAIN},
    {"tty", "tty", SA_CTL_PLAIN},
    {"first process", "leader_pid", SA_CTL_PLAIN},
    {"audit session", "audit_session", SA_CTL_PLAIN},
    {"proven", "amr", SA_CTL_PLAIN},
    {"acr", "acr", SA_CTL_PLAIN},
    {"proven at", "auth_time", SA_CTL_TIME_S},
    {"began", "created_ms", SA_CTL_TIME_MS},
    {"last used", "last_used_ms", SA_CTL_TIME_MS},
    {"ends unused", "idle_expires_ms", SA_CTL_TIME_MS},
    {"ends", "expires_ms", SA_CTL_TIME_MS},
};

enum sa_ctl_exit
sa_ctl_session_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListSessionsRequest request = SECAUTH__V1__LIST_SESSIONS_REQUEST__INIT;
    char *user = NULL, *client = NULL, *source = NULL, *unused_since = NULL;
    int64_t since_s = 0;
    const struct sa_ctl_option options[] = {{"--user", .text = &user},
                                            {"--client", .text = &client},
                                            {"--source", .text = &source},
                                            {"--unused-since", .text = &unused_since}};
    json_auto_t *rows = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result == SA_CTL_OK && unused_since != NULL)
        result = sa_ctl_parse_date(unused_since, &since_s);
    if (result != SA_CTL_OK)
        return result;
    if (user != NULL)
        request.user = sa_ctl_text_field(user);
    if (client != NULL)
        request.client_id = client;
    if (source != NULL)
        request.source = source;
    request.used_before_ms = since_s * 1000;
    request.page_size = PAGE_SIZE;
    result = sa_ctl_list(ctl, SERVICE, "ListSessions", &request.base, &request.page_token, "sessions", &rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns)) : result;
}

enum sa_ctl_exit
sa_ctl_session_show(struct sa_ctl *ctl)
{
    Secauth__V1__GetSessionRequest request = SECAUTH__V1__GET_SESSION_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.session_id, 1);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, SERVICE, "GetSession", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_print_one(ctl, json_object_get(reply, "session"), details, SA_COUNT(details));
}

/* ---- revoke ---- */

static enum sa_ctl_exit
revoke_one(struct sa_ctl *ctl, char *id)
{
    Secauth__V1__RevokeSessionRequest request = SECAUTH__V1__REVOKE_SESSION_REQUEST__INIT;

    request.session_id = id;
    return sa_ctl_do(ctl, SERVICE, "RevokeSession", &request.base,
                     "session %s has ended, and every token that it gave", id);
}

static enum sa_ctl_exit
revoke_many(struct sa_ctl *ctl, char *user, char *spare)
{
    Secauth__V1__RevokeUserSessionsRequest request = SECAUTH__V1__REVOKE_USER_SESSIONS_REQUEST__INIT;
    json_auto_t *reply = NULL;

    if (user != NULL)
        request.user = sa_ctl_text_field(user);
    if (spare != NULL)
        request.spare_session_id = spare;
    enum sa_ctl_exit result = sa_ctl_call(ctl, SERVICE, "RevokeUserSessions", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    if (ctl->json)
        return sa_ctl_print_json(reply);
    printf("%" JSON_INTEGER_FORMAT " sessions have ended, and every token that they gave\n",
           json_integer_value(json_object_get(reply, "revoked")));
    return SA_CTL_OK;
}

/* One by its id; all; or all but one, which is the session that this process runs in unless it is named. */
enum sa_ctl_exit
sa_ctl_session_revoke(struct sa_ctl *ctl)
{
    char *user = NULL, *spare = NULL;
    bool all = false, others = false;
    const struct sa_ctl_option options[] = {{"--user", .text = &user},
                                            {"--all", .flag = &all},
                                            {"--others", .flag = &others},
                                            {"--session", .text = &spare}};
    struct sa_ctl_list ids = {0};

    enum sa_ctl_exit result = sa_ctl_parse_names(ctl, options, SA_COUNT(options), &ids);
    if (result != SA_CTL_OK)
        return result;
    if (ids.count + all + others != 1 || (ids.count == 1 && user != NULL) || (spare != NULL && !others)) {
        sa_ctl_complain("one session by its id, --all of them, or --others than one");
        return sa_ctl_usage(ctl);
    }
    if (ids.count == 1)
        return revoke_one(ctl, ids.items[0]);
    if (others && spare == NULL)
        spare = getenv("SECAUTH_SESSION");
    if (others && spare == NULL) {
        sa_ctl_complain("this process runs in no session; --session names the one to spare");
        return SA_CTL_USAGE;
    }
    return revoke_many(ctl, user, spare);
}
