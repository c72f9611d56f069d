/* links: sa_rpc */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <semaphore.h>
#include <sched.h>
#include <cmocka.h>

#include "service/rpc/lanes.h"

#define JOBS_MAX 64

/* A lane of one thread that a first job keeps busy, so that a test can fill the queue and then look at the
 * order. */
struct stage {
    struct sa_lane_queue *lane;
    struct task {
        struct sa_job job;
        struct stage *stage;
        bool expired;
    } tasks[JOBS_MAX];
    unsigned count;
    struct task *order[JOBS_MAX];
    atomic_uint ran;
    sem_t busy;
    sem_t go_on;
};

static void
run_task(struct sa_job *job, bool expired)
{
    struct task *task = (struct task *)(void *)job;

    task->expired = expired;
    task->stage->order[task->stage->ran] = task; /* one thread; whoever sees the count sees this */
    task->stage->ran++;
}

static void
run_first(struct sa_job *job, SA_UNUSED bool expired)
{
    struct stage *stage = ((struct task *)(void *)job)->stage;

    sem_post(&stage->busy);
    sem_wait(&stage->go_on);
}

static enum sa_status
submit(struct stage *stage, const char *source, bool kept, int64_t deadline_boot_ms)
{
    struct task *task = &stage->tasks[stage->count];

    task->stage = stage;
    task->job = (struct sa_job){
        .source = source, .kept = kept, .deadline_boot_ms = deadline_boot_ms, .run = run_task};
    enum sa_status status = sa_lane_submit(stage->lane, &task->job);
    stage->count += status == SA_OK ? 1 : 0;
    return status;
}

static void
submit_many(struct stage *stage, const char *source, unsigned count)
{
    while (count-- > 0)
        assert_int_equal(submit(stage, source, false, INT64_MAX), SA_OK);
}

static void
set_up(struct stage *stage, unsigned queue, bool reserve)
{
    struct sa_lane_options options = {.name = "hash", .threads = 1, .queue = queue, .reserve = reserve};

    memset(stage, 0, sizeof(*stage));
    sem_init(&stage->busy, 0, 0);
    sem_init(&stage->go_on, 0, 0);
    stage->lane = sa_lane_start(&options);
    assert_non_null(stage->lane);
    stage->tasks[0].stage = stage;
    stage->tasks[0].job = (struct sa_job){.source = "first", .deadline_boot_ms = INT64_MAX, .run = run_first};
    assert_int_equal(sa_lane_submit(stage->lane, &stage->tasks[0].job), SA_OK);
    stage->count = 1;
    sem_wait(&stage->busy);
}

/* Let everything run; the order in which sources had their turn, a letter each. */
static const char *
run_all(struct stage *stage)
{
    static char letters[JOBS_MAX + 1];

    sem_post(&stage->go_on);
    while (stage->ran < stage->count - 1)
        sched_yield();
    for (unsigned i = 0; i < stage->ran; i++)
        letters[i] = stage->order[i]->job.source[0];
    letters[stage->ran] = '\0';
    sa_lane_free(stage->lane);
    return letters;
}

static struct stage stage;

static void
a_full_queue_refuses_at_once_and_counts_it(SA_UNUSED void **state)
{
    struct sa_lane_status status;

    set_up(&stage, 4, false);
    submit_many(&stage, "a", 2);
    submit_many(&stage, "b", 2);
    assert_int_equal(submit(&stage, "c", false, INT64_MAX), SA_OVERLOADED);
    assert_int_equal(submit(&stage, "c", true, INT64_MAX), SA_OVERLOADED);
    sa_lane_status(stage.lane, &status);
    assert_int_equal(status.queued, 4);
    assert_int_equal(status.capacity, 4);
    assert_int_equal(status.refused, 2);
    assert_int_equal(status.threads, 1);
    assert_string_equal(status.name, "hash");
    assert_string_equal(run_all(&stage), "abab");
}

static void
one_source_holds_at_most_a_quarter(SA_UNUSED void **state)
{
    set_up(&stage, 40, false);
    submit_many(&stage, "a", 10);
    assert_int_equal(submit(&stage, "a", false, INT64_MAX), SA_OVERLOADED);
    submit_many(&stage, "b", 10);
    assert_int_equal(submit(&stage, "b", false, INT64_MAX), SA_OVERLOADED);
    assert_string_equal(run_all(&stage), "abababababababababab");
}

static void
one_source_may_always_hold_a_few(SA_UNUSED void **state)
{
    set_up(&stage, 8, false);
    submit_many(&stage, "a", SA_LANE_SHARE_MIN);
    assert_int_equal(submit(&stage, "a", false, INT64_MAX), SA_OVERLOADED);
    assert_string_equal(run_all(&stage), "aaaa");
}

