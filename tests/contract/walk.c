/*
 * walk: what the decoder says of bytes, for tests/contract/differential.test.
 *
 * Reads records from stdin until it ends: one byte which type (its place in `types`), four bytes the length
 * of the body (big-endian), the body. Writes a line for each: "ok", "refused FIELD: RULE", or "broken: ..."
 * where the walk and the unpack do not agree; that is a defect. Then the message is packed again: "ok" is
 * followed by its bytes in hexadecimal.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "google/rpc/status.pb-c.h"
#include "secauth/v1/authn.pb-c.h"
#include "secauth/v1/client.pb-c.h"
#include "secauth/v1/token.pb-c.h"
#include "secauth/v1/user.pb-c.h"
#include "shapes.pb-c.h"

#define ARENA_MAX (16u * 1024 * 1024)

static const ProtobufCMessageDescriptor *const types[] = {
    &secauth__test__shape__descriptor,
    &secauth__v1__begin_authentication_request__descriptor,
    &secauth__v1__issue_token_request__descriptor,
    &secauth__v1__create_client_request__descriptor,
    &secauth__v1__create_user_request__descriptor,
    &google__rpc__status__descriptor,
};

static void
print_message(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(len + 1);

    if (packed == NULL)
        abort();
    protobuf_c_message_pack(message, packed);
    printf("ok ");
    for (size_t i = 0; i < len; i++)
        printf("%02x", packed[i]);
    putchar('\n');
    free(packed);
}

static void
judge(const ProtobufCMessageDescriptor *type, struct sa_bytes body)
{
    SA_OWN(sa_arena) arena = sa_arena_new(ARENA_MAX);
    ProtobufCMessage *message = NULL;
    struct sa_problem problem = {.rule = NULL};

    if (arena == NULL)
        abort();
    enum sa_status status = sa_decode(type, body, SA_DECODE_REQUEST, arena, &message, &problem);
    if (status == SA_OK)
        print_message(message);
    else if (status == SA_INVALID_ARGUMENT)
        printf("refused %s: %s\n", problem.field, problem.rule);
    else
        printf("broken: the walk accepts and the unpack does not\n");
}

int
main(void)
{
    static uint8_t body[SA_FRAME_REQUEST_MAX];
    uint8_t head[5];

    while (fread(head, 1, sizeof(head), stdin) == sizeof(head)) {
        size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        if (head[0] >= SA_COUNT(types) || len > sizeof(body) || fread(body, 1, len, stdin) != len)
            return 2;
        judge(types[head[0]], sa_bytes(body, len));
    }
    return ferror(stdin) || fflush(stdout) != 0 ? 1 : 0;
}
