/* links: sa_rpc */
/* IssueToken, introspection and revocation: what a token says, who sees it, when it dies. */
#include "service/auth/refresh.h"
#include "tests/support/token_fixture.h"

struct scene {
    struct rig *rig;
    char c1_secret[64], c2_secret[64], server_secret[64];
    struct rig_ask c1, c2, server, app; /* `server` is the audience demo */
    struct rig_grant token;             /* of c1, for demo */
};

static int
set_up(void **state)
{
    struct rig *rig = rig_new("");
    struct scene *scene = calloc(1, sizeof(*scene));
    struct rig_client c1 = {.id = "c1", .audiences = "demo=read,write other=write,admin"};
    struct rig_client c2 = {.id = "c2", .audiences = "demo=read"};
    struct rig_client server = {.id = "server", .owned = "demo", .audiences = ""};
    struct rig_client app = {
        .id = "app", .public = true, .login = true, .refresh = true, .grace_s = 30, .audiences = "demo=read"};

    scene->rig = rig;
    rig_add_user(rig, "ann", 1000);
    rig_add_client(rig, &c1, scene->c1_secret);
    rig_add_client(rig, &c2, scene->c2_secret);
    rig_add_client(rig, &server, scene->server_secret);
    rig_add_client(rig, &app, NULL);
    rig_ask(&scene->c2, "c2", scene->c2_secret, "", NULL);
    rig_ask(&scene->server, "server", scene->server_secret, "", NULL);
    rig_ask(&scene->c1, "c1", scene->c1_secret, "demo", NULL);
    assert_int_equal(rig_issue(rig, &scene->c1, &scene->token), SA_OK);
    rig_ask(&scene->app, "app", NULL, "demo", NULL);
    *state = scene;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *scene = *state;

    rig_free(scene->rig);
    free(scene);
    return 0;
}

static enum sa_status
revoke_token(struct rig *rig, const struct rig_ask *ask, const char *token)
{
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    Secauth__V1__RevokeTokenResponse reply = SECAUTH__V1__REVOKE_TOKEN_RESPONSE__INIT;
    struct rig_ask said = *ask;

    request.client = &said.client;
    request.token = RIG_BYTES(token);
    enum sa_status status =
        rig_call(rig, rig_network("203.0.113.9"), "TokenService/RevokeToken", &request.base, &reply.base);
    assert_int_equal(reply.accepted, status == SA_OK);
    return status;
}

/* ---- issue ---- */

static void
a_client_that_is_not_proven_gets_one_answer(void **state)
{
    struct scene *scene = *state;
    const char *secrets[] = {NULL, "x", scene->c2_secret};
    struct rig_grant grant;
    struct rig_ask ask;

    for (size_t i = 0; i < SA_COUNT(secrets); i++) {
        rig_ask(&ask, "c1", secrets[i], "demo", NULL);
        assert_int_equal(rig_issue(scene->rig, &ask, &grant), SA_INVALID_CLIENT);
        assert_true(scene->rig->call.counts_against_source);
        rig_assert_recorded(scene->rig, SA_EVENT_CLIENT_AUTH, SA_OUTCOME_DENIED, "INVALID_CLIENT");
    }
    rig_ask(&ask, "nobody", scene->c1_secret, "demo", NULL);
    assert_int_equal(rig_issue(scene->rig, &ask, &grant), SA_INVALID_CLIENT);
    rig_ask(&ask, "", scene->c1_secret, "demo", NULL);
    assert_int_equal(rig_issue(scene->rig, &ask, &grant), SA_INVALID_CLIENT);
    rig_ask(&ask, SA_HOST_CLIENT, scene->c1_secret, "demo", NULL);
    assert_int_equal(rig_issue(scene->rig, &ask, &grant), SA_INVALID_CLIENT);
}

static void
a_secret_over_its_bound_names_the_field(void **state)
{
    struct scene *scene = *state;
    char secret[130];
    struct rig_grant grant;
    struct rig_ask ask;

    memset(secret, 'a', 129);
    secret[129] = '\0';
    rig_ask(&ask, "c1", secret, "demo", NULL);
    assert_int_equal(rig_issue(scene->rig, &ask, &grant), SA_INVALID_ARGUMENT);
    assert_string_equal(scene->rig->call.problem.field, "client.secret");
}

