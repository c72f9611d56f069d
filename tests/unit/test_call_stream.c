/* links: sa_call */
/* Streams of client/call.h, whatever the daemon sends; the messages are RevokeToken's, for want of smaller
 * ones. */
#include "stage.h"

#include <errno.h>
#include <poll.h>

static void
send_item(int fd, uint32_t call)
{
    struct sa_frame frame = {
        .kind = SA_FRAME_ITEM, .status = SA_OK, .call = call, .request_id = 5, .body_len = 2};

    write_frame(fd, frame, "\x08\x01");
}

static void
send_end(int fd, uint32_t call, enum sa_frame_kind kind, enum sa_status status)
{
    write_frame(
        fd, (struct sa_frame){.kind = kind, .status = (uint16_t)status, .call = call, .request_id = 5}, "");
}

static struct sa_connection *
follow(struct stage *stage, void (*play)(int fd))
{
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;

    start(stage, play);
    struct sa_connection *connection = connect_well(stage);
    assert_int_equal(sa_call_stream(connection, NAME, &request.base, 2000, NULL), SA_OK);
    return connection;
}

static enum sa_status
next(struct stage *stage, struct sa_connection *connection, uint32_t millis, struct sa_call_error *ret_error)
{
    ProtobufCMessage *item = NULL;
    enum sa_status status = sa_call_next(connection, REPLY, millis, stage->arena, &item, ret_error);

    assert_int_equal(status == SA_OK, item != NULL);
    if (item != NULL)
        assert_true(((Secauth__V1__RevokeTokenResponse *)item)->accepted);
    return status;
}

/* What is no message of this stream. */

static void
play_reply(int fd)
{
    write_ok(fd, read_request(fd));
    pause_millis(20000);
}

static void
play_item_of_another(int fd)
{
    send_item(fd, read_request(fd) + 1);
    pause_millis(20000);
}

static void
play_item_that_failed(int fd)
{
    send_end(fd, read_request(fd), SA_FRAME_ITEM, SA_INTERNAL);
    pause_millis(20000);
}

static void
play_end_that_is_well(int fd)
{
    send_end(fd, read_request(fd), SA_FRAME_END, SA_OK);
    pause_millis(20000);
}

static void
what_is_no_message_of_the_stream_ends_it(void **state)
{
    static void (*const plays[])(int fd) = {play_reply, play_item_of_another, play_item_that_failed,
                                            play_end_that_is_well};
    struct sa_call_error error;

    for (size_t i = 0; i < SA_COUNT(plays); i++) {
        struct stage *stage = *state;
        SA_OWN(sa_connection) connection = follow(stage, plays[i]);
        assert_int_equal(next(stage, connection, 2000, &error), SA_MALFORMED);
        assert_int_equal(next(stage, connection, 2000, &error), SA_CONNECTION);
        assert_int_equal(error.os_error, EPIPE);
        if (i + 1 < SA_COUNT(plays))
            assert_int_equal(tear_down(state) + set_up(state), 0);
    }
}

static void
play_die_in_an_item(int fd)
{
    static const uint8_t header[] = {0, 0, 0, 30, 1, 3, 0, 1};

    send_item(fd, read_request(fd));
    write_all(fd, header, sizeof(header));
}

static void
a_daemon_that_dies_is_a_failed_connection(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;
    SA_OWN(sa_connection) connection = follow(stage, play_die_in_an_item);

    assert_int_equal(next(stage, connection, 2000, &error), SA_OK);
    assert_int_equal(next(stage, connection, 2000, &error), SA_CONNECTION);
    assert_int_equal(error.os_error, ECONNRESET);
}

static void
play_refuse(int fd)
{
    send_end(fd, read_request(fd), SA_FRAME_END, SA_OUT_OF_RANGE);
    pause_millis(20000);
}

static void
play_without_streams(int fd)
{
    send_end(fd, read_request(fd), SA_FRAME_REPLY, SA_UNIMPLEMENTED);
    pause_millis(20000);
}

static void
a_refusal_is_what_comes_first(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;
    SA_OWN(sa_connection) connection = follow(stage, play_refuse);

    assert_int_equal(next(stage, connection, 2000, &error), SA_OUT_OF_RANGE);
    assert_string_equal(error.words, sa_status_row(SA_OUT_OF_RANGE)->words);
    assert_int_equal(error.request_id, 5);
}

static void
a_daemon_that_has_no_such_stream_says_so_in_a_reply(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;
    SA_OWN(sa_connection) connection = follow(stage, play_without_streams);

    assert_int_equal(next(stage, connection, 2000, &error), SA_UNIMPLEMENTED);
}

/* What is one. */

static void
play_slowly(int fd)
{
    uint32_t call = read_request(fd);

    send_item(fd, call);
    pause_millis(1000);
    send_item(fd, call);
    send_end(fd, call, SA_FRAME_END, SA_SLOW_READER);
    pause_millis(20000);
}

static void
silence_is_no_end(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;
    SA_OWN(sa_connection) connection = follow(stage, play_slowly);
    struct pollfd readable = {.fd = sa_connection_fd(connection), .events = POLLIN};

    assert_int_equal(poll(&readable, 1, 2000), 1);
    assert_int_equal(next(stage, connection, 2000, &error), SA_OK);
    assert_int_equal(next(stage, connection, 20, &error), SA_DEADLINE);
    assert_int_equal(error.os_error, ETIMEDOUT);
    assert_int_equal(next(stage, connection, 2000, &error), SA_OK);
    assert_int_equal(next(stage, connection, 2000, &error), SA_SLOW_READER);
    assert_int_equal(next(stage, connection, 2000, &error), SA_CONNECTION); /* it is over */
}

static void
the_connection_is_the_streams(void **state)
{
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    struct stage *stage = *state;
    struct sa_call_error error;
    SA_OWN(sa_connection) connection = follow(stage, play_slowly);

    assert_int_equal(ask(stage, connection, 2000, &error), SA_CONNECTION);
    assert_int_equal(sa_call_stream(connection, NAME, &request.base, 2000, &error), SA_CONNECTION);
    assert_int_equal(next(stage, connection, 2000, &error), SA_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_no_message_of_the_stream_ends_it),
        TEST(a_daemon_that_dies_is_a_failed_connection),
        TEST(a_refusal_is_what_comes_first),
        TEST(a_daemon_that_has_no_such_stream_says_so_in_a_reply),
        TEST(silence_is_no_end),
        TEST(the_connection_is_the_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
