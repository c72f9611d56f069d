/* links: sa_rpc */
/* RefreshToken over the store: the table of generations, narrowing, whose token it is. */
#include <pthread.h>

#include "tests/support/token_fixture.h"

#define GRACE_S 2

struct scene {
    struct rig *rig;
    struct rig_ask app;   /* public, rotates */
    struct rig_ask other; /* public as well */
    struct rig_ask svc;   /* confidential */
    char secret[64];
    struct rig_grant first; /* of app */
};

static int
set_up(void **state)
{
    struct rig *rig = rig_new("");
    struct scene *scene = calloc(1, sizeof(*scene));
    struct rig_client app = {.id = "app",
                             .public = true,
                             .login = true,
                             .refresh = true,
                             .grace_s = GRACE_S,
                             .audiences = "demo=a,b,c more=c,d"};
    struct rig_client other = {.id = "other",
                               .public = true,
                               .login = true,
                               .refresh = true,
                               .grace_s = GRACE_S,
                               .audiences = "demo=a,b,c more=c,d"};
    struct rig_client svc = {.id = "svc", .refresh = true, .audiences = "demo=a,b,c"};

    scene->rig = rig;
    rig_add_user(rig, "ann", 1000);
    rig_add_client(rig, &app, NULL);
    rig_add_client(rig, &other, NULL);
    rig_add_client(rig, &svc, scene->secret);
    rig_ask(&scene->app, "app", NULL, "demo", NULL);
    rig_ask(&scene->other, "other", NULL, "demo", NULL);
    assert_int_equal(rig_login_through(rig, &scene->app, "ann", RIG_PASSWORD, &scene->first), SA_OK);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_GRANTED, "");
    rig_ask(&scene->app, "app", NULL, "", NULL);
    rig_ask(&scene->other, "other", NULL, "", NULL);
    rig_ask(&scene->svc, "svc", scene->secret, "", NULL);
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

/* ---- what is refused ---- */

static void
a_token_with_any_byte_changed_is_refused_before_any_record(void **state)
{
    struct scene *scene = *state;
    uint64_t before = fixture_sequence(&scene->rig->store);
    struct rig_grant grant;
    char token[64];

    for (size_t i = 0; i < strlen(scene->first.refresh); i++) {
        strcpy(token, scene->first.refresh);
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_int_equal(rig_refresh(scene->rig, &scene->app, token, &grant), SA_INVALID_GRANT);
    }
    assert_int_equal(rig_refresh(scene->rig, &scene->app, "", &grant), SA_INVALID_GRANT);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, "sar1_", &grant), SA_INVALID_GRANT);
    assert_int_equal(fixture_sequence(&scene->rig->store), before);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, scene->first.refresh, &grant), SA_OK);
}

static void
a_forged_token_counts_against_its_source_and_rubbish_does_not(void **state)
{
    struct scene *scene = *state;
    struct rig_grant grant;
    char token[64];

    strcpy(token, scene->first.refresh);
    token[10] = token[10] == 'A' ? 'B' : 'A';
    assert_int_equal(rig_refresh(scene->rig, &scene->app, token, &grant), SA_INVALID_GRANT);
    assert_true(scene->rig->call.counts_against_source);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, "rubbish", &grant), SA_INVALID_GRANT);
    assert_false(scene->rig->call.counts_against_source);
}

static void
a_public_clients_denial_counts_against_its_source_and_a_slow_duplicate_does_not(void **state)
{
    struct scene *scene = *state;
    struct rig_grant second;
    struct rig_grant third;
    struct rig_grant grant;

    assert_int_equal(rig_refresh(scene->rig, &scene->other, scene->first.refresh, &grant), SA_INVALID_GRANT);
    assert_true(scene->rig->call.counts_against_source);
    assert_int_equal(rig_refresh(scene->rig, &scene->svc, scene->first.refresh, &grant), SA_INVALID_GRANT);
    assert_false(scene->rig->call.counts_against_source);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, scene->first.refresh, &second), SA_OK);
    assert_false(scene->rig->call.counts_against_source);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, second.refresh, &third), SA_OK);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, scene->first.refresh, &grant), SA_INVALID_GRANT);
    assert_false(scene->rig->call.counts_against_source);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, third.refresh, &grant), SA_OK);
}

