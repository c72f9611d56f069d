/* links: sa_gateway */
/* The connection to the daemon, against a daemon played by the test itself. Needs root: only root's socket
 * will do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/frame.h"
#include "service/gateway/upstream.h"

#define CALLS_MAX 4

struct stage {
    char folder[32], path[48];
    int listener, daemon; /* the daemon's end */
    struct sa_loop *loop;
    struct sa_upstream *upstream;
    struct sa_peer *peer;
    struct sa_loop_timer bell;
    unsigned replies, items, held;
    struct sa_upstream_reply last; /* its body is freed */
    bool connected;
};

static void
ring(struct sa_loop_timer *bell)
{
    sa_loop_stop(((struct stage *)((char *)bell - offsetof(struct stage, bell)))->loop);
}

static void
run(struct stage *stage, int64_t ms)
{
    stage->bell.due = ring;
    sa_loop_arm(stage->loop, &stage->bell, ms);
    sa_loop_run(stage->loop);
}

static void
on_reply(void *user, const struct sa_upstream_reply *reply)
{
    struct stage *stage = user;

    stage->replies++;
    stage->last = *reply;
    free(reply->body);
}

static void
on_state(void *user, bool connected)
{
    ((struct stage *)user)->connected = connected;
}

static void
listen_as_daemon(struct stage *stage)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    memcpy(name.sun_path, stage->path, strlen(stage->path) + 1);
    stage->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stage->listener, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(stage->listener, 8), 0);
}

static int
set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    struct sa_front_peer facts = {.descriptor = -1, .address = "192.0.2.1"};

    strcpy(stage->folder, "/tmp/upstream.XXXXXX");
    if (getuid() != 0 || mkdtemp(stage->folder) == NULL)
        return -1;
    snprintf(stage->path, sizeof(stage->path), "%s/socket", stage->folder);
    stage->loop = sa_loop_new();
    stage->peer = sa_peer_new(&facts);
    stage->upstream = sa_upstream_new(stage->loop, stage->path, CALLS_MAX, on_state, stage);
    *state = stage;
    return 0;
}

static void
connect_daemon(struct stage *stage)
{
    listen_as_daemon(stage);
    run(stage, 20);
    assert_true(stage->connected);
    stage->daemon = accept(stage->listener, NULL, NULL);
    assert_true(stage->daemon >= 0);
}

static int
tear_down(void **state)
{
    struct stage *stage = *state;

    sa_upstream_free(stage->upstream);
    sa_peer_unref(stage->peer);
    sa_loop_free(stage->loop);
    close(stage->daemon);
    close(stage->listener);
    unlink(stage->path);
    rmdir(stage->folder);
    free(stage);
    return 0;
}

static enum sa_status
start(struct stage *stage, struct sa_bytes body, uint32_t millis, uint32_t *ret_call)
{
    struct sa_upstream_request request = {.name = "a.B/C",
                                          .millis = millis,
                                          .peer = stage->peer,
                                          .body = body,
                                          .on_reply = on_reply,
                                          .user = stage};

    return sa_upstream_start(stage->upstream, &request, ret_call);
}

/* Read as the daemon, while the gateway's side goes on. */
static void
receive(struct stage *stage, uint8_t *bytes, size_t len)
{
    for (int tries = 0; len > 0 && tries < 1000; tries++) {
        ssize_t got = recv(stage->daemon, bytes, len, MSG_DONTWAIT);
        if (got > 0) {
            bytes += got;
            len -= (size_t)got;
        } else {
            run(stage, 1);
        }
    }
    assert_int_equal(len, 0);
}

/* The next frame that the daemon gets; its name and body are thrown away. */
static struct sa_frame
get(struct stage *stage)
{
    uint8_t header[SA_FRAME_HEADER_LEN], rest[SA_FRAME_REQUEST_MAX + SA_FRAME_NAME_MAX];
    struct sa_frame frame;
    const char *rule;

    receive(stage, header, sizeof(header));
    assert_int_equal(sa_frame_decode(header, SA_FRAME_READER_GATEWAY, &frame, &rule), SA_OK);
    receive(stage, rest, frame.name_len + frame.body_len);
    return frame;
}

