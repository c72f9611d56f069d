/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/store/store_factor.h"
#include "service/store/store_login.h"
#include "tests/support/store_fixture.h"

static const struct sa_totp TOTP = {
    .algorithm = SA_TOTP_SHA256, .digits = 8, .key_len = 20, .key = "12345678901234567890"};

static enum sa_status
login(struct fixture *fixture, const struct sa_login_change *change)
{
    struct sa_audit audit = sa_audit(SA_EVENT_LOGIN);

    return sa_store_login(fixture->store, change, &audit);
}

static enum sa_status
use_step(struct fixture *fixture, const char *subject, int64_t step)
{
    struct sa_login_change change = {
        .has_factor = true, .factor = {.subject = subject, .is_totp = true, .step = step, .failures_max = 3}};

    return login(fixture, &change);
}

static enum sa_status
use_recovery(struct fixture *fixture, const char *subject, const uint8_t *mac)
{
    struct sa_login_change change = {.has_factor = true, .factor = {.subject = subject, .recovery_mac = mac}};

    return login(fixture, &change);
}

static struct sa_factors_state
factors(struct fixture *fixture, const char *subject)
{
    struct sa_factors_state state;

    assert_int_equal(sa_store_factors(fixture->store, subject, &state), SA_OK);
    return state;
}

static void
arm(struct fixture *fixture, const char *subject, int64_t step)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ARM);

    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &TOTP, &audit), SA_OK);
    struct sa_totp_arming arming = {.pending = &TOTP, .step = step, .now_s = 7};
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_OK);
}

static void
nothing_is_kept_for_a_user_that_is_not_there(void **state)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ENROLL);
    struct sa_totp_arming arming = {.pending = &TOTP, .step = 1, .now_s = 7};
    uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN] = {{0}};
    struct fixture *fixture = *state;

    assert_int_equal(sa_store_totp_enroll(fixture->store, "nobody", &TOTP, &audit), SA_NOT_FOUND);
    assert_int_equal(
        sa_store_recovery_set(fixture->store, "nobody", NULL, (const uint8_t(*)[SA_MAC_LEN])macs, &audit),
        SA_NOT_FOUND);
    assert_int_equal(sa_store_totp_arm(fixture->store, "nobody", &arming, &audit), SA_NOT_FOUND);
}

static void
a_key_of_another_length_is_refused(void **state)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ENROLL);
    struct fixture *fixture = *state;
    struct sa_totp totp = TOTP;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    totp.key_len = SA_TOTP_KEY_MIN - 1;
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &totp, &audit), SA_INVALID_ARGUMENT);
    totp.key_len = SA_TOTP_KEY_MAX + 1;
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &totp, &audit), SA_INVALID_ARGUMENT);
}

static void
arming_without_an_enrolment_leaves_the_armed_key(void **state)
{
    struct sa_totp_arming arming = {.pending = &TOTP, .step = 11, .now_s = 7};
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ARM);
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_NOT_FOUND);
    assert_true(factors(fixture, subject).has_totp);
}

static void
a_step_is_accepted_once_and_none_before_it(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    assert_int_equal(use_step(fixture, subject, 10), SA_NOT_FOUND); /* the one that armed it */
    assert_int_equal(use_step(fixture, subject, 12), SA_OK);
    assert_int_equal(use_step(fixture, subject, 12), SA_NOT_FOUND);
    assert_int_equal(use_step(fixture, subject, 11), SA_NOT_FOUND);
    fixture_reopen(fixture);
    assert_int_equal(use_step(fixture, subject, 12), SA_NOT_FOUND);
    assert_int_equal(use_step(fixture, subject, 13), SA_OK);
}

static void
a_code_that_comes_after_too_many_wrong_ones_is_too_late(void **state)
{
    struct fixture *fixture = *state;
    struct sa_login_change wrong = {.has_pair = false};
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    wrong.wrong_code_subject = subject;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(login(fixture, &wrong), SA_OK);
    assert_int_equal(use_step(fixture, subject, 11), SA_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(login(fixture, &wrong), SA_OK);
    assert_int_equal(use_step(fixture, subject, 12), SA_NOT_FOUND);
    assert_int_equal(factors(fixture, subject).totp.last_step, 11);
    assert_int_equal(factors(fixture, subject).failures, 3);
}

static void
a_recovery_code_is_good_once_and_clears_the_wrong_codes(void **state)
{
    struct sa_audit audit = sa_audit(SA_EVENT_RECOVERY_CODES);
    uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN] = {{0}};
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    for (unsigned i = 0; i < SA_RECOVERY_CODES; i++)
        macs[i][0] = (uint8_t)i;
    assert_int_equal(
        sa_store_recovery_set(fixture->store, subject, NULL, (const uint8_t(*)[SA_MAC_LEN])macs, &audit),
        SA_OK);
    struct sa_login_change wrong = {.wrong_code_subject = subject};
    assert_int_equal(login(fixture, &wrong), SA_OK);
    assert_int_equal(login(fixture, &wrong), SA_OK);
    assert_int_equal(factors(fixture, subject).failures, 2);

    assert_int_equal(use_recovery(fixture, subject, macs[3]), SA_OK);
    assert_int_equal(factors(fixture, subject).failures, 0);
    assert_int_equal(factors(fixture, subject).recovery_codes, SA_RECOVERY_CODES - 1);
    assert_int_equal(use_recovery(fixture, subject, macs[3]), SA_NOT_FOUND);
    assert_int_equal(
        sa_store_recovery_set(fixture->store, subject, NULL, (const uint8_t(*)[SA_MAC_LEN])macs, &audit),
        SA_OK);
    assert_int_equal(factors(fixture, subject).recovery_codes, SA_RECOVERY_CODES);
}

