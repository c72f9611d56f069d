/* links: sa_auth */
/* Codes and recovery codes as people type them, against what a user has. Key and codes: RFC 6238, appendix B.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/auth/factor.h"
#include "service/auth/inside.h"

#define NOW_MS  INT64_C(1111111109000) /* 081804 */
#define STEP    37037036
#define SUBJECT "abcdefghijklmnopqrstuv"

static struct sa_conf conf;
static struct sa_authority authority = {.conf = &conf};

static struct sa_factors_state
tina(void)
{
    struct sa_factors_state state = {.has_totp = true};

    state.totp = (struct sa_totp){.algorithm = SA_TOTP_SHA1, .digits = 6, .key_len = 20, .last_step = -1};
    memcpy(state.totp.key, "12345678901234567890", 20);
    return state;
}

static bool
accepts(const struct sa_factors_state *state, struct sa_bytes answer, int64_t wall_ms,
        struct sa_factor_use *ret_use)
{
    static uint8_t mac[SA_MAC_LEN];

    return sa_factor_judge(&authority, SUBJECT, state, answer, wall_ms, mac, ret_use) == SA_OK;
}

static bool
accepts_text(const struct sa_factors_state *state, const char *answer, int64_t wall_ms)
{
    struct sa_factor_use use;

    return accepts(state, sa_bytes_of(answer), wall_ms, &use);
}

static void
what_is_no_code_is_wrong(void **state)
{
    static const char *const WRONG[] = {"",
                                        "81804",
                                        "0081804",
                                        "08 1804",
                                        "081805",
                                        "0818 04",
                                        "-81804",
                                        "+81804",
                                        "08180",
                                        "0x1804",
                                        "\xd9\xa0\xd9\xa8\xd9\xa1\xd9\xa8\xd9\xa0\xd9\xa4"};
    const struct sa_factors_state has = tina();
    struct sa_factors_state nothing = {.has_totp = false};
    static uint8_t zeros[65536];
    struct sa_factor_use use;

    (void)state;
    for (size_t i = 0; i < SA_COUNT(WRONG); i++)
        assert_false(accepts_text(&has, WRONG[i], NOW_MS));
    memset(zeros, '0', sizeof(zeros));
    assert_false(accepts(&has, sa_bytes(zeros, sizeof(zeros)), NOW_MS, &use));
    assert_false(accepts(&has, sa_bytes(NULL, 0), NOW_MS, &use));
    assert_false(accepts_text(&nothing, "081804", NOW_MS));
}

static void
a_code_is_good_for_its_step_and_one_beside_it(void **state)
{
    const struct sa_factors_state has = tina();
    struct sa_factor_use use;

    (void)state;
    assert_true(accepts(&has, sa_bytes_of(" \t081804 "), NOW_MS, &use));
    assert_true(use.is_totp);
    assert_int_equal(use.step, STEP);
    assert_true(accepts_text(&has, "081804", NOW_MS + 30000));
    assert_true(accepts_text(&has, "081804", NOW_MS - 30000));
    assert_false(accepts_text(&has, "081804", NOW_MS + 60000));
    assert_false(accepts_text(&has, "081804", NOW_MS - 60000));
}

static void
a_step_is_never_accepted_twice_nor_an_older_one(void **state)
{
    struct sa_factors_state has = tina();

    (void)state;
    has.totp.last_step = STEP - 1;
    assert_true(accepts_text(&has, "081804", NOW_MS));
    has.totp.last_step = STEP;
    assert_false(accepts_text(&has, "081804", NOW_MS));
    has.totp.last_step = STEP + 1;
    assert_false(accepts_text(&has, "081804", NOW_MS));
}

