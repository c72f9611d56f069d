/* links: sa_rpc */
/* MfaService: who may, with what proof, what counts as a guess, and what happens between two enrolments. */
#include "service/auth/factor.h"
#include "service/auth/otpauth.h"
#include "tests/support/rules_fixture.h"

#define ANN  1000u
#define BOB  1001u
#define STEP INT64_C(30000) /* milliseconds */

static const char KEY[] = "12345678901234567890";
static const char OTHER[] = "abcdefghijklmnopqrst";

static Secauth__V1__ConfirmTotpResponse confirmed;
static Secauth__V1__CreateRecoveryCodesResponse created;

static int
set_up(void **state)
{
    struct rig *rig = rig_new("");

    rig->conf.login_factor_failures = 3;
    rig->conf.login_source_failures = 100;
    rig_add_user(rig, "ann", ANN);
    rig_add_user(rig, "bob", BOB);
    *state = rig;
    return 0;
}

/* ---- what people ask ---- */

static enum sa_status
enroll(struct rig *rig, struct sa_caller caller, const char *user, const char *password, const char *key)
{
    Secauth__V1__EnrollTotpRequest request = SECAUTH__V1__ENROLL_TOTP_REQUEST__INIT;
    Secauth__V1__EnrollTotpResponse reply = SECAUTH__V1__ENROLL_TOTP_RESPONSE__INIT;

    request.user = RIG_TEXT(user);
    request.password = RIG_BYTES(password);
    request.key = RIG_BYTES(key);
    return rig_call(rig, caller, "MfaService/EnrollTotp", &request.base, &reply.base);
}

static enum sa_status
confirm(struct rig *rig, struct sa_caller caller, const char *user, const char *code, const char *current)
{
    Secauth__V1__ConfirmTotpRequest request = SECAUTH__V1__CONFIRM_TOTP_REQUEST__INIT;

    secauth__v1__confirm_totp_response__init(&confirmed);
    request.user = RIG_TEXT(user);
    request.password = RIG_BYTES(RIG_PASSWORD);
    request.code = RIG_BYTES(code);
    request.current_code = RIG_BYTES(current);
    request.recovery_codes = true;
    return rig_call(rig, caller, "MfaService/ConfirmTotp", &request.base, &confirmed.base);
}

static enum sa_status
recover(struct rig *rig, struct sa_caller caller, const char *user, const char *password, const char *code)
{
    Secauth__V1__CreateRecoveryCodesRequest request = SECAUTH__V1__CREATE_RECOVERY_CODES_REQUEST__INIT;

    secauth__v1__create_recovery_codes_response__init(&created);
    request.user = RIG_TEXT(user);
    request.password = RIG_BYTES(password);
    request.code = RIG_BYTES(code);
    return rig_call(rig, caller, "MfaService/CreateRecoveryCodes", &request.base, &created.base);
}

static Secauth__V1__GetMfaResponse
show(struct rig *rig, const char *user)
{
    Secauth__V1__GetMfaRequest request = SECAUTH__V1__GET_MFA_REQUEST__INIT;
    Secauth__V1__GetMfaResponse reply = SECAUTH__V1__GET_MFA_RESPONSE__INIT;

    request.user = RIG_TEXT(user);
    assert_int_equal(rig_call(rig, rig_root(), "MfaService/GetMfa", &request.base, &reply.base), SA_OK);
    return reply;
}

/* The code of a key that is asked for with `key`, SHA-1 and 6 digits, so many steps from now. */
static const char *
code_of(const struct rig *rig, const char *key, int64_t steps)
{
    static char codes[4][SA_TOTP_DIGITS_MAX + 1];
    static unsigned at;
    char *code = codes[at++ % 4];

    assert_int_equal(sa_totp_code(SA_TOTP_SHA1, sa_bytes_of(key), rig->now.wall_ms / STEP + steps, 6, code),
                     SA_OK);
    return code;
}

