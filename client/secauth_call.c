#include "client/secauth_call.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMEOUT_MILLIS_MAX 600000u
#define NAME_MAX_LEN       128u
#define FIRST_TRY_MILLIS   10000u /* within the grace of a refresh token, together with the second */
#define RECONNECT_MILLIS   20

#define API_KEY "sak1_"

/* The public words are those of the one table (client/status.cmake makes them from proto/status.def). */
#define STATUS(name, wire, grpc, http, oauth, pam, reason, words)                                            \
    _Static_assert((int)SECAUTH_##name == (int)SA_##name, "SECAUTH_" #name);
#include "proto/status.def"
#undef STATUS

enum secauth_status
sa_secauth_report(enum sa_status status, const struct sa_call_error *from, struct secauth_error *ret_error)
{
    if (ret_error != NULL) {
        *ret_error = (struct secauth_error){.status = (enum secauth_status)status,
                                            .request_id = from->request_id,
                                            .retry_millis = from->retry_ms,
                                            .os_error = from->os_error};
        snprintf(ret_error->message, sizeof(ret_error->message), "%s", from->words);
        snprintf(ret_error->field, sizeof(ret_error->field), "%s", from->field);
    }
    return (enum secauth_status)status;
}

enum secauth_status
sa_secauth_fail(enum sa_status status, const char *message, struct secauth_error *ret_error)
{
    struct sa_call_error error = {0};

    snprintf(error.words, sizeof(error.words), "%s",
             message != NULL ? message : sa_status_row(status)->words);
    return sa_secauth_report(status, &error, ret_error);
}

static bool
timeout_is_good(uint32_t timeout_millis)
{
    return timeout_millis >= 1 && timeout_millis <= TIMEOUT_MILLIS_MAX;
}

enum secauth_status
secauth_open(const char *path, uint32_t timeout_millis, struct secauth **ret_handle,
             struct secauth_error *ret_error)
{
    struct sa_call_error error = {0};

    if (ret_handle == NULL || !timeout_is_good(timeout_millis))
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "timeout_millis: 1 to 600,000", ret_error);
    if (path == NULL)
        path = sa_call_socket();
    size_t path_len = strlen(path);
    struct secauth *handle = calloc(1, sizeof(*handle) + path_len + 1);
    if (handle == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    memcpy(handle->path, path, path_len);
    enum sa_status status = sa_connect(path, timeout_millis, &handle->connection, &error);
    if (status != SA_OK) {
        free(handle);
        return sa_secauth_report(status, &error, ret_error);
    }
    *ret_handle = handle;
    return SECAUTH_OK;
}

void
secauth_close(struct secauth *handle)
{
    if (handle == NULL)
        return;
    sa_disconnect(handle->connection);
    free(handle);
}

enum secauth_status
sa_secauth_call(struct secauth *handle, const ProtobufCServiceDescriptor *service, const char *rpc,
                const ProtobufCMessage *request, uint32_t timeout_millis, struct sa_arena *arena,
                ProtobufCMessage **ret_reply, struct secauth_error *ret_error)
{
    struct sa_call_error error = {0};
    char name[NAME_MAX_LEN];

    if (handle == NULL || !timeout_is_good(timeout_millis))
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "timeout_millis: 1 to 600,000", ret_error);
    if (arena == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    const ProtobufCMethodDescriptor *method = protobuf_c_service_descriptor_get_method_by_name(service, rpc);
    snprintf(name, sizeof(name), "%s/%s", service->name, rpc);
    enum sa_status status =
        sa_call(handle->connection, name, request, method->output, timeout_millis, arena, ret_reply, &error);
    return status == SA_OK ? SECAUTH_OK : sa_secauth_report(status, &error, ret_error);
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A new connection in the place of the old one; while nobody listens, for as long as there is time. */
static enum secauth_status
reconnect(struct secauth *handle, int64_t deadline_ms, struct secauth_error *ret_error)
{
    struct sa_call_error error = {0};
    struct sa_connection *connection;
    enum sa_status status = SA_CONNECTION;

    for (int64_t left_ms; (left_ms = deadline_ms - now_ms()) > 0; poll(NULL, 0, RECONNECT_MILLIS)) {
        status = sa_connect(handle->path, (uint32_t)left_ms, &connection, &error);
        if (status == SA_OK) {
            sa_disconnect(handle->connection);
            handle->connection = connection;
            return SECAUTH_OK;
        }
        if (status != SA_NO_DAEMON && status != SA_CONNECTION)
            break;
    }
    return sa_secauth_report(status, &error, ret_error);
}

enum secauth_status
sa_secauth_call_again(struct secauth *handle, const ProtobufCServiceDescriptor *service, const char *rpc,
                      const ProtobufCMessage *request, uint32_t timeout_millis, struct sa_arena *arena,
                      ProtobufCMessage **ret_reply, struct secauth_error *ret_error)
{
    int64_t deadline_ms = now_ms() + timeout_millis;
    uint32_t first_millis = timeout_millis / 2 < FIRST_TRY_MILLIS ? timeout_millis / 2 : FIRST_TRY_MILLIS;

    if (!timeout_is_good(timeout_millis))
        return sa_secauth_fail(SA_INVALID_ARGUMENT, "timeout_millis: 1 to 600,000", ret_error);
    enum secauth_status status =
        sa_secauth_call(handle, service, rpc, request, first_millis + 1, arena, ret_reply, ret_error);
    if (status != SECAUTH_CONNECTION && status != SECAUTH_DEADLINE)
        return status;
    status = reconnect(handle, deadline_ms, ret_error);
    int64_t left_ms = deadline_ms - now_ms();
    if (status != SECAUTH_OK || left_ms <= 0)
        return status != SECAUTH_OK ? status : sa_secauth_fail(SA_DEADLINE, NULL, ret_error);
    return sa_secauth_call(handle, service, rpc, request, (uint32_t)left_ms, arena, ret_reply, ret_error);
}

char *
sa_secauth_borrow(const char *text)
{
    union {
        const char *read;
        char *write;
    } either = {.read = text};
    return either.write;
}

ProtobufCBinaryData
sa_secauth_borrow_bytes(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)sa_secauth_borrow(text)};
}

bool
sa_secauth_fill_client(const struct secauth_client *client, Secauth__V1__ClientAuth *ret_auth)
{
    secauth__v1__client_auth__init(ret_auth);
    if (client == NULL || client->id == NULL)
        return false;
    ret_auth->client_id = sa_secauth_borrow(client->id);
    if (client->secret == NULL)
        return true;
    if (strncmp(client->secret, API_KEY, strlen(API_KEY)) == 0) {
        ret_auth->method_case = SECAUTH__V1__CLIENT_AUTH__METHOD_API_KEY;
        ret_auth->api_key = sa_secauth_borrow_bytes(client->secret);
    } else {
        ret_auth->method_case = SECAUTH__V1__CLIENT_AUTH__METHOD_SECRET;
        ret_auth->secret = sa_secauth_borrow_bytes(client->secret);
    }
    return true;
}

const char *
sa_secauth_text(struct sa_arena *arena, const ProtobufCBinaryData *bytes)
{
    if (bytes->len > 0 && memchr(bytes->data, '\0', bytes->len) != NULL)
        return NULL;
    char *text = sa_arena_alloc(arena, bytes->len + 1);
    if (text != NULL && bytes->len > 0)
        memcpy(text, bytes->data, bytes->len);
    return text;
}

const char *
secauth_status_name(enum secauth_status status)
{
    return sa_status_row((enum sa_status)status)->name;
}

const char *
secauth_version(void)
{
    return SA_VERSION;
}
