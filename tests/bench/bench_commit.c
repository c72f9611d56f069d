/*
 * C: the rows that the daemon writes for a call, committed by nobody but SQLite, a fixed batch at a time.
 *     bench_commit STORE issue|refresh BATCH SECONDS    prints rows a second, and microseconds of a core for
 *                                                       each
 *
 * STORE is a copy of the daemon's own database, so that tables, indexes and rows are the same: an audit
 * record like the last one of its kind, and for `refresh` the step of a session to its next generation.
 */
#include <sqlite3.h>

#include "service/store/audit.h"
#include "tests/bench/bench.h"

#define COLUMNS_MAX  64
#define SESSIONS_MAX 4096
#define LOG_BYTES    "17000000" /* 4,000 pages, when both check-point, and a little */

static sqlite3 *db;

static void
run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        give_up("%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *
prepare(const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK)
        give_up("%s: %s", sql, sqlite3_errmsg(db));
    return statement;
}

static void
step(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        give_up("%s", sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

/* An INSERT with the values of the last record of the event; the caller binds the first, its number. */
static sqlite3_stmt *
prepare_record(enum sa_event event, int64_t *ret_sequence)
{
    sqlite3_stmt *last = prepare("SELECT max(sequence) FROM audit");
    sqlite3_stmt *like =
        prepare("SELECT * FROM audit WHERE event = ?1 AND outcome = 1 ORDER BY sequence DESC LIMIT 1");
    char insert[64 + 2 * COLUMNS_MAX] = "INSERT INTO audit VALUES (?";

    if (sqlite3_step(last) != SQLITE_ROW || sqlite3_bind_int(like, 1, (int)event) != SQLITE_OK ||
        sqlite3_step(like) != SQLITE_ROW)
        give_up("the store has no record of event %d", (int)event);
    int columns = sqlite3_column_count(like);
    if (columns > COLUMNS_MAX)
        give_up("the audit table has %d columns", columns);
    for (int i = 1; i < columns; i++)
        strcat(insert, ",?");
    sqlite3_stmt *statement = prepare(strcat(insert, ")"));
    for (int i = 1; i < columns; i++)
        if (sqlite3_bind_value(statement, i + 1, sqlite3_column_value(like, i)) != SQLITE_OK)
            give_up("%s", sqlite3_errmsg(db));
    *ret_sequence = sqlite3_column_int64(last, 0);
    sqlite3_finalize(last);
    sqlite3_finalize(like);
    return statement;
}

static unsigned
find_sessions(int64_t *ret_numbers)
{
    sqlite3_stmt *statement =
        prepare("SELECT number FROM sessions WHERE handle_mac IS NOT NULL AND rotates LIMIT ?1");
    unsigned count = 0;

    sqlite3_bind_int(statement, 1, SESSIONS_MAX);
    while (sqlite3_step(statement) == SQLITE_ROW)
        ret_numbers[count++] = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (count == 0)
        give_up("the store has no session with a refresh token");
    return count;
}

/*
 * Make the write-ahead log as long as it will be, and begin it anew: a commit that makes the file longer
 * costs more than one that writes over it, which is what a daemon does but for its first moments.
 */
static void
lengthen_log(void)
{
    run("CREATE TABLE filler (x)");
    run("INSERT INTO filler VALUES (zeroblob(" LOG_BYTES "))");
    run("DROP TABLE filler");
    if (sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) != SQLITE_OK)
        give_up("%s", sqlite3_errmsg(db));
}

static void
open_store(const char *path)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        give_up("%s: %s", path, sqlite3_errmsg(db));
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("PRAGMA foreign_keys = ON");
    run("PRAGMA cache_size = -65536");
    run("PRAGMA wal_autocheckpoint = 4000");
    lengthen_log();
}

static sqlite3_stmt *
prepare_rotation(void)
{
    return prepare("UPDATE sessions SET generation = generation + 1, last_used_ms = ?2,"
                   " replaced2_boot_ms = replaced1_boot_ms, replaced2_wall_ms = replaced1_wall_ms,"
                   " replaced2_boot_id = replaced1_boot_id, replaced1_boot_ms = ?2, replaced1_wall_ms = ?2,"
                   " replaced1_boot_id = boot_id WHERE number = ?1");
}

int
main(int argc, char **argv)
{
    static int64_t sessions[SESSIONS_MAX];
    int64_t sequence;
    uint64_t rows = 0;
    bool is_refresh = argc == 5 && strcmp(argv[2], "refresh") == 0;
    long batch = argc == 5 ? atol(argv[3]) : 0;
    double seconds = argc == 5 ? atof(argv[4]) : 0;

    if (batch < 1 || seconds <= 0)
        give_up("usage: bench_commit STORE issue|refresh BATCH SECONDS");
    open_store(argv[1]);
    sqlite3_stmt *record =
        prepare_record(is_refresh ? SA_EVENT_TOKEN_REFRESH : SA_EVENT_TOKEN_ISSUE, &sequence);
    sqlite3_stmt *rotate = is_refresh ? prepare_rotation() : NULL;
    unsigned session_count = is_refresh ? find_sessions(sessions) : 0;

    double before_us = cpu_us();
    uint64_t start_ns = now_ns(), end_ns = start_ns + (uint64_t)(seconds * 1e9);
    while (now_ns() < end_ns) {
        run("BEGIN IMMEDIATE");
        for (long i = 0; i < batch; i++, rows++) {
            if (is_refresh) {
                sqlite3_bind_int64(rotate, 1, sessions[rows % session_count]);
                sqlite3_bind_int64(rotate, 2, (int64_t)rows);
                step(rotate);
            }
            sqlite3_bind_int64(record, 1, ++sequence);
            step(record);
        }
        run("COMMIT");
    }
    printf("%.0f %.2f\n", (double)rows * 1e9 / (double)(now_ns() - start_ns),
           (cpu_us() - before_us) / (double)rows);
    sqlite3_finalize(record);
    sqlite3_finalize(rotate);
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
