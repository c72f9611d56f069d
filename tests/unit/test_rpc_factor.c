/* links: sa_rpc */
/* A login in two steps: who is asked for a code, what an answer costs, what it grants. */
#include "service/auth/factor.h"
#include "service/auth/login.h"
#include "tests/support/token_fixture.h"

#define HERE  "203.0.113.5"
#define THERE "203.0.113.6"

static Secauth__V1__BeginAuthenticationResponse asked;
static Secauth__V1__ContinueAuthenticationResponse answered;

static enum sa_status
begin(struct rig *rig, const char *user, const char *password, const char *rhost)
{
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;

    request.user = RIG_BYTES(user);
    request.password = RIG_BYTES(password);
    request.origin = &origin;
    origin.service = RIG_TEXT("sshd");
    origin.rhost = RIG_BYTES(rhost);
    secauth__v1__begin_authentication_response__init(&asked);
    return rig_call(rig, rig_root(), "AuthnService/BeginAuthentication", &request.base, &asked.base);
}

static enum sa_status
answer(struct rig *rig, const char *user, const char *state, const char *code, const char *rhost)
{
    Secauth__V1__ContinueAuthenticationRequest request = SECAUTH__V1__CONTINUE_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;

    request.user = RIG_BYTES(user);
    request.state = RIG_BYTES(state);
    request.answer = RIG_BYTES(code);
    request.origin = &origin;
    origin.service = RIG_TEXT("sshd");
    origin.rhost = RIG_BYTES(rhost);
    secauth__v1__continue_authentication_response__init(&answered);
    return rig_call(rig, rig_root(), "AuthnService/ContinueAuthentication", &request.base, &answered.base);
}

/* The first step asks; *ret_state outlives the call. */
static void
ask(struct rig *rig, const char *user, const char *password, const char *rhost, char ret_state[SA_ID_LEN + 1])
{
    assert_int_equal(begin(rig, user, password, rhost), SA_OK);
    assert_int_equal(asked.outcome, SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_CHALLENGED);
    assert_int_equal(asked.authn_handle.len, 0);
    assert_int_equal(asked.challenge->state.len, SA_ID_LEN);
    memcpy(ret_state, asked.challenge->state.data, SA_ID_LEN);
    ret_state[SA_ID_LEN] = '\0';
}

/* What a wrong code gets, with its record; the reason is a constant of the log where none is written. */
static void
assert_denied(struct rig *rig, const char *user, const char *state, const char *code, const char *reason)
{
    assert_int_equal(answer(rig, user, state, code, HERE), SA_INVALID_CREDENTIALS);
    assert_string_equal(rig->call.log_reason, reason);
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
}

static const struct sa_totp KEY = {
    .algorithm = SA_TOTP_SHA1, .digits = 6, .key_len = 20, .key = "12345678901234567890"};

/* The code of a step from now. */
static const char *
code(const struct rig *rig, int steps)
{
    static char text[SA_TOTP_DIGITS_MAX + 1];
    int64_t step = rig->now.wall_ms / 1000 / SA_TOTP_PERIOD_S + steps;

    assert_int_equal(sa_totp_code(KEY.algorithm, sa_bytes(KEY.key, KEY.key_len), step, KEY.digits, text),
                     SA_OK);
    return text;
}

static const char *
subject_of(struct rig *rig, const char *name)
{
    static char subject[SA_ID_LEN + 1];
    SA_OWN(sa_user) user = NULL;

    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of(name), &user), SA_OK);
    memcpy(subject, user->subject, sizeof(subject));
    return subject;
}

static void
add_enrolled(struct rig *rig, const char *name, uint32_t uid)
{
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ARM);
    struct sa_totp_arming arming = {.pending = &KEY, .step = 1};

    rig_add_user(rig, name, uid);
    assert_int_equal(sa_store_totp_enroll(rig->store.store, subject_of(rig, name), &KEY, &audit), SA_OK);
    assert_int_equal(sa_store_totp_arm(rig->store.store, subject_of(rig, name), &arming, &audit), SA_OK);
}

static unsigned
wrong_codes(struct rig *rig, const char *name)
{
    struct sa_factors_state has;

    assert_int_equal(sa_store_factors(rig->store.store, subject_of(rig, name), &has), SA_OK);
    return has.failures;
}

static struct sa_rules *rules;

static void
set_rules(struct rig *rig, const char *text)
{
    struct sa_conf_error error;

    sa_rules_free(rules);
    assert_int_equal(sa_rules_parse(sa_bytes_of(text), "rules", &rules, &error), SA_OK);
    sa_authority_set_rules(rig->authority, rules);
}

