/* links: sa_auth */
/* Denials without a hash are counted, in bounded memory, and written together. */
#include "service/auth/turned_away.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/store_fixture.h"

#define START_MS INT64_C(5000000)

struct scene {
    struct fixture store;
    struct sa_turned_away *counts;
    struct sa_now now;
};

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    fixture_make(&scene->store);
    fixture_open(&scene->store);
    scene->counts = sa_turned_away_new();
    scene->now = (struct sa_now){FIXTURE_NOW_MS, START_MS};
    *state = scene;
    return scene->counts == NULL;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    sa_turned_away_free(scene->counts);
    fixture_destroy(&scene->store);
    free(scene);
    return 0;
}

static void
count_from(struct scene *scene, unsigned sources, const char *reason)
{
    char source[32];

    for (unsigned i = 0; i < sources; i++) {
        snprintf(source, sizeof(source), "addr:198.51.%u.%u", i / 250, i % 250);
        sa_turned_away_count(scene->counts, source, reason, scene->now.boot_ms);
    }
}

static void
nothing_is_written_before_a_minute_has_passed(void **state)
{
    struct scene *scene = *state;

    sa_turned_away_write(scene->counts, scene->store.store, scene->now, true);
    count_from(scene, 3, "WAITING");
    scene->now.boot_ms += SA_TURNED_AWAY_MS - 1;
    sa_turned_away_write(scene->counts, scene->store.store, scene->now, false);
    assert_int_equal(fixture_sequence(&scene->store), 0);
    scene->now.boot_ms++;
    sa_turned_away_write(scene->counts, scene->store.store, scene->now, false);
    assert_int_equal(fixture_sequence(&scene->store), 3);
}

static void
a_thousand_a_second_are_one_record(void **state)
{
    struct scene *scene = *state;

    for (unsigned i = 0; i < 60000; i++)
        sa_turned_away_count(scene->counts, "addr:203.0.113.1", "WAITING", scene->now.boot_ms);
    sa_turned_away_write(scene->counts, scene->store.store, scene->now, true);
    assert_int_equal(fixture_sequence(&scene->store), 1);
}

static void
ten_thousand_sources_are_as_many_records_as_there_is_room(void **state)
{
    struct scene *scene = *state;

    count_from(scene, 10000, "WAITING");
    count_from(scene, 10000, "RATE_LIMITED");
    sa_turned_away_write(scene->counts, scene->store.store, scene->now, true);
    assert_int_equal(fixture_sequence(&scene->store), SA_TURNED_AWAY_ROWS + 2);
    sa_turned_away_write(scene->counts, scene->store.store, scene->now, true);
    assert_int_equal(fixture_sequence(&scene->store), SA_TURNED_AWAY_ROWS + 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_written_before_a_minute_has_passed),
        TEST(a_thousand_a_second_are_one_record),
        TEST(ten_thousand_sources_are_as_many_records_as_there_is_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
