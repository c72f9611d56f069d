/* Faults outside of a batch: while the store is opened, while it is read, while the WAL is moved into the
 * database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/fault/inject.h"
#include "tests/fault/scene.h"

#define TOO_MANY    100000u
#define STEP_OPEN   (61u * INJECT_EVERY)  /* of some ten thousand allocations of SQLite's */
#define STEP_CREATE (211u * INJECT_EVERY) /* of some forty thousand */

static const enum fault FAULTS[] = {FAULT_WRITE,    FAULT_FULL,      FAULT_SYNC,
                                    FAULT_OWN_SYNC, FAULT_OWN_ALLOC, FAULT_SQLITE_ALLOC};

/* ---- opening ---- */

/* Whether the fault came; then the store did not open, or opens whole all the same, and the next time it
 * opens. */
static bool
open_once(struct scene *scene, enum fault fault, unsigned nth, bool for_good)
{
    const char *why = NULL;

    scene->fixture.vfs = INJECT_VFS;
    inject_arm(fault, nth, for_good);
    enum sa_status status = fixture_try_open(&scene->fixture, &why);
    bool struck = inject_disarm();
    if (!struck && status != SA_OK)
        fail_msg("%s, without a fault", why);
    if (status != SA_OK)
        assert_non_null(why);
    assert_true(status == SA_OK || status == SA_STORAGE || status == SA_NO_MEMORY);
    fixture_close(&scene->fixture);
    fixture_open(&scene->fixture);
    return struck;
}

static void
expect_template(struct scene *scene)
{
    struct sa_store_stats stats;

    assert_int_equal(sa_store_stats(scene->fixture.store, FIXTURE_NOW_MS, &stats), SA_OK);
    assert_int_equal(stats.users, 3);
    assert_int_equal(stats.clients, 2);
    assert_int_equal(stats.sessions, 1);
    assert_int_equal(stats.audit_sequence, 5);
}

static void
open_all(bool made, bool for_good)
{
    for (unsigned i = 0; i < SA_COUNT(FAULTS); i++) {
        unsigned step = FAULTS[i] != FAULT_SQLITE_ALLOC ? 1 : made ? STEP_OPEN : STEP_CREATE;
        bool struck = true;

        for (unsigned nth = 1; struck; nth += step) {
            struct scene scene;

            assert_true(nth < TOO_MANY);
            scene_begin(&scene);
            if (!made)
                fixture_clear(&scene.fixture);
            struck = open_once(&scene, FAULTS[i], nth, for_good);
            if (made)
                expect_template(&scene);
            scene_end(&scene);
        }
    }
}

static void
a_store_that_is_there_survives_a_fault_while_it_is_opened(void **state SA_UNUSED)
{
    open_all(true, false);
    open_all(true, true);
}

static void
a_store_is_made_whole_or_not_at_all(void **state SA_UNUSED)
{
    open_all(false, false);
    open_all(false, true);
}

/* ---- reading ---- */

static enum sa_status
read_everything(struct scene *scene)
{
    struct sa_store *store = scene->fixture.store;
    struct sa_audit_query all = {.limit = 100};
    SA_OWN(sa_user) user = NULL;
    SA_OWN(sa_client) client = NULL;
    struct sa_user *users = NULL;
    enum sa_password_kind *kinds = NULL;
    struct sa_client **clients = NULL;
    struct sa_session session;
    struct sa_session *sessions = NULL;
    struct sa_audit_row *rows = NULL;
    struct sa_key_row *keys = NULL;
    struct sa_store_stats stats;
    unsigned count = 0;
    unsigned client_count = 0;
    bool more;
    struct sa_session_query live = {.limit = 10, .now_ms = FIXTURE_NOW_MS};

    enum sa_status status = sa_store_user_by_name(store, sa_bytes_of("ann"), &user);
    if (status == SA_OK)
        status = sa_store_client_by_id(store, sa_bytes_of("app"), &client);
    if (status == SA_OK)
        status = sa_store_session_live(store, scene->session.id, FIXTURE_NOW_MS, &session);
    if (status == SA_OK)
        status = sa_store_token_is_revoked(store, "jti", &more);
    if (status == SA_OK)
        status = sa_store_stats(store, FIXTURE_NOW_MS, &stats);
    if (status == SA_OK)
        status = sa_store_user_list(store, "", 10, &users, &kinds, &count, &more);
    if (status == SA_OK)
        status = sa_store_client_list(store, "", 10, &clients, &client_count, &more);
    if (status == SA_OK)
        status = sa_store_session_list(store, &live, &sessions, &count, &more);
    if (status == SA_OK)
        status = sa_store_audit_list(store, &all, &rows, &count, &more);
    if (status == SA_OK)
        assert_int_equal(count, 5);
    if (status == SA_OK)
        status = sa_store_key_list(store, &keys, &count);
    sa_users_free(users, kinds, 0);
    sa_clients_free(clients, client_count);
    sa_key_rows_free(keys, status == SA_OK ? count : 0);
    free(sessions);
    free(rows);
    return status;
}

