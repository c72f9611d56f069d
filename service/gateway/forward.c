/* Every method that the gateway does not serve itself: its bytes go to the daemon and come back. */
#include <grpc/support/time.h>
#include <stdlib.h>

#include "proto/decode.h" /* sa_wipe */
#include "proto/frame.h"
#include "service/gateway/call.h"

/* More would break the client's limit of metadata, and with it the status itself. */
#define DETAILS_MAX 4096u

static void
finish(struct sa_gcall *call, const struct sa_upstream_reply *reply)
{
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
}

static void
reply_came(void *user, const struct sa_upstream_reply *reply)
{
    struct sa_gcall *call = user;

    if (!sa_streams_put_end(&call->gateway->streams, call, reply))
        finish(call, reply);
    sa_gcall_unref(call);
}

/* --- streams --- */

static void
hold(void *user)
{
    sa_gcall_ref(user);
}

/* The daemon is told that nobody listens. */
static void
give_up(struct sa_gcall *call)
{
    if (call->upstream_call != 0 && sa_upstream_cancel(call->gateway->upstream, call->upstream_call))
        sa_gcall_unref(call);
}

static void
item_came(void *user, uint8_t *body, size_t len)
{
    struct sa_gcall *call = user;
    struct sa_gcall_item *item = body == NULL ? NULL : malloc(sizeof(*item));

    if (item == NULL) {
        free(body);
        sa_gcall_cut(call, SA_NO_MEMORY);
        give_up(call);
    } else {
        *item = (struct sa_gcall_item){.body = body, .len = len};
        if (!sa_streams_put(&call->gateway->streams, call, item))
            give_up(call);
    }
    sa_gcall_unref(call);
}

/* What waits first, then the end. */
static void
next(struct sa_gcall *call)
{
    struct sa_gcall_item *item = STAILQ_FIRST(&call->items.list);

    if (item != NULL) {
        STAILQ_REMOVE_HEAD(&call->items.list, link);
        call->items.count--;
        call->items.bytes -= item->len;
        sa_gcall_send(call, item->body, item->len);
        free(item);
    } else if (call->has_end) {
        call->has_end = false;
        finish(call, &call->end);
        call->end.body = NULL;
    }
}

/* --- calls --- */

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
        .on_item = item_came,
        .hold = hold,
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

/* Cancelled, or a stream that ended here and not in the daemon. */
static void
closed(struct sa_gcall *call, SA_UNUSED bool cancelled)
{
    give_up(call);
}

const struct sa_gcall_kind sa_forward = {
    .begin = sa_gcall_receive, .message = message, .next = next, .closed = closed};
