/* links: sa_call */
#include "stage.h"

#include <errno.h>
#include <sys/time.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

/* What is no answer. */

static void
play_hang(int fd)
{
    read_request(fd);
    pause_millis(20000);
}

static void
a_hung_daemon_costs_the_deadline_and_the_connection(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;

    start(stage, play_hang);
    SA_OWN(sa_connection) connection = connect_well(stage);
    int64_t before = now_ms();
    assert_int_equal(ask(stage, connection, 150, &error), SA_CONNECTION);
    assert_int_equal(error.os_error, ETIMEDOUT);
    assert_in_range(now_ms() - before, 149, 1000);
    assert_int_equal(ask(stage, connection, 150, &error),
                     SA_CONNECTION); /* the late answer is never read as this one's */
    assert_int_equal(error.os_error, EPIPE);
}

static void
play_trickle_for_ever(int fd)
{
    static const uint8_t header[] = {0, 0, 0, 29, 1, 2, 0, 1};

    read_request(fd);
    for (size_t i = 0; i < sizeof(header); i++) {
        write_all(fd, header + i, 1);
        pause_millis(50);
    }
    pause_millis(20000);
}

static void
a_trickling_daemon_gains_no_time(void **state)
{
    struct sa_call_error error;
    int64_t before = now_ms();

    assert_int_equal(ask_of(*state, play_trickle_for_ever, 200, &error), SA_CONNECTION);
    assert_in_range(now_ms() - before, 199, 1000);
}

static void
play_die(int fd)
{
    read_request(fd);
    write_all(fd, (const uint8_t *)"\0\0\0\x1d\x01\x02\0\x01", 8);
}

static void
a_daemon_that_dies_in_the_middle_is_a_failed_connection(void **state)
{
    struct sa_call_error error;

    assert_int_equal(ask_of(*state, play_die, 2000, &error), SA_CONNECTION);
    assert_int_equal(error.os_error, ECONNRESET);
}

static void
play_close_at_once(SA_UNUSED int fd)
{
}

static void
a_closed_connection_raises_no_signal(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;

    start(stage, play_close_at_once);
    SA_OWN(sa_connection) connection = connect_well(stage);
    waitpid(stage->child, NULL, 0);
    stage->child = 0;
    assert_int_equal(ask(stage, connection, 2000, &error), SA_CONNECTION);
    assert_int_equal(error.os_error, EPIPE);
}

