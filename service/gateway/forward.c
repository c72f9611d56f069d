/* Every method that the gateway does not serve itself: its bytes go to the daemon and come back. */
#include <grpc/support/time.h>
#include <stdlib.h>

#include "proto/decode.h" /* sa_wipe */
#include "proto/frame.h"
#include "service/gateway/call.h"

/* More would break the client's limit of metadata, and with it the status itself. */
#define DETAILS_MAX 4096u

static void
reply_came(void *user, const struct sa_upstream_reply *reply)
{
    struct sa_gcall *call = user;
    struct sa_answer answer = {.status = reply->status};

    if (reply->status == SA_OK) {
        sa_gcall_finish(call, &answer, reply->body, reply->len);
    } else if (reply->len == 0) {
        sa_gcall_fail(call, reply->status, NULL, NULL); /* the daemon went away, or is late */
    } else {
        answer.retry_ms = reply->retry_ms;
        if (reply->len <= DETAILS_MAX)
            answer.details = sa_bytes(reply->body, reply->len);
        sa_gcall_finish(call, &answer, NULL, 0);
        free(reply->body);
    }
    sa_gcall_unref(call);
}

/* The time that is left, as a frame says it: never 0. */
static uint32_t
millis_left(gpr_timespec deadline)
{
    int32_t left = gpr_time_to_millis(gpr_time_sub(deadline, gpr_now(deadline.clock_type)));

    return left < 1 ? 1 : left > (int32_t)SA_UPSTREAM_CALL_MS_MAX ? SA_UPSTREAM_CALL_MS_MAX : (uint32_t)left;
}

/* "/package.Service/Method" without its slash, where a frame can carry it. The gateway's own services are not
 * asked. */
static bool
frame_name(grpc_slice method, char ret_name[SA_FRAME_NAME_MAX + 1])
{
    size_t len = GRPC_SLICE_LENGTH(method);
    const uint8_t *path = GRPC_SLICE_START_PTR(method);

    if (len < 2 || path[0] != '/' || len - 1 > SA_FRAME_NAME_MAX || memchr(path, '\0', len) != NULL)
        return false;
    memcpy(ret_name, path + 1, len - 1);
    ret_name[len - 1] = '\0';
    return sa_upstream_name_legal(ret_name) && strncmp(ret_name, "grpc.", 5) != 0;
}

static void
message(struct sa_gcall *call, uint8_t *body, size_t len)
{
    char name[SA_FRAME_NAME_MAX + 1];
    struct sa_upstream_request request = {
        .name = name,
        .millis = millis_left(call->details.deadline),
        .peer = call->peer,
        .body = sa_bytes(body, len),
        .on_reply = reply_came,
        .user = call,
    };
    enum sa_status status;

    if (!frame_name(call->details.method, name)) {
        status = SA_UNIMPLEMENTED;
    } else if (body == NULL) {
        sa_gcall_fail(call, SA_INVALID_ARGUMENT, "", "the call has no message");
        return;
    } else {
        sa_gcall_ref(call);
        status = sa_upstream_start(call->gateway->upstream, &request, &call->upstream_call);
        if (status != SA_OK)
            sa_gcall_unref(call);
    }
    sa_wipe(body, len);
    free(body);
    if (status != SA_OK)
        sa_gcall_fail(call, status, NULL, NULL);
}

static void
closed(struct sa_gcall *call, bool cancelled)
{
    if (cancelled && call->upstream_call != 0 &&
        sa_upstream_cancel(call->gateway->upstream, call->upstream_call))
        sa_gcall_unref(call);
}

const struct sa_gcall_kind sa_forward = {.begin = sa_gcall_receive, .message = message, .closed = closed};
