/* links: sa_rpc */
#include "tests/support/token_fixture.h"

#include "service/auth/key_life.h"
#include "service/auth/key_plan.h"
#include "service/auth/signing.h"
#include "service/store/inside.h"

#define SECOND_MS INT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)
#define LIFE_MS   (30 * DAY_MS)
#define READY_MS  (HOUR_MS + HOUR_MS / 8 + SECOND_MS) /* max-age, and what may pass on the way */
#define SLOW_MS   (30 * SECOND_MS)                    /* more than the making of a key takes */

static struct rig_ask ask;

static int
setup(void **state)
{
    static char secret[64];
    struct rig_client svc = {.id = "svc", .owned = "svc", .audiences = "demo=read"};
    struct rig *rig = rig_new("");

    rig_add_client(rig, &svc, secret);
    rig_ask(&ask, "svc", secret, "demo", NULL);
    *state = rig;
    return 0;
}

/* One tick for everything that is due, as the seconds would bring it. */
static void
tick(struct rig *rig, int64_t pass_ms)
{
    rig_pass(rig, pass_ms);
    for (unsigned i = 0; i < 8; i++)
        sa_keys_tick(rig->authority, rig->now);
}

static void
issue(struct rig *rig, struct rig_grant *ret_grant, char ret_kid[SA_KID_LEN + 1])
{
    SA_OWN(sa_signing_set) set = sa_signing_hold(rig->authority);

    assert_int_equal(rig_issue(rig, &ask, ret_grant), SA_OK);
    memcpy(ret_kid, sa_signing_key_kid(sa_signing_signer(set, rig->now.wall_ms)), SA_KID_LEN + 1);
}

static unsigned
count_records(struct rig *rig, enum sa_event event)
{
    struct sa_audit_query query = {.limit = 500, .event = event};
    struct sa_audit_row *rows = NULL;
    unsigned count = 0;
    bool more;

    assert_int_equal(sa_store_audit_list(rig->store.store, &query, &rows, &count, &more), SA_OK);
    free(rows);
    return count;
}

static enum sa_status
rotate_key(struct rig *rig, bool force, Secauth__V1__RotateSigningKeyResponse *ret_reply)
{
    Secauth__V1__RotateSigningKeyRequest request = SECAUTH__V1__ROTATE_SIGNING_KEY_REQUEST__INIT;

    secauth__v1__rotate_signing_key_response__init(ret_reply);
    request.force = force;
    return rig_call(rig, rig_root(), "SigningKeyService/RotateSigningKey", &request.base, &ret_reply->base);
}

static enum sa_status
revoke_key(struct rig *rig, const char *kid, char ret_signing[SA_KID_LEN + 1])
{
    Secauth__V1__RevokeSigningKeyRequest request = SECAUTH__V1__REVOKE_SIGNING_KEY_REQUEST__INIT;
    Secauth__V1__RevokeSigningKeyResponse reply = SECAUTH__V1__REVOKE_SIGNING_KEY_RESPONSE__INIT;

    request.kid = RIG_TEXT(kid);
    enum sa_status status =
        rig_call(rig, rig_root(), "SigningKeyService/RevokeSigningKey", &request.base, &reply.base);
    assert_int_equal(reply.accepted, status == SA_OK);
    if (status == SA_OK)
        memcpy(ret_signing, reply.signing_kid, SA_KID_LEN + 1);
    return status;
}

/* A stop, `script` on the store, and a start later. */
static void
start_again(struct rig *rig, const char *script, int64_t pass_ms)
{
    const char *why;

    sa_authority_free(rig->authority);
    rig->authority = NULL;
    fixture_close(&rig->store);
    if (script != NULL)
        fixture_script_beside(&rig->store, script);
    fixture_open(&rig->store);
    rig_pass(rig, pass_ms);
    assert_int_equal(
        sa_authority_new(&rig->conf, rig->store.keyring, rig->store.store, rig->now, &rig->authority, &why),
        SA_OK);
}

