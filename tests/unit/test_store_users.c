/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>

#include "service/store/store_login.h"
#include "tests/support/store_fixture.h"

#define BCRYPT "$2b$04$abcdefghijklmnopqrstuuDYuC2ykKqz6DNVmgCJiZ3qkMKVhLOqm"

static struct sa_audit audit;

static struct sa_user *
find(struct fixture *fixture, const char *name)
{
    struct sa_user *user = NULL;

    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of(name), &user), SA_OK);
    return user;
}

static enum sa_status
set_password(struct fixture *fixture, const char *subject, const char *old_hash, const char *new_hash)
{
    struct sa_password_change change = {
        .subject = subject, .old_hash = old_hash, .new_hash = new_hash, .must_change = true, .changed_s = 7};

    audit = sa_audit(SA_EVENT_USER_PASSWORD);
    return sa_store_user_set_password(fixture->store, &change, FIXTURE_NOW_MS, &audit);
}

static void
expect_managed_file(struct fixture *fixture, const char *expected)
{
    char text[256] = "";
    struct stat st;
    FILE *file = fopen(fixture->managed, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    assert_int_equal(fstat(fileno(file), &st), 0);
    fclose(file);
    assert_string_equal(text, expected);
    assert_int_equal(st.st_mode & 07777, 0644);
}

/* ---- refused ---- */

static void
who_has_no_record_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct sa_user *user = NULL;
    char name[64];

    memset(name, 'a', sizeof(name));
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of("nobody"), &user), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of(""), &user), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes(name, 33), &user), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_by_uid(fixture->store, 0, &user), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_by_subject(fixture->store, "", &user), SA_NOT_FOUND);
    assert_null(user);
    assert_false(sa_store_uid_is_managed(fixture->store, 1000));
    audit = sa_audit(SA_EVENT_USER_DELETE);
    assert_int_equal(sa_store_user_delete(fixture->store, "nobody", NULL, FIXTURE_NOW_MS, &audit),
                     SA_NOT_FOUND);
    assert_int_equal(sa_store_user_set_active(fixture->store, "nobody", false, FIXTURE_NOW_MS, &audit),
                     SA_NOT_FOUND);
    assert_int_equal(set_password(fixture, "nobody", NULL, BCRYPT), SA_NOT_FOUND);
    assert_int_equal(fixture_sequence(fixture), 0);
}

static void
names_are_compared_byte_for_byte(void **state)
{
    struct fixture *fixture = *state;
    struct sa_user *user = NULL;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, NULL), SA_OK);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of("Ann"), &user), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes("ann\0", 4), &user), SA_NOT_FOUND);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of("an%"), &user), SA_NOT_FOUND);
}

static void
a_name_or_a_uid_is_given_once(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, NULL), SA_OK);
    assert_int_equal(fixture_add_user(fixture, "ann", 1001, NULL), SA_ALREADY_EXISTS);
    assert_int_equal(fixture_add_user(fixture, "bob", 1000, NULL), SA_ALREADY_EXISTS);
    assert_int_equal(fixture_sequence(fixture), 1);
    assert_false(sa_store_uid_is_managed(fixture->store, 1001));
    expect_managed_file(fixture, "secauth managed 1\n1000\n");
}

static void
a_password_changes_only_where_the_old_hash_is_still_there(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(set_password(fixture, subject, "$2b$04$another", "$6$new"), SA_NOT_FOUND);
    SA_OWN(sa_user) before = find(fixture, "ann");
    assert_string_equal(before->hash, BCRYPT);
    assert_int_equal(set_password(fixture, subject, BCRYPT, "$6$new"), SA_OK);
    SA_OWN(sa_user) after = find(fixture, "ann");
    assert_string_equal(after->hash, "$6$new");
    assert_true(after->must_change);
    assert_int_equal(after->changed_s, 7);
}

/* ---- whole ---- */