static void
another_clients_token_is_refused_and_stays_good(void **state)
{
    struct scene *scene = *state;
    struct rig_grant grant;

    assert_int_equal(rig_refresh(scene->rig, &scene->other, scene->first.refresh, &grant), SA_INVALID_GRANT);
    rig_assert_recorded(scene->rig, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, NULL);
    assert_int_equal(rig_refresh(scene->rig, &scene->svc, scene->first.refresh, &grant), SA_INVALID_GRANT);
    assert_int_equal(rig_refresh(scene->rig, &scene->app, scene->first.refresh, &grant), SA_OK);
    assert_false(grant.replayed);
}

static void
a_client_that_does_not_authenticate_learns_nothing_and_is_counted(void **state)
{
    struct scene *scene = *state;
    struct rig_ask ask;
    struct rig_grant grant;

    rig_ask(&ask, "svc", "sac1_0000000000000000000000000000000000000000000", "", NULL);
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_INVALID_CLIENT);
    assert_true(scene->rig->call.counts_against_source);
    rig_assert_recorded(scene->rig, SA_EVENT_CLIENT_AUTH, SA_OUTCOME_DENIED, "INVALID_CLIENT");
    rig_ask(&ask, "svc", NULL, "", NULL);
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_INVALID_CLIENT);
    rig_ask(&ask, "nobody", NULL, "", NULL);
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_INVALID_CLIENT);
    rig_ask(&ask, "app", scene->secret, "", NULL);
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_INVALID_CLIENT);
    rig_ask(&ask, SA_HOST_CLIENT, NULL, "", NULL);
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_INVALID_CLIENT);
}

static void
an_old_generation_revokes_its_session_and_no_other(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    Secauth__V1__IntrospectTokenResponse seen;
    struct rig_ask login;
    struct rig_grant second, third, elsewhere;

    rig_ask(&login, "app", NULL, "demo", NULL);
    assert_int_equal(rig_login_through(rig, &login, "ann", RIG_PASSWORD, &elsewhere), SA_OK);
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &second), SA_OK);
    rig_pass(rig, (GRACE_S + 1) * 1000);
    assert_true(rig_is_active(rig, NULL, second.access, &seen));
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &third), SA_INVALID_GRANT);
    rig_assert_recorded(rig, SA_EVENT_TOKEN_REUSE, SA_OUTCOME_DENIED, NULL);
    assert_int_equal(rig_refresh(rig, &scene->app, second.refresh, &third), SA_INVALID_GRANT);
    assert_false(rig_is_active(rig, NULL, second.access, &seen));
    assert_true(rig_is_active(rig, NULL, elsewhere.access, &seen));
    assert_int_equal(rig_refresh(rig, &scene->app, elsewhere.refresh, &third), SA_OK);
}

static void
a_scope_that_was_not_granted_is_refused_and_the_token_stays_good(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct rig_ask ask;
    struct rig_grant grant;
    const char *scopes[] = {"a d", "A", "d", "a\"b", "z"};

    for (size_t i = 0; i < SA_COUNT(scopes); i++) {
        rig_ask(&ask, "app", NULL, "", scopes[i]);
        assert_int_equal(rig_refresh(rig, &ask, scene->first.refresh, &grant), SA_INVALID_SCOPE);
        rig_assert_recorded(rig, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_DENIED, "INVALID_SCOPE");
    }
    rig_ask(&ask, "app", NULL, "more", NULL); /* registered, and not what this session was granted */
    assert_int_equal(rig_refresh(rig, &ask, scene->first.refresh, &grant), SA_INVALID_TARGET);
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &grant), SA_OK);
    assert_false(grant.replayed);
    assert_string_equal(grant.scope, "a b c");
}

