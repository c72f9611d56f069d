/* links: sa_rpc */
/* ChangePassword: who may, with what proof, under which rules, and what ends with the old password. */
#include "service/auth/session.h"
#include "tests/support/token_fixture.h"

#define ANN    1000u
#define BOB    1001u
#define NEW    "another good one"
#define NOBODY UINT32_MAX

struct wish {
    const char *user;
    const char *current;
    const char *new;
    uint32_t acting_uid;
    bool check_only;
    bool expired_only;
};

static Secauth__V1__ChangePasswordResponse reply;

static int
set_up(void **state)
{
    struct rig *rig = rig_new("");

    rig_add_user(rig, "ann", ANN);
    rig_add_user(rig, "bob", BOB);
    *state = rig;
    return 0;
}

static enum sa_status
change(struct rig *rig, struct sa_caller caller, const struct wish *wish)
{
    Secauth__V1__ChangePasswordRequest request = SECAUTH__V1__CHANGE_PASSWORD_REQUEST__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;

    origin.service = RIG_TEXT("passwd");
    origin.acting_uid = wish->acting_uid;
    request.user = RIG_BYTES(wish->user);
    request.current_password = RIG_BYTES(wish->current);
    request.new_password = RIG_BYTES(wish->new);
    request.origin = &origin;
    request.check_only = wish->check_only;
    request.expired_only = wish->expired_only;
    secauth__v1__change_password_response__init(&reply);
    return rig_call(rig, caller, "AuthnService/ChangePassword", &request.base, &reply.base);
}

static bool
password_is(struct rig *rig, const char *name, const char *password)
{
    SA_OWN(sa_user) user = NULL;
    bool match = false;

    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of(name), &user), SA_OK);
    assert_int_equal(sa_password_verify(&rig->authority->policy, user->hash, sa_bytes_of(password), &match),
                     SA_OK);
    return match;
}

static void
expire(struct rig *rig, const char *name)
{
    SA_OWN(sa_user) user = NULL;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_PASSWORD);

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of(name), &user), SA_OK);
    struct sa_password_change stored = {
        .subject = user->subject, .new_hash = user->hash, .must_change = true};
    assert_int_equal(sa_store_user_set_password(rig->store.store, &stored, rig->now.wall_ms, &audit), SA_OK);
}

/* ---- refused ---- */

static void
a_wrong_current_password_is_a_denial_like_any_other(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {.user = "ann", .current = "wrong", .new = NEW, .acting_uid = ANN};

    assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
    rig_assert_recorded(rig, SA_EVENT_PASSWORD, SA_OUTCOME_DENIED, "WRONG_PASSWORD");
    wish.current = "";
    assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    assert_in_range(rig->call.hold_until_boot_ms - rig->now.boot_ms, 100, 110);
    wish.current = "wrong";
    wish.check_only = true;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    assert_int_equal(change(rig, rig_root(), &wish), SA_RATE_LIMITED);
    assert_true(password_is(rig, "ann", RIG_PASSWORD));
}

static void
fail_changes(struct rig *rig, unsigned from, unsigned to)
{
    struct wish wish = {.user = "ann", .new = NEW, .acting_uid = ANN, .check_only = true};
    char password[16];

    wish.current = password;
    for (unsigned i = from; i < to; i++) {
        snprintf(password, sizeof(password), "no %u", i);
        assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    }
}

static void
a_change_waits_like_a_login_and_a_success_clears_the_pair(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {
        .user = "ann", .current = RIG_PASSWORD, .new = NEW, .acting_uid = ANN, .check_only = true};

    fail_changes(rig, 0, 4);
    assert_int_equal(change(rig, rig_user(ANN), &wish), SA_OK); /* else the next four would be too many */
    rig_pass(rig, 70000); /* the source's own allowance is another rule */
    fail_changes(rig, 4, 8);
    rig_pass(rig, 70000);
    fail_changes(rig, 8, 9);
    uint64_t before = fixture_sequence(&rig->store);
    assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    assert_int_equal(change(rig, rig_user(ANN), &wish), SA_INVALID_CREDENTIALS);
    assert_int_equal(fixture_sequence(&rig->store), before); /* it waits, so nothing was hashed */
    rig_pass(rig, 1000);
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
}

static void
nobody_but_root_changes_anothers(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {.user = "ann", .current = RIG_PASSWORD, .new = NEW, .acting_uid = BOB};

    assert_int_equal(change(rig, rig_root(), &wish), SA_PERMISSION_DENIED);
    rig_assert_recorded(rig, SA_EVENT_PASSWORD, SA_OUTCOME_DENIED, "NOT_ONESELF");
    wish.acting_uid = 0;
    assert_int_equal(change(rig, rig_user(BOB), &wish), SA_PERMISSION_DENIED);
    assert_true(password_is(rig, "ann", RIG_PASSWORD));
}

