#include "client/secauth_call.h"

#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MILLIS_MAX 600000u
#define NAME_MAX_LEN       128u

/* The public words are those of the one table (client/status.cmake makes them from proto/status.def). */
#define STATUS(name, wire, grpc, http, oauth, pam, reason, words)                                            \
    _Static_assert((int)SECAUTH_##name == (int)SA_##name, "SECAUTH_" #name);
#include "proto/status.def"
#undef STATUS

static enum secauth_status
report(enum sa_status status, const struct sa_call_error *from, struct secauth_error *ret_error)
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
    return report(status, &error, ret_error);
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
    struct secauth *handle = calloc(1, sizeof(*handle));
    if (handle == NULL)
        return sa_secauth_fail(SA_NO_MEMORY, NULL, ret_error);
    enum sa_status status =
        sa_connect(path != NULL ? path : sa_call_socket(), timeout_millis, &handle->connection, &error);
    if (status != SA_OK) {
        free(handle);
        return report(status, &error, ret_error);
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
    return status == SA_OK ? SECAUTH_OK : report(status, &error, ret_error);
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