static void
wrong_codes_shut_totp_and_not_the_recovery_codes(void **state)
{
    char code[SA_RECOVERY_TEXT_LEN + 1];
    struct sa_factors_state has = tina();
    struct sa_factor_use use;
    uint8_t mac[SA_MAC_LEN];

    (void)state;
    sa_factor_make_recovery(&authority, SUBJECT, code, mac);
    has.recovery_codes = 1;
    has.failures = 9;
    assert_true(accepts_text(&has, "081804", NOW_MS));
    has.failures = 10;
    assert_false(accepts_text(&has, "081804", NOW_MS));
    assert_true(accepts(&has, sa_bytes_of(code), NOW_MS, &use));
    assert_false(use.is_totp);
    assert_memory_equal(use.recovery_mac, mac, sizeof(mac));
    for (char *at = code; *at != '\0'; at++)
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    assert_true(accepts(&has, sa_bytes_of(code), 0, &use));
    assert_memory_equal(use.recovery_mac, mac, sizeof(mac));
    has.recovery_codes = 0;
    assert_false(accepts(&has, sa_bytes_of(code), NOW_MS, &use));
}

static void
a_recovery_code_of_another_form_is_none(void **state)
{
    static const char *const WRONG[] = {"abcdef-ghijk", "abcdef-ghijkmn", "abcdef-ghijkl", "abcdef-ghijk0",
                                        "abcdef ghijkm"};
    struct sa_factors_state has = tina();

    (void)state;
    has.recovery_codes = 10;
    assert_true(accepts_text(&has, "abcdef-ghijkm", NOW_MS));
    for (size_t i = 0; i < SA_COUNT(WRONG); i++)
        assert_false(accepts_text(&has, WRONG[i], NOW_MS));
}

static size_t
appended(const struct sa_factors_state *has, const char *password, struct sa_factor_use *ret_use)
{
    return sa_factor_appended(&authority, SUBJECT, has, sa_bytes_of(password), NOW_MS, ret_use);
}

static void
a_code_at_the_end_of_a_password_is_found(void **state)
{
    struct sa_factors_state has = tina();
    struct sa_factor_use use = {.step = 0};

    (void)state;
    assert_int_equal(appended(&has, "081804", &use), 0);
    assert_int_equal(appended(&has, "secret081805", &use), 0);
    assert_int_equal(appended(&has, "secret081804 ", &use), 0);
    assert_null(use.subject);
    assert_int_equal(appended(&has, "secret081804", &use), 6);
    assert_int_equal(use.step, STEP);
    assert_true(use.is_totp);
    assert_int_equal(use.failures_max, 10);
    has.failures = 10;
    assert_int_equal(appended(&has, "secret081804", &use), 0);
}

static void
only_a_password_that_ends_in_six_digits_is_looked_at(void **state)
{
    (void)state;
    assert_false(sa_factor_may_be_appended(sa_bytes_of("")));
    assert_false(sa_factor_may_be_appended(sa_bytes_of("secret")));
    assert_false(sa_factor_may_be_appended(sa_bytes_of("081804secret")));
    assert_false(sa_factor_may_be_appended(sa_bytes_of("secret81804")));
    assert_true(sa_factor_may_be_appended(sa_bytes_of("secret081804")));
    assert_true(sa_factor_may_be_appended(sa_bytes_of("081804")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_code_is_wrong),
        cmocka_unit_test(a_code_is_good_for_its_step_and_one_beside_it),
        cmocka_unit_test(a_step_is_never_accepted_twice_nor_an_older_one),
        cmocka_unit_test(wrong_codes_shut_totp_and_not_the_recovery_codes),
        cmocka_unit_test(a_recovery_code_of_another_form_is_none),
        cmocka_unit_test(a_code_at_the_end_of_a_password_is_found),
        cmocka_unit_test(only_a_password_that_ends_in_six_digits_is_looked_at),
    };
    SA_OWN(sa_keyring) keyring = sa_keyring_new(sa_bytes("0123456789abcdef0123456789abcdef", 32));

    conf.login_factor_failures = 10;
    authority.keyring = keyring;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