static void
a_public_client_gets_no_token_for_itself(void **state)
{
    struct scene *scene = *state;
    struct rig_grant grant;

    assert_int_equal(rig_issue(scene->rig, &scene->app, &grant), SA_UNAUTHORIZED_CLIENT);
    rig_assert_recorded(scene->rig, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_DENIED, "UNAUTHORIZED_CLIENT");
    assert_true(
        scene->rig->call.counts_against_source); /* anybody may know its name, and each has its record */
}

static void
what_is_not_registered_is_an_error_and_never_dropped(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *audience;
        const char *scope;
        enum sa_status status;
    } cases[] = {
        {"", "read", SA_INVALID_TARGET},           {"nowhere", NULL, SA_INVALID_TARGET},
        {"demo nowhere", NULL, SA_INVALID_TARGET}, {"Demo", NULL, SA_INVALID_TARGET},
        {"demo", "admin", SA_INVALID_SCOPE},       {"demo", "read admin", SA_INVALID_SCOPE},
        {"demo", "READ", SA_INVALID_SCOPE},        {"demo", "read\"", SA_INVALID_SCOPE},
    };
    struct rig_grant grant;
    struct rig_ask ask;

    for (size_t i = 0; i < SA_COUNT(cases); i++) {
        rig_ask(&ask, "c1", scene->c1_secret, cases[i].audience, cases[i].scope);
        assert_int_equal(rig_issue(scene->rig, &ask, &grant), cases[i].status);
        rig_assert_recorded(scene->rig, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_DENIED,
                            sa_status_row(cases[i].status)->reason);
    }
}

static void
a_clients_token_says_what_was_granted(void **state)
{
    struct scene *scene = *state;
    struct rig_grant grant;
    struct rig_ask ask;

    rig_ask(&ask, "c1", scene->c1_secret, "other demo", "  write  read write ");
    assert_int_equal(rig_issue(scene->rig, &ask, &grant), SA_OK);
    rig_assert_recorded(scene->rig, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_GRANTED, "");
    assert_string_equal(grant.refresh, "");
    assert_string_equal(grant.sid, "");
    assert_string_equal(grant.scope, "read write");
    assert_int_equal(grant.expires_in, 600);
    struct sa_claims claims = rig_claims(scene->rig, grant.access);
    assert_string_equal(claims.iss, RIG_ISSUER);
    assert_string_equal(claims.sub, "c1");
    assert_string_equal(claims.client_id, "c1");
    assert_int_equal(claims.aud_count, 2);
    assert_string_equal(claims.aud[0], "other");
    assert_string_equal(claims.scope, "read write");
    assert_int_equal(claims.exp, FIXTURE_NOW_MS / 1000 + 600);
    assert_int_equal(claims.iat, FIXTURE_NOW_MS / 1000 - 5);
    assert_string_equal(claims.sid, "");
    assert_string_equal(claims.username, "");
    assert_string_equal(claims.acr, "");
}

/* ---- a login through a gateway ---- */

static void
a_client_without_login_may_not_pass_passwords_on(void **state)
{
    struct scene *scene = *state;
    struct rig_client plain = {.id = "plain", .public = true, .refresh = true, .audiences = "demo=read"};
    struct rig_grant grant;
    struct rig_ask ask;

    rig_add_client(scene->rig, &plain, NULL);
    rig_ask(&ask, "plain", NULL, "demo", NULL);
    assert_int_equal(rig_login_through(scene->rig, &ask, "ann", RIG_PASSWORD, &grant),
                     SA_UNAUTHORIZED_CLIENT);
    assert_int_equal(rig_login_through(scene->rig, &scene->c1, "ann", RIG_PASSWORD, &grant),
                     SA_UNAUTHORIZED_CLIENT);
    rig_ask(&ask, "app", NULL, "nowhere", NULL);
    assert_int_equal(rig_login_through(scene->rig, &ask, "ann", RIG_PASSWORD, &grant), SA_INVALID_TARGET);
}

static void
through_a_gateway_an_accounts_state_is_told_after_the_proof_only(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);
    struct rig_grant grant;

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", false, rig->now.wall_ms, &audit),
                     SA_OK);
    assert_int_equal(rig_login_through(rig, &scene->app, "ann", "wrong", &grant), SA_INVALID_CREDENTIALS);
    assert_int_not_equal(rig->call.hold_until_boot_ms, 0);
    assert_int_equal(rig_login_through(rig, &scene->app, "eve", RIG_PASSWORD, &grant),
                     SA_INVALID_CREDENTIALS);
    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &grant), SA_ACCOUNT_DISABLED);
    assert_int_not_equal(rig->call.hold_until_boot_ms, 0);
    rig_assert_recorded(rig, SA_EVENT_LOGIN, SA_OUTCOME_DENIED, "ACCOUNT_DISABLED");
}

