/* links: sa_rpc */
/* BeginAuthentication and CheckAccount: who is let in, what is said, who is charged. */
#include "tests/support/rules_fixture.h"

#define FILLER "\b\n\r\177INCORRECT\b\n\r\177INC"

struct attempt {
    const char *user;
    const char *password;
    int64_t uid; /* -1: the host knows none */
    const char *rhost;
    const char *service;
};

static Secauth__V1__BeginAuthenticationResponse reply;

static enum sa_status
try_login(struct rig *rig, struct sa_caller caller, const struct attempt *attempt)
{
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;
    Secauth__V1__PosixId uid = SECAUTH__V1__POSIX_ID__INIT;

    request.user = RIG_BYTES(attempt->user);
    request.password = RIG_BYTES(attempt->password);
    request.origin = &origin;
    origin.service = RIG_TEXT(attempt->service == NULL ? "sshd" : attempt->service);
    if (attempt->rhost != NULL)
        origin.rhost = RIG_BYTES(attempt->rhost);
    if (attempt->uid >= 0) {
        uid.id = (uint32_t)attempt->uid;
        request.uid = &uid;
    }
    secauth__v1__begin_authentication_response__init(&reply);
    return rig_call(rig, caller, "AuthnService/BeginAuthentication", &request.base, &reply.base);
}

static void
assert_held(const struct rig *rig)
{
    int64_t held = rig->call.hold_until_boot_ms - rig->now.boot_ms;

    assert_in_range(held, 100, 110);
}

static void
assert_denied(struct rig *rig, struct sa_caller caller, const struct attempt *attempt, const char *reason)
{
    assert_int_equal(try_login(rig, caller, attempt), SA_INVALID_CREDENTIALS);
    assert_int_equal(reply.outcome, SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_UNSPECIFIED);
    assert_int_equal(reply.authn_handle.len, 0);
    assert_held(rig);
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_DENIED, reason);
}

static void
set_user(struct rig *rig, const char *name, uint32_t uid, int64_t not_before_s, int64_t not_after_s,
         bool must_change)
{
    SA_OWN(sa_user) user = sa_user_new();
    struct sa_audit audit = sa_audit(SA_EVENT_USER_CREATE);

    assert_non_null(user);
    strcpy(user->name, name);
    user->uid = uid;
    user->active = true;
    user->not_before_s = not_before_s;
    user->not_after_s = not_after_s;
    user->must_change = must_change;
    assert_int_equal(sa_password_make(&rig->authority->policy, sa_bytes_of(RIG_PASSWORD), user->hash), SA_OK);
    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_create(rig->store.store, user, NULL, &audit), SA_OK);
}

/* ---- denials ---- */

static void
a_wrong_password_is_denied_and_held(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = "wrong", .uid = 1000, .rhost = "203.0.113.5"};

    rig_add_user(rig, "ann", 1000);
    assert_denied(rig, rig_root(), &attempt, "WRONG_PASSWORD");
}

static void
a_name_that_nobody_knows_is_denied_alike_and_not_written_down(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "hunter2", .password = "wrong", .uid = -1, .rhost = "203.0.113.5"};

    assert_denied(rig, rig_root(), &attempt, "UNKNOWN_USER");
    struct sa_audit_row *row = fixture_last_record(&rig->store);
    assert_int_equal(row->record.user[0], '?');
    assert_int_equal(strlen(row->record.user), 33);
    free(row);
}

static void
names_that_break_the_rule_are_unknown_names(void **state)
{
    struct rig *rig = *state;
    const char *names[] = {
        "-ann", "ann\nbob", "Ann", "a/b", "a:b", "ann\xff", "aaaaaaaaaabbbbbbbbbbccccccccccddd", ""};

    for (size_t i = 0; i < SA_COUNT(names); i++) {
        char rhost[32];
        snprintf(rhost, sizeof(rhost), "203.0.113.%zu", i + 1);
        struct attempt attempt = {.user = names[i], .password = "wrong", .uid = -1, .rhost = rhost};
        assert_denied(rig, rig_root(), &attempt, "MALFORMED_NAME");
    }
}

static void
a_name_that_the_host_knows_is_left_to_others_at_once(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "bob", .password = "wrong", .uid = 1001, .rhost = "203.0.113.5"};
    uint64_t before = fixture_sequence(&rig->store);

    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(try_login(rig, rig_root(), &attempt), SA_NOT_MANAGED);
        assert_int_equal(rig->call.hold_until_boot_ms, 0);
    }
    assert_int_equal(fixture_sequence(&rig->store), before);
    assert_int_equal(sa_buckets_wait(rig->authority->buckets, &rig->call.source, rig->now.boot_ms), 0);
}

