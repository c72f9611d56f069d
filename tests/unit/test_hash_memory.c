/* links: sa_crypto */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "service/crypto/hash_memory.h"

static atomic_bool has_it;

static void *
take_much(SA_UNUSED void *unused)
{
    sa_hash_memory_take(700);
    atomic_store(&has_it, true);
    sa_hash_memory_give(700);
    return NULL;
}

static void
a_dear_hash_waits_until_there_is_room(SA_UNUSED void **state)
{
    pthread_t thread;

    sa_hash_memory_limit(1000);
    sa_hash_memory_take(200);
    sa_hash_memory_take(200);
    assert_int_equal(pthread_create(&thread, NULL, take_much, NULL), 0);
    usleep(50000);
    assert_false(atomic_load(&has_it));
    sa_hash_memory_give(200);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&has_it));
    sa_hash_memory_give(200);
}

static void
one_beyond_the_limit_is_computed_alone(SA_UNUSED void **state)
{
    sa_hash_memory_limit(1000);
    sa_hash_memory_take(4000);
    sa_hash_memory_give(4000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dear_hash_waits_until_there_is_room),
        cmocka_unit_test(one_beyond_the_limit_is_computed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