static void
give(struct rig *rig, const char *user, const char *key)
{
    assert_int_equal(enroll(rig, rig_root(), user, "", key), SA_OK);
    assert_int_equal(confirm(rig, rig_root(), user, code_of(rig, key, 0), ""), SA_OK);
    rig_pass(rig, STEP);
}

/* Of the last ConfirmTotp, out of its arena. */
static const char *
recovery_code(unsigned index)
{
    static char code[SA_RECOVERY_TEXT_LEN + 1];

    assert_int_equal(confirmed.n_recovery_codes, SA_RECOVERY_CODES);
    assert_int_equal(confirmed.recovery_codes[index].len, SA_RECOVERY_TEXT_LEN);
    memcpy(code, confirmed.recovery_codes[index].data, SA_RECOVERY_TEXT_LEN);
    return code;
}

/* ---- whose ---- */

static void
nobody_but_an_administrator_touches_anothers(void **state)
{
    struct rig *rig = *state;

    give(rig, "ann", KEY);
    assert_int_equal(enroll(rig, rig_user(BOB), "ann", RIG_PASSWORD, ""), SA_PERMISSION_DENIED);
    assert_int_equal(confirm(rig, rig_user(BOB), "ann", code_of(rig, KEY, 0), ""), SA_PERMISSION_DENIED);
    assert_int_equal(recover(rig, rig_user(BOB), "ann", RIG_PASSWORD, code_of(rig, KEY, 0)),
                     SA_PERMISSION_DENIED);
    assert_int_equal(enroll(rig, rig_user(4999), "", RIG_PASSWORD, ""), SA_NOT_MANAGED);
    assert_int_equal(enroll(rig, rig_root(), "nobody", "", ""), SA_NOT_FOUND);
    assert_int_equal(enroll(rig, rig_root(), "a/b", "", ""), SA_INVALID_ARGUMENT);
    assert_int_equal(show(rig, "ann").failures, 0);
}

static void
a_key_of_ones_own_making_is_refused(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(enroll(rig, rig_user(ANN), "", RIG_PASSWORD, KEY), SA_PERMISSION_DENIED);
    assert_int_equal(enroll(rig, rig_root(), "ann", "", "fifteen bytes: "), SA_INVALID_ARGUMENT);
}

/* ---- the password ---- */

static void
a_wrong_password_is_a_guess_like_any_other(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(enroll(rig, rig_user(ANN), "", "wrong", ""), SA_INVALID_CREDENTIALS);
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ENROLL, SA_OUTCOME_DENIED, "WRONG_PASSWORD");
    assert_int_equal(recover(rig, rig_user(ANN), "", "wrong", ""), SA_INVALID_CREDENTIALS);
    rig_assert_recorded(rig, SA_EVENT_RECOVERY_CODES, SA_OUTCOME_DENIED, "WRONG_PASSWORD");
    assert_int_equal(enroll(rig, rig_user(ANN), "", "", ""), SA_INVALID_CREDENTIALS);
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
    assert_int_equal(enroll(rig, rig_user(ANN), "", RIG_PASSWORD, ""), SA_OK);
}

static void
what_a_person_has_is_told_only_after_the_password(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(recover(rig, rig_user(ANN), "", "wrong", ""), SA_INVALID_CREDENTIALS);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, ""), SA_FACTOR_REQUIRED);
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
    assert_int_equal(confirm(rig, rig_user(ANN), "", "123456", ""), SA_FACTOR_REQUIRED);
    assert_int_equal(show(rig, "ann").failures, 0);
}

/* ---- codes ---- */

static void
a_wrong_code_counts_against_the_factor_and_not_the_password(void **state)
{
    struct rig *rig = *state;

    give(rig, "ann", KEY);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, "000000"), SA_INVALID_CREDENTIALS);
        assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
        rig_assert_recorded(rig, SA_EVENT_RECOVERY_CODES, SA_OUTCOME_DENIED, "WRONG_CODE");
        assert_int_equal(show(rig, "ann").failures, i);
    }
    assert_true(show(rig, "ann").locked);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, code_of(rig, KEY, 0)),
                     SA_INVALID_CREDENTIALS);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(enroll(rig, rig_user(ANN), "", RIG_PASSWORD, ""), SA_OK); /* and nobody waits */
}

