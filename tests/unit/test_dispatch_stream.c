/* links: sa_rpc */
/* Streams in dispatch, without a transport: the test resumes what is paused, and looks at what would be sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "secauth/v1/token.pb-c.h"
#include "service/rpc/reply.h"

static struct {
    struct sa_buckets *buckets;
    struct sa_dispatch *dispatch;
    struct sa_bell bell;
    enum sa_status room; /* what admit_stream says */
    struct sa_exchange *paused;
    struct sa_exchange *done;
    unsigned steps;
} stage;

/* ---- methods ---- */

struct counter {
    unsigned left;
};

static enum sa_status
count_down(struct sa_call *call)
{
    Secauth__V1__RevokeTokenResponse message = SECAUTH__V1__REVOKE_TOKEN_RESPONSE__INIT;
    struct counter *counter = call->state;

    stage.steps++;
    assert_null(call->request); /* it may hold a secret */
    message.accepted = true;
    if (counter->left == 0)
        return sa_call_wait(call, &stage.bell, sa_bell_rings(&stage.bell), INT64_MAX, SA_LANE_INLINE,
                            count_down);
    counter->left--;
    return sa_call_item(call, &message.base, SA_LANE_INLINE, count_down);
}

static enum sa_status
begin_counting(struct sa_call *call)
{
    struct counter counter = {2};
    enum sa_status status = sa_call_keep(call, &counter, sizeof(counter));

    return status == SA_OK ? count_down(call) : status;
}

static enum sa_status
refuse_at_once(SA_UNUSED struct sa_call *call)
{
    return SA_INVALID_CLIENT;
}

static enum sa_status
end_well(SA_UNUSED struct sa_call *call)
{
    return SA_OK;
}

#define ROW(name_, handler_)                                                                                 \
    {                                                                                                        \
        .name = (name_), .where = 15, .who = SA_CALLER_GATEWAY, .source = SA_SOURCE_PEER,                    \
        .lane = SA_LANE_INLINE, .max_request = 300, .streams = true,                                         \
        .request_type = &secauth__v1__revoke_token_request__descriptor,                                      \
        .response_type = &secauth__v1__revoke_token_response__descriptor, .handler = (handler_)              \
    }

static const struct sa_method methods[] = {
    ROW("count", begin_counting),
    ROW("refuse", refuse_at_once),
    ROW("end", end_well),
};

static const struct sa_method *
find(struct sa_bytes name)
{
    for (unsigned i = 0; i < SA_COUNT(methods); i++)
        if (sa_bytes_equal(sa_bytes_of(methods[i].name), name))
            return &methods[i];
    return NULL;
}

/* ---- calls ---- */

static void
done(struct sa_exchange *exchange)
{
    stage.done = exchange;
}

static void
resume(struct sa_exchange *exchange)
{
    stage.paused = exchange;
}

static enum sa_status
admit(SA_UNUSED struct sa_exchange *exchange)
{
    return stage.room;
}

static int
set_up(SA_UNUSED void **state)
{
    static const struct sa_conf conf = {
        .secauthd_store_threads = 1, .secauthd_store_queue = 4, .secauthd_connections = 16};
    struct sa_dispatch_options options = {.conf = &conf,
                                          .find = find,
                                          .hash_threads = 1,
                                          .hash_queue = 4,
                                          .done = done,
                                          .resume = resume,
                                          .admit_stream = admit};

    memset(&stage, 0, sizeof(stage));
    stage.room = SA_OK;
    stage.buckets = sa_buckets_new(100, 60000);
    options.buckets = stage.buckets;
    stage.dispatch = sa_dispatch_new(&options);
    return stage.dispatch == NULL ? -1 : 0;
}

static int
tear_down(SA_UNUSED void **state)
{
    if (stage.done != NULL)
        sa_exchange_end(stage.done);
    sa_dispatch_free(stage.dispatch);
    sa_buckets_free(stage.buckets);
    return 0;
}

