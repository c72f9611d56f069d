/* links: sa_pam */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pam/managed.h"

#define HEADER "secauth managed 1\n"

static char path[64];

static bool
may_hold(const char *list, const uint32_t *uid)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(list, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return sa_managed_may_hold(path, uid);
}

static bool
may_hold_uid(const char *list, uint32_t uid)
{
    return may_hold(list, &uid);
}

static void
a_list_that_is_not_legal_holds_everybody(void **state)
{
    static const char *const lists[] = {
        "",
        "\n",
        "secauth managed 1",
        "secauth managed 2\n",
        "Secauth managed 1\n",
        HEADER "1",
        HEADER "1\n2",
        HEADER "\n",
        HEADER "2\n1\n",
        HEADER "1\n1\n",
        HEADER "1 \n",
        HEADER "-1\n",
        HEADER "+1\n",
        HEADER "1\r\n",
        HEADER "0x1\n",
        HEADER "4294967295\n",
        HEADER "18446744073709551617\n",
        HEADER "00000000001\n",
    };

    (void)state;
    for (size_t i = 0; i < SA_COUNT(lists); i++) {
        assert_true(may_hold_uid(lists[i], 77));
        assert_true(may_hold(lists[i], NULL));
    }
}

static void
what_cannot_be_read_holds_everybody(void **state)
{
    (void)state;
    assert_true(sa_managed_may_hold("/nonexistent/managed", &(uint32_t){7}));
    assert_true(sa_managed_may_hold("/tmp", &(uint32_t){7}));
    assert_true(sa_managed_may_hold("/dev/null", &(uint32_t){7}));
}

static void
a_legal_list_holds_the_uids_on_it_and_no_other(void **state)
{
    (void)state;
    assert_false(may_hold_uid(HEADER, 0));
    assert_false(may_hold(HEADER "0\n1000\n", NULL));
    assert_true(may_hold_uid(HEADER "0\n1000\n4294967294\n", 0));
    assert_true(may_hold_uid(HEADER "0\n1000\n4294967294\n", 1000));
    assert_true(may_hold_uid(HEADER "0\n1000\n4294967294\n", 4294967294u));
    assert_false(may_hold_uid(HEADER "0\n1000\n4294967294\n", 100));
    assert_false(may_hold_uid(HEADER "0\n1000\n4294967294\n", 10000));
}

static void
a_list_of_many_blocks_is_read_to_its_end(void **state)
{
    FILE *file = fopen(path, "we");

    (void)state;
    assert_non_null(file);
    fputs(HEADER, file);
    for (unsigned uid = 1000; uid < 101000; uid += 2)
        fprintf(file, "%u\n", uid);
    assert_int_equal(fclose(file), 0);
    assert_true(sa_managed_may_hold(path, &(uint32_t){100998}));
    assert_false(sa_managed_may_hold(path, &(uint32_t){100999}));
    assert_false(sa_managed_may_hold(path, &(uint32_t){1001}));
}

static int
set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/secauth-managed-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int
tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_that_is_not_legal_holds_everybody),
        cmocka_unit_test(what_cannot_be_read_holds_everybody),
        cmocka_unit_test(a_legal_list_holds_the_uids_on_it_and_no_other),
        cmocka_unit_test(a_list_of_many_blocks_is_read_to_its_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