static void
a_kid_that_is_none_or_not_ours_is_refused(void **state)
{
    struct rig *rig = *state;
    char signing[SA_KID_LEN + 1];

    assert_int_equal(revoke_key(rig, "", signing), SA_INVALID_ARGUMENT);
    assert_string_equal(rig->call.problem.field, "kid");
    assert_int_equal(revoke_key(rig, "0123456789012345678901234567890123456789012", signing), SA_NOT_FOUND);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_REVOKE), 0);
}

static void
a_key_that_verifiers_may_not_have_signs_by_force_only(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__RotateSigningKeyResponse reply;
    struct rig_grant before, after;
    char first[SA_KID_LEN + 1], second[SA_KID_LEN + 1];

    issue(rig, &before, first);
    rig_pass(rig, READY_MS - SLOW_MS);
    assert_int_equal(rotate_key(rig, false, &reply), SA_OK);
    assert_false(reply.rotated);
    assert_true(reply.ready_ms >= FIXTURE_NOW_MS + READY_MS &&
                reply.ready_ms < FIXTURE_NOW_MS + READY_MS + SLOW_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_ROTATE), 0);
    rig_pass(rig, 2 * SLOW_MS);
    assert_int_equal(rotate_key(rig, false, &reply), SA_OK);
    assert_true(reply.rotated && reply.ready_ms == 0);
    issue(rig, &after, second);
    assert_string_not_equal(first, second);
    assert_int_equal(rotate_key(rig, false, &reply), SA_OK);
    assert_false(reply.rotated);
    assert_int_equal(rotate_key(rig, true, &reply), SA_OK);
    assert_true(reply.rotated);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_ROTATE), 2);
    (void)rig_claims(rig, after.access);
}

static void
what_a_revoked_key_signed_is_dead_and_all_else_lives(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__RotateSigningKeyResponse reply;
    Secauth__V1__IntrospectTokenResponse said;
    struct rig_grant old, bad, good;
    char first[SA_KID_LEN + 1], second[SA_KID_LEN + 1], third[SA_KID_LEN + 1], signing[SA_KID_LEN + 1];

    rig_pass(rig, READY_MS + SLOW_MS);
    issue(rig, &old, first);
    assert_int_equal(rotate_key(rig, false, &reply), SA_OK);
    issue(rig, &bad, second);
    assert_int_equal(revoke_key(rig, second, signing), SA_OK);
    issue(rig, &good, third);
    assert_string_equal(third, signing);
    assert_true(rig_is_active(rig, NULL, old.access, &said));
    assert_false(rig_is_active(rig, NULL, bad.access, &said));
    assert_true(rig_is_active(rig, NULL, good.access, &said));
    assert_int_equal(revoke_key(rig, second, signing), SA_NOT_FOUND);
    assert_int_equal(revoke_key(rig, first, signing), SA_OK); /* a retired one */
    assert_string_equal(third, signing);
    assert_false(rig_is_active(rig, NULL, old.access, &said));
    start_again(rig, NULL, 0);
    assert_false(rig_is_active(rig, NULL, bad.access, &said));
    assert_true(rig_is_active(rig, NULL, good.access, &said));
    assert_int_equal(count_records(rig, SA_EVENT_KEY_REVOKE), 2);
}

static void
the_host_is_never_without_a_key(void **state)
{
    struct rig *rig = *state;
    struct rig_grant grant;
    char kid[SA_KID_LEN + 1], signing[SA_KID_LEN + 1];

    for (unsigned i = 0; i < 40; i++) {
        issue(rig, &grant, kid);
        assert_int_equal(revoke_key(rig, kid, signing), SA_OK);
        assert_string_not_equal(kid, signing);
    }
    /* And with nothing prepared: the store could not, say. */
    issue(rig, &grant, kid);
    char script[128];
    snprintf(script, sizeof(script), "DELETE FROM signing_keys WHERE kid <> '%s'", kid);
    fixture_script_beside(&rig->store, script);
    assert_int_equal(sa_signing_reload(rig->authority), SA_OK);
    assert_int_equal(revoke_key(rig, kid, signing), SA_OK);
    issue(rig, &grant, kid);
    assert_string_equal(kid, signing);
}

