/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/session_scene.h"

#define HOUR_MS INT64_C(3600000)

static bool
is_live(struct scene *scene, const char *id, int64_t now_ms)
{
    struct sa_session session;
    enum sa_status status = sa_store_session_live(scene->store, id, now_ms, &session);

    assert_true(status == SA_OK || status == SA_NOT_FOUND);
    return status == SA_OK;
}

static void
a_session_that_never_was_is_not_found(void **state)
{
    struct scene scene = begin(state);
    struct sa_session session;
    uint8_t handle[SA_MAC_LEN] = {0};

    assert_false(is_live(&scene, "", FIXTURE_NOW_MS));
    assert_false(is_live(&scene, "AAAAAAAAAAAAAAAAAAAAAA", FIXTURE_NOW_MS));
    assert_int_equal(sa_store_session_by_handle(scene.store, handle, FIXTURE_NOW_MS, &session, NULL),
                     SA_NOT_FOUND);
    assert_int_equal(end(&scene, "AAAAAAAAAAAAAAAAAAAAAA"), SA_NOT_FOUND);
    assert_int_equal(fixture_sequence(scene.fixture), 2);
}

static void
no_session_begins_without_its_user_and_client(void **state)
{
    struct scene scene = begin(state);
    struct sa_session session = fixture_session("nobody", scene.client);
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);

    assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_NOT_FOUND);
    session = fixture_session(scene.subject, scene.client + 1);
    assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_set_active(scene.store, "ann", false, FIXTURE_NOW_MS, &audit), SA_OK);
    session = fixture_session(scene.subject, scene.client);
    assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_NOT_FOUND);
}

static void
an_id_and_a_handle_are_given_once(void **state)
{
    struct scene scene = begin(state);
    struct sa_session session = fixture_session(scene.subject, scene.client);
    uint8_t handle[SA_MAC_LEN] = "handle";
    uint8_t other[SA_MAC_LEN] = "other";

    assert_int_equal(fixture_open_session(scene.fixture, &session, handle), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &session, other), SA_ALREADY_EXISTS);
    sa_random_id(session.id);
    assert_int_equal(fixture_open_session(scene.fixture, &session, handle), SA_ALREADY_EXISTS);
    assert_int_equal(end(&scene, session.id), SA_NOT_FOUND);
}

static void
an_ended_session_is_dead_and_its_id_is_kept(void **state)
{
    struct scene scene = begin(state);
    struct sa_session session = fixture_session(scene.subject, scene.client);

    assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_OK);
    assert_int_equal(end(&scene, session.id), SA_OK);
    uint64_t sequence = fixture_sequence(scene.fixture);
    assert_false(is_live(&scene, session.id, FIXTURE_NOW_MS));
    assert_int_equal(end(&scene, session.id), SA_OK);
    assert_int_equal(fixture_sequence(scene.fixture), sequence);
    assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_ALREADY_EXISTS);
}

static void
a_session_dies_idle_and_of_age(void **state)
{
    struct scene scene = begin(state);
    struct sa_session idle = fixture_session(scene.subject, scene.client);
    struct sa_session old = fixture_session(scene.subject, scene.client);

    old.idle_ms = 0;
    assert_int_equal(fixture_open_session(scene.fixture, &idle, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &old, NULL), SA_OK);
    assert_true(is_live(&scene, idle.id, FIXTURE_NOW_MS + idle.idle_ms - 1));
    assert_false(is_live(&scene, idle.id, FIXTURE_NOW_MS + idle.idle_ms));
    assert_true(is_live(&scene, old.id, old.expires_ms - 1));
    assert_false(is_live(&scene, old.id, old.expires_ms));
}

