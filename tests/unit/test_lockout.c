/* links: sa_auth */
/* Lockout by its rules; the clock is an argument. */
#include "service/auth/lockout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MINUTE 60000

struct scene {
    struct sa_keyring *keyring;
    struct sa_lockout *lockout;
    struct sa_user alice;
    struct sa_source source;
    struct sa_now now;
    struct sa_login_change change;
};

static int
setup(void **state)
{
    static const uint8_t master[32] = {7};
    struct scene *scene = calloc(1, sizeof(*scene));
    const struct sa_lockout_limits limits = {5, 900000, 100, 50000};

    scene->keyring = sa_keyring_new(sa_bytes(master, sizeof(master)));
    scene->lockout = sa_lockout_new(&limits, scene->keyring);
    strcpy(scene->alice.name, "alice");
    strcpy(scene->alice.subject, "AAAAAAAAAAAAAAAAAAAAAA");
    strcpy(scene->source.text, "addr:203.0.113.1");
    scene->now = (struct sa_now){INT64_C(1700000000000), 5000000};
    *state = scene;
    return scene->lockout == NULL;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    sa_lockout_free(scene->lockout);
    sa_keyring_free(scene->keyring);
    free(scene);
    return 0;
}

static struct sa_lockout_try
attempt_of(const struct scene *scene, const char *password)
{
    return (struct sa_lockout_try){
        .name = sa_bytes_of("alice"),
        .user = &scene->alice,
        .name_text = "alice",
        .source = &scene->source,
        .password = sa_bytes_of(password),
        .now = scene->now,
    };
}

/* How long it would wait; else it fails. */
static uint32_t
fail_with(struct scene *scene, const char *password)
{
    struct sa_lockout_try attempt = attempt_of(scene, password);
    uint32_t wait = sa_lockout_claim(scene->lockout, &attempt);

    memset(&scene->change, 0, sizeof(scene->change));
    if (wait == 0)
        (void)sa_lockout_failed(scene->lockout, &attempt, true, &scene->change);
    return wait;
}

static uint32_t
guess(struct scene *scene, unsigned number)
{
    char password[32];

    snprintf(password, sizeof(password), "wrong %u", number);
    return fail_with(scene, password);
}

static struct sa_lockout_state
look(struct scene *scene)
{
    struct sa_lockout_try attempt = attempt_of(scene, "right");
    struct sa_lockout_state state;

    sa_lockout_look(scene->lockout, &attempt, &state);
    return state;
}

static void
five_failures_are_free_then_the_wait_doubles_from_one_second_to_fifteen_minutes(void **state)
{
    struct scene *scene = *state;
    unsigned number = 0;

    for (; number < 5; number++)
        assert_int_equal(guess(scene, number), 0);
    for (int64_t wait = 1000; wait < 900000; wait *= 2) {
        assert_int_equal(guess(scene, number), wait);
        assert_int_equal(scene->change.has_pair, false);
        scene->now.boot_ms += wait;
        assert_int_equal(guess(scene, number++), 0);
    }
    assert_int_equal(look(scene).wait_ms, 900000);
}

static void
the_wall_clock_is_not_asked_how_long(void **state)
{
    struct scene *scene = *state;

    for (unsigned i = 0; i < 5; i++)
        (void)guess(scene, i);
    scene->now.wall_ms = 0;
    assert_int_equal(look(scene).wait_ms, 1000);
    scene->now.boot_ms += 1000;
    assert_int_equal(look(scene).wait_ms, 0);
}

static void
a_thousand_parallel_guesses_are_five_evaluations(void **state)
{
    struct scene *scene = *state;
    struct sa_lockout_try attempt = attempt_of(scene, "x");
    unsigned taken = 0;

    for (unsigned i = 0; i < 1000; i++)
        taken += sa_lockout_claim(scene->lockout, &attempt) == 0;
    assert_int_equal(taken, 5);
}

static void
what_a_dropped_call_has_taken_comes_back_within_a_minute(void **state)
{
    struct scene *scene = *state;
    struct sa_lockout_try attempt = attempt_of(scene, "x");

    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
    attempt.now = scene->now;
    assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), SA_LOCKOUT_UNDECIDED);
    scene->now.boot_ms += MINUTE;
    attempt.now = scene->now;
    assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
}

