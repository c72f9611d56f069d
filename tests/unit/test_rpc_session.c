/* links: sa_rpc */
/* Sessions of logins: what joins them to a proof, who ends them, and whose tokens they give. */
#include <signal.h>
#include <sys/wait.h>

#include "tests/support/token_fixture.h"

#define ANN 1000u
#define BOB 1001u

static int
set_up(void **state)
{
    struct rig *rig = rig_new("");

    rig_add_user(rig, "ann", ANN);
    rig_add_user(rig, "bob", BOB);
    rig_open_to_people(rig, "demo", "read", "");
    rig_open_to_people(rig, "staff-only", "read", "staff");
    rig_open_to_people(rig, "others-only", "read", "others");
    *state = rig;
    return 0;
}

struct opening {
    const char *user;
    uint32_t uid;
    const char *service; /* NULL: sshd */
    const char *rhost;   /* NULL: 203.0.113.5 */
    const char *handle;
    uint32_t leader; /* 0: this process */
};

static struct sa_caller
led_by(uint32_t pid)
{
    struct sa_caller caller = rig_root();

    if (pid != 0)
        caller.pid = pid;
    return caller;
}

static enum sa_status
open_session(struct rig *rig, const struct opening *opening, char ret_id[SA_ID_LEN + 1])
{
    Secauth__V1__OpenSessionRequest request = SECAUTH__V1__OPEN_SESSION_REQUEST__INIT;
    Secauth__V1__OpenSessionResponse reply = SECAUTH__V1__OPEN_SESSION_RESPONSE__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;
    Secauth__V1__PosixId uid = SECAUTH__V1__POSIX_ID__INIT;

    uid.id = opening->uid;
    origin.service = RIG_TEXT(opening->service == NULL ? "sshd" : opening->service);
    origin.rhost = RIG_BYTES(opening->rhost == NULL ? "203.0.113.5" : opening->rhost);
    request.user = RIG_BYTES(opening->user);
    request.uid = &uid;
    request.origin = &origin;
    request.auth_info = RIG_BYTES("publickey ssh-ed25519 AAAA\nforged=yes");
    if (opening->handle != NULL)
        request.authn_handle = RIG_BYTES(opening->handle);
    enum sa_status status =
        rig_call(rig, led_by(opening->leader), "SessionService/OpenSession", &request.base, &reply.base);
    assert_int_equal(reply.recorded, status == SA_OK);
    snprintf(ret_id, SA_ID_LEN + 1, "%s", reply.session_id);
    return status;
}

/* A handle from a login with the right password. */
static void
log_in(struct rig *rig, const char *user, const char *rhost, char ret_handle[SA_ID_LEN + 1])
{
    Secauth__V1__BeginAuthenticationRequest request = SECAUTH__V1__BEGIN_AUTHENTICATION_REQUEST__INIT;
    Secauth__V1__BeginAuthenticationResponse reply = SECAUTH__V1__BEGIN_AUTHENTICATION_RESPONSE__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;

    request.user = RIG_BYTES(user);
    request.password = RIG_BYTES(RIG_PASSWORD);
    request.origin = &origin;
    origin.service = RIG_TEXT("sshd");
    origin.rhost = RIG_BYTES(rhost);
    assert_int_equal(
        rig_call(rig, rig_root(), "AuthnService/BeginAuthentication", &request.base, &reply.base), SA_OK);
    snprintf(ret_handle, SA_ID_LEN + 1, "%.*s", (int)reply.authn_handle.len,
             (const char *)reply.authn_handle.data);
}

static enum sa_status
attest(struct rig *rig, uint32_t uid, const char *id, const char *audience, const char *scope,
       struct rig_grant *ret_grant)
{
    Secauth__V1__IssueAttestedTokenRequest request = SECAUTH__V1__ISSUE_ATTESTED_TOKEN_REQUEST__INIT;
    Secauth__V1__IssueAttestedTokenResponse reply = SECAUTH__V1__ISSUE_ATTESTED_TOKEN_RESPONSE__INIT;
    struct rig_ask ask;

    rig_ask(&ask, "", NULL, audience, scope);
    request.session_id = RIG_TEXT(id);
    request.tokens = &ask.tokens;
    enum sa_status status =
        rig_call(rig, rig_user(uid), "TokenService/IssueAttestedToken", &request.base, &reply.base);
    if (status == SA_OK)
        rig_copy_grant(reply.grant, ret_grant);
    return status;
}