static void
a_disabled_user_has_no_live_session(void **state)
{
    struct scene scene = begin(state);
    struct sa_session session = fixture_session(scene.subject, scene.client);
    struct sa_audit audit = sa_audit(SA_EVENT_USER_DISABLE);

    assert_int_equal(fixture_open_session(scene.fixture, &session, NULL), SA_OK);
    assert_int_equal(sa_store_user_set_active(scene.store, "ann", false, FIXTURE_NOW_MS, &audit), SA_OK);
    struct sa_audit_row *row = fixture_last_record(scene.fixture);
    assert_string_equal(row->record.subject, scene.subject);
    free(row);
    assert_false(is_live(&scene, session.id, FIXTURE_NOW_MS));
    assert_int_equal(sa_store_user_set_active(scene.store, "ann", true, FIXTURE_NOW_MS, &audit), SA_OK);
    assert_false(is_live(&scene, session.id, FIXTURE_NOW_MS));
}

#define EXPECT_NUMBER(field) assert_true(a->field == b->field)
#define EXPECT_TEXT(field)   assert_string_equal(a->field, b->field)

static void
expect_same(const struct sa_session *a, const struct sa_session *b)
{
    EXPECT_TEXT(id);
    EXPECT_NUMBER(kind);
    EXPECT_TEXT(subject);
    EXPECT_TEXT(user);
    EXPECT_NUMBER(uid);
    EXPECT_TEXT(client_id);
    EXPECT_NUMBER(client_row);
    EXPECT_TEXT(service);
    EXPECT_TEXT(source);
    EXPECT_TEXT(tty);
    EXPECT_NUMBER(leader_pid);
    EXPECT_NUMBER(leader_start);
    assert_memory_equal(a->boot_id, b->boot_id, SA_BOOT_ID_LEN);
    EXPECT_NUMBER(audit_session);
    EXPECT_NUMBER(created_ms);
    EXPECT_NUMBER(last_used_ms);
    EXPECT_NUMBER(idle_ms);
    EXPECT_NUMBER(expires_ms);
    EXPECT_NUMBER(auth_time_s);
    EXPECT_TEXT(amr);
    EXPECT_TEXT(acr);
    EXPECT_NUMBER(aud_count);
    for (unsigned i = 0; i < a->aud_count; i++)
        EXPECT_TEXT(aud[i]);
    EXPECT_TEXT(scope);
    EXPECT_NUMBER(rotates);
    EXPECT_NUMBER(grace_s);
    EXPECT_NUMBER(generation);
}

static void
a_session_comes_back_as_it_was_given(void **state)
{
    struct scene scene = begin(state);
    struct sa_session session = fixture_session(scene.subject, scene.client);
    struct sa_session found;
    uint8_t handle[SA_MAC_LEN] = "handle";

    session.kind = SA_SESSION_LOGIN;
    strcpy(session.service, "sshd");
    strcpy(session.source, "2001:db8::1");
    strcpy(session.tty, "pts/0");
    session.leader_pid = 4242;
    session.leader_start = UINT64_MAX;
    memset(session.boot_id, 0xb0, sizeof(session.boot_id));
    session.audit_session = 4294967295;
    session.aud_count = SA_JWT_AUDIENCES;
    for (unsigned i = 0; i < SA_JWT_AUDIENCES; i++)
        memset(session.aud[i], 'a' + (int)i, SA_JWT_AUDIENCE_MAX);
    memset(session.scope, 's', SA_SCOPE_LIST_MAX);
    session.rotates = false;
    session.generation = UINT32_MAX;
    assert_int_equal(fixture_open_session(scene.fixture, &session, handle), SA_OK);
    fixture_reopen(scene.fixture);
    assert_int_equal(sa_store_session_live(scene.fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_OK);
    expect_same(&found, &session);
    memset(&found, 0, sizeof(found));
    assert_int_equal(sa_store_session_by_handle(scene.fixture->store, handle, FIXTURE_NOW_MS, &found, NULL),
                     SA_OK);
    expect_same(&found, &session);
}

static void
the_list_is_newest_first_live_and_in_pages(void **state)
{
    struct scene scene = begin(state);
    struct sa_session sessions[5];
    struct sa_session *list;
    unsigned count;
    char other[SA_ID_LEN + 1];
    bool more;

    assert_int_equal(fixture_add_user(scene.fixture, "bob", 1001, other), SA_OK);
    for (unsigned i = 0; i < 5; i++) {
        sessions[i] = fixture_session(i == 2 ? other : scene.subject, scene.client);
        assert_int_equal(fixture_open_session(scene.fixture, &sessions[i], NULL), SA_OK);
    }
    assert_int_equal(end(&scene, sessions[3].id), SA_OK);

    struct sa_session_query query = {.subject = scene.subject, .limit = 2, .now_ms = FIXTURE_NOW_MS};
    assert_int_equal(sa_store_session_list(scene.store, &query, &list, &count, &more), SA_OK);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].id, sessions[4].id);
    assert_string_equal(list[1].id, sessions[1].id);
    assert_true(more);
    free(list);
    query.after = sessions[1].id;
    assert_int_equal(sa_store_session_list(scene.store, &query, &list, &count, &more), SA_OK);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].id, sessions[0].id);
    assert_false(more);
    free(list);
    query = (struct sa_session_query){.limit = 500, .now_ms = FIXTURE_NOW_MS};
    assert_int_equal(sa_store_session_list(scene.store, &query, &list, &count, &more), SA_OK);
    assert_int_equal(count, 4);
    assert_string_equal(list[1].id, sessions[2].id);
    free(list);
    query.after = "none";
    assert_int_equal(sa_store_session_list(scene.store, &query, &list, &count, &more), SA_NOT_FOUND);
}

