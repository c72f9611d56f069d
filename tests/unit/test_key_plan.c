/* links: sa_auth */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "service/auth/key_plan.h"

/* Seconds are enough here: lives of 1,000, key sets kept for 80, so a key is ready 91 after its making. */
#define LIFE  1000
#define READY 91
#define KEEP  3660
#define NONE  SA_KEY_NONE

static const struct sa_key_plan plan = {.alg = SA_KEY_ES256, .life_ms = LIFE * 1000, .max_age_ms = 80000};

enum { ES = SA_KEY_ES256, RS = SA_KEY_RS256 };

/* created, active, retire in seconds; rows of no algorithm are past the end. */
struct times {
    int alg;
    int created, active, retire;
};

static unsigned
rows_of(const struct times times[4], struct sa_key_row ret_rows[SA_KEYS_MAX + 1])
{
    unsigned count = 0;

    for (; count < 4 && times[count].alg != 0; count++)
        ret_rows[count] = (struct sa_key_row){.alg = (enum sa_key_alg)times[count].alg,
                                              .created_ms = times[count].created * 1000,
                                              .active_ms = times[count].active * 1000,
                                              .retire_ms = times[count].retire * 1000};
    return count;
}

static void
who_signs_and_what_comes_next_follow_from_times(void **state SA_UNUSED)
{
    static const struct {
        const char *words;
        struct times rows[4];
        int now;
        unsigned signer;
        enum sa_key_act act;
        unsigned row; /* of the act */
        int active;   /* of a key that is to be prepared */
    } cases[] = {
        /* clang-format off */
        {"there is no key", {{0}}, 5000, NONE, SA_KEY_CREATE, 0, 0},
        {"the first needs one after it", {{ES, 0, 0, 1000}}, 1, 0, SA_KEY_PREPARE, 0, 1000},
        {"both are there", {{ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 500, 1, SA_KEY_REST, 0, 0},
        {"just before the second's time", {{ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 817, 1, SA_KEY_REST, 0, 0},
        {"a third is published before that", {{ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 818, 1, SA_KEY_PREPARE, 0, 2000},
        {"not a moment before its time", {{ES, 818, 2000, 0}, {ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 999, 2, SA_KEY_REST, 0, 0},
        {"the second is due", {{ES, 818, 2000, 0}, {ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 1000, 1, SA_KEY_BEGIN, 1, 0},
        {"it has begun, the first stays", {{ES, 818, 2000, 0}, {ES, 1, 1000, 2000}, {ES, 0, 0, 1000}}, 1500, 1, SA_KEY_REST, 0, 0},
        {"a clock that goes back undoes nothing", {{ES, 818, 2000, 0}, {ES, 1, 1000, 2000}, {ES, 0, 0, 1000}}, 100, 1, SA_KEY_REST, 0, 0},
        {"nor does one that goes back before all", {{ES, 500, 500, 1500}}, 3, 0, SA_KEY_PREPARE, 0, 1500},
        {"the first's last token may live", {{ES, 900, 9000, 0}, {ES, 1, 1000, 9000}, {ES, 0, 0, 1000}}, 999 + KEEP, 1, SA_KEY_REST, 0, 0},
        {"and has died", {{ES, 900, 9000, 0}, {ES, 1, 1000, 9000}, {ES, 0, 0, 1000}}, 1000 + KEEP, 1, SA_KEY_REMOVE, 2, 0},
        {"who has no successor goes on", {{ES, 0, 0, 1000}}, 9000, 0, SA_KEY_PREPARE, 0, 9000 + READY},
        {"and is never removed", {{ES, 8999, 9100, 0}, {ES, 0, 0, 1000}}, 9099, 1, SA_KEY_PREPARE, 0, 10100},
        {"one from when keys had no end", {{ES, 10, 10, 0}}, 9000, 0, SA_KEY_BEGIN, 0, 0},
        {"two came due while nobody looked", {{ES, 818, 2000, 0}, {ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 2500, 0, SA_KEY_BEGIN, 0, 0},
        {"the one passed over stays like a retired one", {{ES, 2400, 3000, 0}, {ES, 818, 2000, 3000}, {ES, 1, 1000, 0}}, 2500, 1, SA_KEY_REST, 0, 0},
        {"and goes like one", {{ES, 2400, 9000, 0}, {ES, 818, 2000, 9000}, {ES, 1, 1000, 0}}, 2000 + KEEP, 1, SA_KEY_REMOVE, 2, 0},
        {"another algorithm: one of it as soon as may be", {{RS, 1, 1000, 0}, {RS, 0, 0, 1000}}, 500, 1, SA_KEY_PREPARE, 0, 500 + READY},
        {"then the prepared one of the old one goes", {{RS, 1, 1000, 0}, {ES, 500, 591, 0}, {RS, 0, 0, 1000}}, 501, 2, SA_KEY_REMOVE, 0, 0},
        {"and the new one has one after it", {{ES, 500, 591, 0}, {RS, 0, 0, 1000}}, 502, 1, SA_KEY_PREPARE, 0, 1591},
        {"until then the old one signs", {{ES, 502, 1591, 0}, {ES, 500, 591, 0}, {RS, 0, 0, 1000}}, 590, 2, SA_KEY_REST, 0, 0},
        {"back again: the one that signs is of it", {{RS, 500, 591, 0}, {ES, 0, 0, 1000}}, 502, 1, SA_KEY_PREPARE, 0, 1000},
        /* clang-format on */
    };

    for (unsigned i = 0; i < SA_COUNT(cases); i++) {
        struct sa_key_row rows[SA_KEYS_MAX + 1];
        unsigned count = rows_of(cases[i].rows, rows);
        struct sa_key_step step = sa_key_next(rows, count, &plan, cases[i].now * 1000);

        print_message("%s\n", cases[i].words);
        assert_int_equal(sa_key_signer(rows, count, cases[i].now * 1000), cases[i].signer);
        assert_int_equal(step.act, cases[i].act);
        if (step.act == SA_KEY_BEGIN || step.act == SA_KEY_REMOVE)
            assert_int_equal(step.row, cases[i].row);
        if (step.act == SA_KEY_PREPARE)
            assert_int_equal(step.active_ms, cases[i].active * 1000);
    }
}

static void
all_are_over_where_none_has_a_life_left(void **state SA_UNUSED)
{
    static const struct {
        const char *words;
        struct times rows[4];
        int now;
        bool over;
    } cases[] = {
        {"none", {{0}}, 1, true},
        {"its life goes on", {{ES, 0, 0, 1000}}, 999, false},
        {"its life is over", {{ES, 0, 0, 1000}}, 1000, true},
        {"the prepared one's time has come", {{ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 1999, false},
        {"and gone, unseen", {{ES, 1, 1000, 0}, {ES, 0, 0, 1000}}, 2000, true},
        {"one is prepared for later", {{ES, 2900, 3001, 0}, {ES, 0, 0, 1000}}, 3000, false},
        {"one from when keys had no end", {{ES, 10, 10, 0}}, 900000, false},
    };

    for (unsigned i = 0; i < SA_COUNT(cases); i++) {
        struct sa_key_row rows[SA_KEYS_MAX + 1];
        unsigned count = rows_of(cases[i].rows, rows);

        print_message("%s\n", cases[i].words);
        assert_int_equal(sa_key_all_over(rows, count, &plan, cases[i].now * 1000), cases[i].over);
    }
}

static void
with_as_many_keys_as_there_may_be_the_present_one_goes_on(void **state SA_UNUSED)
{
    struct sa_key_row rows[SA_KEYS_MAX];
    int64_t now_ms = 20000000;

    for (unsigned i = 0; i < SA_KEYS_MAX; i++)
        rows[i] = (struct sa_key_row){.alg = SA_KEY_ES256,
                                      .created_ms = now_ms - 100000 - i,
                                      .active_ms = now_ms - 1000 - i,
                                      .retire_ms = now_ms - i};
    assert_int_equal(sa_key_signer(rows, SA_KEYS_MAX, now_ms), 0);
    assert_int_equal(sa_key_next(rows, SA_KEYS_MAX, &plan, now_ms).act, SA_KEY_REST);
    struct sa_key_step step = sa_key_next(rows, SA_KEYS_MAX, &plan, now_ms + KEEP * 1000);
    assert_int_equal(step.act, SA_KEY_REMOVE);
    assert_int_not_equal(step.row, 0);
}

static void
assert_times(const struct sa_key_row *row, int active, int retire)
{
    assert_int_equal(row->active_ms, active * 1000);
    assert_int_equal(row->retire_ms, retire * 1000);
}

static void
who_begins_early_retires_the_one_before_and_moves_those_after(void **state SA_UNUSED)
{
    static const struct times times[4] = {{ES, 800, 2000, 0}, {ES, 1, 1000, 0}, {ES, 0, 0, 1000}};
    struct sa_key_row rows[SA_KEYS_MAX + 1];
    unsigned count = rows_of(times, rows);

    sa_key_begin(rows, count, 1, 850000, &plan, 850000);
    assert_times(&rows[2], 0, 850);
    assert_times(&rows[1], 850, 1850);
    assert_times(&rows[0], 1850, 0);
    assert_int_equal(sa_key_state(rows, count, 0, 850000), SA_KEY_PREPARED);
    assert_int_equal(sa_key_state(rows, count, 1, 850000), SA_KEY_ACTIVE);
    assert_int_equal(sa_key_state(rows, count, 2, 850000), SA_KEY_RETIRED);
    /* Of those that are prepared, the last one first: those between move behind it, never before they are
     * ready. */
    count = rows_of(times, rows);
    sa_key_begin(rows, count, 0, 850000, &plan, 850000);
    assert_times(&rows[0], 850, 1850);
    assert_times(&rows[1], 1850, 0);
}

static void
a_successor_begins_after_whom_it_succeeds_whatever_the_clock_says(void **state SA_UNUSED)
{
    static const struct times times[4] = {{ES, 1, 1000, 0}, {ES, 500, 500, 1500}};
    struct sa_key_row rows[SA_KEYS_MAX + 1];
    unsigned count = rows_of(times, rows);

    sa_key_begin(rows, count, 0, 20000, &plan, 20000);
    assert_true(rows[0].active_ms == 500001 && rows[1].retire_ms == 500001);
    assert_int_equal(sa_key_signer(rows, count, 20000), 0);
    assert_int_equal(sa_key_signer(rows, count, 1), 0);
}

/*
 * Years, a second at a time or a jump: who signs has always been published for as long as key sets are kept,
 * one like that stands ready behind it, and every key stays until its tokens are dead.
 */
static void
through_every_rotation_verifiers_have_the_key_that_signs(void **state SA_UNUSED)
{
    struct sa_key_row rows[SA_KEYS_MAX + 1];
    unsigned count = 0;
    unsigned begun = 0;

    for (int now = 1; now < 60000; now++) {
        int64_t now_ms = (int64_t)now * 1000;
        struct sa_key_step step;
        while ((step = sa_key_next(rows, count, &plan, now_ms)).act != SA_KEY_REST) {
            if (step.act == SA_KEY_REMOVE) {
                assert_true(rows[step.row].retire_ms + 3600000 < now_ms);
                rows[step.row] = rows[--count];
                continue;
            }
            if (step.act == SA_KEY_BEGIN) {
                sa_key_begin(rows, count, step.row, rows[step.row].active_ms, &plan, now_ms);
                begun++;
                continue;
            }
            rows[count++] =
                (struct sa_key_row){.alg = SA_KEY_ES256,
                                    .created_ms = now_ms,
                                    .active_ms = step.act == SA_KEY_CREATE ? now_ms : step.active_ms};
            assert_true(count <= SA_KEYS_MAX);
            if (step.act == SA_KEY_CREATE)
                sa_key_begin(rows, count, 0, now_ms, &plan, now_ms);
        }
        unsigned signer = sa_key_signer(rows, count, now_ms);
        unsigned next = sa_key_successor(rows, count, &plan, now_ms);
        if (now <= READY)
            continue;
        assert_true(rows[signer].created_ms == 1000 ||
                    sa_key_ready_ms(&rows[signer], &plan) <= rows[signer].active_ms);
        assert_true(next != NONE && sa_key_ready_ms(&rows[next], &plan) <= now_ms);
    }
    assert_int_equal(begun, 59);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_signs_and_what_comes_next_follow_from_times),
        cmocka_unit_test(all_are_over_where_none_has_a_life_left),
        cmocka_unit_test(with_as_many_keys_as_there_may_be_the_present_one_goes_on),
        cmocka_unit_test(who_begins_early_retires_the_one_before_and_moves_those_after),
        cmocka_unit_test(a_successor_begins_after_whom_it_succeeds_whatever_the_clock_says),
        cmocka_unit_test(through_every_rotation_verifiers_have_the_key_that_signs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
