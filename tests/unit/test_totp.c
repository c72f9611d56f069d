/* links: sa_crypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/crypto/totp.h"

static const char KEY_64[] = "1234567890123456789012345678901234567890123456789012345678901234";

static void
a_form_that_no_authenticator_has_is_refused(void **state)
{
    struct sa_bytes key = sa_bytes(KEY_64, 20);
    char code[SA_TOTP_DIGITS_MAX + 1];

    (void)state;
    assert_int_equal(sa_totp_code(SA_TOTP_SHA1, key, 1, 5, code), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_totp_code(SA_TOTP_SHA1, key, 1, 9, code), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_totp_code(SA_TOTP_SHA1, key, -1, 6, code), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_totp_code((enum sa_totp_algorithm)0, key, 1, 6, code), SA_INVALID_ARGUMENT);
}

static void
the_codes_are_those_of_rfc_4226_appendix_d(void **state)
{
    static const char *const CODES[] = {"755224", "287082", "359152", "969429", "338314",
                                        "254676", "287922", "162583", "399871", "520489"};
    char code[SA_TOTP_DIGITS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i < SA_COUNT(CODES); i++) {
        assert_int_equal(sa_totp_code(SA_TOTP_SHA1, sa_bytes(KEY_64, 20), i, 6, code), SA_OK);
        assert_string_equal(code, CODES[i]);
    }
}

static void
the_codes_are_those_of_rfc_6238_appendix_b(void **state)
{
    static const struct {
        int64_t time_s;
        const char *codes[3];
    } ROWS[] = {{59, {"94287082", "46119246", "90693936"}},
                {1111111109, {"07081804", "68084774", "25091201"}},
                {1111111111, {"14050471", "67062674", "99943326"}},
                {1234567890, {"89005924", "91819424", "93441116"}},
                {2000000000, {"69279037", "90698825", "38618901"}},
                {20000000000, {"65353130", "77737706", "47863826"}}};
    static const size_t LENS[] = {20, 32, 64};
    char code[SA_TOTP_DIGITS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i < SA_COUNT(ROWS); i++) {
        for (unsigned k = 0; k < 3; k++) {
            assert_int_equal(sa_totp_code((enum sa_totp_algorithm)(k + 1), sa_bytes(KEY_64, LENS[k]),
                                          ROWS[i].time_s / 30, 8, code),
                             SA_OK);
            assert_string_equal(code, ROWS[i].codes[k]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_form_that_no_authenticator_has_is_refused),
        cmocka_unit_test(the_codes_are_those_of_rfc_4226_appendix_d),
        cmocka_unit_test(the_codes_are_those_of_rfc_6238_appendix_b),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