static void
every_transition_has_one_record(void **state)
{
    struct rig *rig = *state;
    struct rig_grant grant;
    char first[SA_KID_LEN + 1], second[SA_KID_LEN + 1];

    issue(rig, &grant, first);
    tick(rig, LIFE_MS - SLOW_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_PREPARE), 2);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 0);
    rig_pass(rig, 2 * SLOW_MS);
    issue(rig, &grant, second); /* at its time, whether or not anybody has noted it */
    assert_string_not_equal(first, second);
    tick(rig, 0);
    tick(rig, SECOND_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 1);
    tick(rig, HOUR_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_REMOVE), 0);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_PREPARE), 2);
    tick(rig, 60 * SECOND_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_REMOVE), 1);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_CREATE), 1);
    start_again(rig, NULL, SECOND_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 1);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_EMERGENCY), 0);
}

static void
a_store_that_fails_leaves_the_present_key_signing(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__RotateSigningKeyResponse reply;
    struct rig_grant grant;
    char first[SA_KID_LEN + 1], kid[SA_KID_LEN + 1], signing[SA_KID_LEN + 1];

    issue(rig, &grant, first);
    fixture_script_beside(
        &rig->store,
        "CREATE TRIGGER no_update BEFORE UPDATE ON signing_keys BEGIN SELECT RAISE(ABORT, 'no'); END;"
        "CREATE TRIGGER no_insert BEFORE INSERT ON signing_keys BEGIN SELECT RAISE(ABORT, 'no'); END;"
        "CREATE TRIGGER no_delete BEFORE DELETE ON signing_keys BEGIN SELECT RAISE(ABORT, 'no'); END;");
    rig_pass(rig, READY_MS + SLOW_MS);
    assert_int_not_equal(rotate_key(rig, true, &reply), SA_OK);
    assert_int_not_equal(revoke_key(rig, first, signing), SA_OK);
    issue(rig, &grant, kid);
    assert_string_equal(kid, first);
    tick(rig, 3 * LIFE_MS); /* past the second's life, which has begun all the same */
    issue(rig, &grant, signing);
    assert_string_not_equal(signing, first);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 0);
    fixture_script_beside(&rig->store,
                          "DROP TRIGGER no_update; DROP TRIGGER no_insert; DROP TRIGGER no_delete;");
    tick(rig, 0);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 0); /* some seconds later */
    tick(rig, 10 * SECOND_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 1);
    issue(rig, &grant, kid);
    assert_string_equal(kid, signing);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_ROTATE) + count_records(rig, SA_EVENT_KEY_REVOKE), 0);
}

static void
another_algorithm_comes_by_the_same_road(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__IntrospectTokenResponse said;
    struct rig_grant old, new;
    char kid[SA_KID_LEN + 1];

    tick(rig, READY_MS);
    issue(rig, &old, kid);
    strcpy(rig->conf.token_algorithm, "RS256");
    tick(rig, SECOND_MS);
    issue(rig, &new, kid);
    assert_int_equal(strlen(strrchr(new.access, '.')), 1 + 86);
    tick(rig, READY_MS + SLOW_MS);
    issue(rig, &new, kid);
    assert_int_equal(strlen(strrchr(new.access, '.')), 1 + 342);
    (void)rig_claims(rig, old.access);
    assert_true(rig_is_active(rig, NULL, new.access, &said));
    tick(rig, 2 * HOUR_MS);
    SA_OWN(sa_signing_set) set = sa_signing_hold(rig->authority);
    for (unsigned i = 0; i < set->count; i++)
        assert_int_equal(set->rows[i].alg, SA_KEY_RS256); /* one type at a time, but while one is replaced */
}

