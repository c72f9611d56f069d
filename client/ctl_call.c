#include "client/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REPLY_ARENA_MAX (16u * 1024u * 1024u) /* the largest reply unpacked, several times over */
#define NAME_MAX_LEN    128u
#define SILENCE_MILLIS  20000u /* a stream that is silent for longer is dead */

static const struct outcome {
    enum sa_status status;
    enum sa_ctl_exit exit;
    const char *advice;
} outcomes[] = {
    {SA_INVALID_CREDENTIALS, SA_CTL_REFUSED, ""},
    {SA_PASSWORD_EXPIRED, SA_CTL_REFUSED,
     "the person changes it with passwd(1), or `secauthctl user passwd` sets one"},
    {SA_ACCOUNT_DISABLED, SA_CTL_REFUSED, "`secauthctl user enable` enables it again"},
    {SA_ACCOUNT_EXPIRED, SA_CTL_REFUSED, ""},
    {SA_ACCOUNT_NOT_YET_VALID, SA_CTL_REFUSED, ""},
    {SA_FACTOR_REQUIRED, SA_CTL_REFUSED, "`secauthctl mfa enroll` sets one up"},
    {SA_DENIED_BY_RULE, SA_CTL_REFUSED, "`secauthctl explain` names the rule"},
    {SA_RATE_LIMITED, SA_CTL_UNAVAILABLE, "wait, then try again"},
    {SA_INVALID_CLIENT, SA_CTL_REFUSED,
     "the client's id or its secret is wrong, or none was given: --client and --secret-file; `secauthctl "
     "client list` "
     "shows the clients"},
    {SA_INVALID_DPOP_PROOF, SA_CTL_REFUSED,
     "the client's tokens are bound to a DPoP key: only a program that has it can ask for them"},
    {SA_INVALID_GRANT, SA_CTL_REFUSED, "the token has ended or is another client's: log in again"},
    {SA_INVALID_SCOPE, SA_CTL_REFUSED, "`secauthctl client list` shows the scopes that a client may ask for"},
    {SA_INVALID_TARGET, SA_CTL_REFUSED,
     "an administrator opens an audience with `secauthctl client audience allow` (client `host` for people's "
     "logins)"},
    {SA_UNAUTHORIZED_CLIENT, SA_CTL_REFUSED,
     "`secauthctl client list` shows the grants that a client may use"},
    {SA_SESSION_INVALID, SA_CTL_REFUSED,
     "the session has ended or is somebody else's; `secauthctl session list` shows your own, a new login "
     "gets a new one"},
    {SA_PERMISSION_DENIED, SA_CTL_REFUSED,
     "run it as root, or as a member of the administrators' group (admin_group in secauthd.conf(5))"},
    {SA_NOT_MANAGED, SA_CTL_NOT_FOUND, "`secauthctl user add` or `user import` makes a record"},
    {SA_NOT_FOUND, SA_CTL_NOT_FOUND, "the `list` commands show what there is"},
    {SA_ALREADY_EXISTS, SA_CTL_EXISTS, "the `list` commands show what there is"},
    {SA_OVERLOADED, SA_CTL_UNAVAILABLE, "try again in a moment"},
    {SA_NO_MEMORY, SA_CTL_UNAVAILABLE, "try again in a moment"},
    {SA_STORAGE, SA_CTL_UNAVAILABLE, "look at the disk that holds the store, and at the daemon's log"},
    {SA_SHUTTING_DOWN, SA_CTL_UNAVAILABLE, "try again when it has started again"},
    {SA_DEADLINE, SA_CTL_UNAVAILABLE, "try again, or allow more time with --timeout SECONDS"},
    {SA_INVALID_ARGUMENT, SA_CTL_INVALID, ""},
    {SA_PASSWORD_REFUSED, SA_CTL_INVALID, "choose another one"},
    {SA_TOO_LARGE, SA_CTL_INVALID, ""},
    {SA_OUT_OF_RANGE, SA_CTL_REFUSED, "leave out where to go on"},
    {SA_SLOW_READER, SA_CTL_UNAVAILABLE, "try again"},
    {SA_UNIMPLEMENTED, SA_CTL_BROKEN,
     "the daemon is of another version: `secauthctl status` and `version` say which"},
    {SA_CANCELLED, SA_CTL_BROKEN, ""},
    {SA_UNSET, SA_CTL_BROKEN, "the daemon's log has more under the request id"},
    {SA_INTERNAL, SA_CTL_BROKEN, "the daemon's log has more under the request id"},
    {SA_NO_DAEMON, SA_CTL_UNAVAILABLE,
     "secauthd is not running: start it with `systemctl start secauthd`; `journalctl -u secauthd` says why "
     "it stopped; meanwhile root repairs with `secauthctl --offline`"},
    {SA_CONNECTION, SA_CTL_UNAVAILABLE,
     "the daemon hung up or did not answer in time: it is busy, was stopped, or does not serve this user"},
    {SA_MALFORMED, SA_CTL_BROKEN, "the daemon is of another version, or the socket is not its own"},
    {SA_WRONG_PEER, SA_CTL_UNAVAILABLE,
     "something else listens there: find out what, nothing was sent to it"},
};

