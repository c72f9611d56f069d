#include "service/gateway/call.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/decode.h" /* sa_wipe */
#include "service/gateway/details.h"

#define RETRY_MS 1000 /* when the gateway itself cannot serve a call */

#define CALL_OF(tag, member) ((struct sa_gcall *)((char *)(tag)-offsetof(struct sa_gcall, member)))

static const struct sa_gcall_kind *const kinds[] = {&sa_health_check, &sa_health_watch, &sa_reflection,
                                                    &sa_reflection_alpha, &sa_forward};

struct sa_gcall *
sa_gcall_ref(struct sa_gcall *call)
{
    atomic_fetch_add_explicit(&call->refs, 1, memory_order_relaxed);
    return call;
}

void
sa_gcall_unref(struct sa_gcall *call)
{
    if (atomic_fetch_sub_explicit(&call->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < call->trailer_count; i++)
        grpc_slice_unref(call->trailers[i].value);
    if (call->outgoing != NULL)
        grpc_byte_buffer_destroy(call->outgoing);
    sa_gcall_drop_items(call);
    free(call->end.body);
    sa_peer_unref(call->peer);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_call_details_destroy(&call->details);
    if (call->call != NULL)
        grpc_call_unref(call->call);
    free(call);
}

/* Start a batch, which holds a reference until its tag comes back. */
static void
start(struct sa_gcall *call, const grpc_op *ops, size_t count, struct sa_tag *tag)
{
    grpc_call_error error;

    sa_gcall_ref(call);
    error = grpc_call_start_batch(call->call, ops, count, tag, NULL);
    assert(error == GRPC_CALL_OK); /* anything else is our own bug: an operation twice */
    if (error != GRPC_CALL_OK)
        sa_gcall_unref(call);
}

/* --- bodies --- */

/* The bytes of a message in one piece, malloc'ed; the library's own are wiped. NULL for lack of memory. */
static uint8_t *
flatten(grpc_byte_buffer *buffer, size_t *ret_len)
{
    size_t len = grpc_byte_buffer_length(buffer), at = 0;
    uint8_t *body = malloc(len + 1); /* one more: an empty message is not an absent one */
    grpc_byte_buffer_reader reader;
    grpc_slice *slice;

    if (!grpc_byte_buffer_reader_init(&reader, buffer)) {
        free(body);
        return NULL;
    }
    while (grpc_byte_buffer_reader_peek(&reader, &slice)) {
        if (body != NULL)
            memcpy(body + at, GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
        at += GRPC_SLICE_LENGTH(*slice);
        sa_wipe(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
    }
    grpc_byte_buffer_reader_destroy(&reader);
    *ret_len = len;
    return body;
}

static void
wipe_and_free(void *body, size_t len)
{
    sa_wipe(body, len);
    free(body);
}

/* A message to be sent; the library wipes and frees the body once it has left. */
static void
set_outgoing(struct sa_gcall *call, uint8_t *body, size_t len)
{
    grpc_slice slice = len > 0 ? grpc_slice_new_with_len(body, len, wipe_and_free) : grpc_empty_slice();

    if (len == 0)
        free(body);
    call->outgoing = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
}

/* --- sending --- */

static grpc_op
send_begin(void)
{
    return (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
}

static grpc_op
send_outgoing(struct sa_gcall *call)
{
    return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->outgoing};
}

void
sa_gcall_send(struct sa_gcall *call, uint8_t *body, size_t len)
{
    grpc_op ops[2];
    size_t count = 0;

    if (atomic_load(&call->answered)) {
        wipe_and_free(body, len);
        return;
    }
    set_outgoing(call, body, len);
    if (!call->began)
        ops[count++] = send_begin();
    ops[count++] = send_outgoing(call);
    call->began = true;
    call->sending = true;
    sa_patience_wait(&call->gateway->patience, call);
    start(call, ops, count, &call->on_sent);
}

static void
message_left(struct sa_tag *tag, bool ok)
{
    struct sa_gcall *call = CALL_OF(tag, on_sent);

    grpc_byte_buffer_destroy(call->outgoing);
    call->outgoing = NULL;
    sa_patience_end(&call->gateway->patience, call);
    if (ok)
        sa_streams_sent(&call->gateway->streams, call);
    sa_gcall_unref(call);
}

static void
add_trailer(struct sa_gcall *call, const char *key, struct sa_bytes value)
{
    call->trailers[call->trailer_count++] = (grpc_metadata){
        .key = grpc_slice_from_static_string(key),
        .value = grpc_slice_from_copied_buffer((const char *)value.data, value.len),
    };
}

/* A status of the gateway's own, with details as the daemon would make them. */
static struct sa_answer
own_answer(enum sa_status status, const char *field, const char *rule, uint8_t ret_details[SA_DETAILS_MAX])
{
    struct sa_answer answer = {.status = status, .words = rule};

    if (sa_status_row(status)->grpc == GRPC_STATUS_UNAVAILABLE)
        answer.retry_ms = RETRY_MS;
    answer.details =
        sa_bytes(ret_details, sa_details_pack(status, answer.retry_ms, field, rule, ret_details));
    return answer;
}

static void
send_end(struct sa_gcall *call, const struct sa_answer *answer)
{
    const struct sa_status_row *row = sa_status_row(answer->status);
    grpc_slice words = grpc_slice_from_copied_string(answer->words != NULL ? answer->words : row->words);
    char retry[16];
    grpc_op ops[3];
    size_t count = 0;

    if (!call->began)
        ops[count++] = send_begin();
    if (call->outgoing != NULL && !call->streams)
        ops[count++] = send_outgoing(call);
    if (answer->details.len > 0)
        add_trailer(call, "grpc-status-details-bin", answer->details);
    if (answer->retry_ms > 0) {
        snprintf(retry, sizeof(retry), "%u", answer->retry_ms);
        add_trailer(call, "grpc-retry-pushback-ms", sa_bytes_of(retry));
    }
    ops[count++] = (grpc_op){
        .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
        .data.send_status_from_server = {.trailing_metadata_count = call->trailer_count,
                                         .trailing_metadata = call->trailers,
                                         .status = (grpc_status_code)row->grpc,
                                         .status_details = &words},
    };
    start(call, ops, count, &call->on_finished);
    grpc_slice_unref(words);
}

void
sa_gcall_finish(struct sa_gcall *call, const struct sa_answer *answer, uint8_t *body, size_t len)
{
    uint8_t details[SA_DETAILS_MAX];
    struct sa_answer busy;

    if (atomic_exchange(&call->answered, true)) {
        wipe_and_free(body, len);
        return;
    }
    if (!sa_patience_take(&call->gateway->patience, call, len)) {
        wipe_and_free(body, len); /* its client does not read: nothing more is kept for it */
        busy = own_answer(SA_OVERLOADED, NULL, NULL, details);
        answer = &busy;
    } else if (answer->status == SA_OK && !call->streams) {
        set_outgoing(call, body, len);
    }
    send_end(call, answer);
}

void
sa_gcall_fail(struct sa_gcall *call, enum sa_status status, const char *field, const char *rule)
{
    uint8_t details[SA_DETAILS_MAX];
    struct sa_answer answer = own_answer(status, field, rule, details);

    sa_gcall_finish(call, &answer, NULL, 0);
}

void
sa_gcall_drop_items(struct sa_gcall *call)
{
    struct sa_gcall_item *item;

    while ((item = STAILQ_FIRST(&call->items.list)) != NULL) {
        STAILQ_REMOVE_HEAD(&call->items.list, link);
        free(item->body);
        free(item);
    }
    call->items.count = 0;
    call->items.bytes = 0;
}

void
sa_gcall_cut(struct sa_gcall *call, enum sa_status status)
{
    const struct sa_status_row *row = sa_status_row(status);

    if (!atomic_exchange(&call->answered, true))
        (void)grpc_call_cancel_with_status(call->call, (grpc_status_code)row->grpc, row->words, NULL);
}

static void
finished(struct sa_tag *tag, SA_UNUSED bool ok)
{
    struct sa_gcall *call = CALL_OF(tag, on_finished);

    sa_patience_end(&call->gateway->patience, call);
    sa_gcall_unref(call);
}

/* --- receiving --- */

void
sa_gcall_receive(struct sa_gcall *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->incoming};

    if (!call->streams) /* a stream may be silent for as long as it likes */
        sa_patience_wait(&call->gateway->patience, call);
    start(call, &op, 1, &call->on_message);
}

static void
message_came(struct sa_tag *tag, bool ok)
{
    struct sa_gcall *call = CALL_OF(tag, on_message);
    uint8_t *body = NULL;
    size_t len = 0;

    if (!call->streams)
        sa_patience_end(&call->gateway->patience, call);
    if (call->incoming != NULL) {
        body = flatten(call->incoming, &len);
        grpc_byte_buffer_destroy(call->incoming);
        call->incoming = NULL;
        if (body == NULL)
            sa_gcall_fail(call, SA_NO_MEMORY, NULL, NULL);
        else
            call->kind->message(call, body, len);
    } else if (ok && !grpc_call_failed_before_recv_message(call->call)) {
        call->kind->message(call, NULL, 0);
    } /* else: cancelled, or too large, which the library has answered */
    sa_gcall_unref(call);
}

static void
closed(struct sa_tag *tag, SA_UNUSED bool ok)
{
    struct sa_gcall *call = CALL_OF(tag, on_close);

    if (call->kind->closed != NULL)
        call->kind->closed(call, call->cancelled != 0);
    sa_streams_leave(&call->gateway->streams, call);
    atomic_fetch_sub(&call->gateway->open_calls, 1);
    sa_gcall_unref(call);
    sa_gcall_unref(call); /* the batch's, and the call's own */
}

/* --- a call comes --- */

static const struct sa_gcall_kind *
kind_of(grpc_slice method)
{
    size_t i = 0;

    while (kinds[i]->path != NULL && grpc_slice_str_cmp(method, kinds[i]->path) != 0)
        i++;
    return kinds[i];
}

/* Credentials belong into messages; one in the metadata would be ignored, and its sender believe it was not.
 */
static bool
has_authorization(const struct sa_gcall *call)
{
    for (size_t i = 0; i < call->metadata.count; i++)
        if (grpc_slice_str_cmp(call->metadata.metadata[i].key, "authorization") == 0)
            return true;
    return false;
}

/* Until this address may make one more call that the daemon would have to answer; 0: now. */
static uint32_t
wait_of(const struct sa_gcall *call)
{
    if (call->gateway->pace == NULL || call->kind != &sa_forward)
        return 0;
    return sa_pace_spend(call->gateway->pace, call->peer->key, sa_loop_now_ms());
}

static void
tell_to_wait(struct sa_gcall *call, uint32_t wait_ms)
{
    uint8_t details[SA_DETAILS_MAX];
    struct sa_answer answer = {.status = SA_RATE_LIMITED, .retry_ms = wait_ms};

    answer.details = sa_bytes(details, sa_details_pack(SA_RATE_LIMITED, wait_ms, NULL, NULL, details));
    sa_gcall_finish(call, &answer, NULL, 0);
}

static void
serve(struct sa_gcall *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                  .data.recv_close_on_server.cancelled = &call->cancelled};
    char *name = grpc_call_get_peer(call->call);
    uint32_t wait_ms;

    atomic_fetch_add(&call->gateway->open_calls, 1);
    call->kind = kind_of(call->details.method);
    call->peer = sa_peer_table_get(call->gateway->peers, name);
    gpr_free(name);
    start(call, &op, 1, &call->on_close);
    if (call->peer == NULL)
        sa_gcall_fail(call, SA_INTERNAL, NULL,
                      NULL); /* the table is written before the descriptor is handed over */
    else if (has_authorization(call))
        sa_gcall_fail(call, SA_INVALID_ARGUMENT, "authorization",
                      "`authorization` metadata is not read here: credentials belong into the message");
    else if ((wait_ms = wait_of(call)) > 0)
        tell_to_wait(call, wait_ms);
    else
        call->kind->begin(call);
}

static void
request_came(struct sa_tag *tag, bool ok)
{
    struct sa_gcall *call = CALL_OF(tag, on_request);

    if (!ok) { /* the server stops */
        sa_gcall_unref(call);
        return;
    }
    (void)sa_gcall_arm(call->gateway);
    serve(call);
}

bool
sa_gcall_arm(struct sa_gateway *gateway)
{
    struct sa_gcall *call = calloc(1, sizeof(*call));

    if (call == NULL)
        return false;
    call->gateway = gateway;
    atomic_init(&call->refs, 1);
    STAILQ_INIT(&call->items.list);
    call->on_request.done = request_came;
    call->on_message.done = message_came;
    call->on_close.done = closed;
    call->on_sent.done = message_left;
    call->on_finished.done = finished;
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    if (grpc_server_request_call(gateway->server, &call->call, &call->details, &call->metadata,
                                 gateway->queue, gateway->queue, &call->on_request) == GRPC_CALL_OK)
        return true;
    sa_gcall_unref(call);
    return false;
}
