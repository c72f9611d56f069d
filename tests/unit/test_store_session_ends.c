/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/store/store_revocation.h"
#include "tests/support/session_scene.h"

#define HOUR_MS INT64_C(3600000)

static bool
is_live(struct scene *scene, const char *id)
{
    struct sa_session session;
    enum sa_status status = sa_store_session_live(scene->store, id, FIXTURE_NOW_MS, &session);

    assert_true(status == SA_OK || status == SA_NOT_FOUND);
    return status == SA_OK;
}

static unsigned
count_live(struct scene *scene)
{
    struct sa_session_query query = {.subject = scene->subject, .limit = 20, .now_ms = FIXTURE_NOW_MS};
    struct sa_session *list;
    unsigned count;
    bool more;

    assert_int_equal(sa_store_session_list(scene->store, &query, &list, &count, &more), SA_OK);
    free(list);
    return count;
}

static void
nothing_ends_where_the_one_to_spare_is_not_the_users(void **state)
{
    struct scene scene = begin(state);
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_REVOKE);
    char other[SA_ID_LEN + 1];
    unsigned ended = 99;

    assert_int_equal(fixture_add_user(scene.fixture, "bob", 1001, other), SA_OK);
    struct sa_session mine = fixture_session(scene.subject, scene.client);
    struct sa_session theirs = fixture_session(other, scene.client);
    struct sa_session over = fixture_session(scene.subject, scene.client);
    assert_int_equal(fixture_open_session(scene.fixture, &mine, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &theirs, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &over, NULL), SA_OK);
    assert_int_equal(end(&scene, over.id), SA_OK);
    const char *const spares[] = {theirs.id, over.id, "none"};
    for (size_t i = 0; i < SA_COUNT(spares); i++)
        assert_int_equal(
            sa_store_session_end_all(scene.store, scene.subject, spares[i], FIXTURE_NOW_MS, &audit, &ended),
            SA_NOT_FOUND);
    assert_int_equal(ended, 99);
    assert_true(is_live(&scene, mine.id));
    assert_int_equal(sa_store_session_end_all(scene.store, scene.subject, "", FIXTURE_NOW_MS, &audit, &ended),
                     SA_OK);
    assert_int_equal(ended, 1);
    assert_false(is_live(&scene, mine.id));
    assert_true(is_live(&scene, theirs.id));
}

static void
all_but_one_end_and_the_record_says_how_many(void **state)
{
    struct scene scene = begin(state);
    struct sa_audit audit = sa_audit(SA_EVENT_SESSION_REVOKE);
    struct sa_session sessions[3];
    char words[64];
    unsigned ended;

    for (unsigned i = 0; i < 3; i++) {
        sessions[i] = fixture_session(scene.subject, scene.client);
        assert_int_equal(fixture_open_session(scene.fixture, &sessions[i], NULL), SA_OK);
    }
    assert_int_equal(
        sa_store_session_end_all(scene.store, scene.subject, sessions[1].id, FIXTURE_NOW_MS, &audit, &ended),
        SA_OK);
    assert_int_equal(ended, 2);
    assert_false(is_live(&scene, sessions[0].id));
    assert_true(is_live(&scene, sessions[1].id));
    assert_false(is_live(&scene, sessions[2].id));
    struct sa_audit_row *row = fixture_last_record(scene.fixture);
    snprintf(words, sizeof(words), "sessions=2 spared=%s", sessions[1].id);
    assert_string_equal(row->record.detail, words);
    free(row);
}