enum sa_ctl_exit
sa_ctl_outcome(enum sa_status status, const char **ret_advice)
{
    for (size_t i = 0; i < SA_COUNT(outcomes); i++)
        if (outcomes[i].status == status) {
            *ret_advice = outcomes[i].advice;
            return outcomes[i].exit;
        }
    *ret_advice = "";
    return SA_CTL_BROKEN;
}

void
sa_ctl_complain(const char *format, ...)
{
    char text[1024];
    char escaped[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    sa_ctl_escape(text, strlen(text), escaped, sizeof(escaped));
    fprintf(stderr, "secauthctl: %s\n", escaped);
}

enum sa_ctl_exit
sa_ctl_no_memory(void)
{
    sa_ctl_complain("out of memory");
    return SA_CTL_BROKEN;
}

/* What went wrong, the request id, what to do next. */
static enum sa_ctl_exit
explain(const struct sa_ctl *ctl, enum sa_status status, const struct sa_call_error *error)
{
    const char *advice;
    enum sa_ctl_exit result = sa_ctl_outcome(status, &advice);
    char where[320] = "";

    if (error->request_id != 0)
        snprintf(where, sizeof(where), " (request %016llx)", (unsigned long long)error->request_id);
    else if (error->os_error != 0)
        snprintf(where, sizeof(where), " (%s: %s)", ctl->socket, strerror(error->os_error));
    sa_ctl_complain("%s: %s%s", ctl->row->name, error->words, where);
    if (error->os_error == EACCES)
        advice = "this socket is not for you: leave --socket out, or run it as root";
    if (error->retry_ms > 0 && status != SA_STORAGE) /* a full disk needs somebody, not time */
        sa_ctl_complain("try again in %u seconds", (error->retry_ms + 999) / 1000);
    else if (advice[0] != '\0')
        sa_ctl_complain("%s", advice);
    return result;
}

/* A connection, and the method by its name. */
static enum sa_status
prepare(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
        char ret_name[NAME_MAX_LEN], const ProtobufCMethodDescriptor **ret_method,
        struct sa_call_error *ret_error)
{
    *ret_method = protobuf_c_service_descriptor_get_method_by_name(service, rpc);
    snprintf(ret_name, NAME_MAX_LEN, "%s/%s", service->name, rpc);
    if (ctl->connection != NULL)
        return SA_OK;
    return sa_connect(ctl->socket, ctl->timeout_s * 1000, &ctl->connection, ret_error);
}

static enum sa_status
call(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
     const ProtobufCMessage *request, struct sa_arena *arena, ProtobufCMessage **ret_reply,
     struct sa_call_error *ret_error)
{
    const ProtobufCMethodDescriptor *method;
    uint32_t millis = ctl->timeout_s * 1000;
    char name[NAME_MAX_LEN];

    enum sa_status status = prepare(ctl, service, rpc, name, &method, ret_error);
    if (status != SA_OK)
        return status;
    return sa_call(ctl->connection, name, request, method->output, millis, arena, ret_reply, ret_error);
}

enum sa_ctl_exit
sa_ctl_try(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
           const ProtobufCMessage *request, bool quiet, json_t **ret_reply)
{
    struct sa_call_error error = {0};
    ProtobufCMessage *reply;
    SA_OWN(sa_arena) arena = sa_arena_new(REPLY_ARENA_MAX);

    if (arena == NULL)
        return sa_ctl_no_memory();
    enum sa_status status = call(ctl, service, rpc, request, arena, &reply, &error);
    const char *advice;
    enum sa_ctl_exit result = sa_ctl_outcome(status, &advice);
    if (status != SA_OK && quiet && result == SA_CTL_UNAVAILABLE)
        return result;
    if (status != SA_OK)
        return explain(ctl, status, &error);
    json_t *object = sa_ctl_json(reply);
    if (object == NULL)
        return sa_ctl_no_memory();
    *ret_reply = object;
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_call(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
            const ProtobufCMessage *request, json_t **ret_reply)
{
    return sa_ctl_try(ctl, service, rpc, request, false, ret_reply);
}

enum sa_ctl_exit
sa_ctl_do(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
          const ProtobufCMessage *request, const char *done, ...)
{
    json_auto_t *reply = NULL;
    char text[512];
    char escaped[1024];
    va_list arguments;

    enum sa_ctl_exit result = sa_ctl_call(ctl, service, rpc, request, &reply);
    if (result != SA_CTL_OK)
        return result;
    if (!json_is_true(json_object_get(reply, "accepted"))) {
        sa_ctl_complain("%s: the daemon's answer does not say that it was done", ctl->row->name);
        return SA_CTL_BROKEN;
    }
    if (ctl->json)
        return sa_ctl_print_json(reply);
    va_start(arguments, done);
    vsnprintf(text, sizeof(text), done, arguments);
    va_end(arguments);
    sa_ctl_escape(text, strlen(text), escaped, sizeof(escaped));
    puts(escaped);
    return SA_CTL_OK;
}

/* ---- streams ---- */

/* One message as a line, which a reader has at once. */
static enum sa_ctl_exit
print_line(const json_t *message)
{
    if (json_dumpf(message, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 && putchar('\n') != EOF &&
        fflush(stdout) == 0)
        return SA_CTL_OK;
    sa_ctl_complain("the output could not be written");
    return SA_CTL_BROKEN;
}

static enum sa_ctl_exit
follow_one(struct sa_ctl *ctl, const ProtobufCMessageDescriptor *type,
           bool (*pick)(void *user, const json_t *message), void *user)
{
    struct sa_call_error error = {0};
    ProtobufCMessage *item;
    SA_OWN(sa_arena) arena = sa_arena_new(REPLY_ARENA_MAX);

    if (arena == NULL)
        return sa_ctl_no_memory();
    enum sa_status status = sa_call_next(ctl->connection, type, SILENCE_MILLIS, arena, &item, &error);
    if (status != SA_OK)
        return explain(ctl, status, &error);
    json_auto_t *message = sa_ctl_json(item);
    if (message == NULL)
        return sa_ctl_no_memory();
    return pick(user, message) ? print_line(message) : SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_follow(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
              const ProtobufCMessage *request, bool (*pick)(void *user, const json_t *message), void *user)
{
    const ProtobufCMethodDescriptor *method;
    struct sa_call_error error = {0};
    enum sa_ctl_exit result = SA_CTL_OK;
    char name[NAME_MAX_LEN];

    enum sa_status status = prepare(ctl, service, rpc, name, &method, &error);
    if (status == SA_OK)
        status = sa_call_stream(ctl->connection, name, request, ctl->timeout_s * 1000, &error);
    if (status != SA_OK)
        return explain(ctl, status, &error);
    while (result == SA_CTL_OK)
        result = follow_one(ctl, method->output, pick, user);
    return result;
}

/* ---- lists ---- */

/* One page; *ret_next is where the next one begins, to be freed, NULL where there is none. */
static enum sa_ctl_exit
add_page(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
         const ProtobufCMessage *request, const char *field, json_t *rows, char **ret_next)
{
    json_auto_t *reply = NULL;
    char *next = NULL;

    enum sa_ctl_exit result = sa_ctl_call(ctl, service, rpc, request, &reply);
    if (result != SA_CTL_OK)
        return result;
    const json_t *token = json_object_get(reply, "next_page_token");
    if (json_array_extend(rows, json_object_get(reply, field)) != 0)
        return sa_ctl_no_memory();
    if (json_string_length(token) > 0 && (next = strdup(json_string_value(token))) == NULL)
        return sa_ctl_no_memory();
    *ret_next = next;
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_list(struct sa_ctl *ctl, const ProtobufCServiceDescriptor *service, const char *rpc,
            const ProtobufCMessage *request, char **page_token, const char *field, json_t **ret_rows)
{
    json_auto_t *rows = json_array();
    char *first = *page_token;
    char *at = NULL;
    enum sa_ctl_exit result = SA_CTL_OK;

    if (rows == NULL)
        return sa_ctl_no_memory();
    do {
        char *next = NULL;
        *page_token = at != NULL ? at : first;
        result = add_page(ctl, service, rpc, request, field, rows, &next);
        free(at);
        at = next;
    } while (result == SA_CTL_OK && at != NULL);
    *page_token = first;
    if (result == SA_CTL_OK)
        *ret_rows = json_incref(rows);
    return result;
}