static void
with_unmanaged_deny_it_is_denied_like_any_other(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "bob", .password = "wrong", .uid = 1001, .rhost = "203.0.113.5"};

    strcpy(rig->conf.login_unmanaged, "deny");
    assert_denied(rig, rig_root(), &attempt, "UNKNOWN_USER");
}

static void
a_uid_that_is_not_the_records_is_denied_though_the_password_is_right(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = RIG_PASSWORD, .uid = 0, .rhost = "203.0.113.5"};

    rig_add_user(rig, "ann", 1000);
    assert_denied(rig, rig_root(), &attempt, "UID_MISMATCH");
}

static void
on_the_users_socket_everybody_is_only_oneself(void **state)
{
    struct rig *rig = *state;
    struct attempt of_bob = {.user = "bob", .password = RIG_PASSWORD, .uid = 1001};
    struct attempt of_nobody = {.user = "eve", .password = RIG_PASSWORD, .uid = 1000};
    struct attempt of_ann = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000};

    rig_add_user(rig, "ann", 1000);
    rig_add_user(rig, "bob", 1001);
    assert_denied(rig, rig_user(1000), &of_bob, "NOT_ONESELF");
    assert_denied(rig, rig_user(1000), &of_nobody, "NOT_ONESELF");
    assert_int_equal(try_login(rig, rig_user(1000), &of_ann), SA_OK);
    assert_int_equal(reply.outcome, SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED);
    assert_int_equal(reply.authn_handle.len, 0); /* no session is opened from there */
}

static void
an_empty_password_is_denied_at_the_denials_time_and_charged_to_nobody(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = "", .uid = 1000, .rhost = "203.0.113.5"};
    uint64_t before;

    rig_add_user(rig, "ann", 1000);
    before = fixture_sequence(&rig->store);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(try_login(rig, rig_root(), &attempt), SA_INVALID_CREDENTIALS);
        assert_held(rig);
        assert_string_equal(rig->call.log_reason, "EMPTY_PASSWORD");
    }
    assert_int_equal(fixture_sequence(&rig->store), before);
}

static void
a_password_over_511_bytes_is_denied_after_a_hash(void **state)
{
    struct rig *rig = *state;
    char password[513];
    struct attempt attempt = {.user = "ann", .password = password, .uid = 1000, .rhost = "203.0.113.5"};

    rig_add_user(rig, "ann", 1000);
    memset(password, 'a', sizeof(password) - 1);
    password[sizeof(password) - 1] = '\0';
    assert_denied(rig, rig_root(), &attempt, "PASSWORD_OVER_511_BYTES");
}

static void
what_sshd_sends_for_people_it_refuses_is_named_so(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = FILLER, .uid = 1000, .rhost = "203.0.113.5"};

    rig_add_user(rig, "ann", 1000);
    assert_denied(rig, rig_root(), &attempt, "REFUSED_BY_SSHD");
}

static void
a_shut_account_reads_like_a_wrong_password_even_with_the_right_one(void **state)
{
    struct rig *rig = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);
    struct attempt disabled = {.user = "dis", .password = RIG_PASSWORD, .uid = 1, .rhost = "203.0.113.1"};
    struct attempt expired = {.user = "exp", .password = RIG_PASSWORD, .uid = 2, .rhost = "203.0.113.2"};
    struct attempt early = {.user = "new", .password = RIG_PASSWORD, .uid = 3, .rhost = "203.0.113.3"};

    set_user(rig, "dis", 1, 0, 0, false);
    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_set_active(rig->store.store, "dis", false, FIXTURE_NOW_MS, &audit), SA_OK);
    set_user(rig, "exp", 2, 0, FIXTURE_NOW_MS / 1000, false);
    set_user(rig, "new", 3, FIXTURE_NOW_MS / 1000 + 1, 0, false);
    assert_denied(rig, rig_root(), &disabled, "ACCOUNT_DISABLED");
    assert_denied(rig, rig_root(), &expired, "ACCOUNT_EXPIRED");
    assert_denied(rig, rig_root(), &early, "ACCOUNT_NOT_YET_VALID");
}