static void
the_one_that_was_not_used_for_longest_makes_room(void **state)
{
    struct scene scene = begin(state);
    struct sa_audit used = sa_audit(SA_EVENT_TOKEN_ATTEST);
    struct sa_session sessions[5];
    struct sa_audit_query newest = {.limit = 2, .newest = true};
    struct sa_audit_row *rows;
    unsigned count;
    bool more;
    char words[64];

    for (unsigned i = 0; i < 4; i++) {
        sessions[i] = fixture_session(scene.subject, scene.client);
        sessions[i].created_ms = sessions[i].last_used_ms = FIXTURE_NOW_MS + i;
        sessions[i].user_limit = 3;
        if (i == 3) /* the first is in use, the second is not */
            assert_int_equal(sa_store_session_use(scene.store, sessions[0].id, FIXTURE_NOW_MS + 9, &used),
                             SA_OK);
        assert_int_equal(fixture_open_session(scene.fixture, &sessions[i], NULL), SA_OK);
    }
    assert_true(is_live(&scene, sessions[0].id));
    assert_false(is_live(&scene, sessions[1].id));
    assert_true(is_live(&scene, sessions[2].id));
    assert_true(is_live(&scene, sessions[3].id));
    assert_int_equal(sa_store_session_use(scene.store, sessions[1].id, FIXTURE_NOW_MS, &used), SA_NOT_FOUND);
    assert_int_equal(sa_store_audit_list(scene.store, &newest, &rows, &count, &more), SA_OK);
    assert_int_equal(count, 2); /* of the one that ended, then of the one that began */
    assert_int_equal(rows[0].record.event, SA_EVENT_SESSION_LIMIT);
    assert_string_equal(rows[0].record.session_id, sessions[1].id);
    snprintf(words, sizeof(words), "began=%s", sessions[3].id);
    assert_string_equal(rows[0].record.detail, words);
    free(rows);
}

static void
a_limit_that_was_lowered_is_reached_in_steps_and_spares_other_people(void **state)
{
    struct scene scene = begin(state);
    char other[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(scene.fixture, "bob", 1001, other), SA_OK);
    struct sa_session theirs = fixture_session(other, scene.client);
    theirs.last_used_ms = 1;
    theirs.idle_ms = 0;
    assert_int_equal(fixture_open_session(scene.fixture, &theirs, NULL), SA_OK);
    for (unsigned i = 0; i < 10; i++) {
        struct sa_session session = fixture_session(scene.subject, scene.client);
        assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_OK);
    }
    for (unsigned left = 3; left >= 1; left = left == 3 ? 1 : 0) {
        struct sa_session session = fixture_session(scene.subject, scene.client);
        session.user_limit = 1;
        assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_OK);
        assert_int_equal(count_live(&scene), left);
    }
    assert_true(is_live(&scene, theirs.id));
}

/* ---- time ---- */

static unsigned
expire(struct scene *scene, int64_t now_ms, unsigned limit)
{
    unsigned ended;

    assert_int_equal(sa_store_session_expire(scene->store, now_ms, limit, &ended), SA_OK);
    return ended;
}

/* The reason of the one SESSION_EXPIRE that names a session; fails where there is another number of them. */
static char
reason_of(struct scene *scene, const char *id)
{
    struct sa_audit_query all = {.limit = 500};
    struct sa_audit_row *rows;
    unsigned count, found = 0;
    bool more;
    char reason = 0;

    assert_int_equal(sa_store_audit_list(scene->store, &all, &rows, &count, &more), SA_OK);
    for (unsigned i = 0; i < count; i++)
        if (rows[i].record.event == SA_EVENT_SESSION_EXPIRE && strcmp(rows[i].record.session_id, id) == 0) {
            assert_string_equal(rows[i].record.user, "ann");
            reason = rows[i].record.reason[0];
            found++;
        }
    free(rows);
    assert_int_equal(found, 1);
    return reason;
}

