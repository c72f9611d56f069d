#include "client/ctl.h"

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

enum sa_ctl_exit
sa_ctl_session_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListSessionsRequest request = SECAUTH__V1__LIST_SESSIONS_REQUEST__INIT;
    char *user = NULL;
    const struct sa_ctl_option options[] = {{"--user", .text = &user}};
    json_auto_t *rows = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    if (user != NULL)
        request.user = sa_ctl_text_field(user);
    request.page_size = PAGE_SIZE;
    result = sa_ctl_list(ctl, SERVICE, "ListSessions", &request.base, &request.page_token, "sessions", &rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns)) : result;
}

enum sa_ctl_exit
sa_ctl_session_revoke(struct sa_ctl *ctl)
{
    Secauth__V1__RevokeSessionRequest request = SECAUTH__V1__REVOKE_SESSION_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.session_id, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SERVICE, "RevokeSession", &request.base,
                     "session %s has ended, and every token that it gave", request.session_id);
}