static void
an_administrators_wrong_code_counts_against_nobody(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(enroll(rig, rig_root(), "ann", "", KEY), SA_OK);
    assert_int_equal(confirm(rig, rig_root(), "ann", "000000", ""), SA_INVALID_CREDENTIALS);
    assert_false(show(rig, "ann").totp);
    assert_int_equal(show(rig, "ann").failures, 0);
    assert_int_equal(confirm(rig, rig_root(), "ann", code_of(rig, KEY, -2), ""), SA_INVALID_CREDENTIALS);
    assert_int_equal(confirm(rig, rig_root(), "ann", code_of(rig, KEY, 2), ""), SA_INVALID_CREDENTIALS);
    assert_int_equal(confirm(rig, rig_root(), "ann", code_of(rig, KEY, 1), ""), SA_OK);
}

static void
the_code_that_arms_a_key_is_spent(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(enroll(rig, rig_root(), "ann", "", KEY), SA_OK);
    const char *code = code_of(rig, KEY, 0);
    assert_int_equal(confirm(rig, rig_root(), "ann", code, ""), SA_OK);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, code), SA_INVALID_CREDENTIALS);
    code = code_of(rig, KEY, 1);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, code), SA_OK);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, code), SA_INVALID_CREDENTIALS);
}

static void
the_password_alone_does_not_replace_a_key(void **state)
{
    struct rig *rig = *state;

    give(rig, "ann", KEY);
    assert_int_equal(enroll(rig, rig_root(), "ann", "", OTHER), SA_OK); /* ann's hand, but for its bytes */
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, OTHER, 0), ""), SA_INVALID_CREDENTIALS);
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, OTHER, 0), code_of(rig, OTHER, 0)),
                     SA_INVALID_CREDENTIALS);
    assert_int_equal(show(rig, "ann").failures, 2);
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, OTHER, 0), code_of(rig, KEY, 0)), SA_OK);
    assert_int_equal(show(rig, "ann").failures, 0);
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ARM, SA_OUTCOME_GRANTED, "");
}

static void
a_recovery_code_replaces_a_lost_key_once(void **state)
{
    struct rig *rig = *state;
    char code[SA_RECOVERY_TEXT_LEN + 1];

    assert_int_equal(enroll(rig, rig_root(), "ann", "", KEY), SA_OK);
    assert_int_equal(confirm(rig, rig_root(), "ann", code_of(rig, KEY, 0), ""), SA_OK);
    strcpy(code, recovery_code(4));
    assert_int_equal(enroll(rig, rig_root(), "ann", "", OTHER), SA_OK);
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, OTHER, 0), "aaaaaa-aaaaaa"),
                     SA_INVALID_CREDENTIALS);
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, OTHER, 0), code), SA_OK);
    assert_int_equal(show(rig, "ann").recovery_codes, SA_RECOVERY_CODES);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, code), SA_INVALID_CREDENTIALS);
}

static void
recovery_codes_are_the_persons_own(void **state)
{
    struct rig *rig = *state;
    char code[SA_RECOVERY_TEXT_LEN + 1];

    give(rig, "bob", OTHER);
    assert_int_equal(enroll(rig, rig_root(), "ann", "", KEY), SA_OK);
    assert_int_equal(confirm(rig, rig_root(), "ann", code_of(rig, KEY, 0), ""), SA_OK);
    strcpy(code, recovery_code(0));
    assert_int_equal(recover(rig, rig_user(BOB), "", RIG_PASSWORD, code), SA_INVALID_CREDENTIALS);
    assert_int_equal(recover(rig, rig_user(ANN), "", RIG_PASSWORD, code), SA_OK);
}

/* ---- what others do meanwhile ---- */