static void
a_user_comes_back_as_it_was_given(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_user) user = sa_user_new();

    strcpy(user->name, "ann");
    user->uid = UINT32_MAX - 1;
    strcpy(user->full_name, "Ann A. Ardvark");
    strcpy(user->email, "ann@example.org");
    user->active = true;
    user->not_before_s = 1;
    user->not_after_s = INT64_C(4102444800);
    user->must_change = true;
    user->changed_s = 1700000000;
    user->max_days = 90;
    user->warn_days = 7;
    user->group_count = SA_USER_GROUPS_MAX;
    for (unsigned i = 0; i < SA_USER_GROUPS_MAX; i++)
        snprintf(user->groups[i], sizeof(user->groups[i]), "group%u", SA_USER_GROUPS_MAX - i);
    memset(user->hash, 'x', SA_PASSWORD_HASH_MAX);
    audit = sa_audit(SA_EVENT_USER_CREATE);
    assert_int_equal(sa_store_user_create(fixture->store, user, NULL, &audit), SA_OK);
    assert_int_equal(strlen(user->subject), SA_ID_LEN);
    fixture_reopen(fixture);

    SA_OWN(sa_user) by_name = find(fixture, "ann");
    SA_OWN(sa_user) by_uid = NULL;
    SA_OWN(sa_user) by_subject = NULL;
    assert_int_equal(sa_store_user_by_uid(fixture->store, UINT32_MAX - 1, &by_uid), SA_OK);
    assert_int_equal(sa_store_user_by_subject(fixture->store, user->subject, &by_subject), SA_OK);
    assert_memory_equal(by_name, user, sizeof(*user));
    assert_memory_equal(by_uid, user, sizeof(*user));
    assert_memory_equal(by_subject, user, sizeof(*user));
    struct sa_audit_row *row = fixture_last_record(fixture);
    assert_string_equal(row->record.subject, user->subject);
    free(row);
}

static void
a_rehash_leaves_the_age_alone(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];
    struct sa_password_change change = {
        .old_hash = BCRYPT, .new_hash = "", .must_change = true, .changed_s = 9, .keep_ageing = true};

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    change.subject = subject;
    audit = sa_audit(SA_EVENT_REHASH);
    assert_int_equal(sa_store_user_set_password(fixture->store, &change, FIXTURE_NOW_MS, &audit), SA_OK);
    SA_OWN(sa_user) user = find(fixture, "ann");
    assert_string_equal(user->hash, "");
    assert_false(user->must_change);
    assert_int_equal(user->changed_s, 0);
}

static void
the_list_has_pages_kinds_and_no_hashes(void **state)
{
    struct fixture *fixture = *state;
    struct sa_user *users;
    enum sa_password_kind *kinds;
    unsigned count;
    bool more;
    char subject[SA_ID_LEN + 1];

    assert_int_equal(fixture_add_user(fixture, "cid", 1002, NULL), SA_OK);
    assert_int_equal(fixture_add_user(fixture, "ann", 1000, NULL), SA_OK);
    assert_int_equal(fixture_add_user(fixture, "bob", 1001, subject), SA_OK);
    assert_int_equal(set_password(fixture, subject, NULL, ""), SA_OK);
    assert_int_equal(sa_store_user_list(fixture->store, "", 2, &users, &kinds, &count, &more), SA_OK);
    assert_int_equal(count, 2);
    assert_true(more);
    assert_string_equal(users[0].name, "ann");
    assert_string_equal(users[1].name, "bob");
    assert_string_equal(users[0].hash, "");
    assert_int_equal(kinds[0], SA_PASSWORD_BCRYPT);
    assert_int_equal(kinds[1], SA_PASSWORD_NONE);
    sa_users_free(users, kinds, count);
    assert_int_equal(sa_store_user_list(fixture->store, "bob", 2, &users, &kinds, &count, &more), SA_OK);
    assert_int_equal(count, 1);
    assert_false(more);
    sa_users_free(users, kinds, count);
    assert_int_equal(sa_store_user_list(fixture->store, "zed", 2, &users, &kinds, &count, &more), SA_OK);
    assert_int_equal(count, 0);
    sa_users_free(users, kinds, count);
}