static void
time_ends_no_session_that_is_used_or_ended_before(void **state)
{
    struct scene scene = begin(state);
    struct sa_audit used = sa_audit(SA_EVENT_TOKEN_ATTEST);
    struct sa_session sessions[3];

    for (unsigned i = 0; i < 3; i++) {
        sessions[i] = fixture_session(scene.subject, scene.client);
        sessions[i].idle_ms = i == 2 ? 0 : 1000;
        assert_int_equal(fixture_open_session(scene.fixture, &sessions[i], NULL), SA_OK);
    }
    assert_int_equal(end(&scene, sessions[1].id), SA_OK);
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 999, 64), 0);
    assert_int_equal(sa_store_session_use(scene.store, sessions[0].id, FIXTURE_NOW_MS + 500, &used), SA_OK);
    uint64_t sequence = fixture_sequence(scene.fixture);
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 1499, 64), 0);
    assert_int_equal(fixture_sequence(scene.fixture), sequence);
    assert_true(is_live(&scene, sessions[0].id));
}

static void
what_time_ends_is_on_record_once_with_its_reason(void **state)
{
    struct scene scene = begin(state);
    struct sa_session unused = fixture_session(scene.subject, scene.client);
    struct sa_session aged = fixture_session(scene.subject, scene.client);

    unused.idle_ms = 1000;
    aged.expires_ms = FIXTURE_NOW_MS + 1000;
    assert_int_equal(fixture_open_session(scene.fixture, &unused, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &aged, NULL), SA_OK);
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 1000, 64), 2);
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 1000, 64), 0);
    fixture_reopen(scene.fixture);
    scene.store = scene.fixture->store;
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 2000, 64), 0);
    assert_int_equal(reason_of(&scene, unused.id), 'D');
    assert_int_equal(reason_of(&scene, aged.id), 'A');
    assert_false(is_live(&scene, unused.id));
}

static void
verifiers_hear_of_what_time_ended_only_while_a_token_may_be_good(void **state)
{
    struct scene scene = begin(state);
    struct sa_session aged = fixture_session(scene.subject, scene.client);
    struct sa_session long_idle = fixture_session(scene.subject, scene.client);
    struct sa_session short_idle = fixture_session(scene.subject, scene.client);
    struct sa_revocations heard;

    aged.expires_ms = FIXTURE_NOW_MS + 60000;
    long_idle.idle_ms = 2 * HOUR_MS;
    short_idle.idle_ms = 60000;
    assert_int_equal(fixture_open_session(scene.fixture, &aged, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &long_idle, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &short_idle, NULL), SA_OK);
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 60000, 64), 2);
    assert_int_equal(expire(&scene, FIXTURE_NOW_MS + 2 * HOUR_MS, 64), 1);
    assert_int_equal(sa_store_revocations(scene.store, 0, &heard), SA_OK);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.rows[0].key, short_idle.id);
}

static void
many_end_in_small_batches_and_none_is_left_out(void **state)
{
    struct scene scene = begin(state);
    char ids[40][SA_ID_LEN + 1];
    unsigned turns = 0, ended = 0;

    for (unsigned i = 0; i < 40; i++) {
        struct sa_session session = fixture_session(scene.subject, scene.client);
        session.idle_ms = i % 2 == 0 ? 1000 : 0;
        session.expires_ms = FIXTURE_NOW_MS + (i % 2 == 0 ? 9000 : 1000);
        memcpy(ids[i], session.id, sizeof(ids[i]));
        assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_OK);
    }
    for (unsigned now; (now = expire(&scene, FIXTURE_NOW_MS + 1000, 7)) > 0; turns++) {
        assert_true(now <= 7);
        ended += now;
    }
    assert_int_equal(ended, 40);
    assert_true(turns >= 6);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(reason_of(&scene, ids[i]), i % 2 == 0 ? 'D' : 'A');
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_ends_where_the_one_to_spare_is_not_the_users),
        TEST(all_but_one_end_and_the_record_says_how_many),
        TEST(the_one_that_was_not_used_for_longest_makes_room),
        TEST(a_limit_that_was_lowered_is_reached_in_steps_and_spares_other_people),
        TEST(time_ends_no_session_that_is_used_or_ended_before),
        TEST(what_time_ends_is_on_record_once_with_its_reason),
        TEST(verifiers_hear_of_what_time_ended_only_while_a_token_may_be_good),
        TEST(many_end_in_small_batches_and_none_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
