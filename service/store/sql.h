/*
 * A thin wrapper over SQLite, so that store_sqlite.c alone sees its header. Private to service/store.
 *
 * A statement is used as
 *     SA_QUERY(query, sql, TEXT);
 *     sa_put_int(&query, uid);
 *     status = sa_query_step(&query);
 *     ... sa_get_int(&query) ...
 *     return sa_query_done(&query);
 * Values are bound and columns are read in their order. What goes wrong on the way sticks to the query, and
 * every later step and sa_query_done report it; a column of a failed query reads as zero.
 */
#ifndef SA_SQL_H
#define SA_SQL_H

#include "proto/bytes.h"
#include "proto/status.h"

struct sa_sql; /* one connection; used by one thread at a time */

enum sa_sql_role { SA_SQL_WRITER, SA_SQL_READER };

/*
 * Open a connection to a file that exists. The writer turns WAL on and is opened first.
 * Returns SA_OK, SA_NO_MEMORY, SA_STORAGE, or SA_INVALID_ARGUMENT: the file is no database.
 */
SA_MUST_CHECK enum sa_status sa_sql_open(const char *path, const char *vfs, enum sa_sql_role role,
                                         struct sa_sql **ret_sql);

/* Leave the files as they are when this connection is closed: for a database whose state is not known. */
void sa_sql_abandon(struct sa_sql *sql);

void sa_sql_close(struct sa_sql *sql);
SA_DEFINE_OWN(sa_sql, sa_sql_close)

/* Run a script of constant text: migrations only. */
SA_MUST_CHECK enum sa_status sa_sql_script(struct sa_sql *sql, const char *script);

/*
 * Begin a transaction: the writer's takes the lock at once, a reader's is one snapshot of what is committed.
 * Beginning, committing and rolling back need no memory that was not taken when the connection was opened.
 */
SA_MUST_CHECK enum sa_status sa_sql_begin(struct sa_sql *sql);
SA_MUST_CHECK enum sa_status sa_sql_commit(struct sa_sql *sql);

/* Undo and end the transaction, where there is one. Returns whether there is none any more. */
SA_MUST_CHECK bool sa_sql_rollback(struct sa_sql *sql);

/* Whether a transaction is open. SQLite may end one by itself when it runs out of disk or memory. */
bool sa_sql_in_transaction(const struct sa_sql *sql);

enum sa_sql_fault {
    SA_SQL_NONE,    /* not the disk's: memory, or a constraint */
    SA_SQL_FULL,    /* nothing more fits; what was not written is known */
    SA_SQL_REFUSED, /* a write was refused whole (read-only, quota, size limit): likewise */
    SA_SQL_BUSY,    /* another process holds the lock; nothing was written */
    SA_SQL_UNKNOWN, /* a read, a sync or a write failed: what is on the disk cannot be told */
};

/* What the last failure was. */
enum sa_sql_fault sa_sql_fault(const struct sa_sql *sql);

/*
 * Move what is in the WAL into the database, as far as no reader is in the way.
 *   enough_pages  nothing is done below so many pages since the last time.
 * Returns SA_OK; SA_NO_MEMORY (try again later), or SA_STORAGE: what was synced is not known any more.
 */
SA_MUST_CHECK enum sa_status sa_sql_checkpoint(struct sa_sql *sql, unsigned enough_pages);

/* From now on note when a row is put into this table, be it by a trigger. A constant. */
void sa_sql_watch(struct sa_sql *sql, const char *table);

/* Whether one was since this was asked last; the transaction may have been rolled back. */
bool sa_sql_noticed(struct sa_sql *sql);

/* The row id of the last insert. */
int64_t sa_sql_inserted(const struct sa_sql *sql);

struct sa_query {
    struct sa_sql *sql;
    void *statement; /* NULL where it could not be prepared */
    int bound;
    int column;
    enum sa_status status;
};

/*
 * Take a statement; prepared once per connection and kept.
 *   text  a constant with static storage: its address is its name. Not nested within itself.
 */
struct sa_query sa_query_begin(struct sa_sql *sql, const char *text);

/* Let go of its rows and bindings. */
void sa_query_end(struct sa_query *query);

#define SA_QUERY(name, sql, text)                                                                            \
    __attribute__((cleanup(sa_query_end))) struct sa_query name = sa_query_begin(sql, text)

/* The next value to bind. Bytes live until the query ends. */
void sa_put_int(struct sa_query *query, int64_t value);
void sa_put_text(struct sa_query *query, const char *text);         /* NULL taken as "" */
void sa_put_text_or_null(struct sa_query *query, const char *text); /* "" taken as NULL */
void sa_put_bytes(struct sa_query *query, struct sa_bytes bytes);   /* as text */
void sa_put_blob(struct sa_query *query, const void *data, size_t len);
void sa_put_null(struct sa_query *query);

/* SA_OK: there is a row. SA_NOT_FOUND: there is none left. Others as sa_query_run. */
SA_MUST_CHECK enum sa_status sa_query_step(struct sa_query *query);

/*
 * Run a statement that gives no rows. SA_OK; SA_ALREADY_EXISTS where a key is taken; SA_INTERNAL where
 * another constraint is broken; SA_NO_MEMORY; SA_STORAGE.
 */
SA_MUST_CHECK enum sa_status sa_query_run(struct sa_query *query);

/* The same for one that must change something: SA_NOT_FOUND where it has changed no row. */
SA_MUST_CHECK enum sa_status sa_query_run_found(struct sa_query *query);

/* How many rows the statement that ran has changed. */
unsigned sa_query_changed(const struct sa_query *query);

/* The next column. Text and blobs that do not fit are SA_INTERNAL: they are not what we stored. */
int64_t sa_get_int(struct sa_query *query);
void sa_get_text(struct sa_query *query, char *ret_text, size_t size);
size_t sa_get_blob(struct sa_query *query, void *ret_data, size_t size); /* its length; 0 for NULL */
/* Like sa_get_text, taking its room from a buffer that it moves on; NULL stays "". */
const char *sa_get_text_from(struct sa_query *query, char **buffer, size_t *room);

/* What went wrong while the columns were read, or SA_OK. */
SA_MUST_CHECK enum sa_status sa_query_done(const struct sa_query *query);

/* Run a statement without values. */
SA_MUST_CHECK enum sa_status sa_sql_run(struct sa_sql *sql, const char *text);

#endif
