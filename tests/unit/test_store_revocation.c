/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/store/inside.h"
#include "service/store/store_revocation.h"
#include "tests/support/store_fixture.h"

static struct sa_revocations page;

/* What the store has after a number; memory says the same, or that it does not reach back so far. */
static const struct sa_revocations *
after(struct fixture *fixture, uint64_t sequence)
{
    static struct sa_revocations recent;
    enum sa_status status = sa_store_revocations_recent(fixture->store, sequence, &recent);

    assert_int_equal(sa_store_revocations(fixture->store, sequence, &page), SA_OK);
    if (status == SA_NOT_FOUND)
        return &page;
    assert_int_equal(status, SA_OK);
    assert_int_equal(recent.sequence, page.sequence);
    assert_int_equal(recent.count, page.count);
    assert_int_equal(recent.more, page.more);
    for (unsigned i = 0; i < page.count; i++) {
        assert_int_equal(recent.rows[i].sequence, page.rows[i].sequence);
        assert_string_equal(recent.rows[i].key, page.rows[i].key);
        assert_string_equal(recent.rows[i].audiences, page.rows[i].audiences);
    }
    return &page;
}

/* A commit after this one: the writer has told of what was committed before. */
static void
settle(struct fixture *fixture)
{
    struct sa_audit audit = sa_audit(SA_EVENT_DAEMON_START);

    assert_int_equal(sa_store_audit(fixture->store, &audit), SA_OK);
}

/* Of somebody, through some client. */
static struct sa_session
open_one(struct fixture *fixture)
{
    char subject[SA_ID_LEN + 1];
    uint32_t client_row = 0;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &client_row), SA_OK);
    struct sa_session session = fixture_session(subject, client_row);

    assert_int_equal(fixture_open_session(fixture, &session, NULL), SA_OK);
    return session;
}

static void
end_one(struct fixture *fixture, const struct sa_session *session)
{
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_REVOKE);

    assert_int_equal(sa_store_session_end(fixture->store, session->id, FIXTURE_NOW_MS, &audit), SA_OK);
}

static void
a_number_that_was_never_reached_is_out_of_range(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(sa_store_revocations(fixture->store, 1, &page), SA_OUT_OF_RANGE);
    assert_int_equal(sa_store_revocations(fixture->store, UINT64_MAX, &page), SA_OUT_OF_RANGE);
    assert_int_equal(after(fixture, 0)->count, 0);
}

static void
what_did_not_end_is_not_told(void **state)
{
    struct fixture *fixture = *state;
    struct sa_session session = open_one(fixture);
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_REVOKE);
    assert_int_equal(sa_store_session_end(fixture->store, "nobody's", FIXTURE_NOW_MS, &audit), SA_NOT_FOUND);
    assert_int_equal(after(fixture, 0)->count, 0);
    end_one(fixture, &session);
    end_one(fixture, &session);
    settle(fixture);
    assert_int_equal(after(fixture, 0)->count, 1);
}

static void
a_session_is_told_with_whom_it_concerns(void **state)
{
    struct fixture *fixture = *state;
    struct sa_session session = open_one(fixture);
    end_one(fixture, &session);
    settle(fixture);
    const struct sa_revocation *told = after(fixture, 0)->rows;
    assert_int_equal(told->kind, SA_REVOKED_SESSION);
    assert_string_equal(told->key, session.id);
    assert_string_equal(told->audiences, "demo\nother");
    assert_int_equal(told->client_row, session.client_row);
    assert_true(told->until_ms >= FIXTURE_NOW_MS + 3600000);
}

static void
a_token_and_a_rule_are_told(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    const char aud[1][SA_JWT_AUDIENCE_MAX + 1] = {"demo"};
    struct sa_revoked_token token = {.jti = "jti", .exp_s = 100, .client_row = 7, .aud_count = 1, .aud = aud};
    struct sa_not_before rule = sa_not_before_subject("subject", 50, 60);

    assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK); /* twice is once */
    assert_int_equal(sa_store_not_before_put(fixture->store, &rule, &audit), SA_OK);
    rule.not_before_ms = 40;
    assert_int_equal(sa_store_not_before_put(fixture->store, &rule, &audit), SA_OK);
    settle(fixture);
    const struct sa_revocations *told = after(fixture, 0);
    assert_int_equal(told->count, 3);
    assert_int_equal(told->rows[0].kind, SA_REVOKED_TOKEN);
    assert_string_equal(told->rows[0].audiences, "demo");
    assert_int_equal(told->rows[0].client_row, 7);
    assert_int_equal(told->rows[1].kind, SA_REVOKED_SUBJECT);
    assert_int_equal(told->rows[1].not_before_ms, 50);
    assert_int_equal(told->rows[2].not_before_ms, 40); /* the later one takes its place */
}