static void
a_reader_without_memory_says_so_and_goes_on(void **state SA_UNUSED)
{
    static const enum fault MEMORY[] = {FAULT_OWN_ALLOC, FAULT_SQLITE_ALLOC};

    for (unsigned i = 0; i < SA_COUNT(MEMORY); i++) {
        bool struck = true;

        for (unsigned nth = 1; struck; nth += INJECT_EVERY) {
            struct scene scene;

            assert_true(nth < TOO_MANY);
            scene_begin(&scene);
            fixture_open(&scene.fixture);
            inject_arm(MEMORY[i], nth, false);
            enum sa_status status = read_everything(&scene);
            struck = inject_disarm();
            assert_true(status == SA_OK || (struck && (status == SA_NO_MEMORY || status == SA_STORAGE)));
            assert_int_equal(read_everything(&scene), SA_OK);
            scene_end(&scene);
        }
    }
}

/* ---- the checkpoint ---- */

static enum sa_status
fill_the_wal(struct sa_sql *sql, struct sa_work *work SA_UNUSED)
{
    /* Over 4,000 pages of 4 KiB: the writer makes a checkpoint once this is committed and answered. */
    return sa_sql_script(
        sql, "CREATE TABLE filler (x BLOB) STRICT; INSERT INTO filler VALUES (zeroblob(17000000))");
}

static int64_t
count_filler(struct scene *scene)
{
    SA_QUERY(query, scene->fixture.store->writer.sql,
             "SELECT count(*) FROM filler WHERE length(x) = 17000000");
    assert_int_equal(sa_query_step(&query), SA_OK);
    return sa_get_int(&query);
}

static bool
checkpoint_once(enum fault fault, unsigned nth)
{
    struct scene scene;
    struct sa_work work = sa_work(fill_the_wal, NULL, NULL);
    struct sa_audit audit = sa_audit(SA_EVENT_LOGIN);
    struct sa_store_stats stats;

    scene_begin(&scene);
    scene.fixture.vfs = INJECT_VFS;
    fixture_open(&scene.fixture);
    /* The commit's own writes and sync come first: it is the faults after those that count here. */
    inject_arm(fault, nth, true);
    enum sa_status status = sa_store_write(scene.fixture.store, &work);
    enum sa_status next = sa_store_audit(scene.fixture.store, &audit); /* comes after the checkpoint */
    bool struck = inject_disarm();
    if (status == SA_OK) {
        /* What was answered stays, whether the checkpoint fails, and whether the store goes on after it. */
        assert_true(next == SA_OK || struck);
        fixture_reopen(&scene.fixture);
        assert_int_equal(sa_store_stats(scene.fixture.store, FIXTURE_NOW_MS, &stats), SA_OK);
        assert_int_equal(stats.sessions, 1);
        if (next == SA_OK || !scene.outcome_unknown)
            assert_int_equal(stats.audit_sequence, next == SA_OK ? 6 : 5);
        assert_int_equal(count_filler(&scene), 1);
    }
    scene_end(&scene);
    return struck;
}

static void
a_checkpoint_that_fails_loses_nothing(void **state SA_UNUSED)
{
    static const unsigned WRITES[] = {4200, 8320, 8400, 9000, 12000};

    for (unsigned nth = 1; checkpoint_once(FAULT_SYNC, nth); nth++)
        assert_true(nth < TOO_MANY);
    for (unsigned i = 0; i < SA_COUNT(WRITES); i++) {
        checkpoint_once(FAULT_WRITE, WRITES[i]);
        checkpoint_once(FAULT_FULL, WRITES[i]);
    }
}

#define TEST(name) cmocka_unit_test(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_store_that_is_there_survives_a_fault_while_it_is_opened),
        TEST(a_store_is_made_whole_or_not_at_all),
        TEST(a_reader_without_memory_says_so_and_goes_on),
        TEST(a_checkpoint_that_fails_loses_nothing),
    };

    setenv("TMPDIR", "/dev/shm", 1);
    inject_start();
    scene_make_template();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scene_remove_template();
    return failed;
}
