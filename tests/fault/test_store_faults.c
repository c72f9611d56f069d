#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fault/inject.h"
#include "tests/fault/scene.h"

#define TOO_MANY 20000u

/* ---- eight callers in one batch, the n-th thing fails ---- */

static struct {
    enum fault fault;
    unsigned nth;
    bool for_good;
    unsigned unknown; /* how often the store gave up */
} wanted;

static void
arm(struct scene *scene SA_UNUSED)
{
    inject_arm(wanted.fault, wanted.nth, wanted.for_good);
}

/* Whether one more record can be written, and the store says so. */
static bool
writes_again(struct scene *scene)
{
    struct sa_audit audit = sa_audit(SA_EVENT_LOGIN);
    struct sa_store_stats stats;

    return sa_store_audit(scene->fixture.store, &audit) == SA_OK &&
           sa_store_stats(scene->fixture.store, FIXTURE_NOW_MS, &stats) == SA_OK && stats.writable;
}

static void
check_files(struct scene *scene)
{
    const char *why = scene_check(scene);

    if (why != NULL)
        fail_msg("%s: fault %d, number %u, %s: %u callers got SA_OK, the outcome is %s", why, wanted.fault,
                 wanted.nth, wanted.for_good ? "for good" : "once", scene_count(scene, SA_OK),
                 scene->outcome_unknown ? "unknown" : "known");
}

/* One batch with one fault. Returns whether the fault came. */
static bool
run_once(void)
{
    struct scene scene;
    struct sa_store_stats stats;

    scene_begin(&scene);
    scene.fixture.vfs = INJECT_VFS;
    fixture_open(&scene.fixture);
    scene_run(&scene, arm);
    bool struck = inject_disarm();
    if (wanted.fault != FAULT_SQLITE_ALLOC) /* of which there are too many to look twice */
        check_files(&scene);
    if (!struck)
        assert_int_equal(scene_count(&scene, SA_OK), CALLERS);
    wanted.unknown += scene.outcome_unknown;
    if (scene.outcome_unknown) {
        assert_int_equal(scene_count(&scene, SA_OK), 0);
        assert_false(writes_again(&scene));
    } else {
        bool failed = scene_count(&scene, SA_STORAGE) == CALLERS;

        assert_int_equal(sa_store_stats(scene.fixture.store, FIXTURE_NOW_MS, &stats), SA_OK);
        assert_int_equal(stats.writable, !failed);
        assert_true(writes_again(&scene));
    }
    check_files(&scene);
    scene_end(&scene);
    return struck;
}

/* The first, then each `step` further, until the operation succeeds. */
static void
run_some(enum fault fault, bool for_good, unsigned step)
{
    wanted.fault = fault;
    wanted.for_good = for_good;
    wanted.unknown = 0;
    for (wanted.nth = 1; run_once(); wanted.nth += step)
        assert_true(wanted.nth < TOO_MANY);
    print_message("           up to %u, %u times the outcome was unknown\n", wanted.nth - 1, wanted.unknown);
    assert_true(wanted.nth > 1);
}

static void
run_all(enum fault fault, bool for_good)
{
    run_some(fault, for_good, 1);
}

static void
the_nth_allocation_of_sqlite_fails(void **state SA_UNUSED)
{
    run_some(FAULT_SQLITE_ALLOC, false, INJECT_EVERY);
}

static void
memory_ends_for_sqlite(void **state SA_UNUSED)
{
    run_some(FAULT_SQLITE_ALLOC, true, 7 * INJECT_EVERY);
}

static void
the_nth_allocation_of_ours_fails(void **state SA_UNUSED)
{
    run_all(FAULT_OWN_ALLOC, false);
}

static void
the_nth_write_fails(void **state SA_UNUSED)
{
    run_all(FAULT_WRITE, false);
}

