/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "service/store/inside.h"
#include "tests/support/store_fixture.h"

static int
setup(void **state)
{
    struct fixture *fixture = malloc(sizeof(*fixture));

    fixture_make(fixture);
    *state = fixture;
    return 0;
}

static void
expect_refused(struct fixture *fixture, enum sa_status status, const char *reason)
{
    const char *why = NULL;

    assert_int_equal(fixture_try_open(fixture, &why), status);
    assert_string_equal(why, reason);
    assert_null(fixture->store);
}

static void
write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void
run_script(const char *path, const char *script)
{
    struct sa_sql *sql = NULL;
    int file = open(path, O_RDWR | O_CREAT, 0600);

    assert_true(file >= 0);
    close(file);
    assert_int_equal(sa_sql_open(path, NULL, SA_SQL_WRITER, &sql), SA_OK);
    assert_int_equal(sa_sql_script(sql, script), SA_OK);
    sa_sql_close(sql);
}

/* ---- refused ---- */

static void
a_second_daemon_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct fixture second = *fixture;

    fixture_open(fixture);
    expect_refused(&second, SA_ALREADY_EXISTS, "another daemon has the store open");
    fixture_close(fixture);
    fixture_open(&second);
    fixture_close(&second);
}

static void
a_missing_directory_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct fixture missing = *fixture;

    snprintf(missing.path, sizeof(missing.path), "%s/none/db", fixture->directory);
    expect_refused(&missing, SA_STORAGE, "the store's lock file cannot be made");
}

static void
a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char text[4096];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    write_file(fixture->path, text);
    expect_refused(fixture, SA_INVALID_ARGUMENT, "the file is not a store of secauth" SA_STORE_ADVICE);
}

static void
another_program_s_database_is_refused(void **state)
{
    struct fixture *fixture = *state;

    run_script(fixture->path, "CREATE TABLE theirs (x)");
    expect_refused(fixture, SA_INVALID_ARGUMENT, "the file is not a store of secauth" SA_STORE_ADVICE);
    run_script(fixture->path, "PRAGMA user_version = 1");
    expect_refused(fixture, SA_INVALID_ARGUMENT, "the file is not a store of secauth" SA_STORE_ADVICE);
}

static void
a_newer_schema_is_refused_and_left_alone(void **state)
{
    struct fixture *fixture = *state;

    fixture_open(fixture);
    fixture_close(fixture);
    run_script(fixture->path, "PRAGMA user_version = 6");
    expect_refused(fixture, SA_INVALID_ARGUMENT, "the store was written by a newer secauth");
    run_script(fixture->path, "PRAGMA user_version = 5");
    fixture_open(fixture);
}

static void
a_store_that_vanished_is_not_begun_anew_over_the_people_in_it(void **state)
{
    static const char WHY[] = "the store is missing or empty, though people had records" SA_STORE_ADVICE;
    struct fixture *fixture = *state;

    write_file(fixture->managed, "secauth managed 1\n2001\n");
    expect_refused(fixture, SA_INVALID_ARGUMENT, WHY);
    assert_int_not_equal(access(fixture->path, F_OK), 0);
    write_file(fixture->path, "");
    expect_refused(fixture, SA_INVALID_ARGUMENT, WHY);
    write_file(fixture->managed, "secauth managed 1\n");
    fixture_open(fixture);
    fixture_close(fixture);
}

static void
a_link_is_not_followed(void **state)
{
    struct fixture *fixture = *state;
    char target[288];

    snprintf(target, sizeof(target), "%s/managed", fixture->directory);
    write_file(target, "");
    assert_int_equal(symlink(target, fixture->path), 0);
    expect_refused(fixture, SA_STORAGE, "the store's file cannot be made or opened");
}

/* ---- made ---- */

