/* grpc.health.v1: the gateway serves while the daemon is there. */
#include <stdlib.h>

#include <grpc/health/v1/health.pb-c.h>
#include "proto/decode.h"
#include "service/gateway/call.h"

#define REQUEST_ARENA 16384u

enum state {
    SERVING = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING,
    NOT_SERVING = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING,
    SERVICE_UNKNOWN = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN,
};

/* Read a request; the body is taken over. False: the call is answered. */
static bool
read_request(struct sa_gcall *call, uint8_t *body, size_t len, bool *ret_known)
{
    SA_OWN(sa_arena) arena = sa_arena_new(REQUEST_ARENA);
    struct sa_problem problem = {.field = ""};
    ProtobufCMessage *message;
    const Grpc__Health__V1__HealthCheckRequest *request;
    enum sa_status status =
        arena == NULL ? SA_NO_MEMORY
                      : sa_decode(&grpc__health__v1__health_check_request__descriptor, sa_bytes(body, len),
                                  SA_DECODE_REQUEST, arena, &message, &problem);

    free(body);
    if (status != SA_OK) {
        sa_gcall_fail(call, status, status == SA_INVALID_ARGUMENT ? problem.field : NULL, problem.rule);
        return false;
    }
    request = (const Grpc__Health__V1__HealthCheckRequest *)message;
    *ret_known = request->service[0] == '\0' ||
                 sa_descriptors_has_service(call->gateway->descriptors, request->service);
    return true;
}

/* A response, malloc'ed; NULL for lack of memory. */
static uint8_t *
make_response(enum state state, size_t *ret_len)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    uint8_t *body;

    response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)state;
    body = malloc(grpc__health__v1__health_check_response__get_packed_size(&response));
    if (body != NULL)
        *ret_len = grpc__health__v1__health_check_response__pack(&response, body);
    return body;
}

static void
check(struct sa_gcall *call, uint8_t *body, size_t len)
{
    struct sa_answer ok = {.status = SA_OK};
    bool known;

    if (!read_request(call, body, len, &known))
        return;
    if (!known) {
        sa_gcall_fail(call, SA_NOT_FOUND, NULL, NULL);
        return;
    }
    body = make_response(sa_streams_serving(&call->gateway->streams) ? SERVING : NOT_SERVING, &len);
    if (body == NULL)
        sa_gcall_fail(call, SA_NO_MEMORY, NULL, NULL);
    else
        sa_gcall_finish(call, &ok, body, len);
}

static void
watch(struct sa_gcall *call, uint8_t *body, size_t len)
{
    if (read_request(call, body, len, &call->known))
        sa_streams_join(&call->gateway->streams, call);
}

/* Tell the watcher what it has not been told. */
static void
watch_next(struct sa_gcall *call)
{
    enum state state = !call->known                     ? SERVICE_UNKNOWN
                       : call->gateway->streams.serving ? SERVING
                                                        : NOT_SERVING;
    uint8_t *body;
    size_t len;

    if (call->told == (int)state)
        return;
    body = make_response(state, &len);
    if (body == NULL) {
        sa_gcall_fail(call, SA_NO_MEMORY, NULL, NULL);
        return;
    }
    call->told = (int)state;
    sa_gcall_send(call, body, len);
}

const struct sa_gcall_kind sa_health_check = {
    .path = "/grpc.health.v1.Health/Check", .begin = sa_gcall_receive, .message = check};
const struct sa_gcall_kind sa_health_watch = {.path = "/grpc.health.v1.Health/Watch",
                                              .begin = sa_gcall_receive,
                                              .message = watch,
                                              .next = watch_next,
                                              .follows = true};
