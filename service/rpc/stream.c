/* What the steps of a stream end with. */
#include <stdlib.h>

#include "service/rpc/reply.h"

#define KEPT_ARENA_MAX 16384u /* state, and the error that ends it */

enum sa_status
sa_call_keep(struct sa_call *call, const void *state, size_t len)
{
    SA_OWN(sa_arena) arena = sa_arena_new(KEPT_ARENA_MAX);
    void *kept = arena == NULL ? NULL : sa_arena_alloc(arena, len);

    if (kept == NULL)
        return SA_NO_MEMORY;
    memcpy(kept, state, len);
    sa_arena_free(call->arena);
    call->arena = sa_arena_take(&arena);
    call->state = kept;
    call->request = NULL;
    call->reply = NULL;
    return SA_OK;
}

static enum sa_status
pause_before(struct sa_call *call, enum sa_lane lane, sa_step step)
{
    call->paused = true;
    call->settles = true;
    call->next_lane = lane;
    call->next_step = step;
    return SA_UNSET; /* the last step says */
}

enum sa_status
sa_call_item(struct sa_call *call, const ProtobufCMessage *message, enum sa_lane lane, sa_step step)
{
    const struct sa_exchange *exchange =
        (const struct sa_exchange *)(const void *)call; /* its first member */
    size_t len = protobuf_c_message_get_packed_size(message);

    if (len > SA_FRAME_REPLY_MAX)
        return SA_TOO_LARGE;
    call->item = sa_answer_new(len);
    if (call->item == NULL)
        return SA_NO_MEMORY;
    protobuf_c_message_pack(message, (uint8_t *)(call->item + 1));
    struct sa_frame frame = {
        .kind = SA_FRAME_ITEM,
        .status = SA_OK,
        .call = exchange->answer.number,
        .request_id = call->request_id,
        .body_len = (uint32_t)len,
    };
    sa_frame_encode(&frame, call->item->header);
    call->item->is_item = true;
    call->item->owner = exchange->answer.owner;
    return pause_before(call, lane, step);
}

enum sa_status
sa_call_wait(struct sa_call *call, const struct sa_bell *bell, uint64_t heard, int64_t until_boot_ms,
             enum sa_lane lane, sa_step step)
{
    call->bell = bell;
    call->heard = heard;
    call->wait_until_boot_ms = until_boot_ms;
    return pause_before(call, lane, step);
}