static enum sa_status
close_session(struct rig *rig, struct sa_caller caller, const char *id, const char *user)
{
    Secauth__V1__CloseSessionRequest request = SECAUTH__V1__CLOSE_SESSION_REQUEST__INIT;
    Secauth__V1__CloseSessionResponse reply = SECAUTH__V1__CLOSE_SESSION_RESPONSE__INIT;
    Secauth__V1__Origin origin = SECAUTH__V1__ORIGIN__INIT;

    origin.service = RIG_TEXT("sshd");
    request.session_id = RIG_TEXT(id);
    request.user = RIG_BYTES(user);
    request.origin = &origin;
    enum sa_status status = rig_call(rig, caller, "SessionService/CloseSession", &request.base, &reply.base);
    assert_int_equal(reply.accepted, status == SA_OK);
    return status;
}

static enum sa_status
revoke_session(struct rig *rig, struct sa_caller caller, const char *id)
{
    Secauth__V1__RevokeSessionRequest request = SECAUTH__V1__REVOKE_SESSION_REQUEST__INIT;
    Secauth__V1__RevokeSessionResponse reply = SECAUTH__V1__REVOKE_SESSION_RESPONSE__INIT;

    request.session_id = RIG_TEXT(id);
    return rig_call(rig, caller, "SessionService/RevokeSession", &request.base, &reply.base);
}

static enum sa_status
list_sessions(struct rig *rig, struct sa_caller caller, const char *user,
              Secauth__V1__ListSessionsResponse *ret_reply)
{
    Secauth__V1__ListSessionsRequest request = SECAUTH__V1__LIST_SESSIONS_REQUEST__INIT;

    secauth__v1__list_sessions_response__init(ret_reply);
    request.user = RIG_BYTES(user);
    return rig_call(rig, caller, "SessionService/ListSessions", &request.base, &ret_reply->base);
}

/* ---- opening ---- */

static void
an_account_that_may_not_be_used_gets_no_session(void **state)
{
    struct rig *rig = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);
    struct opening ann = {.user = "ann", .uid = ANN};
    struct opening eve = {.user = "eve", .uid = 1002};
    struct opening other_uid = {.user = "bob", .uid = ANN};
    char id[SA_ID_LEN + 1];

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", false, rig->now.wall_ms, &audit),
                     SA_OK);
    assert_int_equal(open_session(rig, &ann, id), SA_ACCOUNT_DISABLED);
    rig_assert_recorded(rig, SA_EVENT_SESSION_OPEN, SA_OUTCOME_DENIED, "ACCOUNT_DISABLED");
    assert_int_equal(open_session(rig, &eve, id), SA_NOT_MANAGED);
    assert_int_equal(open_session(rig, &other_uid, id), SA_PERMISSION_DENIED);
    rig_assert_recorded(rig, SA_EVENT_SESSION_OPEN, SA_OUTCOME_DENIED, "UID_MISMATCH");
}

static void
a_handle_joins_the_session_to_its_proof_once(void **state)
{
    struct rig *rig = *state;
    char handle[SA_ID_LEN + 1];
    struct opening opening = {.user = "ann", .uid = ANN, .handle = handle};
    char id[SA_ID_LEN + 1];
    struct rig_grant grant;

    log_in(rig, "ann", "203.0.113.5", handle);
    assert_int_equal(open_session(rig, &opening, id), SA_OK);
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &grant), SA_OK);
    struct sa_claims claims = rig_claims(rig, grant.access);
    assert_string_equal(claims.amr, "pwd");
    assert_string_equal(claims.acr, "1");
    assert_int_equal(claims.auth_time, FIXTURE_NOW_MS / 1000);
    assert_int_equal(open_session(rig, &opening, id), SA_OK); /* again: a session, and nothing proven */
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &grant), SA_OK);
    claims = rig_claims(rig, grant.access);
    assert_string_equal(claims.amr, "");
    assert_string_equal(claims.acr, "0");
    assert_int_equal(claims.auth_time, 0);
}

