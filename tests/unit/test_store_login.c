/* links: sa_store */
/* What a decision about a login leaves in the store, whatever the order of commits. */
#include "service/store/store_login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/store_fixture.h"

static void
fail_guard(struct fixture *fixture, uint32_t failures, int64_t failed_ms)
{
    struct sa_audit audit = sa_audit(SA_EVENT_LOGIN);
    struct sa_login_change change = {
        .has_guard = true,
        .guard = {.user = "alice",
                  .failures = failures,
                  .left_ms = failures,
                  .failed_ms = failed_ms,
                  .expires_ms = failed_ms + 86400000},
    };

    audit.outcome = SA_OUTCOME_DENIED;
    assert_int_equal(sa_store_login(fixture->store, &change, &audit), SA_OK);
}

static bool
take_guard(void *user, const struct sa_guard_row *row)
{
    *(struct sa_guard_row *)user = *row;
    return true;
}

static uint32_t
guard_failures(struct fixture *fixture)
{
    struct sa_guard_row row = {.failures = 0};

    assert_int_equal(sa_store_guards(fixture->store, take_guard, &row), SA_OK);
    assert_int_equal(row.left_ms, row.failures);
    return row.failures;
}

static void
two_failures_that_are_committed_in_the_wrong_order_leave_the_higher_count(void **state)
{
    struct fixture *fixture = *state;

    fail_guard(fixture, 100, FIXTURE_NOW_MS + 1);
    fail_guard(fixture, 99, FIXTURE_NOW_MS);
    assert_int_equal(guard_failures(fixture), 100);
}

static void
a_count_that_has_fallen_with_time_stands(void **state)
{
    struct fixture *fixture = *state;

    fail_guard(fixture, 90, FIXTURE_NOW_MS);
    fail_guard(fixture, 40, FIXTURE_NOW_MS + 7200000);
    assert_int_equal(guard_failures(fixture), 40);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            two_failures_that_are_committed_in_the_wrong_order_leave_the_higher_count, fixture_setup,
            fixture_teardown),
        cmocka_unit_test_setup_teardown(a_count_that_has_fallen_with_time_stands, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