static void
managed_uids_follow_the_records(void **state)
{
    struct fixture *fixture = *state;

    expect_managed_file(fixture, "secauth managed 1\n");
    for (uint32_t uid = 1200; uid > 1000; uid--) {
        char name[16];

        snprintf(name, sizeof(name), "u%u", uid);
        assert_int_equal(fixture_add_user(fixture, name, uid, NULL), SA_OK);
    }
    for (uint32_t uid = 1003; uid <= 1200; uid++) {
        char name[16];

        snprintf(name, sizeof(name), "u%u", uid);
        assert_true(sa_store_uid_is_managed(fixture->store, uid));
        audit = sa_audit(SA_EVENT_USER_DELETE);
        assert_int_equal(sa_store_user_delete(fixture->store, name, NULL, FIXTURE_NOW_MS, &audit), SA_OK);
        assert_false(sa_store_uid_is_managed(fixture->store, uid));
    }
    expect_managed_file(fixture, "secauth managed 1\n1001\n1002\n");
    fixture_close(fixture);
    assert_int_equal(unlink(fixture->managed), 0);
    fixture_open(fixture);
    expect_managed_file(fixture, "secauth managed 1\n1001\n1002\n");
    assert_true(sa_store_uid_is_managed(fixture->store, 1001));
}