static void
the_files_are_the_daemon_s_alone(void **state)
{
    struct fixture *fixture = *state;
    static const char *const NAMES[] = {"db", "db-wal", "db-shm", "db.lock"};
    struct stat st;

    write_file(fixture->path, "");
    assert_int_equal(chmod(fixture->path, 0644), 0);
    fixture_open(fixture);
    for (unsigned i = 0; i < SA_COUNT(NAMES); i++) {
        char path[288];

        snprintf(path, sizeof(path), "%s/%s", fixture->directory, NAMES[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
}

static void
a_new_store_is_empty_and_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct sa_store_stats stats;

    fixture_open(fixture);
    assert_int_equal(sa_store_stats(fixture->store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_int_equal(stats.schema_version, sa_migration_count);
    assert_true(stats.writable);
    assert_int_equal(stats.audit_sequence, 0);
    assert_int_equal(stats.users, 0);
    assert_int_equal(stats.clients, 1);
    assert_int_equal(stats.sessions, 0);
    assert_int_equal(stats.committed, 0);
}

static void
a_restart_keeps_everything(void **state)
{
    struct fixture *fixture = *state;
    struct sa_store_stats before;
    struct sa_store_stats after;
    char subject[SA_ID_LEN + 1] = "";
    uint32_t client = 0;
    uint8_t handle[SA_MAC_LEN] = "handle";

    fixture_open(fixture);
    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &client), SA_OK);
    struct sa_session session = fixture_session(subject, client);
    assert_int_equal(fixture_open_session(fixture, &session, handle), SA_OK);
    assert_int_equal(sa_store_stats(fixture->store, FIXTURE_NOW_MS, &before), SA_OK);
    fixture_reopen(fixture);
    assert_int_equal(sa_store_stats(fixture->store, FIXTURE_NOW_MS, &after), SA_OK);
    assert_int_equal(after.audit_sequence, 3);
    assert_int_equal(before.audit_sequence, 3);
    assert_int_equal(after.users, 1);
    assert_int_equal(after.clients, 2);
    assert_int_equal(after.sessions, 1);
    assert_int_equal(before.committed, 3);
}

/* ---- migrations ---- */

#define ONE                                                                                                  \
    {                                                                                                        \
        "PRAGMA application_id = 1935892853; CREATE TABLE one (x ANY) STRICT; PRAGMA user_version = 1;"      \
    }

static struct sa_sql *
open_sql(struct fixture *fixture)
{
    struct sa_sql *sql = NULL;

    run_script(fixture->path, "");
    assert_int_equal(sa_sql_open(fixture->path, NULL, SA_SQL_WRITER, &sql), SA_OK);
    return sql;
}

static void
a_failing_step_leaves_the_version_before_it(void **state)
{
    static const struct sa_migration BAD[] = {
        ONE, {"CREATE TABLE two (x ANY) STRICT; CREATE TABLE one (x ANY) STRICT; PRAGMA user_version = 2;"}};
    static const struct sa_migration FORGETFUL[] = {ONE, {"CREATE TABLE two (x ANY) STRICT;"}};
    static const struct sa_migration GOOD[] = {
        ONE, {"INSERT INTO one VALUES (1); CREATE TABLE two (x ANY) STRICT; PRAGMA user_version = 2;"}};
    SA_OWN(sa_sql) sql = open_sql(*state);
    uint32_t version = 0;
    const char *why;

    assert_int_not_equal(sa_migrate(sql, BAD, 2, &version, &why), SA_OK);
    assert_false(sa_sql_in_transaction(sql));
    assert_int_equal(sa_migrate(sql, FORGETFUL, 2, &version, &why), SA_INTERNAL);
    assert_int_equal(version, 0);
    assert_int_equal(sa_migrate(sql, GOOD, 2, &version, &why), SA_OK);
    assert_int_equal(version, 2);
    assert_int_equal(sa_migrate(sql, GOOD, 2, &version, &why), SA_OK);
    assert_int_equal(sa_sql_script(sql, "SELECT * FROM one, two"), SA_OK);
    assert_int_equal(sa_migrate(sql, GOOD, 1, &version, &why), SA_INVALID_ARGUMENT);
}

static void
clients_of_an_earlier_version_are_active(void **state)
{
    struct fixture *fixture = *state;
    struct sa_sql *sql = open_sql(fixture);
    uint32_t version = 0;
    const char *why;

    assert_int_equal(sa_migrate(sql, sa_migrations, 2, &version, &why), SA_OK);
    assert_int_equal(sa_sql_script(sql,
                                   "INSERT INTO clients (id, kind, grants, login, access_ttl_s, grace_s, "
                                   "created_ms) VALUES ('app', 2, 2, 0, 0, 30, 5)"),
                     SA_OK);
    sa_sql_close(sql);
    fixture_open(fixture);
    SA_OWN(sa_client) client = NULL;
    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes_of("app"), &client), SA_OK);
    assert_true(client->active);
    assert_int_equal(client->enabled_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_daemon_is_refused),
        TEST(a_missing_directory_is_refused),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(another_program_s_database_is_refused),
        TEST(a_newer_schema_is_refused_and_left_alone),
        TEST(a_store_that_vanished_is_not_begun_anew_over_the_people_in_it),
        TEST(a_link_is_not_followed),
        TEST(the_files_are_the_daemon_s_alone),
        TEST(a_new_store_is_empty_and_says_so),
        TEST(a_restart_keeps_everything),
        TEST(a_failing_step_leaves_the_version_before_it),
        TEST(clients_of_an_earlier_version_are_active),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