static void
a_new_password_that_breaks_a_rule_is_refused_by_that_rule(void **state)
{
    struct rig *rig = *state;
    char long_one[513];
    struct wish wish = {.user = "ann", .current = RIG_PASSWORD, .acting_uid = ANN};
    const char *refused[] = {"", "seven77", RIG_PASSWORD, long_one,
                             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"};

    memset(long_one, 'a', 512);
    long_one[512] = '\0';
    for (size_t i = 0; i < SA_COUNT(refused); i++) {
        wish.new = refused[i];
        assert_int_equal(change(rig, rig_root(), &wish), SA_PASSWORD_REFUSED);
        assert_string_equal(rig->call.problem.field, "new_password");
        assert_non_null(rig->call.problem.rule);
        assert_false(reply.accepted);
    }
    assert_true(password_is(rig, "ann", RIG_PASSWORD));
}

static void
without_a_record_it_is_somebody_elses_to_change(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {.user = "eve", .current = "", .new = NEW};

    assert_int_equal(change(rig, rig_root(), &wish), SA_NOT_MANAGED);
    assert_int_equal(change(rig, rig_user(1002), &wish), SA_NOT_MANAGED);
}

/* ---- accepted ---- */

static void
root_needs_no_proof_and_ends_every_session(void **state)
{
    struct rig *rig = *state;
    struct wish check = {.user = "ann", .current = "", .new = "", .check_only = true};
    struct wish wish = {.user = "ann", .current = "", .new = NEW};

    assert_int_equal(change(rig, rig_root(), &check), SA_OK);
    assert_true(reply.accepted);
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    assert_true(reply.accepted);
    rig_assert_recorded(rig, SA_EVENT_USER_PASSWORD, SA_OUTCOME_GRANTED, "");
    assert_true(password_is(rig, "ann", NEW));
}

static void
people_change_their_own_with_the_current_one(void **state)
{
    struct rig *rig = *state;
    struct wish check = {
        .user = "ann", .current = RIG_PASSWORD, .new = "", .acting_uid = ANN, .check_only = true};
    struct wish wish = {.user = "ann", .current = RIG_PASSWORD, .new = NEW, .acting_uid = ANN};
    struct wish at_user_sock = {.user = "ann", .current = NEW, .new = RIG_PASSWORD};

    assert_int_equal(change(rig, rig_root(), &check), SA_OK);
    assert_true(reply.accepted);
    assert_true(password_is(rig, "ann", RIG_PASSWORD));
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_PASSWORD, SA_OUTCOME_GRANTED, "");
    assert_true(password_is(rig, "ann", NEW));
    assert_int_equal(change(rig, rig_user(ANN), &at_user_sock), SA_OK);
    assert_true(password_is(rig, "ann", RIG_PASSWORD));
}

static void
only_what_has_expired_is_changed_where_that_is_asked(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {.user = "ann", .current = RIG_PASSWORD, .new = NEW, .expired_only = true};

    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    assert_true(reply.not_expired);
    assert_false(reply.accepted);
    expire(rig, "ann");
    wish.current = "wrong"; /* though root asks: sshd and su do that in a child of root */
    assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    wish.current = RIG_PASSWORD;
    wish.acting_uid = BOB; /* su ann, by bob, who knows it */
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    assert_true(reply.accepted);
    assert_true(password_is(rig, "ann", NEW));
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    assert_true(reply.not_expired);
}

static void
ones_own_change_spares_the_session_that_made_it(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {.user = "ann", .current = RIG_PASSWORD, .new = NEW, .acting_uid = ANN};
    struct wish by_root = {.user = "ann", .current = "", .new = RIG_PASSWORD};
    struct sa_session mine, other, read;
    SA_OWN(sa_client) host = NULL;
    SA_OWN(sa_user) user = NULL;
    struct sa_source source = {.text = "service:passwd"};
    struct sa_proof proof = {.acr = SA_ACR_NOTHING};

    assert_int_equal(sa_store_user_by_name(rig->store.store, sa_bytes_of("ann"), &user), SA_OK);
    assert_int_equal(sa_store_client_by_id(rig->store.store, sa_bytes_of("host"), &host), SA_OK);
    sa_session_begin(rig->authority, SA_SESSION_LOGIN, user, host, &source, &proof, rig->now.wall_ms, &mine);
    sa_session_lead(&mine, (uint32_t)getppid()); /* above the process that calls */
    sa_session_begin(rig->authority, SA_SESSION_LOGIN, user, host, &source, &proof, rig->now.wall_ms, &other);
    sa_session_lead(&other, NOBODY);
    assert_int_equal(fixture_open_session(&rig->store, &mine, NULL), SA_OK);
    assert_int_equal(fixture_open_session(&rig->store, &other, NULL), SA_OK);
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    assert_int_equal(sa_store_session_live(rig->store.store, mine.id, rig->now.wall_ms, &read), SA_OK);
    assert_int_equal(sa_store_session_live(rig->store.store, other.id, rig->now.wall_ms, &read),
                     SA_NOT_FOUND);
    assert_int_equal(change(rig, rig_root(), &by_root), SA_OK);
    assert_int_equal(sa_store_session_live(rig->store.store, mine.id, rig->now.wall_ms, &read), SA_NOT_FOUND);
}

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
a_hash_that_was_replaced_meanwhile_is_proven_again(void **state)
{
    struct rig *rig = *state;
    struct wish wish = {.user = "ann", .current = RIG_PASSWORD, .new = NEW, .acting_uid = ANN};

    steps = 0;
    rig->between = change_meanwhile;
    assert_int_equal(change(rig, rig_root(), &wish), SA_INVALID_CREDENTIALS);
    assert_true(password_is(rig, "ann", "set by somebody else"));
    rig->between = NULL;
    rig_set_password(rig, "ann", RIG_PASSWORD);
    steps = 0;
    rig->between = rehash_meanwhile;
    assert_int_equal(change(rig, rig_root(), &wish), SA_OK);
    assert_true(password_is(rig, "ann", NEW));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_current_password_is_a_denial_like_any_other),
        TEST(a_change_waits_like_a_login_and_a_success_clears_the_pair),
        TEST(nobody_but_root_changes_anothers),
        TEST(a_new_password_that_breaks_a_rule_is_refused_by_that_rule),
        TEST(without_a_record_it_is_somebody_elses_to_change),
        TEST(root_needs_no_proof_and_ends_every_session),
        TEST(people_change_their_own_with_the_current_one),
        TEST(only_what_has_expired_is_changed_where_that_is_asked),
        TEST(a_hash_that_was_replaced_meanwhile_is_proven_again),
        TEST(ones_own_change_spares_the_session_that_made_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