static void
put(struct stage *stage, uint32_t call, uint16_t status)
{
    struct sa_frame frame = {.kind = SA_FRAME_REPLY, .status = status, .call = call, .request_id = 1};
    uint8_t header[SA_FRAME_HEADER_LEN];

    sa_frame_encode(&frame, header);
    assert_int_equal(send(stage->daemon, header, sizeof(header), 0), sizeof(header));
}

/* A frame of a stream, with a body of so many bytes. */
static void
put_streamed(struct stage *stage, enum sa_frame_kind kind, uint32_t call, enum sa_status status,
             uint32_t body_len)
{
    struct sa_frame frame = {
        .kind = kind, .status = (uint16_t)status, .call = call, .request_id = 1, .body_len = body_len};
    uint8_t bytes[SA_FRAME_HEADER_LEN + 16] = {0};
    size_t len = SA_FRAME_HEADER_LEN + body_len;

    sa_frame_encode(&frame, bytes);
    assert_int_equal(send(stage->daemon, bytes, len, 0), len);
}

static void
without_a_daemon_nothing_is_started(void **state)
{
    struct stage *stage = *state;
    uint32_t call;

    run(stage, 20);
    assert_false(stage->connected);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_NO_DAEMON);
    stage->daemon = stage->listener = -1;
}

static void
a_peer_is_announced_once_and_never_after_it_is_gone(void **state)
{
    struct stage *stage = *state;
    uint32_t call;

    connect_daemon(stage);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    assert_int_equal(get(stage).kind, SA_FRAME_PEER);
    assert_int_equal(get(stage).kind, SA_FRAME_REQUEST);
    assert_int_equal(get(stage).kind, SA_FRAME_REQUEST);
    sa_upstream_peer_gone(stage->upstream, stage->peer);
    assert_int_equal(get(stage).kind, SA_FRAME_PEER_GONE);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_CANCELLED);
}

static void
one_call_too_many_is_refused_and_each_number_is_new(void **state)
{
    struct stage *stage = *state;
    uint32_t calls[CALLS_MAX + 1], again;

    connect_daemon(stage);
    for (int i = 0; i < CALLS_MAX; i++) {
        assert_int_equal(start(stage, sa_bytes(NULL, 0), 1000, &calls[i]), SA_OK);
        assert_int_not_equal(calls[i], 0);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(calls[i], calls[k]);
    }
    assert_int_equal(start(stage, sa_bytes(NULL, 0), 1000, &again), SA_OVERLOADED);
    put(stage, calls[2], SA_OK);
    run(stage, 10);
    assert_int_equal(stage->replies, 1);
    assert_int_equal(start(stage, sa_bytes(NULL, 0), 1000, &again), SA_OK);
    assert_int_not_equal(again, calls[2]);
}

static void
a_reply_to_a_call_that_was_given_up_meets_nobody(void **state)
{
    struct stage *stage = *state;
    uint32_t call, next;

    connect_daemon(stage);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    assert_true(sa_upstream_cancel(stage->upstream, call));
    assert_false(sa_upstream_cancel(stage->upstream, call));
    assert_int_equal(start(stage, sa_bytes("y", 1), 1000, &next), SA_OK);
    put(stage, call, SA_OK);
    run(stage, 10);
    assert_int_equal(stage->replies, 0);
    put(stage, next, SA_INVALID_GRANT);
    run(stage, 10);
    assert_int_equal(stage->replies, 1);
    assert_int_equal(stage->last.status, SA_INVALID_GRANT);
}

static void
a_status_that_means_nothing_is_no_grant(void **state)
{
    struct stage *stage = *state;
    uint32_t call;

    connect_daemon(stage);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    put(stage, call, 65535);
    run(stage, 10);
    assert_int_equal(stage->last.status, SA_MALFORMED);
}