static int
teardown(void **state)
{
    int result = rig_teardown(state);

    sa_rules_free(rules);
    rules = NULL;
    return result;
}

/* ---- what it costs ---- */

static void
each_wrong_code_costs_its_source_a_unit_and_what_is_no_guess_none(void **state)
{
    struct rig *rig = *state;
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    for (unsigned i = 0; i < 6; i++) {
        ask(rig, "ann", RIG_PASSWORD, HERE, given);
        assert_denied(rig, "ann", given, " \t", "EMPTY_ANSWER");
        ask(rig, "ann", RIG_PASSWORD, HERE, given);
        assert_denied(rig, "ann", given, RIG_PASSWORD, "ANSWER_IS_PASSWORD");
        assert_denied(rig, "ann", given, code(rig, 0), "UNKNOWN_CHALLENGE");
    }
    assert_int_equal(wrong_codes(rig, "ann"), 0);
    for (unsigned i = 0; i < 5; i++) {
        ask(rig, "ann", RIG_PASSWORD, HERE, given);
        assert_denied(rig, "ann", given, "000000", "WRONG_CODE");
        rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_DENIED, "WRONG_CODE");
    }
    assert_int_equal(wrong_codes(rig, "ann"), 5);
    assert_int_equal(begin(rig, "ann", RIG_PASSWORD, HERE), SA_RATE_LIMITED);
    ask(rig, "ann", RIG_PASSWORD, THERE, given);
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), THERE), SA_OK);
    assert_int_equal(rig->call.hold_until_boot_ms, 0);
    assert_int_equal(wrong_codes(rig, "ann"), 0);
}

static void
only_the_grant_clears_the_pair(void **state)
{
    struct rig *rig = *state;
    struct sa_lockout_try attempt = {.name = sa_bytes_of("ann"), .now = rig->now};
    struct sa_lockout_state pair;
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    assert_int_equal(begin(rig, "ann", "one", HERE), SA_INVALID_CREDENTIALS);
    assert_int_equal(begin(rig, "ann", "two", HERE), SA_INVALID_CREDENTIALS);
    const struct sa_source source = rig->call.source;
    attempt.source = &source;
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    sa_lockout_look(rig->authority->lockout, &attempt, &pair);
    assert_int_equal(pair.failures, 2);
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), HERE), SA_OK);
    sa_lockout_look(rig->authority->lockout, &attempt, &pair);
    assert_int_equal(pair.failures, 0);
}

static void
with_always_a_sources_last_unit_is_good_for_its_own_answer(void **state)
{
    struct rig *rig = *state;
    char given[SA_ID_LEN + 1];

    set_rules(rig, "factor who=* factors=always\n");
    add_enrolled(rig, "ann", 1000);
    for (unsigned i = 0; i < 4; i++)
        ask(rig, "eve", "wrong", HERE, given);
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    assert_int_equal(begin(rig, "ann", RIG_PASSWORD, HERE), SA_RATE_LIMITED);
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), HERE), SA_OK);
    ask(rig, "ann", RIG_PASSWORD, HERE, given); /* the unit has come back */
}

/* ---- what it grants ---- */

static void
a_grant_says_what_was_proven(void **state)
{
    struct rig *rig = *state;
    struct sa_proof proof;
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ASK, SA_OUTCOME_GRANTED, "");
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), HERE), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_GRANTED, "");
    assert_true(sa_handles_redeem(rig->authority->handles,
                                  sa_bytes(answered.authn_handle.data, answered.authn_handle.len),
                                  subject_of(rig, "ann"), &rig->call.source, rig->now.boot_ms, &proof));
    assert_string_equal(proof.amr, "pwd otp");
    assert_string_equal(proof.acr, "2");
}

static void
an_expired_password_must_be_changed_after_the_code_too(void **state)
{
    struct rig *rig = *state;
    SA_OWN(sa_user) user = NULL;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_PASSWORD);
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    struct sa_password_change change = {
        .subject = user->subject, .new_hash = user->hash, .must_change = true};
    assert_int_equal(sa_store_user_set_password(rig->store.store, &change, rig->now.wall_ms, &audit), SA_OK);
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    assert_false(asked.must_change_password);
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), HERE), SA_OK);
    assert_true(answered.must_change_password);
}

static void
the_first_step_replaces_a_weaker_hash_and_the_proof_stands(void **state)
{
    struct rig *rig = *state;
    SA_OWN(sa_user) user = NULL;
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    rig->authority->policy.passes = 2;
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    rig_assert_recorded(rig, SA_EVENT_REHASH, SA_OUTCOME_GRANTED, "");
    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    assert_non_null(strstr(user->hash, "t=2"));
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), HERE), SA_OK);
}