/* Replies that are refused, all to the first call, whose number is 1. */
static void
play_garbage(int fd)
{
    read_request(fd);
    write_all(fd, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n", 46);
    pause_millis(20000);
}

static void
play_another_call(int fd)
{
    write_ok(fd, read_request(fd) + 1);
    pause_millis(20000);
}

static void
play_item(int fd)
{
    struct sa_frame frame = {.kind = SA_FRAME_ITEM, .status = SA_OK, .call = read_request(fd)};

    write_frame(fd, frame, "");
    pause_millis(20000);
}

static void
play_status_zero(int fd)
{
    read_request(fd);
    write_all(fd, (const uint8_t *)"\0\0\0\x1c\x01\x02\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
              32);
    pause_millis(20000);
}

static void
play_status_unknown(int fd)
{
    struct sa_frame frame = {.kind = SA_FRAME_REPLY, .status = 99, .call = read_request(fd)};

    write_frame(fd, frame, "");
    pause_millis(20000);
}

static void
play_local_status(int fd)
{
    struct sa_frame frame = {.kind = SA_FRAME_REPLY, .status = SA_NO_DAEMON, .call = read_request(fd)};

    write_frame(fd, frame, "");
    pause_millis(20000);
}

static void
play_bad_body(int fd)
{
    struct sa_frame frame = {
        .kind = SA_FRAME_REPLY, .status = SA_OK, .call = read_request(fd), .body_len = 4};

    write_frame(fd, frame, "\x08\x01\x08\x01"); /* accepted, twice */
    pause_millis(20000);
}

static void
play_bad_error(int fd)
{
    struct sa_frame frame = {
        .kind = SA_FRAME_REPLY, .status = SA_INVALID_GRANT, .call = read_request(fd), .body_len = 2};

    write_frame(fd, frame, "\x12\x09"); /* a message of nine bytes */
    pause_millis(20000);
}

static void
answers_that_are_not_legal_are_malformed_and_end_the_connection(void **state)
{
    static void (*const plays[])(int) = {
        play_garbage,        play_another_call, play_item,     play_status_zero,
        play_status_unknown, play_local_status, play_bad_body, play_bad_error,
    };
    struct stage *stage = *state;

    for (size_t i = 0; i < SA_COUNT(plays); i++) {
        struct sa_call_error error;
        start(stage, plays[i]);
        SA_OWN(sa_connection) connection = connect_well(stage);
        enum sa_status status = ask(stage, connection, 2000, &error);
        if (status != SA_MALFORMED)
            fail_msg("play %zu gives %d", i, (int)status);
        assert_string_equal(error.words, "the daemon's answer is malformed");
        assert_int_equal(ask(stage, connection, 2000, &error), SA_CONNECTION);
        assert_int_equal(error.os_error, EPIPE); /* at once */
        kill(stage->child, SIGKILL);
        waitpid(stage->child, NULL, 0);
        close(stage->listener);
        unlink(stage->path);
    }
    stage->child = 0;
    stage->listener = -1;
}

/* What is one. */

static void
play_bad_request(int fd)
{
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Protobuf__Any detail = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *details[] = {&detail};
    Google__Rpc__Status said = GOOGLE__RPC__STATUS__INIT;
    uint8_t packed[128], body[512];
    struct sa_frame frame = {.kind = SA_FRAME_REPLY, .status = SA_INVALID_ARGUMENT, .request_id = 77};
    char url[] = "type.googleapis.com/google.rpc.BadRequest", field[] = "tokens.scope",
         rule[] = "is too long";

    violation.field = field;
    violation.description = rule;
    bad.field_violations = violations;
    bad.n_field_violations = 1;
    detail.type_url = url;
    detail.value = (ProtobufCBinaryData){google__rpc__bad_request__pack(&bad, packed), packed};
    said.details = details;
    said.n_details = 1;
    frame.call = read_request(fd);
    frame.body_len = (uint32_t)google__rpc__status__pack(&said, body);
    write_frame(fd, frame, body);
}

static void
a_bad_request_names_the_field_and_the_rule(void **state)
{
    struct sa_call_error error;

    assert_int_equal(ask_of(*state, play_bad_request, 2000, &error), SA_INVALID_ARGUMENT);
    assert_string_equal(error.field, "tokens.scope");
    assert_string_equal(error.words, "tokens.scope: is too long");
    assert_int_equal(error.request_id, 77);
    assert_int_equal(error.os_error, 0);
}

static void
play_two_errors(int fd)
{
    struct sa_frame frame = {.kind = SA_FRAME_REPLY, .status = SA_OVERLOADED, .millis = 250, .request_id = 8};

    frame.call = read_request(fd);
    write_frame(fd, frame, "");
    frame = (struct sa_frame){.kind = SA_FRAME_REPLY, .status = SA_INVALID_GRANT, .request_id = 9};
    frame.call = read_request(fd);
    frame.body_len = 6;
    write_frame(fd, frame, "\x08\x10\x12\x02no");
    write_ok(fd, read_request(fd));
}

static void
an_error_has_words_an_id_and_a_retry_delay_and_the_connection_goes_on(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;

    start(stage, play_two_errors);
    SA_OWN(sa_connection) connection = connect_well(stage);
    assert_int_equal(ask(stage, connection, 2000, &error), SA_OVERLOADED);
    assert_string_equal(error.words, "the daemon is busy");
    assert_int_equal(error.retry_ms, 250);
    assert_int_equal(error.request_id, 8);
    assert_int_equal(ask(stage, connection, 2000, &error), SA_INVALID_GRANT);
    assert_string_equal(error.words, "no");
    assert_int_equal(error.retry_ms, 0);
    assert_int_equal(error.request_id, 9);
    assert_int_equal(ask(stage, connection, 2000, &error), SA_OK);
}

static void
play_once(int fd)
{
    write_ok(fd, read_request(fd));
}

static void
a_request_over_the_limit_is_not_sent(void **state)
{
    static uint8_t token[SA_FRAME_REQUEST_MAX];
    struct stage *stage = *state;
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    struct sa_call_error error;

    start(stage, play_once);
    SA_OWN(sa_connection) connection = connect_well(stage);
    request.token = (ProtobufCBinaryData){sizeof(token), token};
    assert_int_equal(sa_call(connection, NAME, &request.base, REPLY, 2000, stage->arena, &reply, &error),
                     SA_TOO_LARGE);
    assert_int_equal(ask(stage, connection, 2000, &error),
                     SA_OK); /* nothing was sent, so nothing is broken */
}

static void
an_arena_that_is_too_small_is_no_memory_and_no_grant(void **state)
{
    struct stage *stage = *state;
    struct sa_call_error error;

    sa_arena_free(stage->arena);
    stage->arena = sa_arena_new(16);
    assert_int_equal(ask_of(stage, play_once, 2000, &error), SA_NO_MEMORY);
}

static void
play_byte_by_byte(int fd)
{
    static uint8_t request[SA_FRAME_HEADER_LEN + sizeof(NAME) - 1 + SA_FRAME_REQUEST_MAX];
    struct sa_frame frame = {.kind = SA_FRAME_REPLY, .status = SA_OK, .call = 1, .body_len = 2};
    uint8_t reply[SA_FRAME_HEADER_LEN + 2];
    int small = 4096;

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    pause_millis(50);
    read_all(fd, request, sizeof(request));
    sa_frame_encode(&frame, reply);
    memcpy(reply + SA_FRAME_HEADER_LEN, "\x08\x01", 2);
    for (size_t i = 0; i < sizeof(reply); i++) {
        write_all(fd, reply + i, 1);
        pause_millis(2);
    }
}

static void
on_alarm(SA_UNUSED int signal)
{
}

static void
the_largest_request_and_a_reply_in_pieces_survive_signals(void **state)
{
    static uint8_t token[SA_FRAME_REQUEST_MAX - 4];
    struct stage *stage = *state;
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;
    struct sa_call_error error;
    struct sigaction action = {.sa_handler = on_alarm}, before;
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};

    start(stage, play_byte_by_byte);
    SA_OWN(sa_connection) connection = connect_well(stage);
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    request.token = (ProtobufCBinaryData){sizeof(token), token};
    enum sa_status status =
        sa_call(connection, NAME, &request.base, REPLY, 5000, stage->arena, &reply, &error);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    assert_int_equal(status, SA_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hung_daemon_costs_the_deadline_and_the_connection),
        TEST(a_trickling_daemon_gains_no_time),
        TEST(a_daemon_that_dies_in_the_middle_is_a_failed_connection),
        TEST(a_closed_connection_raises_no_signal),
        TEST(answers_that_are_not_legal_are_malformed_and_end_the_connection),
        TEST(a_bad_request_names_the_field_and_the_rule),
        TEST(an_error_has_words_an_id_and_a_retry_delay_and_the_connection_goes_on),
        TEST(a_request_over_the_limit_is_not_sent),
        TEST(an_arena_that_is_too_small_is_no_memory_and_no_grant),
        TEST(the_largest_request_and_a_reply_in_pieces_survive_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