static void
a_handle_of_another_person_source_or_time_proves_nothing(void **state)
{
    struct rig *rig = *state;
    char handle[SA_ID_LEN + 1];
    struct opening of_bob = {.user = "bob", .uid = BOB, .handle = handle};
    struct opening elsewhere = {.user = "ann", .uid = ANN, .handle = handle, .rhost = "203.0.113.6"};
    struct opening late = {.user = "ann", .uid = ANN, .handle = handle};
    struct opening *openings[] = {&of_bob, &elsewhere, &late};
    char id[SA_ID_LEN + 1];

    for (size_t i = 0; i < SA_COUNT(openings); i++) {
        log_in(rig, "ann", "203.0.113.5", handle);
        if (openings[i] == &late)
            rig_pass(rig, 120000);
        assert_int_equal(open_session(rig, openings[i], id), SA_OK);
        struct sa_audit_row *row = fixture_last_record(&rig->store);
        assert_non_null(strstr(row->record.detail, "proof=refused"));
        assert_null(strchr(row->record.detail, '\n'));
        assert_null(strstr(row->record.detail, "forged=yes"));
        free(row);
    }
}

static void
sudo_is_recorded_and_gets_no_session(void **state)
{
    struct rig *rig = *state;
    struct opening opening = {.user = "ann", .uid = ANN, .service = "sudo"};
    char id[SA_ID_LEN + 1];

    assert_int_equal(open_session(rig, &opening, id), SA_OK);
    assert_string_equal(id, "");
    rig_assert_recorded(rig, SA_EVENT_SESSION_OPEN, SA_OUTCOME_GRANTED, "");
    assert_int_equal(close_session(rig, rig_root(), "", "ann"), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_SESSION_CLOSE, SA_OUTCOME_GRANTED, "");
    assert_int_equal(close_session(rig, rig_user(ANN), "", "ann"), SA_PERMISSION_DENIED);
}

static void
set_rules(struct rig *rig, const char *text, struct sa_rules **ret_rules)
{
    struct sa_conf_error error;

    assert_int_equal(sa_rules_parse(sa_bytes_of(text), "rules", ret_rules, &error), SA_OK);
    sa_authority_set_rules(rig->authority, *ret_rules);
}

static bool
record_says(struct rig *rig, const char *words)
{
    struct sa_audit_row *row = fixture_last_record(&rig->store);
    bool says = strstr(row->record.detail, words) != NULL;

    free(row);
    return says;
}

static void
a_login_that_met_no_factor_rule_is_recorded_so(void **state)
{
    struct rig *rig = *state;
    SA_OWN(sa_rules) rules = NULL;
    char handle[SA_ID_LEN + 1], id[SA_ID_LEN + 1];
    struct opening by_key = {.user = "ann", .uid = ANN};
    struct opening proven = {.user = "ann", .uid = ANN, .handle = handle};

    assert_int_equal(open_session(rig, &by_key, id), SA_OK);
    assert_false(record_says(rig, "second_factor")); /* by default of those who have one */
    log_in(rig, "ann", "203.0.113.5", handle);
    set_rules(rig, "session_services sshd\nfactor who=ann service=sshd factors=after_password\n", &rules);
    assert_int_equal(open_session(rig, &by_key, id), SA_OK);
    assert_true(record_says(rig, "proof=none second_factor=not_asked rule=2 auth_info="));
    by_key = (struct opening){.user = "bob", .uid = BOB};
    assert_int_equal(open_session(rig, &by_key, id), SA_OK);
    assert_false(record_says(rig, "second_factor"));
    assert_int_equal(open_session(rig, &proven, id), SA_OK);
    assert_true(record_says(rig, "proof=password auth_info="));
    sa_authority_set_rules(rig->authority, sa_rules_default());
}

/* ---- attested tokens ---- */

static void
only_the_sessions_own_uid_gets_its_tokens(void **state)
{
    struct rig *rig = *state;
    struct opening opening = {.user = "ann", .uid = ANN};
    char id[SA_ID_LEN + 1];
    struct rig_grant grant;

    assert_int_equal(open_session(rig, &opening, id), SA_OK);
    assert_int_equal(attest(rig, BOB, id, "demo", NULL, &grant), SA_SESSION_INVALID);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_ATTEST, SA_OUTCOME_DENIED, "SESSION_INVALID");
    assert_int_equal(attest(rig, ANN, "0000000000000000000000", "demo", NULL, &grant), SA_SESSION_INVALID);
    assert_int_equal(attest(rig, ANN, "", "demo", NULL, &grant), SA_SESSION_INVALID);
    assert_int_equal(attest(rig, ANN, "'; DROP TABLE", "demo", NULL, &grant), SA_SESSION_INVALID);
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &grant), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_ATTEST, SA_OUTCOME_GRANTED, "");
    assert_string_equal(grant.sid, id);
    assert_string_equal(grant.refresh, "");
    struct sa_claims claims = rig_claims(rig, grant.access);
    assert_string_equal(claims.username, "ann");
    assert_string_equal(claims.client_id, "host");
    assert_string_equal(claims.sid, id);
}