static void
a_source_without_a_unit_is_told_so_at_the_denials_time_for_every_name(void **state)
{
    struct rig *rig = *state;
    struct attempt wrong = {.user = "ann", .password = "wrong", .uid = 1000, .rhost = "203.0.113.5"};
    struct attempt right = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000, .rhost = "203.0.113.5"};
    struct attempt nobody = {.user = "eve", .password = "wrong", .uid = -1, .rhost = "203.0.113.5"};
    struct attempt elsewhere = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000, .rhost = "203.0.113.6"};
    uint64_t before;

    rig_add_user(rig, "ann", 1000);
    for (unsigned i = 0; i < 5; i++)
        assert_denied(rig, rig_root(), &wrong, "WRONG_PASSWORD");
    before = fixture_sequence(&rig->store);
    assert_int_equal(try_login(rig, rig_root(), &right), SA_RATE_LIMITED);
    assert_held(rig);
    assert_in_range(rig->call.retry_ms, 1, 66000);
    assert_int_equal(try_login(rig, rig_root(), &nobody), SA_RATE_LIMITED);
    assert_held(rig);
    assert_int_equal(fixture_sequence(&rig->store), before);
    assert_int_equal(try_login(rig, rig_root(), &elsewhere), SA_OK);
    rig_pass(rig, 66000);
    assert_int_equal(try_login(rig, rig_root(), &right), SA_OK);
}

static void
an_origin_is_required_and_bounded(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    char service[66];
    struct attempt attempt = {.user = "ann", .password = "x", .uid = -1, .service = service};

    secauth__v1__begin_authentication_response__init(&reply);
    request.password = RIG_BYTES("x");
    assert_int_equal(
        rig_call(rig, rig_root(), "AuthnService/BeginAuthentication", &request.base, &reply.base),
        SA_INVALID_ARGUMENT);
    assert_string_equal(rig->call.problem.field, "origin");
    memset(service, 's', 65);
    service[65] = '\0';
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_INVALID_ARGUMENT);
    assert_string_equal(rig->call.problem.field, "origin.service");
    service[0] = '\0';
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_INVALID_ARGUMENT);
}

/* ---- grants ---- */

static void
the_right_password_is_granted_at_once_with_a_handle_and_costs_no_unit(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000, .rhost = "203.0.113.5"};

    rig_add_user(rig, "ann", 1000);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(try_login(rig, rig_root(), &attempt), SA_OK);
        assert_int_equal(reply.outcome, SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED);
        assert_int_equal(rig->call.hold_until_boot_ms, 0);
        assert_int_equal(reply.authn_handle.len, SA_ID_LEN);
        assert_false(reply.must_change_password);
    }
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_GRANTED, "");
}

static void
a_service_without_sessions_gets_no_handle(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000, .service = "sudo"};

    rig_add_user(rig, "ann", 1000);
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_OK);
    assert_int_equal(reply.authn_handle.len, 0);
}

static void
an_expired_password_is_granted_and_must_be_changed(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "old", .password = RIG_PASSWORD, .uid = 7};

    set_user(rig, "old", 7, 0, 0, true);
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_OK);
    assert_true(reply.must_change_password);
}

static void
a_weaker_hash_is_replaced_after_the_answer(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000};
    SA_OWN(sa_user) user = NULL;

    rig_add_user(rig, "ann", 1000);
    rig->authority->policy.passes = 2;
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_REHASH, SA_OUTCOME_GRANTED, "");
    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    assert_non_null(strstr(user->hash, "t=2"));
    assert_int_equal(user->changed_s, FIXTURE_NOW_MS / 1000);
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_GRANTED, "");
}

/* ---- what others do meanwhile ---- */

static unsigned steps;

static void
rehash_meanwhile(struct rig *rig)
{
    if (steps++ == 1)
        rig_set_password(rig, "ann", RIG_PASSWORD);
}

static void
change_meanwhile(struct rig *rig)
{
    if (steps++ == 1)
        rig_set_password(rig, "ann", "set by somebody else");
}

static void
disable_meanwhile(struct rig *rig)
{
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);

    audit.outcome = SA_OUTCOME_GRANTED;
    if (steps++ == 1)
        assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", false, rig->now.wall_ms, &audit),
                         SA_OK);
}

static void
what_changes_while_the_hash_is_computed_decides(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000};

    rig_add_user(rig, "ann", 1000);
    steps = 0;
    rig->between = rehash_meanwhile;
    assert_int_equal(try_login(rig, rig_root(), &attempt), SA_OK);
    steps = 0;
    rig->between = disable_meanwhile;
    assert_denied(rig, rig_root(), &attempt, "ACCOUNT_DISABLED");
    rig->between = NULL;
}

