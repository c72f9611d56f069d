/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>

#include "tests/support/store_fixture.h"

#define RACERS 32u

/* A session with a refresh token; its row is at the generation that the test steps it to. */
struct scene {
    struct fixture *fixture;
    char subject[SA_ID_LEN + 1];
    uint32_t client_row;
    struct sa_session session;
    uint8_t handle[SA_MAC_LEN];
    struct sa_refresh refresh; /* what is presented next */
    enum sa_refresh_result result;
    struct sa_session answer;
};

static struct scene
begin(void **state, uint32_t grace_s, bool rotates)
{
    struct scene scene = {.fixture = *state, .handle = "handle"};

    assert_int_equal(fixture_add_user(*state, "ann", 1000, scene.subject), SA_OK);
    assert_int_equal(fixture_add_client(*state, "app", &scene.client_row), SA_OK);
    scene.session = fixture_session(scene.subject, scene.client_row);
    scene.session.grace_s = grace_s;
    scene.session.rotates = rotates;
    assert_int_equal(fixture_open_session(*state, &scene.session, scene.handle), SA_OK);
    scene.refresh = fixture_refresh(scene.handle, 1, scene.client_row);
    return scene;
}

static enum sa_status
present(struct scene *scene, uint32_t generation)
{
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REFRESH);

    scene->refresh.generation = generation;
    scene->result = (enum sa_refresh_result)99;
    return sa_store_refresh(scene->fixture->store, &scene->refresh, &audit, &scene->result, &scene->answer);
}

static void
pass(struct scene *scene, int64_t millis)
{
    scene->refresh.now.wall_ms += millis;
    scene->refresh.now.boot_ms += millis;
}

static bool
is_live(struct scene *scene)
{
    struct sa_session session;

    return sa_store_session_live(scene->fixture->store, scene->session.id, scene->refresh.now.wall_ms,
                                 &session) == SA_OK;
}

static void
expect_record(struct scene *scene, enum sa_event event, enum sa_outcome outcome, const char *reason)
{
    struct sa_audit_row *row = fixture_last_record(scene->fixture);

    assert_int_equal(row->record.event, event);
    assert_int_equal(row->record.outcome, outcome);
    assert_string_equal(row->record.reason, reason);
    free(row);
}

/* ---- refused ---- */

static void
an_unknown_handle_is_refused_and_recorded(void **state)
{
    struct scene scene = begin(state, 30, true);

    scene.refresh.handle_mac[0] ^= 1;
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, 0);
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "UNKNOWN_TOKEN");
}

static void
another_client_is_refused_and_changes_nothing(void **state)
{
    struct scene scene = begin(state, 30, true);

    scene.refresh.client_row++;
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "OTHER_CLIENT");
    assert_true(is_live(&scene));
    scene.refresh.client_row--;
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_ROTATED);
}

static void
an_ended_session_is_refused(void **state)
{
    struct scene scene = begin(state, 30, true);
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_REVOKE);

    assert_int_equal(sa_store_session_end(scene.fixture->store, scene.session.id, FIXTURE_NOW_MS, &audit),
                     SA_OK);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "SESSION_ENDED");
}

static void
an_idle_and_an_old_session_are_refused(void **state)
{
    struct scene scene = begin(state, 30, true);

    pass(&scene, scene.session.idle_ms - 1);
    assert_int_equal(present(&scene, 1), SA_OK);
    pass(&scene, scene.session.idle_ms);
    assert_int_equal(present(&scene, 2), SA_INVALID_GRANT);
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "SESSION_EXPIRED");
    scene.refresh.now.wall_ms = scene.session.expires_ms;
    assert_int_equal(present(&scene, 2), SA_INVALID_GRANT);
}

static void
a_disabled_user_is_refused(void **state)
{
    struct scene scene = begin(state, 30, true);
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);

    assert_int_equal(sa_store_user_set_active(scene.fixture->store, "ann", false, FIXTURE_NOW_MS, &audit),
                     SA_OK);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    /* Enabled again, the session that ended stays ended. */
    assert_int_equal(sa_store_user_set_active(scene.fixture->store, "ann", true, FIXTURE_NOW_MS, &audit),
                     SA_OK);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
}

static void
a_generation_from_the_future_is_a_rollback(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 2), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_ROLLBACK);
    expect_record(&scene, SA_EVENT_TOKEN_ROLLBACK, SA_OUTCOME_DENIED, "STATE_ROLLBACK");
    assert_true(is_live(&scene));
}

/* ---- the table ---- */

static void
a_refresh_token_works_once(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_ROTATED);
    assert_int_equal(scene.answer.generation, 2);
    assert_string_equal(scene.answer.id, scene.session.id);
    assert_int_equal(scene.answer.aud_count, 2);
    assert_string_equal(scene.answer.aud[1], "other");
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, "ROTATED");
}

static void
the_last_one_gives_the_same_successor_within_the_grace(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    pass(&scene, 30000);
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_REPLAYED);
    assert_int_equal(scene.answer.generation, 2);
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, "REPLAYED");
}

static void
a_replay_never_moves_the_window(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    for (unsigned i = 0; i < 3; i++) {
        pass(&scene, 10000);
        assert_int_equal(present(&scene, 1), SA_OK);
        assert_int_equal(scene.result, SA_REFRESH_REPLAYED);
    }
    pass(&scene, 1);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
}

static void
the_last_one_after_the_grace_revokes_the_session(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    pass(&scene, 30001);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
    expect_record(&scene, SA_EVENT_TOKEN_REUSE, SA_OUTCOME_DENIED, "REUSED");
    assert_false(is_live(&scene));
    assert_int_equal(present(&scene, 2), SA_INVALID_GRANT);
}

