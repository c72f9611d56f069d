/* links: sa_proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/frame.h"

/* Headers as docs/protocol.md has them, written out so that nothing of ours makes them. */
static const uint8_t request[SA_FRAME_HEADER_LEN] = {
    0, 0, 0,    28 + 5 + 7, /* length */
    1, 1, 0,    0,          /* version, kind, status */
    0, 0, 0,    9,          /* call */
    0, 0, 0x1f, 0x40,       /* millis: 8000 */
    0, 0, 0,    0,          /* peer */
    0, 5, 0,    0,          /* name_len, flags */
    0, 0, 0,    0,          /* request_id */
    0, 0, 0,    0,
};
static const uint8_t reply[SA_FRAME_HEADER_LEN] = {
    0, 0, 0, 28 + 2, 1, 2, 0, 1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
};

/* A legal header for `reader` with `len` bytes at `at` replaced. */
struct change {
    const uint8_t *base;
    enum sa_frame_reader reader;
    size_t at;
    size_t len;
    uint8_t bytes[4];
};

static enum sa_status
decode_changed(const struct change *change)
{
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_frame frame = {.body_len = 0xdead};
    const char *rule = NULL;

    memcpy(header, change->base, sizeof(header));
    memcpy(header + change->at, change->bytes, change->len);
    enum sa_status status = sa_frame_decode(header, change->reader, &frame, &rule);
    assert_int_equal(status == SA_OK, rule == NULL);
    if (status != SA_OK)
        assert_int_equal(frame.body_len, 0xdead); /* written only on success */
    return status;
}

static void
every_other_value_in_a_fixed_place_is_refused(SA_UNUSED void **state)
{
    static const struct change changes[] = {
        {request, SA_FRAME_READER_DAEMON, 0, 4, {0, 0, 0, 0}},         /* length 0 */
        {request, SA_FRAME_READER_DAEMON, 0, 4, {0, 0, 0, 27}},        /* less than a header */
        {request, SA_FRAME_READER_DAEMON, 0, 4, {0, 0, 0, 32}},        /* less than header and name */
        {request, SA_FRAME_READER_DAEMON, 0, 4, {0, 1, 0, 34}},        /* a body of 65,537 */
        {request, SA_FRAME_READER_DAEMON, 0, 4, {255, 255, 255, 255}}, /* 4 GiB */
        {request, SA_FRAME_READER_DAEMON, 4, 1, {0}},                  /* version */
        {request, SA_FRAME_READER_DAEMON, 4, 1, {2}},
        {request, SA_FRAME_READER_DAEMON, 5, 1, {0}}, /* kind */
        {request, SA_FRAME_READER_GATEWAY, 5, 1, {8}},
        {request, SA_FRAME_READER_GATEWAY, 5, 1, {255}},
        {request, SA_FRAME_READER_DAEMON, 6, 2, {0, 1}},         /* status in a request */
        {request, SA_FRAME_READER_DAEMON, 19, 1, {1}},           /* peer outside a gateway's socket */
        {request, SA_FRAME_READER_DAEMON, 20, 2, {0, 0}},        /* no name */
        {request, SA_FRAME_READER_DAEMON, 20, 2, {0, 129}},      /* a name of 129 */
        {request, SA_FRAME_READER_DAEMON, 22, 2, {0, 1}},        /* flags */
        {request, SA_FRAME_READER_DAEMON, 22, 2, {0x80, 0}},     /* flags */
        {request, SA_FRAME_READER_DAEMON, 31, 1, {1}},           /* request_id */
        {request, SA_FRAME_READER_CALLER, 5, 1, {1}},            /* a caller reads no requests */
        {reply, SA_FRAME_READER_CALLER, 0, 4, {0, 0x10, 0, 29}}, /* a body of 1 MiB and 1 */
        {reply, SA_FRAME_READER_CALLER, 6, 2, {0, 0}},           /* a reply without a status */
        {reply, SA_FRAME_READER_CALLER, 20, 2, {0, 1}},          /* a name in a reply */
        {reply, SA_FRAME_READER_DAEMON, 5, 1, {2}},              /* the daemon reads no replies */
        {reply, SA_FRAME_READER_GATEWAY, 5, 1, {4}},             /* nor ENDs */
    };

    for (size_t i = 0; i < SA_COUNT(changes); i++)
        if (decode_changed(&changes[i]) != SA_MALFORMED)
            fail_msg("change %zu is let through", i);
}