static void
an_audience_may_be_for_one_group(void **state)
{
    struct rig *rig = *state;
    struct opening opening = {.user = "ann", .uid = ANN};
    char id[SA_ID_LEN + 1];
    struct rig_grant grant;

    assert_int_equal(open_session(rig, &opening, id), SA_OK);
    assert_int_equal(attest(rig, ANN, id, "others-only", NULL, &grant), SA_INVALID_TARGET);
    assert_int_equal(attest(rig, ANN, id, "nowhere", NULL, &grant), SA_INVALID_TARGET);
    assert_int_equal(attest(rig, ANN, id, "", NULL, &grant), SA_INVALID_TARGET);
    assert_int_equal(attest(rig, ANN, id, "demo", "write", &grant), SA_INVALID_SCOPE);
    assert_int_equal(attest(rig, ANN, id, "staff-only", NULL, &grant), SA_OK);
}

static void
an_ended_session_gives_nothing_and_its_tokens_are_inactive(void **state)
{
    struct rig *rig = *state;
    struct opening opening = {.user = "ann", .uid = ANN};
    Secauth__V1__IntrospectTokenResponse seen;
    char id[SA_ID_LEN + 1];
    struct rig_grant grant, next;

    assert_int_equal(open_session(rig, &opening, id), SA_OK);
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &grant), SA_OK);
    assert_true(rig_is_active(rig, NULL, grant.access, &seen));
    assert_int_equal(close_session(rig, rig_root(), id, "ann"), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_SESSION_CLOSE, SA_OUTCOME_GRANTED, "");
    assert_false(rig_is_active(rig, NULL, grant.access, &seen));
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &next), SA_SESSION_INVALID);
    assert_int_equal(close_session(rig, rig_root(), id, "ann"), SA_OK);
}

static void
a_token_of_a_login_ends_with_it(void **state)
{
    struct rig *rig = *state;
    struct opening opening = {.user = "ann", .uid = ANN};
    char id[SA_ID_LEN + 1];
    struct rig_grant grant;

    assert_int_equal(open_session(rig, &opening, id), SA_OK);
    rig_pass(rig, (rig->conf.token_session_life - 60) * 1000);
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &grant), SA_OK);
    assert_int_equal(grant.expires_in, 60);
    rig_pass(rig, 60000);
    assert_int_equal(attest(rig, ANN, id, "demo", NULL, &grant), SA_SESSION_INVALID);
}

static void
a_session_whose_leader_is_gone_ends_by_itself(void **state)
{
    struct rig *rig = *state;
    char gone[SA_ID_LEN + 1], here[SA_ID_LEN + 1];
    struct opening of_this = {.user = "ann", .uid = ANN};
    struct rig_grant grant;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) < 0);
    }
    struct opening of_child = {.user = "ann", .uid = ANN, .leader = (uint32_t)child};
    assert_int_equal(open_session(rig, &of_child, gone), SA_OK);
    assert_int_equal(open_session(rig, &of_this, here), SA_OK);
    assert_int_equal(attest(rig, ANN, gone, "demo", NULL, &grant), SA_OK);
    sa_authority_tick(rig->authority, rig->now);
    assert_int_equal(attest(rig, ANN, gone, "demo", NULL, &grant), SA_OK);
    close(ends[0]);
    close(ends[1]);
    waitpid(child, NULL, 0);
    assert_int_equal(attest(rig, ANN, gone, "demo", NULL, &grant), SA_SESSION_INVALID);
    sa_authority_tick(rig->authority, rig->now);
    struct sa_audit_row *row = fixture_last_record(&rig->store);
    assert_int_equal(row->record.event, SA_EVENT_SESSION_GONE);
    assert_string_equal(row->record.session_id, gone);
    free(row);
    assert_int_equal(attest(rig, ANN, here, "demo", NULL, &grant), SA_OK);
}

