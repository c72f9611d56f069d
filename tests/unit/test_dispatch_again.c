/* links: sa_rpc */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "secauth/v1/token.pb-c.h"
#include "service/rpc/dispatch.h"

/* A step that cannot say yet, and one that settles, in a dispatch of its own; the transport's part is played.
 */
static struct {
    struct sa_dispatch *dispatch;
    struct sa_exchange *put_off;
    struct sa_exchange *done;
    sem_t is_back;
    unsigned runs;
    pthread_t thread; /* of the last run */
    bool never;       /* can it say */
    bool takes;       /* something, so that the next step settles it; its time is up by then */
} stage;

static enum sa_status
settle(SA_UNUSED struct sa_call *call)
{
    stage.runs++;
    return SA_NOT_FOUND;
}

static enum sa_status
begin_it(struct sa_call *call)
{
    if (stage.takes) {
        call->deadline_boot_ms = 0;
        return sa_call_settle(call, SA_LANE_STORE, settle);
    }
    stage.thread = pthread_self();
    return ++stage.runs < 3 || stage.never ? sa_call_again(call, 5) : SA_NOT_FOUND;
}

static const struct sa_method method = {
    .name = "again",
    .where = SA_VIA_ROOT,
    .who = SA_CALLER_ANY,
    .source = SA_SOURCE_PEER,
    .lane = SA_LANE_HASH,
    .max_request = 300,
    .request_type = &secauth__v1__revoke_token_request__descriptor,
    .response_type = &secauth__v1__revoke_token_response__descriptor,
    .handler = begin_it,
};

static const struct sa_method *
find(SA_UNUSED struct sa_bytes name)
{
    return &method;
}

static void
done(struct sa_exchange *exchange)
{
    stage.done = exchange;
    sem_post(&stage.is_back);
}

static void
resume(struct sa_exchange *exchange)
{
    stage.put_off = exchange;
    sem_post(&stage.is_back);
}

static void
begin(uint32_t millis)
{
    const struct sa_caller root = {.via = SA_VIA_ROOT, .standing = SA_CALLER_ROOT, .has_uid = true};
    struct sa_frame frame = {.kind = SA_FRAME_REQUEST, .call = 7, .millis = millis};
    struct sa_incoming incoming = {.caller = &root, .frame = &frame, .name = sa_bytes_of("again")};
    struct sa_exchange *exchange = sa_exchange_new(stage.dispatch);

    assert_non_null(exchange);
    sa_dispatch_call(exchange, &incoming);
}

static int
set_up(SA_UNUSED void **state)
{
    static struct sa_conf conf = {.secauthd_store_threads = 1, .secauthd_store_queue = 16};
    struct sa_dispatch_options options = {
        .conf = &conf, .find = find, .hash_threads = 1, .hash_queue = 4, .done = done, .resume = resume};

    memset(&stage, 0, sizeof(stage));
    sem_init(&stage.is_back, 0, 0);
    stage.dispatch = sa_dispatch_new(&options);
    return stage.dispatch != NULL ? 0 : -1;
}

static int
tear_down(SA_UNUSED void **state)
{
    sa_dispatch_free(stage.dispatch);
    return 0;
}

/* ---- tests ---- */

static void
a_step_that_is_put_off_past_the_deadline_is_answered_not_run(SA_UNUSED void **state)
{
    stage.never = true;
    begin(8000);
    sem_wait(&stage.is_back);
    stage.put_off->call.deadline_boot_ms = 0;
    sa_dispatch_resume(stage.put_off);
    sem_wait(&stage.is_back);
    assert_int_equal(stage.done->answer.status, SA_DEADLINE);
    assert_int_equal(stage.runs, 1);
    sa_exchange_end(stage.done);
}

static void
a_step_that_is_put_off_runs_again_on_its_lane(SA_UNUSED void **state)
{
    begin(8000);
    for (unsigned i = 1; i <= 2; i++) {
        sem_wait(&stage.is_back);
        assert_null(stage.done);
        assert_int_equal(stage.runs, i);
        assert_true(stage.put_off->call.again_boot_ms > stage.put_off->call.now.boot_ms);
        sa_dispatch_resume(stage.put_off);
    }
    sem_wait(&stage.is_back);
    assert_int_equal(stage.done->answer.status, SA_NOT_FOUND);
    assert_int_equal(stage.runs, 3);
    assert_false(pthread_equal(stage.thread, pthread_self()));
    sa_exchange_end(stage.done);
}

static void
a_step_that_settles_runs_past_the_deadline(SA_UNUSED void **state)
{
    stage.takes = true;
    begin(8000);
    sem_wait(&stage.is_back);
    assert_int_equal(stage.done->answer.status, SA_NOT_FOUND);
    assert_int_equal(stage.runs, 1);
    sa_exchange_end(stage.done);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_step_that_is_put_off_past_the_deadline_is_answered_not_run),
        TEST(a_step_that_is_put_off_runs_again_on_its_lane),
        TEST(a_step_that_settles_runs_past_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
