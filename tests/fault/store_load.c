/*
 * What kill.test kills: 64 threads that refresh, record, make and delete users, and write down what was
 * answered.
 *
 *   store_load make DIRECTORY          a new store
 *   store_load run DIRECTORY ROUND     load, until killed
 *   store_load check DIRECTORY         compare the store with what was answered; says what is wrong
 */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "service/store/inside.h"
#include "tests/support/store_fixture.h"

#define THREADS         64u
#define USER_THREADS    4u  /* make and delete */
#define REFRESH_THREADS 32u /* the rest record */
#define ROUND_SIZE      UINT64_C(1000000)
#define ROUNDS_MAX      64u
#define FIRST_UID       2000u
#define LEADER          "ann"

static struct fixture fixture;
static int journal;
static _Atomic uint64_t next_request;

/* A store of a directory that stays. */
static void
use(const char *directory)
{
    uint8_t master[32] = "a master key for tests, 32 bytes";

    snprintf(fixture.directory, sizeof(fixture.directory), "%s", directory);
    snprintf(fixture.path, sizeof(fixture.path), "%s/db", fixture.directory);
    snprintf(fixture.managed, sizeof(fixture.managed), "%s/managed", fixture.directory);
    fixture.keyring = sa_keyring_new(sa_bytes(master, sizeof(master)));
}

static void
handle_of(unsigned thread, uint8_t ret_handle[SA_MAC_LEN])
{
    memset(ret_handle, (int)thread + 1, SA_MAC_LEN);
}

static void
session_of(unsigned thread, char ret_id[SA_ID_LEN + 1])
{
    snprintf(ret_id, SA_ID_LEN + 1, "session-%u", thread);
}

static int
make(void)
{
    char subject[SA_ID_LEN + 1];
    uint32_t client = 0;

    fixture_open(&fixture);
    if (fixture_add_user(&fixture, LEADER, 1000, subject) != SA_OK ||
        fixture_add_client(&fixture, "app", &client) != SA_OK)
        return 1;
    for (unsigned i = 0; i < THREADS; i++) {
        struct sa_session session = fixture_session(subject, client);
        uint8_t handle[SA_MAC_LEN];

        handle_of(i, handle);
        session_of(i, session.id);
        if (fixture_open_session(&fixture, &session, handle) != SA_OK)
            return 1;
    }
    fixture_close(&fixture);
    return 0;
}

/* ---- load ---- */

static struct sa_audit
new_record(enum sa_event event)
{
    struct sa_audit audit = sa_audit(event);

    audit.request_id = atomic_fetch_add(&next_request, 1);
    audit.time_ms = FIXTURE_NOW_MS;
    return audit;
}

static void
write_down(const struct sa_audit *audit, enum sa_status status)
{
    char line[32];
    int len = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)audit->request_id);

    if (status != SA_OK)
        abort(); /* nothing here is ever refused */
    if (write(journal, line, (size_t)len) != len)
        abort();
}

static void
change_user(unsigned thread)
{
    SA_OWN(sa_user) user = sa_user_new();
    bool there = sa_store_uid_is_managed(fixture.store, FIRST_UID + thread);
    struct sa_audit audit = new_record(there ? SA_EVENT_USER_DELETE : SA_EVENT_USER_CREATE);

    snprintf(user->name, sizeof(user->name), "user%u", thread);
    user->uid = FIRST_UID + thread;
    user->active = true;
    audit.user = user->name;
    if (there)
        write_down(&audit, sa_store_user_delete(fixture.store, user->name, NULL, FIXTURE_NOW_MS, &audit));
    else
        write_down(&audit, sa_store_user_create(fixture.store, user, NULL, &audit));
}

static void
refresh(unsigned thread, uint32_t *generation, uint32_t client)
{
    uint8_t handle[SA_MAC_LEN];
    struct sa_audit audit = new_record(SA_EVENT_TOKEN_REFRESH);
    enum sa_refresh_result result;
    struct sa_session session;

    handle_of(thread, handle);
    struct sa_refresh presented = fixture_refresh(handle, *generation, client);
    write_down(&audit, sa_store_refresh(fixture.store, &presented, &audit, &result, &session));
    *generation = session.generation;
}

static void *
load(void *argument)
{
    unsigned thread = (unsigned)(uintptr_t)argument;
    char id[SA_ID_LEN + 1];
    struct sa_session session;

    session_of(thread, id);
    if (sa_store_session_live(fixture.store, id, FIXTURE_NOW_MS, &session) != SA_OK)
        abort();
    for (;;) {
        if (thread < USER_THREADS) {
            change_user(thread);
        } else if (thread < USER_THREADS + REFRESH_THREADS) {
            refresh(thread, &session.generation, session.client_row);
        } else {
            struct sa_audit audit = new_record(SA_EVENT_LOGIN);

            write_down(&audit, sa_store_audit(fixture.store, &audit));
        }
    }
    return NULL;
}