static void
a_password_that_was_changed_meanwhile_is_a_wrong_one(void **state)
{
    struct rig *rig = *state;
    struct attempt attempt = {.user = "ann", .password = RIG_PASSWORD, .uid = 1000};

    rig_add_user(rig, "ann", 1000);
    steps = 0;
    rig->between = change_meanwhile;
    assert_denied(rig, rig_root(), &attempt, "WRONG_PASSWORD");
}

/* ---- CheckAccount ---- */

static Secauth__V1__CheckAccountResponse account;

static enum sa_status
check_account(struct rig *rig, struct sa_caller caller, const char *name, uint32_t uid)
{
    Secauth__V1__CheckAccountRequest request = SECAUTH__V1__CHECK_ACCOUNT_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;
    Secauth__V1__PosixId id = SECAUTH__V1__POSIX_ID__INIT;

    id.id = uid;
    origin.service = RIG_TEXT("sshd");
    request.user = RIG_BYTES(name);
    request.uid = &id;
    request.origin = &origin;
    secauth__v1__check_account_response__init(&account);
    return rig_call(rig, caller, "AuthnService/CheckAccount", &request.base, &account.base);
}

static void
an_account_is_told_to_root_and_to_its_owner_only(void **state)
{
    struct rig *rig = *state;

    rig_add_user(rig, "ann", 1000);
    rig_add_user(rig, "bob", 1001);
    assert_int_equal(check_account(rig, rig_user(1001), "ann", 1000), SA_PERMISSION_DENIED);
    assert_int_equal(check_account(rig, rig_user(1001), "eve", 1002), SA_PERMISSION_DENIED);
    assert_int_equal(check_account(rig, rig_user(1002), "eve", 1002), SA_NOT_MANAGED);
    assert_int_equal(check_account(rig, rig_root(), "eve", 1002), SA_NOT_MANAGED);
    assert_int_equal(check_account(rig, rig_root(), "ann", 1002), SA_PERMISSION_DENIED);
    rig_assert_recorded(rig, SA_EVENT_ACCOUNT, SA_OUTCOME_DENIED, "UID_MISMATCH");
    assert_int_equal(check_account(rig, rig_user(1000), "ann", 1000), SA_OK);
    assert_int_equal(account.state, SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_USABLE);
    assert_int_equal(check_account(rig, rig_root(), "ann", 1000), SA_OK);
}

static void
a_refused_account_is_an_answer_with_a_record(void **state)
{
    struct rig *rig = *state;

    set_user(rig, "exp", 2, 0, FIXTURE_NOW_MS / 1000, false);
    set_user(rig, "old", 7, 0, 0, true);
    assert_int_equal(check_account(rig, rig_root(), "exp", 2), SA_OK);
    assert_int_equal(account.state, SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_EXPIRED);
    rig_assert_recorded(rig, SA_EVENT_ACCOUNT, SA_OUTCOME_DENIED, "ACCOUNT_EXPIRED");
    assert_int_equal(check_account(rig, rig_root(), "old", 7), SA_OK);
    assert_int_equal(account.state, SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_PASSWORD_EXPIRED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_password_is_denied_and_held),
        TEST(a_name_that_nobody_knows_is_denied_alike_and_not_written_down),
        TEST(names_that_break_the_rule_are_unknown_names),
        TEST(a_name_that_the_host_knows_is_left_to_others_at_once),
        TEST(with_unmanaged_deny_it_is_denied_like_any_other),
        TEST(a_uid_that_is_not_the_records_is_denied_though_the_password_is_right),
        TEST(on_the_users_socket_everybody_is_only_oneself),
        TEST(an_empty_password_is_denied_at_the_denials_time_and_charged_to_nobody),
        TEST(a_password_over_511_bytes_is_denied_after_a_hash),
        TEST(what_sshd_sends_for_people_it_refuses_is_named_so),
        TEST(a_shut_account_reads_like_a_wrong_password_even_with_the_right_one),
        TEST(a_source_without_a_unit_is_told_so_at_the_denials_time_for_every_name),
        TEST(an_origin_is_required_and_bounded),
        TEST(the_right_password_is_granted_at_once_with_a_handle_and_costs_no_unit),
        TEST(a_service_without_sessions_gets_no_handle),
        TEST(an_expired_password_is_granted_and_must_be_changed),
        TEST(a_weaker_hash_is_replaced_after_the_answer),
        TEST(what_changes_while_the_hash_is_computed_decides),
        TEST(a_password_that_was_changed_meanwhile_is_a_wrong_one),
        TEST(an_account_is_told_to_root_and_to_its_owner_only),
        TEST(a_refused_account_is_an_answer_with_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
