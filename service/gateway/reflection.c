/*
 * grpc.reflection v1 and v1alpha: the same messages under two names, so that one handler serves both. Asked
 * are services, files and symbols; there are no extensions, and the answer says so.
 */
#include <stdlib.h>

#include <grpc/reflection/v1/reflection.pb-c.h>
#include "proto/decode.h"
#include "service/gateway/call.h"

#define REQUEST_ARENA (256u * 1024u)

typedef Grpc__Reflection__V1__ServerReflectionRequest request_type;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_type;

/* A response and what it is made of. */
struct response {
    response_type message;
    Grpc__Reflection__V1__ErrorResponse error;
    Grpc__Reflection__V1__FileDescriptorResponse files;
    Grpc__Reflection__V1__ListServiceResponse list;
    ProtobufCBinaryData bytes[SA_DESCRIPTORS_FILES_MAX];
    Grpc__Reflection__V1__ServiceResponse services[SA_DESCRIPTORS_FILES_MAX];
    Grpc__Reflection__V1__ServiceResponse *service_list[SA_DESCRIPTORS_FILES_MAX];
};

static void
say_error(struct response *response, int code, const char *words)
{
    grpc__reflection__v1__error_response__init(&response->error);
    response->error.error_code = code;
    response->error.error_message = (char *)(uintptr_t)words;
    response->message.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
    response->message.error_response = &response->error;
}

static void
say_files(struct response *response, const struct sa_bytes *files, size_t count)
{
    if (count == 0) {
        say_error(response, GRPC_STATUS_NOT_FOUND, sa_status_row(SA_NOT_FOUND)->words);
        return;
    }
    for (size_t i = 0; i < count; i++)
        response->bytes[i] = (ProtobufCBinaryData){files[i].len, (uint8_t *)(uintptr_t)files[i].data};
    grpc__reflection__v1__file_descriptor_response__init(&response->files);
    response->files.file_descriptor_proto = response->bytes;
    response->files.n_file_descriptor_proto = count;
    response->message.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
    response->message.file_descriptor_response = &response->files;
}

static void
say_services(struct response *response, const struct sa_descriptors *descriptors)
{
    size_t count;
    const char *const *names = sa_descriptors_services(descriptors, &count);

    for (size_t i = 0; i < count && i < SA_DESCRIPTORS_FILES_MAX; i++) {
        grpc__reflection__v1__service_response__init(&response->services[i]);
        response->services[i].name = (char *)(uintptr_t)names[i];
        response->service_list[i] = &response->services[i];
    }
    grpc__reflection__v1__list_service_response__init(&response->list);
    response->list.service = response->service_list;
    response->list.n_service = count < SA_DESCRIPTORS_FILES_MAX ? count : SA_DESCRIPTORS_FILES_MAX;
    response->message.message_response_case =
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
    response->message.list_services_response = &response->list;
}

static void
fill(struct response *response, const struct sa_descriptors *descriptors, request_type *request)
{
    struct sa_bytes files[SA_DESCRIPTORS_FILES_MAX];

    grpc__reflection__v1__server_reflection_response__init(&response->message);
    response->message.valid_host = request->host;
    response->message.original_request = request;
    switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
        say_files(response, files, sa_descriptors_by_filename(descriptors, request->file_by_filename, files));
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
        say_files(response, files,
                  sa_descriptors_by_symbol(descriptors, request->file_containing_symbol, files));
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
        say_services(response, descriptors);
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
        say_error(response, GRPC_STATUS_NOT_FOUND, "there are no extensions here");
        break;
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__NOT_SET:
    case _GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
        say_error(response, GRPC_STATUS_INVALID_ARGUMENT, "nothing is asked for");
        break;
    }
}

static void
respond(struct sa_gcall *call, struct sa_arena *arena, request_type *request)
{
    struct response *response = sa_arena_alloc(arena, sizeof(*response));
    uint8_t *body = NULL;
    size_t len = 0;

    if (response != NULL) {
        fill(response, call->gateway->descriptors, request);
        len = grpc__reflection__v1__server_reflection_response__get_packed_size(&response->message);
        body = malloc(len);
    }
    if (body == NULL) {
        sa_gcall_fail(call, SA_NO_MEMORY, NULL, NULL);
        return;
    }
    grpc__reflection__v1__server_reflection_response__pack(&response->message, body);
    sa_streams_send(&call->gateway->streams, call, body, len);
}

static void
message(struct sa_gcall *call, uint8_t *body, size_t len)
{
    SA_OWN(sa_arena) arena = sa_arena_new(REQUEST_ARENA);
    struct sa_answer done = {.status = SA_OK};
    struct sa_problem problem = {.field = ""};
    ProtobufCMessage *request;
    enum sa_status status;

    if (body == NULL) {
        sa_gcall_finish(call, &done, NULL, 0);
        return;
    }
    status = arena == NULL ? SA_NO_MEMORY
                           : sa_decode(&grpc__reflection__v1__server_reflection_request__descriptor,
                                       sa_bytes(body, len), SA_DECODE_REQUEST, arena, &request, &problem);
    free(body);
    if (status == SA_OK)
        respond(call, arena, (request_type *)request);
    else
        sa_gcall_fail(call, status, status == SA_INVALID_ARGUMENT ? problem.field : NULL, problem.rule);
}

static void
begin(struct sa_gcall *call)
{
    sa_streams_join(&call->gateway->streams, call);
}

const struct sa_gcall_kind sa_reflection = {.path =
                                                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                            .begin = begin,
                                            .message = message,
                                            .next = sa_gcall_receive};
const struct sa_gcall_kind sa_reflection_alpha = {
    .path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    .begin = begin,
    .message = message,
    .next = sa_gcall_receive};