static void
what_settles_is_taken_by_a_full_lane(SA_UNUSED void **state)
{
    set_up(&stage, 4, false);
    submit_many(&stage, "a", 4);
    struct task *task = &stage.tasks[stage.count];
    assert_int_equal(submit(&stage, "b", false, INT64_MAX), SA_OVERLOADED);
    task->job.settles = true;
    assert_int_equal(sa_lane_submit(stage.lane, &task->job), SA_OK);
    stage.count++;
    assert_string_equal(run_all(&stage), "abaaa");
}

static void
sources_take_turns_whoever_came_first(SA_UNUSED void **state)
{
    set_up(&stage, 40, false);
    submit_many(&stage, "a", 5);
    submit_many(&stage, "b", 1);
    submit_many(&stage, "c", 3);
    assert_string_equal(run_all(&stage), "abcacacaa");
}

static void
a_source_that_comes_back_waits_for_its_turn(SA_UNUSED void **state)
{
    set_up(&stage, 40, false);
    submit_many(&stage, "a", 1);
    submit_many(&stage, "b", 2);
    submit_many(&stage, "a", 1);
    assert_string_equal(run_all(&stage), "abab");
}

static void
jobs_of_one_source_run_in_their_order(SA_UNUSED void **state)
{
    set_up(&stage, 40, false);
    submit_many(&stage, "a", 8);
    assert_string_equal(run_all(&stage), "aaaaaaaa");
    for (unsigned i = 0; i < 8; i++)
        assert_ptr_equal(stage.order[i], &stage.tasks[i + 1]);
}

static void
a_quarter_of_places_and_every_fourth_turn_are_kept(SA_UNUSED void **state)
{
    static const char *const ordinary[] = {"a", "b", "c", "d", "e", "f"};

    set_up(&stage, 16, true);
    for (unsigned i = 0; i < 12; i++)
        submit_many(&stage, ordinary[i % 6], 1);
    assert_int_equal(submit(&stage, "g", false, INT64_MAX), SA_OVERLOADED);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(&stage, "X", true, INT64_MAX), SA_OK);
    const char *order = run_all(&stage);
    const char *first = strchr(order, 'X');
    assert_non_null(first);
    assert_in_range(first - order, 0, 3);
    assert_int_equal(first[4], 'X');
    assert_int_equal(first[8], 'X');
}

static void
a_job_whose_deadline_has_passed_is_told_so(SA_UNUSED void **state)
{
    int64_t now_ms = sa_clock_now().boot_ms;

    set_up(&stage, 40, false);
    assert_int_equal(submit(&stage, "a", false, now_ms), SA_OK);
    assert_int_equal(submit(&stage, "b", false, now_ms + 60000), SA_OK);
    assert_string_equal(run_all(&stage), "ab");
    assert_true(stage.order[0]->expired);
    assert_false(stage.order[1]->expired);
}

static void
a_lane_that_stops_answers_what_waits_and_takes_nothing(SA_UNUSED void **state)
{
    set_up(&stage, 40, false);
    submit_many(&stage, "a", 3);
    sem_post(&stage.go_on);
    sa_lane_stop(stage.lane);
    assert_int_equal(stage.ran, 3);
    assert_int_equal(submit(&stage, "a", false, INT64_MAX), SA_OVERLOADED);
    sa_lane_free(stage.lane);
    sa_lane_free(NULL);
}

static atomic_uint counted;

static void
count_job(SA_UNUSED struct sa_job *job, SA_UNUSED bool expired)
{
    counted++;
}

static void
every_job_of_many_threads_runs_once(SA_UNUSED void **state)
{
    struct sa_lane_options options = {.name = "store", .threads = 8, .queue = 4096};
    static struct sa_job jobs[2000];
    static const char *const sources[] = {"a", "b", "c", "d"};
    struct sa_lane_queue *lane = sa_lane_start(&options);
    unsigned taken = 0;

    for (unsigned i = 0; i < SA_COUNT(jobs); i++) {
        jobs[i] = (struct sa_job){.source = sources[i % 4], .deadline_boot_ms = INT64_MAX, .run = count_job};
        taken += sa_lane_submit(lane, &jobs[i]) == SA_OK ? 1 : 0;
    }
    sa_lane_free(lane);
    assert_int_equal(taken, SA_COUNT(jobs));
    assert_int_equal(counted, SA_COUNT(jobs));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_refuses_at_once_and_counts_it),
        cmocka_unit_test(one_source_holds_at_most_a_quarter),
        cmocka_unit_test(one_source_may_always_hold_a_few),
        cmocka_unit_test(sources_take_turns_whoever_came_first),
        cmocka_unit_test(a_source_that_comes_back_waits_for_its_turn),
        cmocka_unit_test(what_settles_is_taken_by_a_full_lane),
        cmocka_unit_test(jobs_of_one_source_run_in_their_order),
        cmocka_unit_test(a_quarter_of_places_and_every_fourth_turn_are_kept),
        cmocka_unit_test(a_job_whose_deadline_has_passed_is_told_so),
        cmocka_unit_test(a_lane_that_stops_answers_what_waits_and_takes_nothing),
        cmocka_unit_test(every_job_of_many_threads_runs_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
