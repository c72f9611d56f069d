/* links: sa_proto sa_shapes */
#include "fuzz.h"

#include <stdlib.h>

#include "google/rpc/status.pb-c.h"
#include "proto/decode.h"
#include "proto/frame.h"
#include "secauth/v1/authn.pb-c.h"
#include "shapes.pb-c.h"

#define ARENA_MAX (64u * 1024 * 1024)

static const ProtobufCMessageDescriptor *const types[] = {
    &secauth__test__shape__descriptor,
    &secauth__v1__begin_authentication_request__descriptor,
    &google__rpc__status__descriptor,
};

/* What was decoded is packed again, and that is legal too: nothing that the walk bounds has grown. */
static void
try_again(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    struct sa_problem problem;

    if (packed == NULL || protobuf_c_message_pack(message, packed) != len)
        abort();
    if (sa_decode_check(message->descriptor, sa_bytes(packed, len), SA_DECODE_REPLY, &problem) != SA_OK)
        abort();
    free(packed);
}

/* One byte, which type; then a request's body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sa_problem problem = {.rule = NULL};
    ProtobufCMessage *message = NULL;

    if (len == 0 || len > 1 + SA_FRAME_REQUEST_MAX)
        return 0;
    SA_OWN(sa_arena) arena = sa_arena_new(ARENA_MAX);
    if (arena == NULL)
        abort();
    enum sa_status status = sa_decode(types[data[0] % SA_COUNT(types)], sa_bytes(data + 1, len - 1),
                                      SA_DECODE_REQUEST, arena, &message, &problem);
    if (status == SA_NO_MEMORY)
        abort(); /* the walk let pass what the unpack refuses */
    if ((status == SA_OK) != (problem.rule == NULL))
        abort();
    if (status == SA_OK)
        try_again(message);
    return 0;
}