static void
without_the_refresh_grant_a_login_has_one_token_and_no_more(void **state)
{
    struct scene *scene = *state;
    struct rig_client once = {.id = "once", .public = true, .login = true, .audiences = "demo=read"};
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant;
    struct rig_ask ask;

    rig_add_client(scene->rig, &once, NULL);
    rig_ask(&ask, "once", NULL, "demo", NULL);
    assert_int_equal(rig_login_through(scene->rig, &ask, "ann", RIG_PASSWORD, &grant), SA_OK);
    assert_string_equal(grant.refresh, "");
    assert_true(rig_is_active(scene->rig, NULL, grant.access, &seen));
    rig_pass(scene->rig, 600000);
    assert_false(rig_is_active(scene->rig, NULL, grant.access, &seen));
}

/* ---- introspection ---- */

static void
a_token_is_seen_by_its_client_its_audience_and_root_and_by_nobody_else(void **state)
{
    struct scene *scene = *state;
    Secauth__V1__IntrospectTokenResponse seen;

    assert_false(rig_is_active(scene->rig, &scene->c2, scene->token.access, &seen));
    assert_true(rig_is_active(scene->rig, &scene->c1, scene->token.access, &seen));
    assert_true(rig_is_active(scene->rig, &scene->server, scene->token.access, &seen));
    assert_true(rig_is_active(scene->rig, NULL, scene->token.access, &seen));
    assert_string_equal(seen.token_type, "Bearer");
    assert_string_equal(seen.client_id, "c1");
    assert_string_equal(seen.scope, "read write");
    assert_int_equal(seen.n_aud, 1);
    assert_string_equal(seen.aud[0], "demo");
    assert_int_equal(seen.exp, FIXTURE_NOW_MS / 1000 + 600);
}

static void
who_introspects_must_be_proven(void **state)
{
    struct scene *scene = *state;
    Secauth__V1__IntrospectTokenRequest request = SECAUTH__V1__INTROSPECT_TOKEN_REQUEST__INIT;
    Secauth__V1__IntrospectTokenResponse reply = SECAUTH__V1__INTROSPECT_TOKEN_RESPONSE__INIT;
    struct rig_ask ask;

    request.token = RIG_BYTES(scene->token.access);
    assert_int_equal(
        rig_call(scene->rig, rig_user(1000), "TokenService/IntrospectToken", &request.base, &reply.base),
        SA_INVALID_ARGUMENT);
    rig_ask(&ask, "app", NULL, "", NULL); /* a public client is named, not proven */
    request.client = &ask.client;
    assert_int_equal(
        rig_call(scene->rig, rig_user(1000), "TokenService/IntrospectToken", &request.base, &reply.base),
        SA_INVALID_CLIENT);
    assert_string_equal(scene->rig->call.log_reason, "PUBLIC_CLIENT");
    rig_assert_recorded(scene->rig, SA_EVENT_CLIENT_AUTH, SA_OUTCOME_DENIED, "INVALID_CLIENT");
    assert_true(scene->rig->call.counts_against_source);
    rig_ask(&ask, "c1", "wrong", "", NULL);
    assert_int_equal(
        rig_call(scene->rig, rig_user(1000), "TokenService/IntrospectToken", &request.base, &reply.base),
        SA_INVALID_CLIENT);
    assert_false(reply.active);
}

static void
what_means_nothing_is_inactive_and_no_error(void **state)
{
    struct scene *scene = *state;
    Secauth__V1__IntrospectTokenResponse seen;
    const char *tokens[] = {"", "x", "a.b.c", "sar1_x", "eyJhbGciOiJub25lIn0.e30."};
    char tampered[SA_JWT_MAX + 1];

    for (size_t i = 0; i < SA_COUNT(tokens); i++)
        assert_false(rig_is_active(scene->rig, NULL, tokens[i], &seen));
    strcpy(tampered, scene->token.access);
    tampered[strlen(tampered) / 2] ^= 1;
    assert_false(rig_is_active(scene->rig, NULL, tampered, &seen));
}