static void
a_person_who_may_not_log_in_gets_no_further_token(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);
    struct rig_grant grant;

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", false, rig->now.wall_ms, &audit),
                     SA_OK);
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &grant), SA_INVALID_GRANT);
    assert_int_equal(sa_store_user_set_active(rig->store.store, "ann", true, rig->now.wall_ms, &audit),
                     SA_OK);
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &grant), SA_INVALID_GRANT);
}

static void
an_idle_session_and_an_old_one_are_over(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct rig_grant grant;

    rig_pass(rig, rig->conf.token_refresh_idle * 1000 + 1000);
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &grant), SA_INVALID_GRANT);
}

/* ---- what is granted ---- */

static void
a_refresh_token_gives_its_successor_and_a_token_of_the_same_session(void **state)
{
    struct scene *scene = *state;
    struct rig_grant grant;

    assert_int_equal(rig_refresh(scene->rig, &scene->app, scene->first.refresh, &grant), SA_OK);
    rig_assert_recorded(scene->rig, SA_EVENT_TOKEN_REFRESH, SA_OUTCOME_GRANTED, NULL);
    assert_string_not_equal(grant.refresh, scene->first.refresh);
    assert_string_equal(grant.sid, scene->first.sid);
    assert_string_equal(grant.scope, "a b c");
    struct sa_claims claims = rig_claims(scene->rig, grant.access);
    struct sa_claims before = rig_claims(scene->rig, scene->first.access);
    assert_string_equal(claims.sub, before.sub);
    assert_string_equal(claims.sid, grant.sid);
    assert_string_equal(claims.amr, "pwd");
    assert_string_equal(claims.acr, "1");
    assert_string_equal(claims.client_id, "app");
    assert_string_not_equal(claims.jti, before.jti);
    assert_int_equal(claims.auth_time, FIXTURE_NOW_MS / 1000);
}

static void
within_the_grace_it_gives_the_same_successor_again(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct rig_grant second, again, third;

    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &second), SA_OK);
    rig_pass(rig, GRACE_S * 1000 - 500);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &again), SA_OK);
        assert_string_equal(again.refresh, second.refresh);
        assert_true(again.replayed);
    }
    assert_int_equal(rig_refresh(rig, &scene->app, second.refresh, &third), SA_OK);
    assert_false(third.replayed);
}

#define RACERS 8u

struct racer {
    struct rig rig; /* a call of its own over what all share */
    const struct rig_ask *ask;
    char token[64];
    enum sa_status status;
    struct rig_grant grant;
};

static void *
race(void *argument)
{
    struct racer *racer = argument;

    racer->status = rig_refresh(&racer->rig, racer->ask, racer->token, &racer->grant);
    sa_arena_free(racer->rig.arena);
    return NULL;
}

static void
racing_refreshes_all_get_the_same_successor(void **state)
{
    struct scene *scene = *state;
    struct racer *racers = calloc(RACERS, sizeof(*racers));
    char token[64];

    assert_non_null(racers);
    strcpy(token, scene->first.refresh);
    for (unsigned round = 0; round < 10; round++) {
        pthread_t threads[RACERS];
        unsigned firsts = 0;
        for (unsigned i = 0; i < RACERS; i++) {
            racers[i] = (struct racer){.rig = *scene->rig, .ask = &scene->app};
            racers[i].rig.arena = NULL;
            strcpy(racers[i].token, token);
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (unsigned i = 0; i < RACERS; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (unsigned i = 0; i < RACERS; i++) {
            assert_int_equal(racers[i].status, SA_OK);
            assert_string_equal(racers[i].grant.refresh, racers[0].grant.refresh);
            firsts += !racers[i].grant.replayed;
        }
        assert_int_equal(firsts, 1);
        strcpy(token, racers[0].grant.refresh);
    }
    free(racers);
}

static void
a_replay_never_gets_more_than_was_granted(void **state)
{
    struct scene *scene = *state;
    struct rig_ask ask;
    struct rig_grant grant;

    rig_ask(&ask, "app", NULL, "", "a");
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_OK);
    assert_string_equal(grant.scope, "a");
    rig_ask(&ask, "app", NULL, "", "a d");
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_INVALID_SCOPE);
    rig_ask(&ask, "app", NULL, "", "  b   b ");
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_OK);
    assert_string_equal(grant.scope, "b");
    assert_true(grant.replayed);
}

