/* links: sa_store */
/* Not-before rules, and who must stand behind a grant when it is committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>

#include "service/store/store_grant.h"
#include "service/store/store_not_before.h"
#include "tests/support/store_fixture.h"

#define NOW FIXTURE_NOW_MS

static struct sa_audit audit;

static bool
is_void(struct fixture *fixture, int64_t mint_ms, uint16_t instance, uint32_t row, const char *subject,
        int64_t now_ms)
{
    struct sa_minted minted = {mint_ms, instance, row, subject};
    bool is = true;

    assert_int_equal(sa_store_not_before_voids(fixture->store, &minted, now_ms, &is), SA_OK);
    return is;
}

static void
put(struct fixture *fixture, struct sa_not_before rule)
{
    audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    assert_int_equal(sa_store_not_before_put(fixture->store, &rule, &audit), SA_OK);
}

static unsigned
count_rules(struct fixture *fixture, int64_t now_ms)
{
    struct sa_not_before *rules;
    unsigned count;
    bool more;

    assert_int_equal(sa_store_not_before_list(fixture->store, NULL, now_ms, &rules, &count, &more), SA_OK);
    assert_false(more);
    free(rules);
    return count;
}

static void
a_token_is_void_by_its_own_gateway_client_or_subject_only(void **state)
{
    struct fixture *fixture = *state;

    assert_false(is_void(fixture, NOW, 1, 2, "subject", NOW));
    put(fixture, sa_not_before_number(SA_NOT_BEFORE_INSTANCE, 7, 0, NOW, NOW));
    put(fixture, sa_not_before_number(SA_NOT_BEFORE_CLIENT, 8, 0, NOW, NOW));
    put(fixture, sa_not_before_subject("9", NOW, NOW));
    assert_false(is_void(fixture, NOW - 1, 8, 9, "7", NOW));
    assert_false(is_void(fixture, NOW - 1, 9, 7, "8", NOW));
    assert_false(is_void(fixture, NOW - 1, 70, 80, "90", NOW));
    assert_true(is_void(fixture, NOW - 1, 7, 1, "", NOW));
    assert_true(is_void(fixture, NOW - 1, 0, 8, "", NOW));
    assert_true(is_void(fixture, NOW - 1, 0, 1, "9", NOW));
    assert_int_equal(count_rules(fixture, NOW), 3);
}

static void
what_was_minted_outside_of_a_rules_time_is_good(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, sa_not_before_number(SA_NOT_BEFORE_INSTANCE, 7, NOW - 1000, NOW, NOW));
    assert_false(is_void(fixture, NOW - 1001, 7, 1, "", NOW));
    assert_true(is_void(fixture, NOW - 1000, 7, 1, "", NOW));
    assert_true(is_void(fixture, NOW - 1, 7, 1, "", NOW));
    assert_false(is_void(fixture, NOW, 7, 1, "", NOW));
}

static void
a_gateways_rule_is_widened_and_the_others_are_replaced(void **state)
{
    struct fixture *fixture = *state;

    put(fixture, sa_not_before_number(SA_NOT_BEFORE_INSTANCE, 7, NOW - 1000, NOW, NOW));
    put(fixture, sa_not_before_number(SA_NOT_BEFORE_INSTANCE, 7, NOW - 10, NOW - 5, NOW));
    assert_true(is_void(fixture, NOW - 1000, 7, 1, "", NOW));
    assert_true(is_void(fixture, NOW - 1, 7, 1, "", NOW));
    put(fixture, sa_not_before_number(SA_NOT_BEFORE_CLIENT, 8, 0, NOW + SA_NOT_BEFORE_KEEP_MS, NOW));
    assert_true(is_void(fixture, NOW + 5, 0, 8, "", NOW + 5));
    put(fixture, sa_not_before_number(SA_NOT_BEFORE_CLIENT, 8, 0, NOW + 5, NOW + 5)); /* enabled again */
    assert_true(is_void(fixture, NOW + 4, 0, 8, "", NOW + 5));
    assert_false(is_void(fixture, NOW + 5, 0, 8, "", NOW + 5));
}

static void
a_rule_outlives_a_restart_and_goes_when_nothing_is_left_to_end(void **state)
{
    struct fixture *fixture = *state;
    int64_t later = NOW + SA_NOT_BEFORE_KEEP_MS;

    put(fixture, sa_not_before_subject("9", NOW, NOW));
    fixture_reopen(fixture);
    assert_true(is_void(fixture, NOW - 1, 0, 1, "9", NOW));
    assert_true(is_void(fixture, NOW - 1, 0, 1, "9", later - 1));
    assert_int_equal(count_rules(fixture, later - 1), 1);
    assert_int_equal(count_rules(fixture, later), 0);
}