static int
run(unsigned round)
{
    char path[288];
    pthread_t threads[THREADS];

    snprintf(path, sizeof(path), "%s/journal", fixture.directory);
    journal = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (journal < 0)
        return 1;
    atomic_store(&next_request, (round + 1) * ROUND_SIZE);
    fixture_open(&fixture);
    for (unsigned i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, load, (void *)(uintptr_t)i) != 0)
            return 1;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 1;
}

/* ---- afterwards ---- */

static struct {
    uint8_t *answered[ROUNDS_MAX]; /* by request, per round */
    unsigned unanswered[ROUNDS_MAX];
    uint64_t missing;
    uint32_t rotations[THREADS];
    bool user_there[USER_THREADS];
    bool listed[USER_THREADS]; /* in the file of managed uids, before the store was opened */
} seen;

static uint8_t *
mark_of(uint64_t request)
{
    uint64_t round = request / ROUND_SIZE;

    if (round >= ROUNDS_MAX)
        abort();
    if (seen.answered[round] == NULL)
        seen.answered[round] = calloc(ROUND_SIZE, 1);
    return &seen.answered[round][request % ROUND_SIZE];
}

static void
read_journal(void)
{
    char path[288];
    unsigned long long request;

    snprintf(path, sizeof(path), "%s/journal", fixture.directory);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return; /* killed before the first answer */
    while (fscanf(file, "%llu\n", &request) == 1) {
        *mark_of(request) = 1;
        seen.missing++;
    }
    fclose(file);
}

static void
read_managed(void)
{
    char line[64];
    FILE *file = fopen(fixture.managed, "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        unsigned long uid = strtoul(line, NULL, 10);

        if (uid >= FIRST_UID && uid < FIRST_UID + USER_THREADS)
            seen.listed[uid - FIRST_UID] = true;
    }
    if (file != NULL)
        fclose(file);
}

static void
take_record(const struct sa_audit *record)
{
    unsigned thread;

    if (record->request_id != 0) {
        uint8_t *mark = mark_of(record->request_id);

        if (*mark == 1)
            seen.missing--;
        else
            seen.unanswered[record->request_id / ROUND_SIZE]++;
        *mark = 2; /* a second record of this request would be one that nobody was answered */
    }
    if (record->event == SA_EVENT_TOKEN_REFRESH && sscanf(record->session_id, "session-%u", &thread) == 1)
        seen.rotations[thread]++;
    if (sscanf(record->user, "user%u", &thread) == 1)
        seen.user_there[thread] = record->event == SA_EVENT_USER_CREATE;
}

static void
read_log(void)
{
    struct sa_audit_query query = {.limit = SA_PAGE_MAX};
    bool more = true;

    while (more) {
        struct sa_audit_row *rows;
        unsigned count;

        if (sa_store_audit_list(fixture.store, &query, &rows, &count, &more) != SA_OK)
            abort();
        for (unsigned i = 0; i < count; i++) {
            if (rows[i].sequence != query.after_sequence + 1)
                abort();
            query.after_sequence++;
            take_record(&rows[i].record);
        }
        free(rows);
    }
}

static const char *
find_fault(void)
{
    if (seen.missing > 0)
        return "something was answered and is not there";
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (seen.unanswered[round] > THREADS)
            return "more is there than was under way";
    }
    for (unsigned i = 0; i < THREADS; i++) {
        struct sa_session session;
        char id[SA_ID_LEN + 1];

        session_of(i, id);
        if (sa_store_session_live(fixture.store, id, FIXTURE_NOW_MS, &session) != SA_OK ||
            session.generation != seen.rotations[i] + 1)
            return "a session is not at the step that its records say";
    }
    for (unsigned i = 0; i < USER_THREADS; i++) {
        bool there = sa_store_uid_is_managed(fixture.store, FIRST_UID + i);

        if (there != seen.user_there[i])
            return "a user is there without a record, or the other way round";
        if (there && !seen.listed[i])
            return "a user was not in the list of managed uids";
    }
    return NULL;
}

static const char *
check_file(void)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    bool whole = sqlite3_open(fixture.path, &db) == SQLITE_OK &&
                 sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    uint64_t sequence;

    sqlite3_finalize(statement);
    sqlite3_close(db);
    if (!whole)
        return "integrity_check";
    return sa_audit_verify(fixture.store->writer.sql, UINT32_MAX, &sequence) == SA_OK ? NULL
                                                                                      : "the audit log";
}

static int
check(void)
{
    read_journal();
    read_managed();
    fixture_open(&fixture);
    read_log();
    const char *fault = find_fault();
    if (fault == NULL)
        fault = check_file();
    if (fault != NULL)
        printf("%s\n", fault);
    else
        printf("%llu records\n", (unsigned long long)fixture_sequence(&fixture));
    fixture_close(&fixture);
    return fault != NULL;
}

int
main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    use(argv[2]);
    if (strcmp(argv[1], "make") == 0)
        return make();
    if (strcmp(argv[1], "run") == 0 && argc == 4)
        return run((unsigned)strtoul(argv[3], NULL, 10));
    return strcmp(argv[1], "check") == 0 ? check() : 2;
}