static void
a_daemon_that_breaks_a_rule_loses_the_connection_and_every_call_is_answered(void **state)
{
    struct stage *stage = *state;
    uint8_t garbage[SA_FRAME_HEADER_LEN] = {0xff};
    uint32_t call;

    connect_daemon(stage);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    assert_int_equal(send(stage->daemon, garbage, sizeof(garbage), 0), sizeof(garbage));
    run(stage, 10);
    assert_int_equal(stage->replies, 2);
    assert_int_equal(stage->last.status, SA_CONNECTION);
    assert_false(stage->connected);
    close(stage->daemon);
    run(stage, 500); /* it comes back, and the peer is announced anew */
    stage->daemon = accept(stage->listener, NULL, NULL);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1000, &call), SA_OK);
    assert_int_equal(get(stage).kind, SA_FRAME_PEER);
}

static void
a_daemon_that_does_not_read_fills_no_memory(void **state)
{
    static const uint8_t body[SA_FRAME_REQUEST_MAX];
    struct stage *stage = *state;
    uint32_t call;
    unsigned sent = 0;
    struct sa_frame frame;

    connect_daemon(stage);
    while (start(stage, sa_bytes(body, sizeof(body)), 1000, &call) == SA_OK) {
        assert_true(sa_upstream_cancel(stage->upstream, call)); /* the slot is free, the bytes wait */
        assert_true(++sent < 100);
    }
    assert_true(sent > 10);
    for (unsigned i = 0; i < sent;) { /* once it reads, all of it comes, in order */
        frame = get(stage);
        i += frame.kind == SA_FRAME_CANCEL;
    }
    assert_int_equal(start(stage, sa_bytes(body, sizeof(body)), 1000, &call), SA_OK);
}

static void
a_call_whose_time_is_up_is_answered_here(void **state)
{
    struct stage *stage = *state;
    uint32_t call;

    connect_daemon(stage);
    assert_int_equal(start(stage, sa_bytes("x", 1), 1, &call), SA_OK);
    run(stage, 1100);
    assert_int_equal(stage->replies, 1);
    assert_int_equal(stage->last.status, SA_DEADLINE);
    assert_int_equal(get(stage).kind, SA_FRAME_PEER);
    assert_int_equal(get(stage).kind, SA_FRAME_REQUEST);
    assert_int_equal(get(stage).kind, SA_FRAME_CANCEL);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void
hold(void *user)
{
    ((struct stage *)user)->held++;
}

static void
on_item(void *user, uint8_t *body, size_t len)
{
    struct stage *stage = user;

    assert_int_equal(stage->held, ++stage->items);
    assert_int_equal(len, 4);
    free(body);
}

static void
a_stream_has_items_past_its_time_and_one_end(void **state)
{
    struct stage *stage = *state;
    struct sa_upstream_request request = {.name = "a.B/C",
                                          .millis = 500,
                                          .peer = stage->peer,
                                          .on_reply = on_reply,
                                          .on_item = on_item,
                                          .hold = hold,
                                          .user = stage};
    uint32_t call;

    connect_daemon(stage);
    assert_int_equal(sa_upstream_start(stage->upstream, &request, &call), SA_OK);
    put_streamed(stage, SA_FRAME_ITEM, call, SA_OK, 4);
    run(stage, 1200); /* the sweep finds nothing that is late */
    put_streamed(stage, SA_FRAME_ITEM, call, SA_OK, 4);
    put_streamed(stage, SA_FRAME_END, call, SA_SLOW_READER, 0);
    put_streamed(stage, SA_FRAME_ITEM, call, SA_OK, 4); /* after its end: nobody's */
    run(stage, 20);
    assert_int_equal(stage->items, 2);
    assert_int_equal(stage->replies, 1);
    assert_int_equal(stage->last.status, SA_SLOW_READER);
    assert_false(sa_upstream_cancel(stage->upstream, call));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(without_a_daemon_nothing_is_started),
        STAGED(a_peer_is_announced_once_and_never_after_it_is_gone),
        STAGED(one_call_too_many_is_refused_and_each_number_is_new),
        STAGED(a_reply_to_a_call_that_was_given_up_meets_nobody),
        STAGED(a_status_that_means_nothing_is_no_grant),
        STAGED(a_daemon_that_breaks_a_rule_loses_the_connection_and_every_call_is_answered),
        STAGED(a_daemon_that_does_not_read_fills_no_memory),
        STAGED(a_call_whose_time_is_up_is_answered_here),
        STAGED(a_stream_has_items_past_its_time_and_one_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