static void
disabling_and_deleting_put_rules(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];
    uint32_t row = 0;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &row), SA_OK);
    audit = sa_audit(SA_EVENT_USER_ENABLE);
    assert_int_equal(sa_store_user_set_active(fixture->store, "ann", true, NOW, &audit), SA_OK);
    assert_int_equal(sa_store_client_set_active(fixture->store, "app", true, NOW, &audit), SA_OK);
    assert_int_equal(count_rules(fixture, NOW), 0); /* they were active: nothing has changed */
    assert_int_equal(sa_store_user_set_active(fixture->store, "ann", false, NOW, &audit), SA_OK);
    assert_int_equal(sa_store_client_set_active(fixture->store, "app", false, NOW, &audit), SA_OK);
    assert_true(is_void(fixture, NOW + 3, 0, 0, subject, NOW + 3)); /* minted a moment later, too */
    assert_true(is_void(fixture, NOW + 3, 0, row, "", NOW + 3));
    assert_true(is_void(fixture, NOW - 1, 0, 0, "app", NOW + 3)); /* what others exchanged for its tokens */
    assert_int_equal(sa_store_user_set_active(fixture->store, "ann", true, NOW + 9, &audit), SA_OK);
    assert_int_equal(sa_store_client_set_active(fixture->store, "app", true, NOW + 9, &audit), SA_OK);
    assert_true(is_void(fixture, NOW + 3, 0, row, subject, NOW + 9));
    assert_false(is_void(fixture, NOW + 9, 0, row, subject, NOW + 9));
    assert_int_equal(sa_store_user_delete(fixture->store, "ann", NULL, NOW + 20, &audit), SA_OK);
    assert_int_equal(sa_store_client_delete(fixture->store, "app", NOW + 20, &audit), SA_OK);
    assert_true(is_void(fixture, NOW + 21, 0, 0, subject, NOW + 21));
    assert_true(is_void(fixture, NOW + 21, 0, row, "", NOW + 21));
    assert_false(is_void(fixture, NOW + 21, 0, row + 1, "app", NOW + 21)); /* a namesake begins anew */
}

/* ---- the last word on a grant ---- */

struct commit {
    sem_t over;
    enum sa_status status;
};

static void
committed(void *user, enum sa_status status)
{
    struct commit *commit = user;

    commit->status = status;
    sem_post(&commit->over);
}

static enum sa_status
grant(struct fixture *fixture, struct sa_grant asked)
{
    SA_OWN(sa_arena) arena = sa_arena_new(16384);
    struct commit commit = {.status = SA_UNSET};

    audit = sa_audit(SA_EVENT_TOKEN_ISSUE);
    audit.outcome = SA_OUTCOME_GRANTED;
    asked.now_ms = NOW;
    sem_init(&commit.over, 0, 0);
    sa_store_submit(fixture->store, sa_store_grant_work(arena, &asked, &audit), committed, &commit);
    while (sem_wait(&commit.over) != 0)
        continue;
    sem_destroy(&commit.over);
    return commit.status;
}

static void
assert_last_record(struct fixture *fixture, enum sa_outcome outcome)
{
    struct sa_audit_query query = {.limit = 1, .newest = true};
    struct sa_audit_row *rows;
    unsigned count;
    bool more;

    assert_int_equal(sa_store_audit_list(fixture->store, &query, &rows, &count, &more), SA_OK);
    assert_int_equal(rows[0].record.outcome, outcome);
    free(rows);
}

static void
a_client_that_was_disabled_meanwhile_gets_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct sa_grant asked = {.session_id = "", .subject_client = ""};

    assert_int_equal(fixture_add_client(fixture, "app", &asked.client_row), SA_OK);
    assert_int_equal(grant(fixture, asked), SA_OK);
    assert_last_record(fixture, SA_OUTCOME_GRANTED);
    assert_int_equal(sa_store_client_set_active(fixture->store, "app", false, NOW, &audit), SA_OK);
    assert_int_equal(grant(fixture, asked), SA_INVALID_CLIENT);
    assert_last_record(fixture, SA_OUTCOME_DENIED);
    assert_int_equal(sa_store_client_delete(fixture->store, "app", NOW, &audit), SA_OK);
    assert_int_equal(grant(fixture, asked), SA_INVALID_CLIENT);
    asked.client_row = 0;
    assert_int_equal(grant(fixture, asked), SA_INVALID_CLIENT);
}

static void
a_session_or_a_subject_that_ended_meanwhile_gives_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct sa_grant asked = {.subject_client = "", .minted_ms = NOW};
    char subject[SA_ID_LEN + 1];
    uint8_t mac[SA_MAC_LEN] = {1};

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &asked.client_row), SA_OK);
    struct sa_session session = fixture_session(subject, asked.client_row);
    audit = sa_audit(SA_EVENT_LOGIN);
    assert_int_equal(sa_store_session_open(fixture->store, &session, mac, &audit), SA_OK);
    asked.session_id = session.id;
    assert_int_equal(grant(fixture, asked), SA_OK);
    assert_int_equal(sa_store_session_end(fixture->store, session.id, NOW, &audit), SA_OK);
    assert_int_equal(grant(fixture, asked), SA_INVALID_GRANT);
    assert_last_record(fixture, SA_OUTCOME_DENIED);
    asked.session_id = "";
    asked.subject_client = "app";
    assert_int_equal(grant(fixture, asked), SA_OK);
    asked.minted_ms = NOW - 1; /* before the client was there: a namesake's */
    assert_int_equal(grant(fixture, asked), SA_INVALID_GRANT);
    asked.subject_client = "nobody";
    assert_int_equal(grant(fixture, asked), SA_INVALID_GRANT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_void_by_its_own_gateway_client_or_subject_only,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_was_minted_outside_of_a_rules_time_is_good, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_gateways_rule_is_widened_and_the_others_are_replaced, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_rule_outlives_a_restart_and_goes_when_nothing_is_left_to_end,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(disabling_and_deleting_put_rules, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_client_that_was_disabled_meanwhile_gets_nothing, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_session_or_a_subject_that_ended_meanwhile_gives_nothing,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