static void
begin(const char *name)
{
    static const struct sa_caller root = {.via = SA_VIA_ROOT, .standing = SA_CALLER_ROOT, .has_uid = true};
    struct sa_frame frame = {.kind = SA_FRAME_REQUEST, .call = 7, .millis = 1000};
    struct sa_exchange *exchange = sa_exchange_new(stage.dispatch);
    struct sa_incoming incoming = {.caller = &root, .frame = &frame, .name = sa_bytes_of(name)};

    assert_non_null(exchange);
    sa_dispatch_call(exchange, &incoming);
}

static struct sa_frame
header_of(const struct sa_answer *answer)
{
    struct sa_frame frame;
    const char *rule;

    assert_int_equal(sa_frame_decode(answer->header, SA_FRAME_READER_CALLER, &frame, &rule), SA_OK);
    assert_int_equal(frame.call, 7);
    return frame;
}

static void
expect_end(enum sa_status status)
{
    assert_non_null(stage.done);
    struct sa_frame end = header_of(&stage.done->answer);
    assert_int_equal(end.kind, SA_FRAME_END);
    assert_int_equal(end.status, status);
}

/* The item that is to be sent, taken from a paused stream as the transport does. */
static void
take_item(void)
{
    assert_non_null(stage.paused);
    struct sa_answer *item = stage.paused->call.item;
    assert_non_null(item);
    struct sa_frame frame = header_of(item);
    assert_int_equal(frame.kind, SA_FRAME_ITEM);
    assert_int_equal(frame.status, SA_OK);
    assert_int_equal(item->body.len, 2);
    assert_memory_equal(item->body.data, "\x08\x01", 2);
    stage.paused->call.item = NULL;
    sa_answer_free(item);
}

static void
go_on(void)
{
    struct sa_exchange *paused = stage.paused;

    stage.paused = NULL;
    sa_dispatch_resume(paused);
}

/* ---- tests ---- */

static void
a_refusal_is_an_end_without_items(SA_UNUSED void **state)
{
    begin("refuse");
    assert_null(stage.paused);
    expect_end(SA_INVALID_CLIENT);
}

static void
without_room_no_step_runs(SA_UNUSED void **state)
{
    stage.room = SA_OVERLOADED;
    begin("count");
    assert_int_equal(stage.steps, 0);
    expect_end(SA_OVERLOADED);
}

static void
while_the_daemon_stops_it_is_an_end_too(SA_UNUSED void **state)
{
    sa_dispatch_close(stage.dispatch);
    begin("count");
    expect_end(SA_SHUTTING_DOWN);
}

static void
no_stream_ends_because_it_is_done(SA_UNUSED void **state)
{
    begin("end");
    expect_end(SA_INTERNAL);
}

static void
a_step_runs_when_the_item_before_it_has_left(SA_UNUSED void **state)
{
    begin("count");
    for (unsigned i = 1; i <= 2; i++) {
        take_item();
        assert_int_equal(stage.steps, i);
        go_on();
    }
    assert_null(stage.paused->call.item); /* it waits */
    assert_ptr_equal(stage.paused->call.bell, &stage.bell);
    assert_int_equal(stage.paused->call.heard, sa_bell_rings(&stage.bell));
    assert_null(stage.done);
    sa_dispatch_end(stage.paused, SA_SLOW_READER);
    expect_end(SA_SLOW_READER);
}

static void
what_was_not_sent_goes_with_the_stream(SA_UNUSED void **state)
{
    begin("count");
    assert_non_null(stage.paused->call.item);
    sa_exchange_end(stage.paused); /* the sanitizers look for what is left */
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED(a_refusal_is_an_end_without_items),
        STAGED(without_room_no_step_runs),
        STAGED(while_the_daemon_stops_it_is_an_end_too),
        STAGED(no_stream_ends_because_it_is_done),
        STAGED(a_step_runs_when_the_item_before_it_has_left),
        STAGED(what_was_not_sent_goes_with_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