static void
an_expired_token_is_inactive(void **state)
{
    struct scene *scene = *state;
    Secauth__V1__IntrospectTokenResponse seen;

    rig_pass(scene->rig, 599000);
    assert_true(rig_is_active(scene->rig, NULL, scene->token.access, &seen));
    rig_pass(scene->rig, 1000);
    assert_false(rig_is_active(scene->rig, NULL, scene->token.access, &seen));
}

static void
a_deleted_client_takes_its_tokens_with_it_and_its_namesake_has_none(void **state)
{
    struct scene *scene = *state;
    Secauth__V1__DeleteClientRequest request = SECAUTH__V1__DELETE_CLIENT_REQUEST__INIT;
    Secauth__V1__DeleteClientResponse reply = SECAUTH__V1__DELETE_CLIENT_RESPONSE__INIT;
    struct rig_client again = {.id = "c1", .audiences = "demo=read,write"};
    Secauth__V1__IntrospectTokenResponse seen;

    request.client_id = RIG_TEXT("c1");
    assert_int_equal(
        rig_call(scene->rig, rig_root(), "ClientService/DeleteClient", &request.base, &reply.base), SA_OK);
    assert_false(rig_is_active(scene->rig, NULL, scene->token.access, &seen));
    rig_add_client(scene->rig, &again, NULL);
    assert_false(rig_is_active(scene->rig, NULL, scene->token.access, &seen));
}

static enum sa_status
set_active(struct rig *rig, const char *id, bool active)
{
    Secauth__V1__SetClientActiveRequest request = SECAUTH__V1__SET_CLIENT_ACTIVE_REQUEST__INIT;
    Secauth__V1__SetClientActiveResponse reply = SECAUTH__V1__SET_CLIENT_ACTIVE_RESPONSE__INIT;

    request.client_id = RIG_TEXT(id);
    request.active = active;
    return rig_call(rig, rig_root(), "ClientService/SetClientActive", &request.base, &reply.base);
}

static void
a_disabled_client_has_nothing_and_enabled_again_it_begins_anew(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant;

    assert_int_equal(set_active(rig, "c1", false), SA_OK);
    assert_int_equal(rig_issue(rig, &scene->c1, &grant), SA_INVALID_CLIENT);
    assert_false(rig_is_active(rig, NULL, scene->token.access, &seen));
    rig_pass(rig, 1000);
    assert_int_equal(set_active(rig, "c1", true), SA_OK);
    assert_false(rig_is_active(rig, NULL, scene->token.access, &seen));
    assert_int_equal(rig_issue(rig, &scene->c1, &grant), SA_OK);
    assert_true(rig_is_active(rig, NULL, grant.access, &seen));
    assert_false(rig_is_active(rig, NULL, scene->token.access, &seen));
}

static void
a_refresh_token_is_seen_by_its_client_and_root_only(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct rig_client both = {.id = "both", .refresh = true, .audiences = "demo=read"};
    char secret[64];
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant, next;

    rig_add_client(rig, &both, secret);
    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &grant), SA_OK);
    assert_false(rig_is_active(rig, &scene->server, grant.refresh, &seen));
    assert_false(rig_is_active(rig, &scene->c1, grant.refresh, &seen));
    assert_true(rig_is_active(rig, NULL, grant.refresh, &seen));
    assert_string_equal(seen.token_type, "refresh_token");
    assert_string_equal(seen.username, "ann");
    assert_string_equal(seen.sid, grant.sid);
    assert_true(rig_is_active(rig, &scene->server, grant.access, &seen));
    assert_string_equal(seen.username, "ann");
    assert_int_equal(rig_refresh(rig, &scene->app, grant.refresh, &next), SA_OK);
    assert_false(rig_is_active(rig, NULL, grant.refresh, &seen));
    assert_true(rig_is_active(rig, NULL, next.refresh, &seen));
}

static void
a_persons_tokens_die_with_their_account(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant;

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &grant), SA_OK);
    assert_true(rig_is_active(rig, NULL, grant.access, &seen));
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", false, rig->now.wall_ms, &audit),
                     SA_OK);
    assert_false(rig_is_active(rig, NULL, grant.access, &seen));
    assert_false(rig_is_active(rig, NULL, grant.refresh, &seen));
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", true, rig->now.wall_ms, &audit),
                     SA_OK);
    assert_false(rig_is_active(rig, NULL, grant.access, &seen));
}

/* ---- revocation ---- */

