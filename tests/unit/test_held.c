/* links: sa_transport */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "service/transport/held.h"

#define COUNT 500u

static void
nothing_is_due_where_nothing_is_held(SA_UNUSED void **state)
{
    struct sa_held held = {0};

    assert_null(sa_held_due(&held, INT64_MAX));
    assert_int_equal(sa_held_next_ms(&held), INT64_MAX);
}

static void
no_answer_leaves_before_its_time(SA_UNUSED void **state)
{
    struct sa_held held = {0};
    struct sa_exchange exchange = {.call.hold_until_boot_ms = 1000};

    assert_int_equal(sa_held_add(&held, &exchange), SA_OK);
    assert_int_equal(sa_held_next_ms(&held), 1000);
    assert_null(sa_held_due(&held, 999));
    assert_ptr_equal(sa_held_due(&held, 1000), &exchange);
    assert_null(sa_held_due(&held, INT64_MAX));
    free(held.heap);
}

static void
answers_leave_in_the_order_of_their_times(SA_UNUSED void **state)
{
    struct sa_held held = {0};
    static struct sa_exchange exchanges[COUNT];
    int64_t last_ms = 0;
    unsigned left = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        exchanges[i].call.hold_until_boot_ms = (i * 7919u) % 1009u + 1;
        assert_int_equal(sa_held_add(&held, &exchanges[i]), SA_OK);
    }
    for (int64_t now_ms = 0; now_ms <= 1010; now_ms += 5) {
        struct sa_exchange *exchange;
        while ((exchange = sa_held_due(&held, now_ms)) != NULL) {
            assert_true(exchange->call.hold_until_boot_ms <= now_ms);
            assert_true(exchange->call.hold_until_boot_ms >= last_ms);
            last_ms = exchange->call.hold_until_boot_ms;
            left++;
        }
        assert_true(sa_held_next_ms(&held) > now_ms);
    }
    assert_int_equal(left, COUNT);
    free(held.heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_where_nothing_is_held),
        cmocka_unit_test(no_answer_leaves_before_its_time),
        cmocka_unit_test(answers_leave_in_the_order_of_their_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
