/* Denials without a hash are summed in memory; while the store refuses, the sums stay there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/auth/turned_away.h"
#include "tests/fault/inject.h"
#include "tests/support/store_fixture.h"

#define START_MS INT64_C(5000000)
#define HERE     "addr:203.0.113.1"
#define THERE    "addr:203.0.113.2"

static void
count(struct sa_turned_away *counts, const char *source, const char *reason, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        sa_turned_away_count(counts, source, reason, START_MS);
}

/* What the records of this source and reason say in all. */
static unsigned long
total(struct fixture *fixture, const char *source, const char *reason)
{
    const struct sa_audit_query query = {.limit = SA_PAGE_MAX, .event = SA_EVENT_TURNED_AWAY};
    struct sa_audit_row *rows;
    unsigned length;
    unsigned long sum = 0;
    bool more;

    assert_int_equal(sa_store_audit_list(fixture->store, &query, &rows, &length, &more), SA_OK);
    for (unsigned i = 0; i < length; i++)
        if (strcmp(rows[i].record.source, source) == 0 && strcmp(rows[i].record.reason, reason) == 0)
            sum += strtoul(rows[i].record.detail + strlen("count="), NULL, 10);
    free(rows);
    return sum;
}

/* From the n-th write on the store refuses. Returns whether it came to that. */
static bool
refuses_from(unsigned nth)
{
    struct fixture fixture;
    SA_OWN(sa_turned_away) counts = sa_turned_away_new();
    const struct sa_now now = {FIXTURE_NOW_MS, START_MS};

    assert_non_null(counts);
    fixture_make(&fixture);
    fixture.vfs = INJECT_VFS;
    fixture_open(&fixture);
    count(counts, HERE, "WAITING", 7);
    count(counts, HERE, "RATE_LIMITED", 5);
    count(counts, THERE, "WAITING", 3);
    inject_arm(FAULT_FULL, nth, true);
    sa_turned_away_write(counts, fixture.store, now, true);
    count(counts, HERE, "WAITING", 100);
    sa_turned_away_write(counts, fixture.store, now, true); /* it refuses still, or only now */
    bool struck = inject_disarm();
    if (nth == 1)
        assert_int_equal(fixture_sequence(&fixture), 0);
    sa_turned_away_write(counts, fixture.store, now, true);
    assert_int_equal(total(&fixture, HERE, "WAITING"), 107);
    assert_int_equal(total(&fixture, HERE, "RATE_LIMITED"), 5);
    assert_int_equal(total(&fixture, THERE, "WAITING"), 3);
    fixture_destroy(&fixture);
    return struck;
}

static void
what_was_counted_survives_a_store_that_refuses_for_a_while(void **state)
{
    unsigned nth = 1;

    (void)state;
    while (refuses_from(nth))
        nth++;
    assert_true(nth > 4); /* each of the records is a write at least */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_counted_survives_a_store_that_refuses_for_a_while),
    };

    setenv("TMPDIR", "/dev/shm", 1);
    inject_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