static void
the_one_before_the_last_is_stale_within_the_grace(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    pass(&scene, 10000);
    assert_int_equal(present(&scene, 2), SA_OK);
    pass(&scene, 20000);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_STALE);
    expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "STALE");
    assert_true(is_live(&scene));
    pass(&scene, 1);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
    assert_false(is_live(&scene));
}

static void
an_old_generation_revokes_the_session(void **state)
{
    struct scene scene = begin(state, 30, true);

    for (uint32_t generation = 1; generation <= 3; generation++)
        assert_int_equal(present(&scene, generation), SA_OK);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
    assert_false(is_live(&scene));
}

static void
reuse_revokes_no_other_session(void **state)
{
    struct scene scene = begin(state, 0, true);
    struct sa_session other = fixture_session(scene.subject, scene.client_row);
    uint8_t handle[SA_MAC_LEN] = "another handle";
    struct sa_session found;

    assert_int_equal(fixture_open_session(scene.fixture, &other, handle), SA_OK);
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_false(is_live(&scene));
    assert_int_equal(sa_store_session_live(scene.fixture->store, other.id, FIXTURE_NOW_MS, &found), SA_OK);
}

static void
without_a_grace_the_last_one_is_reuse_at_once(void **state)
{
    struct scene scene = begin(state, 0, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
}

static void
without_rotation_the_same_token_stays_good(void **state)
{
    struct scene scene = begin(state, 30, false);

    for (unsigned i = 0; i < 3; i++) {
        pass(&scene, scene.session.idle_ms - 1);
        assert_int_equal(present(&scene, 1), SA_OK);
        assert_int_equal(scene.result, SA_REFRESH_SAME);
        assert_int_equal(scene.answer.generation, 1);
        expect_record(&scene, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, "SAME");
    }
}

/* ---- clocks ---- */

static void
the_wall_clock_does_not_move_the_window_within_a_boot(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    scene.refresh.now.wall_ms += 3600000;
    scene.refresh.now.boot_ms += 1000;
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_REPLAYED);
    scene.refresh.now.wall_ms = FIXTURE_NOW_MS;
    scene.refresh.now.boot_ms += 30000;
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
}

static void
after_a_boot_the_wall_clock_decides(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    scene.refresh.boot_id[0] ^= 1;
    scene.refresh.now.boot_ms = 100;
    scene.refresh.now.wall_ms += 30000;
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_REPLAYED);
    /* A wall clock that ran backwards opens no window. */
    scene.refresh.now.wall_ms = FIXTURE_NOW_MS - 1;
    assert_int_equal(present(&scene, 1), SA_INVALID_GRANT);
    assert_int_equal(scene.result, SA_REFRESH_REUSED);
}

static void
who_read_the_clock_before_the_winner_still_gets_the_successor(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    pass(&scene, -5);
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_REPLAYED);
}

/* ---- races ---- */

static void *
race(void *argument)
{
    struct scene *scene = argument;

    return (void *)(uintptr_t)present(scene, 1);
}

static void
racing_refreshes_get_one_successor_and_one_step(void **state)
{
    struct scene scene = begin(state, 30, true);
    struct scene racers[RACERS];
    pthread_t threads[RACERS];
    unsigned rotated = 0;

    for (unsigned i = 0; i < RACERS; i++) {
        racers[i] = scene;
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < RACERS; i++) {
        void *status;

        assert_int_equal(pthread_join(threads[i], &status), 0);
        assert_int_equal((uintptr_t)status, SA_OK);
        assert_int_equal(racers[i].answer.generation, 2);
        rotated += racers[i].result == SA_REFRESH_ROTATED;
        assert_true(racers[i].result == SA_REFRESH_ROTATED || racers[i].result == SA_REFRESH_REPLAYED);
    }
    assert_int_equal(rotated, 1);
}

static void
the_row_survives_a_restart(void **state)
{
    struct scene scene = begin(state, 30, true);

    assert_int_equal(present(&scene, 1), SA_OK);
    fixture_reopen(scene.fixture);
    assert_int_equal(present(&scene, 1), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_REPLAYED);
    assert_int_equal(present(&scene, 2), SA_OK);
    assert_int_equal(scene.result, SA_REFRESH_ROTATED);
    assert_int_equal(scene.answer.generation, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_handle_is_refused_and_recorded),
        TEST(another_client_is_refused_and_changes_nothing),
        TEST(an_ended_session_is_refused),
        TEST(an_idle_and_an_old_session_are_refused),
        TEST(a_disabled_user_is_refused),
        TEST(a_generation_from_the_future_is_a_rollback),
        TEST(a_refresh_token_works_once),
        TEST(the_last_one_gives_the_same_successor_within_the_grace),
        TEST(a_replay_never_moves_the_window),
        TEST(the_last_one_after_the_grace_revokes_the_session),
        TEST(the_one_before_the_last_is_stale_within_the_grace),
        TEST(an_old_generation_revokes_the_session),
        TEST(reuse_revokes_no_other_session),
        TEST(without_a_grace_the_last_one_is_reuse_at_once),
        TEST(without_rotation_the_same_token_stays_good),
        TEST(the_wall_clock_does_not_move_the_window_within_a_boot),
        TEST(after_a_boot_the_wall_clock_decides),
        TEST(who_read_the_clock_before_the_winner_still_gets_the_successor),
        TEST(racing_refreshes_get_one_successor_and_one_step),
        TEST(the_row_survives_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
