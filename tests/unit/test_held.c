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
    struct sa_answer answer = {.due_boot_ms = 1000};

    assert_int_equal(sa_held_add(&held, &answer), SA_OK);
    assert_int_equal(sa_held_next_ms(&held), 1000);
    assert_null(sa_held_due(&held, 999));
    assert_ptr_equal(sa_held_due(&held, 1000), &answer);
    assert_null(sa_held_due(&held, INT64_MAX));
    free(held.heap);
}

static void
answers_leave_in_the_order_of_their_times(SA_UNUSED void **state)
{
    struct sa_held held = {0};
    static struct sa_answer answers[COUNT];
    int64_t last_ms = 0;
    unsigned left = 0;

    for (unsigned i = 0; i < COUNT; i++) {
        answers[i].due_boot_ms = (i * 7919u) % 1009u + 1;
        assert_int_equal(sa_held_add(&held, &answers[i]), SA_OK);
    }
    for (int64_t now_ms = 0; now_ms <= 1010; now_ms += 5) {
        struct sa_answer *answer;
        while ((answer = sa_held_due(&held, now_ms)) != NULL) {
            assert_true(answer->due_boot_ms <= now_ms);
            assert_true(answer->due_boot_ms >= last_ms);
            last_ms = answer->due_boot_ms;
            left++;
        }
        assert_true(sa_held_next_ms(&held) > now_ms);
    }
    assert_int_equal(left, COUNT);
    free(held.heap);
}

static void
one_that_stands_alone_has_all_and_is_small(SA_UNUSED void **state)
{
    struct sa_exchange exchange = {.answer.number = 7};
    uint8_t body[160] = "what a denial says";

    exchange.answer.exchange = &exchange;
    exchange.answer.header[0] = 99;
    exchange.answer.body = sa_bytes(body, sizeof(body));
    struct sa_answer *alone = sa_answer_alone(&exchange.answer);
    assert_non_null(alone);
    memset(body, 0, sizeof(body));
    assert_null(alone->exchange);
    assert_int_equal(alone->number, 7);
    assert_int_equal(alone->header[0], 99);
    assert_int_equal(alone->body.len, sizeof(body));
    assert_string_equal((const char *)alone->body.data, "what a denial says");
    assert_true(sizeof(*alone) + alone->body.len + 2 * sizeof(void *) < 512);
    sa_answer_free(alone);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_due_where_nothing_is_held),
        cmocka_unit_test(no_answer_leaves_before_its_time),
        cmocka_unit_test(one_that_stands_alone_has_all_and_is_small),
        cmocka_unit_test(answers_leave_in_the_order_of_their_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