static void
the_nth_write_meets_a_full_disk(void **state SA_UNUSED)
{
    run_all(FAULT_FULL, false);
    run_all(FAULT_FULL, true);
}

static void
the_nth_sync_fails(void **state SA_UNUSED)
{
    run_all(FAULT_SYNC, false);
    run_all(FAULT_SYNC, true);
}

static void
the_sync_of_the_managed_list_fails(void **state SA_UNUSED)
{
    run_all(FAULT_OWN_SYNC, false);
    run_all(FAULT_OWN_SYNC, true);
}

/* ---- a part that ends everybody's transaction ---- */

static enum sa_status
end_the_transaction(struct sa_sql *sql, struct sa_work *work SA_UNUSED)
{
    return sa_sql_script(sql, "DELETE FROM users; ROLLBACK");
}

static void
a_part_that_ends_the_transaction_takes_the_batch(void **state SA_UNUSED)
{
    struct scene scene;
    struct sa_store_stats stats;
    struct sa_audit audit = sa_audit(SA_EVENT_LOGIN);
    struct sa_work work = sa_work(end_the_transaction, NULL, &audit);

    scene_begin(&scene);
    fixture_open(&scene.fixture);
    assert_int_equal(sa_store_write(scene.fixture.store, &work), SA_STORAGE);
    assert_false(scene.outcome_unknown);
    assert_int_equal(sa_store_stats(scene.fixture.store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_int_equal(stats.users, 3);
    assert_int_equal(stats.audit_sequence, 5);
    assert_false(stats.writable);
    assert_true(writes_again(&scene));
    scene_end(&scene);
}

/* ---- the third caller meets a full disk ---- */

static void
limit_pages(struct sa_store *store, const char *pragma)
{
    /* The writer stands still: its first part waits. */
    assert_int_equal(sa_sql_script(store->writer.sql, pragma), SA_OK);
}

static void
fill_the_disk(struct scene *scene)
{
    limit_pages(scene->fixture.store, "PRAGMA max_page_count = 1");
}

static void
leave_room(struct scene *scene SA_UNUSED)
{
}

static void
the_third_of_eight_meets_a_full_disk(void **state SA_UNUSED)
{
    struct scene scene;
    struct sa_store_stats stats;

    scene_begin(&scene);
    fixture_open(&scene.fixture);
    scene_run(&scene, fill_the_disk);
    assert_int_equal(scene_count(&scene, SA_STORAGE), CALLERS);
    assert_false(scene.outcome_unknown);
    assert_null(scene_check(&scene));
    assert_int_equal(sa_store_stats(scene.fixture.store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_false(stats.writable);
    assert_int_equal(stats.sessions, 1);
    /* It was the third: what the first two do fits into pages that are there. */
    assert_int_equal(fixture_add_user(&scene.fixture, "dan", 1003, NULL), SA_OK);

    /* Room again, and no restart. */
    limit_pages(scene.fixture.store, "PRAGMA max_page_count = 1000000");
    scene_run(&scene, leave_room);
    assert_int_equal(scene_count(&scene, SA_OK), CALLERS);
    assert_null(scene_check(&scene));
    assert_int_equal(sa_store_stats(scene.fixture.store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_true(stats.writable);
    scene_end(&scene);
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_part_that_ends_the_transaction_takes_the_batch),
        TEST(the_third_of_eight_meets_a_full_disk),
        TEST(the_nth_write_fails),
        TEST(the_nth_write_meets_a_full_disk),
        TEST(the_nth_sync_fails),
        TEST(the_sync_of_the_managed_list_fails),
        TEST(the_nth_allocation_of_ours_fails),
        TEST(the_nth_allocation_of_sqlite_fails),
        TEST(memory_ends_for_sqlite),
    };

    /* Some thousand stores are made: in memory, for what a disk would lose is made up here. */
    setenv("TMPDIR", "/dev/shm", 1);
    inject_start();
    scene_make_template();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scene_remove_template();
    return failed;
}