static void
narrowing_concerns_that_token_only(void **state)
{
    struct scene *scene = *state;
    struct rig_ask ask;
    struct rig_grant grant;

    rig_ask(&ask, "app", NULL, "", "b a");
    assert_int_equal(rig_refresh(scene->rig, &ask, scene->first.refresh, &grant), SA_OK);
    assert_string_equal(grant.scope, "a b");
    assert_string_equal(rig_claims(scene->rig, grant.access).scope, "a b");
    assert_int_equal(rig_refresh(scene->rig, &scene->app, grant.refresh, &grant), SA_OK);
    assert_string_equal(grant.scope, "a b c");
}

static void
what_was_taken_from_the_client_is_gone_from_its_next_tokens(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct sa_client_audience less = {.audience = "demo", .scopes = "a b"};
    struct sa_audit audit = sa_audit(SA_EVENT_CLIENT_AUDIENCE);
    struct rig_grant grant;

    audit.outcome = SA_OUTCOME_GRANTED;
    assert_int_equal(sa_store_client_set_audience(rig->store.store, "app", &less, &audit), SA_OK);
    assert_int_equal(rig_refresh(rig, &scene->app, scene->first.refresh, &grant), SA_OK);
    assert_string_equal(grant.scope, "a b");
    assert_int_equal(sa_store_client_remove_audience(rig->store.store, "app", "demo", &audit), SA_OK);
    assert_int_equal(rig_refresh(rig, &scene->app, grant.refresh, &grant), SA_INVALID_TARGET);
}

static void
a_token_dies_no_later_than_its_session(void **state)
{
    struct scene *scene = *state;
    struct rig *rig = scene->rig;
    struct rig_grant grant = scene->first;
    int64_t left_s = rig->conf.token_session_life - 100;

    while (left_s > 0) { /* used often enough not to be idle */
        int64_t step_s = left_s < 500000 ? left_s : 500000;
        rig_pass(rig, step_s * 1000);
        left_s -= step_s;
        assert_int_equal(rig_refresh(rig, &scene->app, grant.refresh, &grant), SA_OK);
    }
    assert_int_equal(grant.expires_in, 100);
    rig_pass(rig, 100000);
    assert_int_equal(rig_refresh(rig, &scene->app, grant.refresh, &grant), SA_INVALID_GRANT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_with_any_byte_changed_is_refused_before_any_record),
        TEST(a_forged_token_counts_against_its_source_and_rubbish_does_not),
        TEST(a_public_clients_denial_counts_against_its_source_and_a_slow_duplicate_does_not),
        TEST(another_clients_token_is_refused_and_stays_good),
        TEST(a_client_that_does_not_authenticate_learns_nothing_and_is_counted),
        TEST(an_old_generation_revokes_its_session_and_no_other),
        TEST(a_scope_that_was_not_granted_is_refused_and_the_token_stays_good),
        TEST(a_person_who_may_not_log_in_gets_no_further_token),
        TEST(an_idle_session_and_an_old_one_are_over),
        TEST(a_refresh_token_gives_its_successor_and_a_token_of_the_same_session),
        TEST(within_the_grace_it_gives_the_same_successor_again),
        TEST(racing_refreshes_all_get_the_same_successor),
        TEST(a_replay_never_gets_more_than_was_granted),
        TEST(narrowing_concerns_that_token_only),
        TEST(what_was_taken_from_the_client_is_gone_from_its_next_tokens),
        TEST(a_token_dies_no_later_than_its_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
