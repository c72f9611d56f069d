#include "service/store/sql.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#define STATEMENTS      128u /* a power of two, over twice of what the source has: it never fills */
#define BUSY_MILLIS     5000
#define WRITER_CACHE    "PRAGMA cache_size = -65536"
#define READER_CACHE    "PRAGMA cache_size = -4096"
#define BASE_CODE(code) ((code)&0xff)

struct statement {
    const char *text; /* its address is the key */
    sqlite3_stmt *prepared;
};

static const char BEGIN_WRITE[] = "BEGIN IMMEDIATE";
static const char BEGIN_READ[] = "BEGIN";
static const char COMMIT[] = "COMMIT";
static const char ROLLBACK[] = "ROLLBACK";

struct sa_sql {
    sqlite3 *db;
    const char *begin;
    int last_error;
    int system_error;    /* errno, where the last error was a failed write; else 0 */
    int wal_pages;       /* in the WAL at the last commit */
    int looked_after;    /* how many of them a checkpoint has seen */
    const char *watched; /* a table; NULL: none */
    bool noticed;
    struct statement statements[STATEMENTS];
};

/* One connection a thread at a time, so no mutexes; nobody reads the memory statistics. */
static void
configure(void)
{
    /* Refused where SQLite runs already, in a test; SQLITE_OPEN_NOMUTEX says the first by itself. */
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum sa_status
status_of(int code)
{
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
        code == SQLITE_CONSTRAINT_ROWID)
        return SA_ALREADY_EXISTS;
    switch (BASE_CODE(code)) {
    case SQLITE_OK:
        return SA_OK;
    case SQLITE_NOMEM:
        return SA_NO_MEMORY;
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
        return SA_INTERNAL;
    case SQLITE_NOTADB:
        return SA_INVALID_ARGUMENT;
    default:
        return SA_STORAGE;
    }
}

/* The errno of the write that failed, as the WAL's file kept it: errno itself is another's by now. */
static int
wal_errno(struct sa_sql *sql)
{
    sqlite3_file *wal = NULL;
    int error = 0;

    if (sqlite3_file_control(sql->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, (void *)&wal) != SQLITE_OK ||
        wal == NULL || wal->pMethods == NULL ||
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &error) != SQLITE_OK)
        return 0;
    return error;
}

static enum sa_status
failed(struct sa_sql *sql, int code)
{
    sql->last_error = code;
    sql->system_error = code == SQLITE_IOERR_WRITE ? wal_errno(sql) : 0;
    return status_of(code);
}

/* ---- the connection ---- */

static int
count_pages(void *context, sqlite3 *db SA_UNUSED, const char *name SA_UNUSED, int pages)
{
    struct sa_sql *sql = context;

    if (pages < sql->wal_pages)
        sql->looked_after = 0; /* it began anew */
    sql->wal_pages = pages;
    return SQLITE_OK;
}

static int
set_up(struct sa_sql *sql, enum sa_sql_role role)
{
    static const char *const COMMON[] = {"PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL",
                                         "PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON",
                                         "PRAGMA temp_store = MEMORY"};
    int code = sqlite3_extended_result_codes(sql->db, 1);

    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(sql->db, BUSY_MILLIS);
    if (code == SQLITE_OK)
        code = sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < SA_COUNT(COMMON) && code == SQLITE_OK; i++)
        code = sqlite3_exec(sql->db, COMMON[i], NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(sql->db, role == SA_SQL_WRITER ? WRITER_CACHE : READER_CACHE, NULL, NULL, NULL);
    if (code != SQLITE_OK || role != SA_SQL_WRITER)
        return code;
    code = sqlite3_exec(sql->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(sql->db, "PRAGMA journal_size_limit = 67108864", NULL, NULL, NULL);
    /* Takes the place of the automatic checkpoint: the writer makes one when nobody waits for its answer. */
    sqlite3_wal_hook(sql->db, count_pages, sql);
    return code;
}

/* What ends a transaction is there before one begins: to roll back for lack of memory needs none. */
static enum sa_status
prepare_ends(struct sa_sql *sql)
{
    const char *const texts[] = {sql->begin, COMMIT, ROLLBACK};

    for (size_t i = 0; i < SA_COUNT(texts); i++) {
        SA_QUERY(query, sql, texts[i]);
        if (query.status != SA_OK)
            return query.status;
    }
    return SA_OK;
}

enum sa_status
sa_sql_open(const char *path, const char *vfs, enum sa_sql_role role, struct sa_sql **ret_sql)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOFOLLOW;

    pthread_once(&once, configure);
    SA_OWN(sa_sql) sql = calloc(1, sizeof(*sql));
    if (sql == NULL)
        return SA_NO_MEMORY;
    sql->begin = role == SA_SQL_WRITER ? BEGIN_WRITE : BEGIN_READ;
    int code = sqlite3_open_v2(path, &sql->db, flags, vfs);
    if (code == SQLITE_OK)
        code = set_up(sql, role);
    enum sa_status status = code == SQLITE_OK ? prepare_ends(sql) : status_of(code);
    if (status == SA_OK)
        *ret_sql = sa_sql_take(&sql);
    return status;
}