/* Six requests of one person at once are no guesses as long as none of them was wrong. */
static void
nobody_waits_for_what_may_still_be_right(void **state)
{
    struct scene *scene = *state;
    struct sa_lockout_try attempt = attempt_of(scene, "x");

    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
    assert_int_equal(look(scene).wait_ms, 0);
    assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), SA_LOCKOUT_UNDECIDED);
    sa_lockout_give_back(scene->lockout, &attempt);
    assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
}

static void
the_same_wrong_password_counts_once(void **state)
{
    struct scene *scene = *state;

    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(fail_with(scene, "the old one"), 0);
    assert_int_equal(look(scene).failures, 1);
    strcpy(scene->alice.hash, "another");
    (void)fail_with(scene, "the old one");
    assert_int_equal(look(scene).failures, 2);
}

static void
a_success_clears_only_its_own_pair(void **state)
{
    struct scene *scene = *state;
    const struct sa_lockout_proof proof = {true, false};
    struct sa_lockout_try attempt = attempt_of(scene, "right");

    (void)guess(scene, 1);
    strcpy(scene->source.text, "addr:203.0.113.2");
    (void)guess(scene, 1);
    assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
    memset(&scene->change, 0, sizeof(scene->change));
    sa_lockout_succeeded(scene->lockout, &attempt, &proof, &scene->change);
    sa_lockout_give_back(scene->lockout, &attempt);
    sa_lockout_committed(scene->lockout, &attempt);
    assert_true(scene->change.has_pair);
    assert_int_equal(scene->change.pair.failures, 0);
    assert_int_equal(look(scene).failures, 0);
    strcpy(scene->source.text, "addr:203.0.113.1");
    assert_int_equal(look(scene).failures, 1);
}

static void
a_failed_commit_counts_against_nobody(void **state)
{
    struct scene *scene = *state;
    struct sa_lockout_try attempt = attempt_of(scene, "x");

    assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
    (void)sa_lockout_failed(scene->lockout, &attempt, true, &scene->change);
    sa_lockout_undo(scene->lockout, &attempt);
    assert_int_equal(look(scene).failures, 0);
}

static void
sshds_filler_counts_for_no_user(void **state)
{
    struct scene *scene = *state;
    struct sa_lockout_try attempt = attempt_of(scene, "filler");

    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(sa_lockout_claim(scene->lockout, &attempt), 0);
        assert_int_equal(sa_lockout_failed(scene->lockout, &attempt, false, &scene->change), 0);
    }
    assert_int_equal(look(scene).failures, 0);
    assert_false(scene->change.has_pair || scene->change.has_guard);
}

static void
a_service_that_names_no_source_waits_five_seconds_at_most(void **state)
{
    struct scene *scene = *state;

    strcpy(scene->source.text, "service:ftp");
    for (unsigned i = 0; i < 20; i++, scene->now.boot_ms += 5000)
        assert_int_equal(guess(scene, i), 0);
    scene->now.boot_ms -= 5000;
    assert_int_equal(look(scene).wait_ms, 5000);
}

/* One failure from each of `count` addresses. */
static void
fail_from_many(struct scene *scene, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        snprintf(scene->source.text, sizeof(scene->source.text), "addr:198.51.%u.%u", i / 250, i % 250);
        (void)guess(scene, i);
    }
}

static void
a_hundred_failures_from_strangers_put_the_name_on_guard_and_nobody_known_notices(void **state)
{
    struct scene *scene = *state;
    struct sa_lockout_state at;

    fail_from_many(scene, 99);
    assert_false(look(scene).on_guard);
    fail_from_many(scene, 101);
    strcpy(scene->source.text, "addr:192.0.2.9");
    assert_true(look(scene).on_guard);

    struct sa_lockout_try attempt = attempt_of(scene, "right");
    attempt.is_known = true;
    sa_lockout_look(scene->lockout, &attempt, &at);
    assert_false(at.on_guard);
    attempt.is_known = false;
    attempt.is_console = true;
    sa_lockout_look(scene->lockout, &attempt, &at);
    assert_false(at.on_guard);
    assert_int_equal(at.wait_ms, 0);
}

