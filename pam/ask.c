#include "pam/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include "pam/log.h"
#include "pam/managed.h"

#define PACKAGE "secauth.v1."

static const struct {
    const char *name; /* as status.def has it */
    int code;
} codes[] = {
    {"SUCCESS", PAM_SUCCESS},           {"AUTH_ERR", PAM_AUTH_ERR},
    {"USER_UNKNOWN", PAM_USER_UNKNOWN}, {"AUTHINFO_UNAVAIL", PAM_AUTHINFO_UNAVAIL},
    {"PERM_DENIED", PAM_PERM_DENIED},   {"AUTHTOK_ERR", PAM_AUTHTOK_ERR},
    {"SYSTEM_ERR", PAM_SYSTEM_ERR},
};

int
sa_ask_code(enum sa_status status)
{
    const char *name = sa_status_row(status)->pam;

    for (size_t i = 0; i < SA_COUNT(codes); i++) {
        if (strcmp(codes[i].name, name) == 0)
            return codes[i].code;
    }
    return PAM_SYSTEM_ERR;
}

ProtobufCBinaryData
sa_ask_password(const char *password)
{
    if (password == NULL)
        return (ProtobufCBinaryData){0, NULL};
    return (ProtobufCBinaryData){strnlen(password, SA_ASK_PASSWORD_MAX), (uint8_t *)(uintptr_t)password};
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum sa_status
too_late(struct sa_answer *answer)
{
    answer->error.os_error = ETIMEDOUT;
    return SA_CONNECTION;
}

/* Connect and call; both within `timeout_ms`. */
static enum sa_status
exchange(int64_t timeout_ms, const char *method, const ProtobufCMessage *request,
         const ProtobufCMessageDescriptor *reply_type, struct sa_arena *arena, struct sa_answer *answer)
{
    char name[128];
    SA_OWN(sa_connection) connection = NULL;
    int64_t deadline_ms = now_ms() + timeout_ms;

    if (arena == NULL)
        return SA_NO_MEMORY;
    if (timeout_ms < 1)
        return too_late(answer);
    enum sa_status status = sa_connect(sa_call_socket(), (uint32_t)timeout_ms, &connection, &answer->error);
    if (status != SA_OK)
        return status;
    int64_t left_ms = deadline_ms - now_ms();
    if (left_ms < 1)
        return too_late(answer);
    snprintf(name, sizeof(name), PACKAGE "%s", method);
    return sa_call(connection, name, request, reply_type, (uint32_t)left_ms, arena, &answer->reply,
                   &answer->error);
}

static void
log_failure(const struct sa_login *login, const char *method, const struct sa_answer *answer)
{
    const struct sa_call_error *error = &answer->error;
    const char *os_name = strerrorname_np(error->os_error);
    char words[SA_LOG_ESCAPED_MAX];

    snprintf(words, sizeof(words), "%s", error->words);
    sa_log(login, LOG_ERR, "no decision: %s on %s: %s (%s, %s) request=%016" PRIx64, method, sa_call_socket(),
           words[0] != '\0' ? words : sa_status_row(answer->status)->words,
           sa_status_row(answer->status)->name, error->os_error != 0 && os_name != NULL ? os_name : "-",
           error->request_id);
}

/* The daemon is absent. A stranger cannot cause that, so the host's own list may send people on to other
 * modules. */
static int
without_daemon(const struct sa_login *login)
{
    const uint32_t *uid = login->uid == NULL ? NULL : &login->uid->id;

    return sa_managed_may_hold(SA_MANAGED_FILE, uid) ? PAM_AUTHINFO_UNAVAIL : PAM_USER_UNKNOWN;
}

int
sa_ask(struct sa_login *login, const char *method, const ProtobufCMessage *request,
       const ProtobufCMessageDescriptor *reply_type, struct sa_arena *arena, struct sa_answer *ret_answer)
{
    struct sa_answer *answer = ret_answer;

    *answer = (struct sa_answer){.status = SA_UNSET};
    int64_t began_ms = now_ms(), timeout_ms = (int64_t)login->options.timeout_seconds * 1000;
    answer->status = exchange(timeout_ms - login->waited_ms, method, request, reply_type, arena, answer);
    login->waited_ms += now_ms() - began_ms;
    if (answer->status == SA_OK && answer->reply == NULL)
        answer->status = SA_MALFORMED;
    int code = sa_ask_code(answer->status);
    if (code == PAM_SYSTEM_ERR || code == PAM_AUTHINFO_UNAVAIL)
        log_failure(login, method, answer);
    return code == PAM_AUTHINFO_UNAVAIL ? without_daemon(login) : code;
}

int
sa_ask_refuse_reply(const struct sa_login *login, const struct sa_answer *answer, const char *why)
{
    sa_log(login, LOG_ERR, "no decision: the daemon's answer makes no sense: %s request=%016" PRIx64, why,
           answer->error.request_id);
    return PAM_SYSTEM_ERR;
}