static void
a_user_is_not_added_where_the_list_cannot_be_written(void **state)
{
    struct fixture *fixture = *state;
    struct sa_store_stats stats;
    char beside[300];

    snprintf(beside, sizeof(beside), "%s.new", fixture->managed);
    assert_int_equal(mkdir(beside, 0700), 0);
    assert_int_equal(fixture_add_user(fixture, "ann", 1000, NULL), SA_STORAGE);
    assert_int_equal(sa_store_stats(fixture->store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_false(stats.writable);
    assert_int_equal(stats.users, 0);
    assert_int_equal(stats.audit_sequence, 0);
    assert_int_equal(rmdir(beside), 0);
    assert_int_equal(fixture_add_user(fixture, "ann", 1000, NULL), SA_OK);
    assert_int_equal(sa_store_stats(fixture->store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_true(stats.writable);
    assert_int_equal(stats.users, 1);
}

/* ---- the end of a user ---- */

static void
a_user_made_anew_inherits_nothing(void **state)
{
    struct fixture *fixture = *state;
    char before[SA_ID_LEN + 1];
    char after[SA_ID_LEN + 1];
    uint8_t handle[SA_MAC_LEN] = "handle";
    uint32_t client = 0;
    struct sa_session found;
    unsigned count;
    struct sa_session *list;
    bool more;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, before), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &client), SA_OK);
    struct sa_session session = fixture_session(before, client);
    assert_int_equal(fixture_open_session(fixture, &session, handle), SA_OK);
    audit = sa_audit(SA_EVENT_USER_DELETE);
    assert_int_equal(sa_store_user_delete(fixture->store, "ann", NULL, FIXTURE_NOW_MS, &audit), SA_OK);
    assert_int_equal(fixture_add_user(fixture, "ann", 1000, after), SA_OK);
    assert_string_not_equal(before, after);

    assert_int_equal(sa_store_session_live(fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
    assert_int_equal(sa_store_session_by_handle(fixture->store, handle, FIXTURE_NOW_MS, &found, NULL),
                     SA_NOT_FOUND);
    assert_int_equal(fixture_open_session(fixture, &session, handle), SA_NOT_FOUND);
    struct sa_session_query query = {.subject = after, .limit = 10, .now_ms = FIXTURE_NOW_MS};
    assert_int_equal(sa_store_session_list(fixture->store, &query, &list, &count, &more), SA_OK);
    assert_int_equal(count, 0);
    free(list);
    SA_OWN(sa_user) user = find(fixture, "ann");
    assert_int_equal(user->group_count, 0);
}

/* A failure and a guard under the key of a name. */
static void
keep_failures(struct fixture *fixture, const char key[static SA_LOCKOUT_KEY_LEN])
{
    struct sa_login_change change = {.has_pair = true, .has_guard = true};

    memcpy(change.pair.key, key, SA_LOCKOUT_KEY_LEN);
    memcpy(change.pair.name, key, SA_LOCKOUT_KEY_LEN);
    memcpy(change.guard.name, key, SA_LOCKOUT_KEY_LEN);
    change.pair.failures = change.guard.failures = 5;
    change.pair.expires_ms = change.guard.expires_ms = FIXTURE_NOW_MS + 1;
    audit = sa_audit(SA_EVENT_LOGIN);
    assert_int_equal(sa_store_login(fixture->store, &change, &audit), SA_OK);
}

/* Which names have failures: their keys' first bytes. */
static bool
note_pair(void *user, const struct sa_pair_row *row)
{
    char *names = user;

    names[strlen(names)] = (char)row->name[0];
    return true;
}

static bool
note_guard(void *user, const struct sa_guard_row *row)
{
    char *names = user;

    names[strlen(names)] = (char)row->name[0];
    return true;
}

static void
assert_failures(struct fixture *fixture, const char *expected)
{
    char pairs[8] = "";
    char guards[8] = "";

    assert_int_equal(sa_store_pairs(fixture->store, note_pair, pairs), SA_OK);
    assert_int_equal(sa_store_guards(fixture->store, note_guard, guards), SA_OK);
    assert_string_equal(pairs, expected);
    assert_string_equal(guards, expected);
}

static void
a_users_failures_go_with_it_and_those_before_it_are_not_its_own(void **state)
{
    static const char ANN[SA_LOCKOUT_KEY_LEN] = "ann's key", BOB[SA_LOCKOUT_KEY_LEN] = "bob's key";
    struct fixture *fixture = *state;
    SA_OWN(sa_user) again = sa_user_new();

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, NULL), SA_OK);
    keep_failures(fixture, ANN);
    keep_failures(fixture, BOB);
    assert_failures(fixture, "ab");
    audit = sa_audit(SA_EVENT_USER_DELETE);
    assert_int_equal(
        sa_store_user_delete(fixture->store, "nobody", (const uint8_t *)ANN, FIXTURE_NOW_MS, &audit),
        SA_NOT_FOUND);
    assert_failures(fixture, "ab");
    assert_int_equal(
        sa_store_user_delete(fixture->store, "ann", (const uint8_t *)ANN, FIXTURE_NOW_MS, &audit), SA_OK);
    assert_failures(fixture, "b");
    keep_failures(fixture, ANN); /* against a name that nobody has */
    strcpy(again->name, "ann");
    again->uid = 1000;
    audit = sa_audit(SA_EVENT_USER_CREATE);
    assert_int_equal(sa_store_user_create(fixture->store, again, (const uint8_t *)ANN, &audit), SA_OK);
    assert_failures(fixture, "b");
}

static void
a_reset_ends_all_sessions_but_the_spared_one(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];
    uint32_t client = 0;
    struct sa_session found;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &client), SA_OK);
    struct sa_session spared = fixture_session(subject, client);
    struct sa_session other = fixture_session(subject, client);
    assert_int_equal(fixture_open_session(fixture, &spared, NULL), SA_OK);
    assert_int_equal(fixture_open_session(fixture, &other, NULL), SA_OK);
    struct sa_password_change change = {
        .subject = subject, .new_hash = "$6$new", .spare_session = spared.id, .end_sessions = true};
    audit = sa_audit(SA_EVENT_PASSWORD);
    assert_int_equal(sa_store_user_set_password(fixture->store, &change, FIXTURE_NOW_MS, &audit), SA_OK);
    assert_int_equal(sa_store_session_live(fixture->store, spared.id, FIXTURE_NOW_MS, &found), SA_OK);
    assert_int_equal(sa_store_session_live(fixture->store, other.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
    change.spare_session = NULL;
    assert_int_equal(sa_store_user_set_password(fixture->store, &change, FIXTURE_NOW_MS, &audit), SA_OK);
    assert_int_equal(sa_store_session_live(fixture->store, spared.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_no_record_is_not_found),
        TEST(names_are_compared_byte_for_byte),
        TEST(a_name_or_a_uid_is_given_once),
        TEST(a_password_changes_only_where_the_old_hash_is_still_there),
        TEST(a_user_comes_back_as_it_was_given),
        TEST(a_rehash_leaves_the_age_alone),
        TEST(the_list_has_pages_kinds_and_no_hashes),
        TEST(managed_uids_follow_the_records),
        TEST(a_user_is_not_added_where_the_list_cannot_be_written),
        TEST(a_user_made_anew_inherits_nothing),
        TEST(a_users_failures_go_with_it_and_those_before_it_are_not_its_own),
        TEST(a_reset_ends_all_sessions_but_the_spared_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
