/* links: sa_pam */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pam/ask.h"
#include "pam/proof.h"

static void
only_ok_is_success(void **state)
{
    unsigned count;
    const struct sa_status_row *rows = sa_status_table(&count);

    (void)state;
    assert_int_equal(sa_ask_code(SA_OK), PAM_SUCCESS);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(sa_ask_code(rows[i].status) == PAM_SUCCESS, rows[i].status == SA_OK);
    assert_int_equal(sa_ask_code(SA_UNSET), PAM_SYSTEM_ERR);
    assert_int_equal(sa_ask_code((enum sa_status)9999), PAM_SYSTEM_ERR);
}

static void
every_word_of_the_table_has_a_code(void **state)
{
    unsigned count;
    const struct sa_status_row *rows = sa_status_table(&count);

    (void)state;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(rows[i].pam, "SYSTEM_ERR") != 0)
            assert_int_not_equal(sa_ask_code(rows[i].status), PAM_SYSTEM_ERR);
    }
    assert_int_equal(sa_ask_code(SA_NOT_MANAGED), PAM_USER_UNKNOWN);
    assert_int_equal(sa_ask_code(SA_NO_DAEMON), PAM_AUTHINFO_UNAVAIL);
    assert_int_equal(sa_ask_code(SA_RATE_LIMITED), PAM_AUTH_ERR);
    assert_int_equal(sa_ask_code(SA_PASSWORD_REFUSED), PAM_AUTHTOK_ERR);
}

static void
what_strangers_can_cause_lets_no_other_module_decide(void **state)
{
    static const enum sa_status statuses[] = {SA_CONNECTION, SA_MALFORMED, SA_WRONG_PEER, SA_OVERLOADED,
                                              SA_DEADLINE,   SA_NO_MEMORY, SA_STORAGE,    SA_SHUTTING_DOWN};

    (void)state;
    for (size_t i = 0; i < SA_COUNT(statuses); i++)
        assert_int_equal(sa_ask_code(statuses[i]), PAM_SYSTEM_ERR);
}

static void
an_id_is_22_characters_that_need_no_quoting(void **state)
{
    static const char *const bad[] = {"",
                                      "AAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAA=A",
                                      "AAAAAAAAAA AAAAAAAAAAA",
                                      "AAAAAAAAAAAAAAAAAAAAA\n"};

    (void)state;
    for (size_t i = 0; i < SA_COUNT(bad); i++)
        assert_false(sa_proof_is_id(sa_bytes_of(bad[i])));
    assert_false(sa_proof_is_id(sa_bytes("AAAAAAAAAAAAAAAAAAAAA\0", 22)));
    assert_true(sa_proof_is_id(sa_bytes_of("azAZ09_-azAZ09_-azAZ09")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_ok_is_success),
        cmocka_unit_test(every_word_of_the_table_has_a_code),
        cmocka_unit_test(what_strangers_can_cause_lets_no_other_module_decide),
        cmocka_unit_test(an_id_is_22_characters_that_need_no_quoting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