static void
a_guard_ends_a_day_after_the_last_failure(void **state)
{
    struct scene *scene = *state;

    fail_from_many(scene, 100);
    scene->now.boot_ms += SA_GUARD_WINDOW_MS - 1;
    assert_true(look(scene).on_guard);
    scene->now.boot_ms += 1;
    assert_false(look(scene).on_guard);
}

static void
failures_that_are_a_day_apart_put_nobody_on_guard(void **state)
{
    struct scene *scene = *state;

    fail_from_many(scene, 60);
    scene->now.boot_ms += 2 * SA_GUARD_WINDOW_MS;
    scene->alice.hash[0] = 'x';
    fail_from_many(scene, 60);
    assert_false(look(scene).on_guard);
}

static void
one_password_against_ten_names_raises_one_alarm(void **state)
{
    struct scene *scene = *state;
    unsigned alarms = 0;

    for (unsigned i = 0; i < 30; i++) {
        char name[16];
        struct sa_lockout_try attempt = attempt_of(scene, "Spring2026!");
        snprintf(name, sizeof(name), "user%u", i);
        attempt.name = sa_bytes_of(name);
        attempt.user = NULL;
        unsigned raised = sa_lockout_failed(scene->lockout, &attempt, true, &scene->change);
        assert_int_equal(raised & SA_ALARM_SPRAY, i == 9 ? SA_ALARM_SPRAY : 0);
        alarms += raised != 0;
    }
    assert_int_equal(alarms, 1);
}

static long
resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long size = 0, resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &size, &resident), 2);
    fclose(file);
    return resident * 4;
}

/* Its rate is the table's: alice's wait is younger than an hour, so that it must be there at the end. */
static void
ten_million_names_take_no_more_memory_than_fifty_thousand(void **state)
{
    struct scene *scene = *state;
    long before = 0;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const unsigned names = 400000; /* what sanitizers keep for themselves grows with every call */
    const long allowance_kib = 64 * 1024;
#else
    const unsigned names = 10000000;
    const long allowance_kib = 1024;
#endif

    for (unsigned i = 0; i < names; i++) {
        char name[16];
        struct sa_lockout_try attempt = attempt_of(scene, "x");
        if (i == 150000)
            before = resident_kib();
        if (i % 40000 == 0) /* alice fails within every hour of the full rate */
            (void)guess(scene, i);
        snprintf(name, sizeof(name), "n%u", i);
        attempt.name = sa_bytes_of(name);
        attempt.user = NULL;
        attempt.now = scene->now;
        (void)sa_lockout_failed(scene->lockout, &attempt, true, &scene->change);
        scene->now.boot_ms += i % 25 == 0 ? 1800 : 0; /* 13.9 a second */
    }
    assert_in_range(resident_kib(), 0, before + allowance_kib);
    assert_in_range(look(scene).failures, 6, 250);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(five_failures_are_free_then_the_wait_doubles_from_one_second_to_fifteen_minutes),
        TEST(the_wall_clock_is_not_asked_how_long),
        TEST(a_thousand_parallel_guesses_are_five_evaluations),
        TEST(nobody_waits_for_what_may_still_be_right),
        TEST(what_a_dropped_call_has_taken_comes_back_within_a_minute),
        TEST(the_same_wrong_password_counts_once),
        TEST(a_success_clears_only_its_own_pair),
        TEST(a_failed_commit_counts_against_nobody),
        TEST(sshds_filler_counts_for_no_user),
        TEST(a_service_that_names_no_source_waits_five_seconds_at_most),
        TEST(a_hundred_failures_from_strangers_put_the_name_on_guard_and_nobody_known_notices),
        TEST(a_guard_ends_a_day_after_the_last_failure),
        TEST(failures_that_are_a_day_apart_put_nobody_on_guard),
        TEST(one_password_against_ten_names_raises_one_alarm),
        TEST(ten_million_names_take_no_more_memory_than_fifty_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