void
sa_sql_abandon(struct sa_sql *sql)
{
    sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

void
sa_sql_close(struct sa_sql *sql)
{
    if (sql == NULL)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(sql->statements[i].prepared);
    sqlite3_close_v2(sql->db);
    free(sql);
}

enum sa_status
sa_sql_script(struct sa_sql *sql, const char *script)
{
    int code = sqlite3_exec(sql->db, script, NULL, NULL, NULL);

    return code == SQLITE_OK ? SA_OK : failed(sql, code);
}

static void
note_row(void *context, int operation, const char *db SA_UNUSED, const char *table,
         sqlite3_int64 row SA_UNUSED)
{
    struct sa_sql *sql = context;

    if (operation == SQLITE_INSERT && strcmp(table, sql->watched) == 0)
        sql->noticed = true;
}

void
sa_sql_watch(struct sa_sql *sql, const char *table)
{
    sql->watched = table;
    sqlite3_update_hook(sql->db, note_row, sql);
}

bool
sa_sql_noticed(struct sa_sql *sql)
{
    bool noticed = sql->noticed;

    sql->noticed = false;
    return noticed;
}

enum sa_status
sa_sql_begin(struct sa_sql *sql)
{
    sql->last_error = SQLITE_OK;
    return sa_sql_run(sql, sql->begin);
}

enum sa_status
sa_sql_commit(struct sa_sql *sql)
{
    return sa_sql_run(sql, COMMIT);
}

bool
sa_sql_rollback(struct sa_sql *sql)
{
    return !sa_sql_in_transaction(sql) || sa_sql_run(sql, ROLLBACK) == SA_OK || !sa_sql_in_transaction(sql);
}

bool
sa_sql_in_transaction(const struct sa_sql *sql)
{
    return sqlite3_get_autocommit(sql->db) == 0;
}

enum sa_sql_fault
sa_sql_fault(const struct sa_sql *sql)
{
    switch (BASE_CODE(sql->last_error)) {
    case SQLITE_FULL:
        return SA_SQL_FULL;
    case SQLITE_READONLY:
        return SA_SQL_REFUSED;
    case SQLITE_BUSY: /* before anything was written: another process has held the lock for too long */
        return SA_SQL_BUSY;
    case SQLITE_NOMEM:
    case SQLITE_CONSTRAINT:
    case SQLITE_OK:
        return SA_SQL_NONE;
    default:
        break;
    }
    if (sql->last_error == SQLITE_IOERR_NOMEM)
        return SA_SQL_NONE;
    bool is_refusal = sql->system_error == EROFS || sql->system_error == EDQUOT || sql->system_error == EFBIG;
    return sql->last_error == SQLITE_IOERR_WRITE && is_refusal ? SA_SQL_REFUSED : SA_SQL_UNKNOWN;
}

int64_t
sa_sql_inserted(const struct sa_sql *sql)
{
    return sqlite3_last_insert_rowid(sql->db);
}

enum sa_status
sa_sql_checkpoint(struct sa_sql *sql, unsigned enough_pages)
{
    if (sql->wal_pages - sql->looked_after < (int)enough_pages)
        return SA_OK;
    int code = sqlite3_wal_checkpoint_v2(sql->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    sql->looked_after = sql->wal_pages;
    if (code == SQLITE_OK)
        return SA_OK;
    /* A full disk and a busy reader leave all of it in the WAL; only a failed write or sync is in doubt. */
    if (BASE_CODE(code) == SQLITE_IOERR && code != SQLITE_IOERR_NOMEM)
        return SA_STORAGE;
    return SA_NO_MEMORY;
}

/* ---- statements ---- */

/* The place of a text: where it is, or the free one where it belongs. */
static struct statement *
place_of(struct sa_sql *sql, const char *text)
{
    size_t at = ((uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15)) >> 57;

    while (sql->statements[at].text != NULL && sql->statements[at].text != text)
        at = (at + 1) % STATEMENTS;
    return &sql->statements[at];
}

struct sa_query
sa_query_begin(struct sa_sql *sql, const char *text)
{
    struct sa_query query = {.sql = sql, .status = SA_OK};
    struct statement *place = place_of(sql, text);

    if (place->text == NULL) {
        int code = sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &place->prepared, NULL);

        if (code != SQLITE_OK) {
            query.status = failed(sql, code);
            return query;
        }
        place->text = text;
    }
    assert(sqlite3_stmt_busy(place->prepared) == 0);
    query.statement = place->prepared;
    return query;
}

void
sa_query_end(struct sa_query *query)
{
    if (query->statement == NULL)
        return;
    sqlite3_reset(query->statement);
    sqlite3_clear_bindings(query->statement);
}

static void
note(struct sa_query *query, int code)
{
    if (code != SQLITE_OK && query->status == SA_OK)
        query->status = failed(query->sql, code);
}

void
sa_put_int(struct sa_query *query, int64_t value)
{
    query->bound++;
    if (query->status == SA_OK)
        note(query, sqlite3_bind_int64(query->statement, query->bound, value));
}

void
sa_put_bytes(struct sa_query *query, struct sa_bytes bytes)
{
    const char *text = bytes.len == 0 ? "" : (const char *)bytes.data;

    query->bound++;
    if (query->status == SA_OK)
        note(query, sqlite3_bind_text(query->statement, query->bound, text, (int)bytes.len, SQLITE_STATIC));
}

void
sa_put_text(struct sa_query *query, const char *text)
{
    sa_put_bytes(query, sa_bytes_of(text));
}

void
sa_put_text_or_null(struct sa_query *query, const char *text)
{
    if (text == NULL || text[0] == '\0')
        sa_put_null(query);
    else
        sa_put_text(query, text);
}

void
sa_put_blob(struct sa_query *query, const void *data, size_t len)
{
    query->bound++;
    if (query->status == SA_OK)
        note(query, sqlite3_bind_blob(query->statement, query->bound, data, (int)len, SQLITE_STATIC));
}

void
sa_put_null(struct sa_query *query)
{
    query->bound++; /* what is not bound is NULL */
}

enum sa_status
sa_query_step(struct sa_query *query)
{
    if (query->status != SA_OK)
        return query->status;
    query->column = 0;
    int code = sqlite3_step(query->statement);
    if (code == SQLITE_ROW)
        return SA_OK;
    if (code == SQLITE_DONE)
        return SA_NOT_FOUND;
    query->status = failed(query->sql, code);
    return query->status;
}

enum sa_status
sa_query_run(struct sa_query *query)
{
    enum sa_status status = sa_query_step(query);

    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_query_run_found(struct sa_query *query)
{
    enum sa_status status = sa_query_run(query);

    return status == SA_OK && sa_query_changed(query) == 0 ? SA_NOT_FOUND : status;
}

unsigned
sa_query_changed(const struct sa_query *query)
{
    return (unsigned)sqlite3_changes(query->sql->db);
}

int64_t
sa_get_int(struct sa_query *query)
{
    return query->status == SA_OK ? sqlite3_column_int64(query->statement, query->column++) : 0;
}

/* Read as a blob whatever it is: text would be copied to be terminated, and a copy can fail. */
static struct sa_bytes
column(struct sa_query *query, size_t size)
{
    if (query->status != SA_OK)
        return sa_bytes(NULL, 0);
    const void *data = sqlite3_column_blob(query->statement, query->column);
    int len = sqlite3_column_bytes(query->statement, query->column++);
    if (data == NULL || len <= 0)
        return sa_bytes(NULL, 0);
    if ((size_t)len > size) {
        query->status = SA_INTERNAL;
        return sa_bytes(NULL, 0);
    }
    return sa_bytes(data, (size_t)len);
}

size_t
sa_get_blob(struct sa_query *query, void *ret_data, size_t size)
{
    struct sa_bytes bytes = column(query, size);

    if (bytes.len > 0)
        memcpy(ret_data, bytes.data, bytes.len);
    return bytes.len;
}

void
sa_get_text(struct sa_query *query, char *ret_text, size_t size)
{
    ret_text[sa_get_blob(query, ret_text, size - 1)] = '\0';
}

const char *
sa_get_text_from(struct sa_query *query, char **buffer, size_t *room)
{
    char *text = *buffer;

    assert(*room > 0);
    size_t len = sa_get_blob(query, text, *room - 1);
    text[len] = '\0';
    if (len + 1 < *room) { /* else the last byte stays: it reads as "" from then on */
        *buffer += len + 1;
        *room -= len + 1;
    } else {
        *buffer += len;
        *room = 1;
    }
    return text;
}

enum sa_status
sa_query_done(const struct sa_query *query)
{
    return query->status;
}

enum sa_status
sa_sql_run(struct sa_sql *sql, const char *text)
{
    SA_QUERY(query, sql, text);
    return sa_query_run(&query);
}