static void
after_a_long_stop_a_new_key_signs_at_once(void **state)
{
    struct rig *rig = *state;
    struct rig_grant grant;
    char first[SA_KID_LEN + 1], kid[SA_KID_LEN + 1];

    issue(rig, &grant, first);
    start_again(rig, NULL, LIFE_MS + DAY_MS); /* the prepared one's time has come, and not gone */
    assert_int_equal(count_records(rig, SA_EVENT_KEY_EMERGENCY), 0);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_BEGIN), 1);
    start_again(rig, NULL, 90 * DAY_MS);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_EMERGENCY), 1);
    issue(rig, &grant, kid);
    assert_string_not_equal(kid, first);
    start_again(rig, NULL, 0);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_EMERGENCY), 1);
    (void)rig_claims(rig, grant.access);
}

static void
a_key_from_when_keys_had_no_end_goes_on_until_the_next_is_known(void **state)
{
    struct rig *rig = *state;
    struct rig_grant grant;
    char first[SA_KID_LEN + 1], kid[SA_KID_LEN + 1];

    issue(rig, &grant, first);
    start_again(rig,
                "DELETE FROM signing_keys WHERE retire_ms = 0;"
                "UPDATE signing_keys SET retire_ms = 0;",
                100 * DAY_MS);
    issue(rig, &grant, kid);
    assert_string_equal(kid, first);
    tick(rig, READY_MS - SLOW_MS);
    issue(rig, &grant, kid);
    assert_string_equal(kid, first);
    tick(rig, 2 * SLOW_MS);
    issue(rig, &grant, kid);
    assert_string_not_equal(kid, first);
    assert_int_equal(count_records(rig, SA_EVENT_KEY_EMERGENCY), 0);
}

static atomic_bool over;

/* Sign with the set of the moment, and verify with it: a thread of the store's lane. */
static void *
sign_on(void *user)
{
    const struct rig *rig = user;
    struct sa_claims claims = {.aud_count = 1, .exp = 2000000000, .iat = 1999999400};
    uintptr_t wrong = 0;

    strcpy(claims.iss, RIG_ISSUER);
    strcpy(claims.sub, "subject");
    strcpy(claims.aud[0], "demo");
    strcpy(claims.client_id, "svc");
    sa_jti_make(1999999400000, 7, 42, claims.jti);
    while (!atomic_load(&over)) {
        SA_OWN(sa_signing_set) set = sa_signing_hold(rig->authority);
        char token[SA_JWT_MAX + 1];
        struct sa_claims read;
        const char *reason;
        if (sa_jwt_sign(sa_signing_signer(set, FIXTURE_NOW_MS), &claims, token) != SA_OK ||
            sa_jwt_verify(set->keys, set->count, RIG_ISSUER, sa_bytes_of(token), &read, &reason) != SA_OK)
            wrong++;
    }
    return (void *)wrong;
}

static void
whoever_signs_while_keys_change_has_a_whole_set(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__RotateSigningKeyResponse reply;
    char signing[SA_KID_LEN + 1];
    pthread_t threads[4];
    void *wrong;

    atomic_store(&over, false);
    for (unsigned i = 0; i < SA_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_on, rig), 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(rotate_key(rig, true, &reply), SA_OK);
        assert_true(reply.rotated);
        char kid[SA_KID_LEN + 1];
        memcpy(kid, reply.kid, sizeof(kid));
        assert_int_equal(revoke_key(rig, kid, signing), SA_OK);
    }
    atomic_store(&over, true);
    for (unsigned i = 0; i < SA_COUNT(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kid_that_is_none_or_not_ours_is_refused),
        TEST(a_key_that_verifiers_may_not_have_signs_by_force_only),
        TEST(what_a_revoked_key_signed_is_dead_and_all_else_lives),
        TEST(the_host_is_never_without_a_key),
        TEST(every_transition_has_one_record),
        TEST(a_store_that_fails_leaves_the_present_key_signing),
        TEST(another_algorithm_comes_by_the_same_road),
        TEST(after_a_long_stop_a_new_key_signs_at_once),
        TEST(whoever_signs_while_keys_change_has_a_whole_set),
        TEST(a_key_from_when_keys_had_no_end_goes_on_until_the_next_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