static void
limits_are_legal_and_one_more_is_not(SA_UNUSED void **state)
{
    static const struct change legal[] = {
        {request, SA_FRAME_READER_DAEMON, 0, 4, {0, 1, 0, 33}},         /* 65,536 */
        {request, SA_FRAME_READER_DAEMON, 0, 4, {0, 0, 0, 33}},         /* 0 */
        {reply, SA_FRAME_READER_CALLER, 0, 4, {0, 0x10, 0, 28}},        /* 1 MiB */
        {request, SA_FRAME_READER_GATEWAY, 16, 4, {255, 255, 0, 1}},    /* a peer on a gateway's socket */
        {request, SA_FRAME_READER_DAEMON, 12, 4, {255, 255, 255, 255}}, /* any millis */
    };

    for (size_t i = 0; i < SA_COUNT(legal); i++)
        if (decode_changed(&legal[i]) != SA_OK)
            fail_msg("change %zu is refused", i);
}

static enum sa_status
through(const struct sa_frame *frame, enum sa_frame_reader reader)
{
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_frame read;
    const char *rule;

    sa_frame_encode(frame, header);
    enum sa_status status = sa_frame_decode(header, reader, &read, &rule);
    if (status == SA_OK) {
        assert_int_equal(read.kind, frame->kind);
        assert_int_equal(read.status, frame->status);
        assert_int_equal(read.call, frame->call);
        assert_int_equal(read.millis, frame->millis);
        assert_int_equal(read.peer, frame->peer);
        assert_true(read.request_id == frame->request_id);
        assert_int_equal(read.name_len, frame->name_len);
        assert_int_equal(read.body_len, frame->body_len);
    }
    return status;
}

static void
peer_frames_are_read_from_a_gateway_only(SA_UNUSED void **state)
{
    struct sa_frame peer = {.kind = SA_FRAME_PEER, .peer = 7, .body_len = 12};
    struct sa_frame gone = {.kind = SA_FRAME_PEER_GONE, .peer = 7};

    assert_int_equal(through(&peer, SA_FRAME_READER_DAEMON), SA_MALFORMED);
    assert_int_equal(through(&gone, SA_FRAME_READER_DAEMON), SA_MALFORMED);
    assert_int_equal(through(&peer, SA_FRAME_READER_GATEWAY), SA_OK);
    assert_int_equal(through(&gone, SA_FRAME_READER_GATEWAY), SA_OK);
}

static void
what_is_written_is_read_back(SA_UNUSED void **state)
{
    struct sa_frame frames[] = {
        {.kind = SA_FRAME_REQUEST, .call = UINT32_MAX, .millis = 600000, .name_len = 128, .body_len = 65536},
        {.kind = SA_FRAME_CANCEL, .call = 3},
        {.kind = SA_FRAME_REPLY, .status = 28, .call = 3, .millis = 250, .request_id = UINT64_MAX},
        {.kind = SA_FRAME_ITEM, .status = 1, .call = 1, .request_id = 1, .body_len = SA_FRAME_REPLY_MAX},
        {.kind = SA_FRAME_END, .status = 1, .call = 1, .request_id = 1},
    };

    for (size_t i = 0; i < SA_COUNT(frames); i++) {
        bool ours = frames[i].kind == SA_FRAME_REQUEST || frames[i].kind == SA_FRAME_CANCEL;
        assert_int_equal(through(&frames[i], ours ? SA_FRAME_READER_DAEMON : SA_FRAME_READER_CALLER), SA_OK);
    }
}

static void
a_header_is_true_to_the_byte(SA_UNUSED void **state)
{
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_frame asked = {
        .kind = SA_FRAME_REQUEST, .call = 9, .millis = 8000, .name_len = 5, .body_len = 7};
    struct sa_frame said = {.kind = SA_FRAME_REPLY, .status = 1, .call = 9, .body_len = 2};

    said.request_id = UINT64_C(0x0102030405060708);
    sa_frame_encode(&asked, header);
    assert_memory_equal(header, request, sizeof(header));
    sa_frame_encode(&said, header);
    assert_memory_equal(header, reply, sizeof(header));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_other_value_in_a_fixed_place_is_refused),
        cmocka_unit_test(limits_are_legal_and_one_more_is_not),
        cmocka_unit_test(peer_frames_are_read_from_a_gateway_only),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_header_is_true_to_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