static void
enroll_another(struct rig *rig)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ENROLL);
    struct sa_totp totp = {.algorithm = SA_TOTP_SHA1, .digits = 6, .key_len = 20};
    SA_OWN(sa_user) user = NULL;

    memcpy(totp.key, OTHER, 20);
    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    assert_int_equal(sa_store_totp_enroll(rig->store.store, user->subject, &totp, &audit), SA_OK);
}

static void
remove_all(struct rig *rig)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_REMOVE);
    SA_OWN(sa_user) user = NULL;

    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    assert_int_equal(sa_store_factors_remove(rig->store.store, user->subject, &audit), SA_OK);
}

static void
a_key_that_another_enrolment_left_is_not_armed_by_this_ones_code(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(enroll(rig, rig_root(), "ann", "", KEY), SA_OK);
    rig->between = enroll_another; /* after the password was proven, before the code is judged */
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, KEY, 0), ""), SA_INVALID_CREDENTIALS);
    rig->between = NULL;
    assert_false(show(rig, "ann").totp);
}

static void
what_was_removed_meanwhile_is_not_armed(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(enroll(rig, rig_root(), "ann", "", KEY), SA_OK);
    rig->between = remove_all;
    assert_int_equal(confirm(rig, rig_user(ANN), "", code_of(rig, KEY, 0), ""), SA_FACTOR_REQUIRED);
    rig->between = NULL;
    assert_false(show(rig, "ann").totp);
}

static void
change_the_password(struct rig *rig)
{
    rig_set_password(rig, "ann", "another of hers");
}

static void
rehash(struct rig *rig)
{
    static unsigned steps;

    if (steps++ == 1) /* between the proof and the change */
        rig_set_password(rig, "ann", RIG_PASSWORD);
}

static void
disable(struct rig *rig)
{
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", false, rig->now.wall_ms, &audit),
                     SA_OK);
}

static void
a_password_that_was_changed_meanwhile_proves_nothing(void **state)
{
    struct rig *rig = *state;

    rig->between = change_the_password;
    assert_int_equal(enroll(rig, rig_user(ANN), "", RIG_PASSWORD, ""), SA_INVALID_CREDENTIALS);
    rig->between = NULL;
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ENROLL, SA_OUTCOME_DENIED, "WRONG_PASSWORD");
}

static void
another_hash_of_the_same_password_is_proven_again(void **state)
{
    struct rig *rig = *state;

    rig->between = rehash;
    assert_int_equal(enroll(rig, rig_user(ANN), "", RIG_PASSWORD, ""), SA_OK);
    rig->between = NULL;
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ENROLL, SA_OUTCOME_GRANTED, "");
}

static void
who_was_disabled_meanwhile_changes_nothing(void **state)
{
    struct rig *rig = *state;

    rig->between = disable;
    assert_int_equal(enroll(rig, rig_user(ANN), "", RIG_PASSWORD, ""), SA_INVALID_CREDENTIALS);
    rig->between = NULL;
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ENROLL, SA_OUTCOME_DENIED, "ACCOUNT_DISABLED");
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(nobody_but_an_administrator_touches_anothers),
        TEST(a_key_of_ones_own_making_is_refused),
        TEST(a_wrong_password_is_a_guess_like_any_other),
        TEST(what_a_person_has_is_told_only_after_the_password),
        TEST(a_wrong_code_counts_against_the_factor_and_not_the_password),
        TEST(an_administrators_wrong_code_counts_against_nobody),
        TEST(the_code_that_arms_a_key_is_spent),
        TEST(the_password_alone_does_not_replace_a_key),
        TEST(a_recovery_code_replaces_a_lost_key_once),
        TEST(recovery_codes_are_the_persons_own),
        TEST(a_key_that_another_enrolment_left_is_not_armed_by_this_ones_code),
        TEST(what_was_removed_meanwhile_is_not_armed),
        TEST(a_password_that_was_changed_meanwhile_proves_nothing),
        TEST(another_hash_of_the_same_password_is_proven_again),
        TEST(who_was_disabled_meanwhile_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