static void
an_ambient_session_outlives_its_logout_and_no_other(void **state)
{
    struct rig *rig = *state;
    SA_OWN(sa_rules) rules = NULL;
    struct opening of_ann = {.user = "ann", .uid = ANN};
    struct opening of_bob = {.user = "bob", .uid = BOB};
    char ann[SA_ID_LEN + 1], bob[SA_ID_LEN + 1];
    struct rig_grant grant;

    set_rules(rig, "session_services sshd\nambient ann\n", &rules);
    assert_int_equal(open_session(rig, &of_ann, ann), SA_OK);
    assert_int_equal(open_session(rig, &of_bob, bob), SA_OK);
    assert_int_equal(close_session(rig, rig_root(), ann, "ann"), SA_OK);
    assert_true(record_says(rig, "ambient=yes"));
    assert_int_equal(close_session(rig, rig_root(), bob, "bob"), SA_OK);
    assert_false(record_says(rig, "ambient=yes"));
    sa_authority_tick(rig->authority, rig->now);
    assert_int_equal(attest(rig, ANN, ann, "demo", NULL, &grant), SA_OK);
    assert_int_equal(attest(rig, BOB, ann, "demo", NULL, &grant), SA_SESSION_INVALID);
    assert_int_equal(attest(rig, BOB, bob, "demo", NULL, &grant), SA_SESSION_INVALID);
    assert_int_equal(close_session(rig, rig_user(ANN), ann, "ann"), SA_OK); /* by oneself it is no logout */
    assert_int_equal(attest(rig, ANN, ann, "demo", NULL, &grant), SA_SESSION_INVALID);
    sa_authority_set_rules(rig->authority, sa_rules_default());
}

/* ---- who sees and ends what ---- */

static void
people_see_and_end_their_own_sessions_only(void **state)
{
    struct rig *rig = *state;
    struct opening of_ann = {.user = "ann", .uid = ANN};
    struct opening of_bob = {.user = "bob", .uid = BOB};
    Secauth__V1__ListSessionsResponse reply;
    char ann[SA_ID_LEN + 1], bob[SA_ID_LEN + 1];

    assert_int_equal(open_session(rig, &of_ann, ann), SA_OK);
    assert_int_equal(open_session(rig, &of_bob, bob), SA_OK);
    assert_int_equal(list_sessions(rig, rig_user(ANN), "", &reply), SA_OK);
    assert_int_equal(reply.n_sessions, 1);
    assert_string_equal(reply.sessions[0]->session_id, ann);
    assert_int_equal(list_sessions(rig, rig_user(ANN), "bob", &reply), SA_PERMISSION_DENIED);
    assert_int_equal(list_sessions(rig, rig_user(1234), "", &reply), SA_OK);
    assert_int_equal(reply.n_sessions, 0);
    assert_int_equal(list_sessions(rig, rig_root(), "", &reply), SA_OK);
    assert_int_equal(reply.n_sessions, 2);
    assert_int_equal(list_sessions(rig, rig_root(), "bob", &reply), SA_OK);
    assert_int_equal(reply.n_sessions, 1);
    assert_int_equal(revoke_session(rig, rig_user(ANN), bob), SA_NOT_FOUND);
    assert_int_equal(close_session(rig, rig_user(ANN), bob, "bob"), SA_NOT_FOUND);
    assert_int_equal(revoke_session(rig, rig_user(ANN), "x"), SA_INVALID_ARGUMENT);
    assert_int_equal(revoke_session(rig, rig_user(ANN), ann), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_SESSION_REVOKE, SA_OUTCOME_GRANTED, "");
    assert_int_equal(revoke_session(rig, rig_user(ANN), ann), SA_NOT_FOUND);
    assert_int_equal(close_session(rig, rig_user(BOB), bob, "bob"), SA_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_account_that_may_not_be_used_gets_no_session),
        TEST(a_handle_joins_the_session_to_its_proof_once),
        TEST(a_handle_of_another_person_source_or_time_proves_nothing),
        TEST(sudo_is_recorded_and_gets_no_session),
        TEST(a_login_that_met_no_factor_rule_is_recorded_so),
        TEST(only_the_sessions_own_uid_gets_its_tokens),
        TEST(an_audience_may_be_for_one_group),
        TEST(an_ended_session_gives_nothing_and_its_tokens_are_inactive),
        TEST(a_token_of_a_login_ends_with_it),
        TEST(a_session_whose_leader_is_gone_ends_by_itself),
        TEST(an_ambient_session_outlives_its_logout_and_no_other),
        TEST(people_see_and_end_their_own_sessions_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