static void
anothers_token_is_left_alone_and_that_is_on_record(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant;
    uint64_t before;

    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &grant), SA_OK);
    assert_int_equal(revoke_token(rig, &scene->c2, scene->token.access), SA_INVALID_GRANT);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_REVOKE, SA_OUTCOME_DENIED, "OTHER_CLIENT");
    assert_int_equal(revoke_token(rig, &scene->c2, grant.refresh), SA_INVALID_GRANT);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_REVOKE, SA_OUTCOME_DENIED, "OTHER_CLIENT");
    before = fixture_sequence(&rig->store);
    assert_int_equal(revoke_token(rig, &scene->c2, "rubbish"), SA_OK);
    assert_int_equal(fixture_sequence(&rig->store), before);
    assert_true(rig_is_active(rig, NULL, scene->token.access, &seen));
    assert_true(rig_is_active(rig, NULL, grant.access, &seen));
}

static void
revoking_an_access_token_ends_it_and_nothing_else(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant;

    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &grant), SA_OK);
    assert_int_equal(revoke_token(rig, &scene->app, grant.access), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_REVOKE, SA_OUTCOME_GRANTED, "");
    assert_false(rig_is_active(rig, NULL, grant.access, &seen));
    assert_true(rig_is_active(rig, NULL, grant.refresh, &seen));
    assert_int_equal(revoke_token(rig, &scene->app, grant.access), SA_OK);
    assert_int_equal(revoke_token(rig, &scene->c1, scene->token.access), SA_OK);
    assert_false(rig_is_active(rig, NULL, scene->token.access, &seen));
}

static void
revoking_a_refresh_token_ends_its_session(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_grant grant, next;

    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &grant), SA_OK);
    assert_int_equal(revoke_token(rig, &scene->app, grant.refresh), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_REVOKE, SA_OUTCOME_GRANTED, "");
    assert_false(rig_is_active(rig, NULL, grant.access, &seen));
    assert_int_equal(rig_refresh(rig, &scene->app, grant.refresh, &next), SA_INVALID_GRANT);
    assert_int_equal(revoke_token(rig, &scene->app, grant.refresh), SA_OK);
}

static void
the_key_set_has_a_strong_tag_and_no_secret(void **state)
{
    struct scene *scene = *state;
    Secauth__V1__GetKeySetRequest request = SECAUTH__V1__GET_KEY_SET_REQUEST__INIT;
    Secauth__V1__GetKeySetResponse reply = SECAUTH__V1__GET_KEY_SET_RESPONSE__INIT;
    char jwks[4096];

    assert_int_equal(
        rig_call(scene->rig, rig_network(""), "KeyService/GetKeySet", &request.base, &reply.base), SA_OK);
    snprintf(jwks, sizeof(jwks), "%.*s", (int)reply.jwks.len, (const char *)reply.jwks.data);
    assert_non_null(strstr(jwks, "\"P-256\""));
    assert_null(strstr(jwks, "\"d\""));
    assert_int_equal(strlen(reply.etag), 43);
    assert_int_equal(reply.max_age_seconds, 3600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_is_not_proven_gets_one_answer),
        TEST(a_secret_over_its_bound_names_the_field),
        TEST(a_public_client_gets_no_token_for_itself),
        TEST(what_is_not_registered_is_an_error_and_never_dropped),
        TEST(a_clients_token_says_what_was_granted),
        TEST(a_client_without_login_may_not_pass_passwords_on),
        TEST(through_a_gateway_an_accounts_state_is_told_after_the_proof_only),
        TEST(without_the_refresh_grant_a_login_has_one_token_and_no_more),
        TEST(a_token_is_seen_by_its_client_its_audience_and_root_and_by_nobody_else),
        TEST(who_introspects_must_be_proven),
        TEST(what_means_nothing_is_inactive_and_no_error),
        TEST(an_expired_token_is_inactive),
        TEST(a_deleted_client_takes_its_tokens_with_it_and_its_namesake_has_none),
        TEST(a_disabled_client_has_nothing_and_enabled_again_it_begins_anew),
        TEST(a_refresh_token_is_seen_by_its_client_and_root_only),
        TEST(a_persons_tokens_die_with_their_account),
        TEST(anothers_token_is_left_alone_and_that_is_on_record),
        TEST(revoking_an_access_token_ends_it_and_nothing_else),
        TEST(revoking_a_refresh_token_ends_its_session),
        TEST(the_key_set_has_a_strong_tag_and_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