/* How many fit; the only one's id, where it is one. */
static unsigned
count_fitting(struct scene *scene, struct sa_session_query query, char ret_id[SA_ID_LEN + 1])
{
    struct sa_session *list;
    unsigned count;
    bool more;

    query.limit = 10;
    query.now_ms = FIXTURE_NOW_MS;
    assert_int_equal(sa_store_session_list(scene->store, &query, &list, &count, &more), SA_OK);
    strcpy(ret_id, count == 1 ? list[0].id : "");
    free(list);
    return count;
}

static void
the_list_is_narrowed_by_user_client_source_and_last_use(void **state)
{
    struct scene scene = begin(state);
    struct sa_session one = fixture_session(scene.subject, scene.client);
    struct sa_session two = one;
    char id[SA_ID_LEN + 1];
    uint32_t gone = 0;

    assert_int_equal(fixture_add_client(scene.fixture, "gone", &gone), SA_OK);
    sa_random_id(two.id);
    two.client_row = gone;
    strcpy(two.client_id, "gone");
    strcpy(one.source, "addr:203.0.113.5");
    one.last_used_ms--;
    assert_int_equal(fixture_open_session(scene.fixture, &one, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &two, NULL), SA_OK);

    assert_int_equal(count_fitting(&scene, (struct sa_session_query){.client_id = "none"}, id), 0);
    assert_int_equal(count_fitting(&scene, (struct sa_session_query){.source = "addr:203.0.113"}, id), 0);
    assert_int_equal(
        count_fitting(&scene, (struct sa_session_query){.subject = "none", .client_id = "app"}, id), 0);
    assert_int_equal(count_fitting(&scene, (struct sa_session_query){.used_before_ms = 1}, id), 0);
    assert_int_equal(count_fitting(&scene, (struct sa_session_query){.client_id = "app"}, id), 1);
    assert_string_equal(id, one.id);
    assert_int_equal(
        count_fitting(&scene, (struct sa_session_query){.subject = scene.subject, .client_id = "gone"}, id),
        1);
    assert_string_equal(id, two.id);
    assert_int_equal(count_fitting(&scene, (struct sa_session_query){.source = one.source}, id), 1);
    assert_string_equal(id, one.id);
    assert_int_equal(count_fitting(&scene, (struct sa_session_query){.used_before_ms = FIXTURE_NOW_MS}, id),
                     1);
    assert_string_equal(id, one.id);
}