static void
numbers_and_the_incarnation_outlive_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    char incarnation[SA_INCARNATION_LEN + 1];
    unsigned removed;

    for (unsigned i = 0; i < 3; i++) {
        char jti[8];
        snprintf(jti, sizeof(jti), "jti%u", i);
        struct sa_revoked_token token = {.jti = jti, .exp_s = 100};
        assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    }
    strcpy(incarnation, sa_store_incarnation(fixture->store));
    assert_int_equal(strlen(incarnation), SA_INCARNATION_LEN);
    fixture_reopen(fixture);
    assert_string_equal(sa_store_incarnation(fixture->store), incarnation);
    assert_int_equal(after(fixture, 1)->count, 2);
    assert_int_equal(after(fixture, 3)->count, 0);
    /* What has expired is purged; its numbers are not used again, and going on from one is as good as ever.
     */
    do
        assert_int_equal(sa_store_purge(fixture->store, FIXTURE_NOW_MS, 86400, 2, &removed), SA_OK);
    while (removed > 0);
    assert_int_equal(after(fixture, 1)->count, 0);
    assert_int_equal(page.sequence, 3);
    fixture_reopen(fixture);
    assert_int_equal(sa_store_revocations(fixture->store, 4, &page), SA_OUT_OF_RANGE);
    struct sa_revoked_token token = {.jti = "another", .exp_s = 100};
    assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    settle(fixture);
    assert_int_equal(after(fixture, 3)->rows[0].sequence, 4);
}

static void
many_are_told_page_by_page_and_memory_keeps_the_newest(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    const unsigned all = SA_TOLD_MAX + 300;
    uint64_t sequence = 0;
    unsigned told = 0;

    for (unsigned i = 0; i < all; i++) {
        char jti[12];
        snprintf(jti, sizeof(jti), "jti%u", i);
        struct sa_revoked_token token = {.jti = jti, .exp_s = FIXTURE_NOW_MS / 1000};
        assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    }
    settle(fixture);
    assert_int_equal(sa_store_revocations_recent(fixture->store, 0, &page), SA_NOT_FOUND);
    assert_int_equal(sa_store_revocations_recent(fixture->store, 299, &page), SA_NOT_FOUND);
    assert_int_equal(sa_store_revocations_recent(fixture->store, 300, &page), SA_OK);
    do {
        const struct sa_revocations *next = after(fixture, sequence);
        told += next->count;
        sequence = next->sequence;
    } while (page.more);
    assert_int_equal(told, all);
    assert_int_equal(sequence, all);
}

static enum sa_status
revoke_nth(struct fixture *fixture, unsigned nth, uint32_t client_row)
{
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    char jti[12];
    struct sa_revoked_token token = {
        .jti = jti, .exp_s = FIXTURE_NOW_MS / 1000 + (nth == 0 ? 1 : 600), .client_row = client_row};

    audit.time_ms = FIXTURE_NOW_MS + (nth == SA_REVOKED_MAX + 1 ? 1000 : 0);
    snprintf(jti, sizeof(jti), "jti%u", nth);
    return sa_store_token_revoke(fixture->store, &token, &audit);
}

static void
no_client_fills_the_memory_of_those_who_follow(void **state)
{
    struct fixture *fixture = *state;
    char others[256]; /* at once, for a commit of each would take as long as all other tests here */

    snprintf(others, sizeof(others),
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u) INSERT INTO "
             "revoked_tokens (jti, exp_s, client_row) SELECT 'jti' || i, %lld, 7 FROM n",
             SA_REVOKED_MAX - 1, (long long)(FIXTURE_NOW_MS / 1000 + 600));
    assert_int_equal(revoke_nth(fixture, 0, 7), SA_OK);
    settle(fixture);
    fixture_script_beside(fixture, others);
    assert_int_equal(revoke_nth(fixture, SA_REVOKED_MAX, 7), SA_TOO_LARGE);
    assert_int_equal(revoke_nth(fixture, 1, 7), SA_OK); /* it is revoked */
    assert_int_equal(revoke_nth(fixture, SA_REVOKED_MAX, 8), SA_OK);
    assert_int_equal(revoke_nth(fixture, SA_REVOKED_MAX + 1, 7), SA_OK); /* one has expired */
    settle(fixture);
    assert_int_equal(sa_store_revocations_recent(fixture->store, SA_REVOKED_MAX, &page), SA_OK);
    assert_int_equal(page.count, 2);
}

static void
the_bell_rings_after_each_commit_that_told_something(void **state)
{
    struct fixture *fixture = *state;
    struct sa_bell *bell = sa_store_revocation_bell(fixture->store);
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    struct sa_revoked_token token = {.jti = "jti", .exp_s = 100};

    settle(fixture);
    assert_int_equal(sa_bell_rings(bell), 0);
    assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    settle(fixture);
    assert_int_equal(sa_bell_rings(bell), 1);
    settle(fixture);
    assert_int_equal(sa_bell_rings(bell), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_number_that_was_never_reached_is_out_of_range),
        WITH_STORE(what_did_not_end_is_not_told),
        WITH_STORE(a_session_is_told_with_whom_it_concerns),
        WITH_STORE(a_token_and_a_rule_are_told),
        WITH_STORE(numbers_and_the_incarnation_outlive_a_restart),
        WITH_STORE(many_are_told_page_by_page_and_memory_keeps_the_newest),
        WITH_STORE(no_client_fills_the_memory_of_those_who_follow),
        WITH_STORE(the_bell_rings_after_each_commit_that_told_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