static void
with_always_no_work_behind_the_question_tells_that_the_password_was_right(void **state)
{
    struct rig *rig = *state;
    char given[SA_ID_LEN + 1];
    char both[64];

    set_rules(rig, "factor who=* factors=always\n");
    add_enrolled(rig, "ann", 1000);
    rig->authority->policy.passes = 2;
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    rig_assert_recorded(rig, SA_EVENT_FACTOR_ASK, SA_OUTCOME_GRANTED, "");
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
    snprintf(both, sizeof(both), "%s%s", RIG_PASSWORD, code(rig, 0));
    assert_int_equal(begin(rig, "ann", both, HERE), SA_OK);
    assert_int_equal(asked.outcome, SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED);
    assert_int_equal(asked.password_len, strlen(RIG_PASSWORD));
    rig_assert_recorded(rig, SA_EVENT_REHASH, SA_OUTCOME_GRANTED, "");
}

static void
a_password_that_was_changed_since_voids_the_proof(void **state)
{
    struct rig *rig = *state;
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    rig_set_password(rig, "ann", RIG_PASSWORD); /* the same one: whose hash it is, nobody has said */
    assert_denied(rig, "ann", given, code(rig, 0), "CHANGED_MEANWHILE");
    assert_int_equal(wrong_codes(rig, "ann"), 0);
}

static void
with_always_every_answer_that_was_typed_waits_for_a_record(void **state)
{
    struct rig *rig = *state;
    char given[SA_ID_LEN + 1];

    set_rules(rig, "factor who=* factors=always\n");
    add_enrolled(rig, "ann", 1000);
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    assert_denied(rig, "ann", given, "000000", "WRONG_CODE");
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_DENIED, "WRONG_CODE");
    ask(rig, "ann", "a wrong one", HERE, given);
    rig_set_password(rig, "ann", RIG_PASSWORD); /* a record of something else lies between */
    assert_denied(rig, "ann", given, code(rig, 0), "WRONG_PASSWORD");
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_DENIED, "WRONG_PASSWORD");
    ask(rig, "nobody", "a wrong one", HERE, given);
    rig_set_password(rig, "ann", RIG_PASSWORD);
    assert_denied(rig, "nobody", given, code(rig, 0), "UNKNOWN_USER");
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_DENIED, "UNKNOWN_USER");
    assert_int_equal(wrong_codes(rig, "ann"), 1);
}

/* ---- through a gateway ---- */

static enum sa_status
begin_through(struct rig *rig, const struct rig_ask *ask, char ret_state[SA_ID_LEN + 1])
{
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    struct rig_ask said = *ask;

    said.tokens.audiences = said.audiences;
    request.user = RIG_BYTES("ann");
    request.password = RIG_BYTES(RIG_PASSWORD);
    request.client = &said.client;
    request.tokens = &said.tokens;
    secauth__v1__begin_authentication_response__init(&asked);
    enum sa_status status = rig_call(rig, rig_network("203.0.113.9"), "AuthnService/BeginAuthentication",
                                     &request.base, &asked.base);
    if (status == SA_OK)
        snprintf(ret_state, SA_ID_LEN + 1, "%.*s", (int)asked.challenge->state.len,
                 (const char *)asked.challenge->state.data);
    return status;
}

static enum sa_status
answer_through(struct rig *rig, const struct rig_ask *ask, const char *gateway, const char *state,
               const char *code)
{
    Secauth__V1__ContinueAuthenticationRequest request = SECAUTH__V1__CONTINUE_AUTHENTICATION_REQUEST__INIT;
    struct sa_caller caller = rig_network("203.0.113.9");
    struct rig_ask said = *ask;

    snprintf(caller.gateway, sizeof(caller.gateway), "%s", gateway);
    said.tokens.audiences = said.audiences;
    request.user = RIG_BYTES("ann");
    request.state = RIG_BYTES(state);
    request.answer = RIG_BYTES(code);
    request.client = &said.client;
    request.tokens = &said.tokens;
    secauth__v1__continue_authentication_response__init(&answered);
    return rig_call(rig, caller, "AuthnService/ContinueAuthentication", &request.base, &answered.base);
}

static void
another_gateway_does_not_answer_in_this_ones_place(void **state)
{
    struct rig *rig = *state;
    struct rig_ask app;
    char given[SA_ID_LEN + 1];

    add_enrolled(rig, "ann", 1000);
    rig_add_client(rig,
                   &(struct rig_client){.id = "app", .public = true, .login = true, .audiences = "demo=read"},
                   NULL);
    rig_ask(&app, "app", NULL, "demo", NULL);
    assert_int_equal(begin_through(rig, &app, given), SA_OK);
    assert_int_equal(answer_through(rig, &app, "other", given, code(rig, 0)), SA_INVALID_CREDENTIALS);
    assert_string_equal(rig->call.log_reason, "UNKNOWN_CHALLENGE");
    assert_int_equal(answer_through(rig, &app, "grpc", given, code(rig, 0)), SA_OK);
}