static void
a_key_comes_back_as_it_was_and_the_armed_one_stays_until_then(void **state)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ENROLL);
    struct fixture *fixture = *state;
    struct sa_totp next = TOTP;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    next.key[0] = 'x';
    next.digits = 6;
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &next, &audit), SA_OK);
    struct sa_factors_state has = factors(fixture, subject);
    assert_true(has.has_totp && has.has_pending);
    assert_memory_equal(has.totp.key, TOTP.key, TOTP.key_len);
    assert_memory_equal(has.pending.key, next.key, next.key_len);
    assert_int_equal(has.totp.last_step, 10);

    struct sa_totp_arming arming = {.pending = &next, .step = 20, .now_s = 8};
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_OK);
    has = factors(fixture, subject);
    assert_true(has.has_totp && !has.has_pending);
    assert_int_equal(has.totp.digits, 6);
    assert_int_equal(has.totp.last_step, 20);

    assert_int_equal(sa_store_factors_remove(fixture->store, subject, &audit), SA_OK);
    assert_false(factors(fixture, subject).has_totp);
}

/* Two enrolments at once: the code was judged by a key that waits no more. */
static void
a_key_that_was_replaced_meanwhile_is_not_armed_by_the_other_ones_code(void **state)
{
    struct sa_totp_arming arming = {.pending = &TOTP, .step = 5, .now_s = 7};
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ENROLL);
    struct fixture *fixture = *state;
    struct sa_totp other = TOTP;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    other.key[19] ^= 1;
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &TOTP, &audit), SA_OK);
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &other, &audit), SA_OK);
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_NOT_FOUND);
    assert_false(factors(fixture, subject).has_totp);
    assert_true(factors(fixture, subject).has_pending);
}

static void
a_proof_that_was_used_meanwhile_changes_nothing(void **state)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ARM);
    uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN] = {{0}};
    const uint8_t(*codes)[SA_MAC_LEN] = (const uint8_t(*)[SA_MAC_LEN])macs;
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    struct sa_factor_use used = {.subject = subject, .is_totp = true, .step = 10, .failures_max = 3};
    struct sa_totp_arming arming = {.pending = &TOTP, .step = 11, .current = &used, .macs = codes};
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &TOTP, &audit), SA_OK);
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_NOT_FOUND);
    assert_int_equal(sa_store_recovery_set(fixture->store, subject, &used, codes, &audit), SA_NOT_FOUND);
    assert_int_equal(factors(fixture, subject).totp.last_step, 10);
    assert_int_equal(factors(fixture, subject).recovery_codes, 0);
    assert_true(factors(fixture, subject).has_pending);

    used.step = 11;
    for (unsigned i = 0; i < SA_RECOVERY_CODES; i++)
        macs[i][0] = (uint8_t)i;
    assert_int_equal(sa_store_recovery_set(fixture->store, subject, &used, codes, &audit), SA_OK);
    assert_int_equal(use_step(fixture, subject, 11), SA_NOT_FOUND); /* it paid for the recovery codes */
    used = (struct sa_factor_use){.subject = subject, .recovery_mac = macs[0]};
    arming.macs = NULL;
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_OK);
    assert_int_equal(factors(fixture, subject).recovery_codes, SA_RECOVERY_CODES - 1);
}

static void
no_step_comes_back_where_the_same_key_is_armed_again(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    assert_int_equal(use_step(fixture, subject, 12), SA_OK);
    arm(fixture, subject, 11);
    assert_int_equal(use_step(fixture, subject, 12), SA_NOT_FOUND);
    assert_int_equal(use_step(fixture, subject, 13), SA_OK);
}

static int64_t
proven_s(struct fixture *fixture, const char *subject)
{
    struct sa_known_row row;

    assert_int_equal(sa_store_known(fixture->store, subject, "203.0.113.9", 0, &row), SA_OK);
    return row.factor_s;
}

static void
a_place_where_a_key_was_proven_does_not_stand_for_the_next_one(void **state)
{
    struct sa_login_change change = {.has_known = true, .known = {.used_s = 50, .factor_s = 50}};
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_REMOVE);
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    arm(fixture, subject, 10);
    strcpy(change.known.subject, subject);
    strcpy(change.known.source, "203.0.113.9");
    assert_int_equal(login(fixture, &change), SA_OK);
    assert_int_equal(proven_s(fixture, subject), 50);
    arm(fixture, subject, 20);
    assert_int_equal(proven_s(fixture, subject), 0);

    assert_int_equal(login(fixture, &change), SA_OK);
    assert_int_equal(sa_store_factors_remove(fixture->store, subject, &audit), SA_OK);
    assert_int_equal(proven_s(fixture, subject), 0);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_kept_for_a_user_that_is_not_there),
        TEST(a_key_of_another_length_is_refused),
        TEST(arming_without_an_enrolment_leaves_the_armed_key),
        TEST(a_step_is_accepted_once_and_none_before_it),
        TEST(a_code_that_comes_after_too_many_wrong_ones_is_too_late),
        TEST(a_recovery_code_is_good_once_and_clears_the_wrong_codes),
        TEST(a_key_comes_back_as_it_was_and_the_armed_one_stays_until_then),
        TEST(a_key_that_was_replaced_meanwhile_is_not_armed_by_the_other_ones_code),
        TEST(a_proof_that_was_used_meanwhile_changes_nothing),
        TEST(no_step_comes_back_where_the_same_key_is_armed_again),
        TEST(a_place_where_a_key_was_proven_does_not_stand_for_the_next_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