static void
the_reaper_gets_live_logins_with_a_leader(void **state)
{
    struct scene scene = begin(state);
    struct sa_session token = fixture_session(scene.subject, scene.client);
    struct sa_session first = fixture_session(scene.subject, scene.client);
    struct sa_session second = first;
    struct sa_session ended = first;
    struct sa_session *list;
    unsigned count;

    first.kind = second.kind = ended.kind = SA_SESSION_LOGIN;
    first.leader_pid = second.leader_pid = ended.leader_pid = 1;
    strcpy(first.id, "aaaaaaaaaaaaaaaaaaaaaa");
    strcpy(second.id, "bbbbbbbbbbbbbbbbbbbbbb");
    strcpy(ended.id, "cccccccccccccccccccccc");
    assert_int_equal(fixture_open_session(scene.fixture, &token, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &second, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &first, NULL), SA_OK);
    assert_int_equal(fixture_open_session(scene.fixture, &ended, NULL), SA_OK);
    assert_int_equal(end(&scene, ended.id), SA_OK);
    assert_int_equal(sa_store_session_leaders(scene.store, "", FIXTURE_NOW_MS, &list, &count), SA_OK);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].id, first.id);
    free(list);
    assert_int_equal(sa_store_session_leaders(scene.store, first.id, FIXTURE_NOW_MS, &list, &count), SA_OK);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].id, second.id);
    free(list);
}

static void
purging_takes_what_ended_an_hour_ago_and_no_more_than_asked(void **state)
{
    struct scene scene = begin(state);
    struct sa_session sessions[4];
    unsigned removed, ended;
    struct sa_audit audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    bool revoked;
    const int64_t ended_s = FIXTURE_NOW_MS / 1000;

    for (unsigned i = 0; i < 4; i++) {
        sessions[i] = fixture_session(scene.subject, scene.client);
        if (i == 2)
            sessions[i].expires_ms = FIXTURE_NOW_MS;
        assert_int_equal(fixture_open_session(scene.fixture, &sessions[i], NULL), SA_OK);
    }
    assert_int_equal(end(&scene, sessions[0].id), SA_OK);
    assert_int_equal(end(&scene, sessions[1].id), SA_OK);
    struct sa_revoked_token token = {.jti = "jti", .exp_s = ended_s};
    assert_int_equal(sa_store_token_revoke(scene.store, &token, &audit), SA_OK);

    assert_int_equal(sa_store_session_expire(scene.store, FIXTURE_NOW_MS, 64, &ended), SA_OK);
    assert_int_equal(ended, 1);

    assert_int_equal(sa_store_purge(scene.store, FIXTURE_NOW_MS + HOUR_MS, 0, 100, &removed), SA_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(end(&scene, sessions[0].id), SA_OK);
    assert_int_equal(sa_store_purge(scene.store, FIXTURE_NOW_MS + HOUR_MS + 1000, 0, 1, &removed), SA_OK);
    assert_int_equal(removed, 1);
    assert_int_equal(sa_store_purge(scene.store, FIXTURE_NOW_MS + HOUR_MS + 1000, 0, 100, &removed), SA_OK);
    assert_int_equal(removed, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(end(&scene, sessions[i].id), SA_NOT_FOUND);
    assert_true(is_live(&scene, sessions[3].id, FIXTURE_NOW_MS + HOUR_MS));
    assert_int_equal(sa_store_token_is_revoked(scene.store, "jti", &revoked), SA_OK);
    assert_false(revoked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_that_never_was_is_not_found),
        TEST(no_session_begins_without_its_user_and_client),
        TEST(an_id_and_a_handle_are_given_once),
        TEST(an_ended_session_is_dead_and_its_id_is_kept),
        TEST(a_session_dies_idle_and_of_age),
        TEST(a_disabled_user_has_no_live_session),
        TEST(a_session_comes_back_as_it_was_given),
        TEST(the_list_is_newest_first_live_and_in_pages),
        TEST(the_list_is_narrowed_by_user_client_source_and_last_use),
        TEST(the_reaper_gets_live_logins_with_a_leader),
        TEST(purging_takes_what_ended_an_hour_ago_and_no_more_than_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