static void
what_only_looks_like_a_recovery_code_learns_nothing_of_an_account(void **state)
{
    struct rig *rig = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_RECOVERY_CODES);
    uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN] = {{0}};
    char recovery[SA_RECOVERY_TEXT_LEN + 1];
    char given[SA_ID_LEN + 1];
    struct rig_ask app;

    set_rules(rig, "factor who=* factors=always\ndeny who=*\n");
    add_enrolled(rig, "ann", 1000);
    for (unsigned i = 0; i < SA_RECOVERY_CODES; i++)
        sa_factor_make_recovery(rig->authority, subject_of(rig, "ann"), recovery, macs[i]);
    assert_int_equal(sa_store_recovery_set(rig->store.store, subject_of(rig, "ann"), NULL,
                                           (const uint8_t(*)[SA_MAC_LEN])macs, &audit),
                     SA_OK);
    rig_add_client(rig,
                   &(struct rig_client){.id = "app", .public = true, .login = true, .audiences = "demo=read"},
                   NULL);
    rig_ask(&app, "app", NULL, "demo", NULL);
    assert_int_equal(begin_through(rig, &app, given), SA_OK);
    assert_int_equal(answer_through(rig, &app, "grpc", given, "aaaaaa-aaaaaa"), SA_INVALID_CREDENTIALS);
    assert_int_equal(wrong_codes(rig, "ann"), 1);
    assert_int_equal(begin_through(rig, &app, given), SA_OK);
    assert_int_equal(answer_through(rig, &app, "grpc", given, recovery), SA_DENIED_BY_RULE);
    assert_int_equal(begin_through(rig, &app, given), SA_OK);
    assert_int_equal(answer_through(rig, &app, "grpc", given, recovery), SA_INVALID_CREDENTIALS);
}

/* ---- a guard ---- */

static void
a_guard_asks_strangers_for_a_code_after_the_password_and_takes_none_behind_it(void **state)
{
    struct rig *rig = *state;
    struct sa_lockout_try stranger = {.name = sa_bytes_of("ann"), .name_text = "ann", .now = rig->now};
    const struct sa_source source = {.text = "addr:198.51.100.7"};
    struct sa_login_change change = {.has_pair = false};
    SA_OWN(sa_user) user = NULL;
    char given[SA_ID_LEN + 1];
    char both[64];
    char guess[16];

    set_rules(rig, "factor who=* factors=off\n");
    add_enrolled(rig, "ann", 1000);
    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    snprintf(both, sizeof(both), "%s%s", RIG_PASSWORD, code(rig, 0));
    stranger.user = user;
    stranger.source = &source;
    for (int64_t i = 0; i < rig->conf.login_guard_failures; i++) {
        snprintf(guess, sizeof(guess), "guess %d", (int)i);
        stranger.password = sa_bytes_of(guess);
        (void)sa_lockout_failed(rig->authority->lockout, &stranger, true, &change);
    }
    assert_int_equal(begin(rig, "ann", both, HERE), SA_INVALID_CREDENTIALS);
    ask(rig, "ann", RIG_PASSWORD, HERE, given);
    assert_int_equal(answer(rig, "ann", given, code(rig, 0), HERE), SA_OK);
    assert_int_equal(begin(rig, "ann", RIG_PASSWORD, HERE), SA_OK); /* the source is known from now on */
    assert_int_equal(asked.outcome, SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED);
}

int
main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, rig_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(each_wrong_code_costs_its_source_a_unit_and_what_is_no_guess_none),
        TEST(only_the_grant_clears_the_pair),
        TEST(with_always_a_sources_last_unit_is_good_for_its_own_answer),
        TEST(a_grant_says_what_was_proven),
        TEST(an_expired_password_must_be_changed_after_the_code_too),
        TEST(the_first_step_replaces_a_weaker_hash_and_the_proof_stands),
        TEST(with_always_no_work_behind_the_question_tells_that_the_password_was_right),
        TEST(a_password_that_was_changed_since_voids_the_proof),
        TEST(with_always_every_answer_that_was_typed_waits_for_a_record),
        TEST(another_gateway_does_not_answer_in_this_ones_place),
        TEST(what_only_looks_like_a_recovery_code_learns_nothing_of_an_account),
        TEST(a_guard_asks_strangers_for_a_code_after_the_password_and_takes_none_behind_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
