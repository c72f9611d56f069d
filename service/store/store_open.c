#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/store/inside.h"

#define EXIT_UNKNOWN_OUTCOME 70
#define CHECKED_RECORDS      1000u

static void
leave(const char *why)
{
    sa_log(SA_LOG_ERROR, "ends, and learns the outcome from the file at its next start: %s", why);
    _exit(EXIT_UNKNOWN_OUTCOME);
}

/* Held until the store is closed, or the process is gone. */
static enum sa_status
lock_store(struct sa_store *store, const char *path, const char **ret_why)
{
    char name[PATH_MAX];

    *ret_why = "the store's lock file cannot be made";
    if (snprintf(name, sizeof(name), "%s.lock", path) >= (int)sizeof(name))
        return SA_STORAGE;
    store->lock_file = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_file < 0)
        return SA_STORAGE;
    if (flock(store->lock_file, LOCK_EX | LOCK_NB) == 0)
        return SA_OK;
    if (errno != EWOULDBLOCK)
        return SA_STORAGE;
    *ret_why = "another daemon has the store open";
    return SA_ALREADY_EXISTS;
}

static bool
sync_directory(const char *path)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof(copy), "%s", path);
    int directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return false;
    bool synced = fsync(directory) == 0;
    close(directory);
    return synced;
}

/* SQLite gives its other files the mode of this one. */
static enum sa_status
make_file(const char *path, const char **ret_why)
{
    *ret_why = "the store's file cannot be made or opened";
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return SA_STORAGE;
    struct stat stat_;
    bool good = fchmod(file, 0600) == 0 && fstat(file, &stat_) == 0;
    /* One with something in it was made and synced long ago: a disk that fails may still be read. */
    good = good && (stat_.st_size > 0 || sync_directory(path));
    close(file);
    return good ? SA_OK : SA_STORAGE;
}

/*
 * Nothing where a store should be, though people had records: what begins anew here would leave them to
 * pam_unix and whatever older hashes it has.
 */
static enum sa_status
check_begun(const struct sa_store *store, const char *path, const char **ret_why)
{
    struct stat stat_;
    bool is_blank = stat(path, &stat_) != 0 ? errno == ENOENT : stat_.st_size == 0;

    *ret_why = "the store is missing or empty, though people had records" SA_STORE_ADVICE;
    return is_blank && sa_managed_names_people(&store->managed) ? SA_INVALID_ARGUMENT : SA_OK;
}

static enum sa_status
check_audit(struct sa_store *store, const char **ret_why)
{
    uint64_t sequence;
    enum sa_status status = sa_audit_verify(store->writer.sql, CHECKED_RECORDS, &sequence);

    *ret_why = status == SA_INTERNAL
                   ? "the audit log is not what was written: a record is missing or altered" SA_STORE_ADVICE
                   : "the audit log cannot be read" SA_STORE_ADVICE;
    if (status == SA_OK)
        atomic_store(&store->sequence, sequence);
    return status;
}

static enum sa_status
open_all(struct sa_store *store, const struct sa_store_options *options, const char **ret_why)
{
    enum sa_status status = lock_store(store, options->path, ret_why);

    if (status == SA_OK)
        status = check_begun(store, options->path, ret_why);
    if (status == SA_OK)
        status = make_file(options->path, ret_why);
    if (status != SA_OK)
        return status;
    status = sa_sql_open(options->path, options->vfs, SA_SQL_WRITER, &store->writer.sql);
    *ret_why = status == SA_INVALID_ARGUMENT ? "the file is not a store of secauth" SA_STORE_ADVICE
                                             : "the store cannot be opened" SA_STORE_ADVICE;
    if (status == SA_OK)
        status =
            sa_migrate(store->writer.sql, sa_migrations, sa_migration_count, &store->schema_version, ret_why);
    if (status == SA_OK)
        status = sa_master_load(store, ret_why);
    if (status == SA_OK)
        status = check_audit(store, ret_why);
    if (status != SA_OK)
        return status;
    status = sa_managed_load(&store->managed, store->writer.sql, ret_why);
    if (status == SA_STORAGE && sa_disk_stage(store) != SA_DISK_NORMAL)
        status = SA_OK; /* it is in memory, and the file is what it was when a change was last possible */
    if (status != SA_OK)
        return status;
    *ret_why = "the store cannot be read, or there are no threads or memory left";
    status = sa_not_before_open(store);
    if (status == SA_OK)
        status = sa_revocations_open(store);
    if (status == SA_OK)
        status = sa_client_attested_load(&store->clients, store->writer.sql);
    if (status == SA_OK)
        status = sa_readers_open(store, options->path, options->vfs);
    return status == SA_OK ? sa_writer_start(store) : status;
}

static struct sa_store *
make_store(const struct sa_store_options *options)
{
    struct sa_store *store = calloc(1, sizeof(*store));

    if (store == NULL)
        return NULL;
    store->keyring = options->keyring;
    store->fatal = options->fatal == NULL ? leave : options->fatal;
    store->lock_file = -1;
    store->managed.path = options->managed;
    store->is_administrator = options->is_administrator;
    pthread_mutex_init(&store->writer.lock, NULL);
    pthread_cond_init(&store->writer.wake, NULL);
    pthread_mutex_init(&store->readers.lock, NULL);
    pthread_cond_init(&store->readers.freed, NULL);
    pthread_rwlock_init(&store->managed.lock, NULL);
    pthread_rwlock_init(&store->clients.lock, NULL);
    pthread_mutex_init(&store->told.lock, NULL);
    pthread_mutex_init(&store->master.changing, NULL);
    atomic_init(&store->writable, true);
    return store;
}

enum sa_status
sa_store_open(const struct sa_store_options *options, struct sa_store **ret_store, const char **ret_why)
{
    SA_OWN(sa_store) store = make_store(options);

    *ret_why = "there is no memory left";
    if (store == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_disk_start(store, options->path, options->reserve);
    if (status == SA_OK)
        status = open_all(store, options, ret_why);
    if (status == SA_OK)
        *ret_store = sa_store_take(&store);
    else if (status == SA_STORAGE && sa_disk_stage(store) != SA_DISK_NORMAL)
        *ret_why = "cannot be opened: look at the disk that holds it, which is full or fails";
    return status;
}

void
sa_store_close(struct sa_store *store)
{
    if (store == NULL)
        return;
    sa_writer_stop(store);
    sa_readers_close(store);
    sa_sql_close(store->writer.sql); /* the last one: SQLite checkpoints and removes the WAL */
    sa_client_cache_empty(&store->clients);
    free(store->clients.attested);
    free(store->managed.uids);
    sa_revocations_close(store);
    pthread_rwlock_destroy(&store->clients.lock);
    pthread_rwlock_destroy(&store->managed.lock);
    pthread_cond_destroy(&store->readers.freed);
    pthread_mutex_destroy(&store->readers.lock);
    pthread_mutex_destroy(&store->master.changing);
    pthread_cond_destroy(&store->writer.wake);
    pthread_mutex_destroy(&store->writer.lock);
    if (store->lock_file >= 0)
        close(store->lock_file);
    free(store);
}

struct counting {
    int64_t now_ms;
    struct sa_store_stats *stats;
};

static enum sa_status
count_all(struct sa_sql *sql, void *context)
{
    static const char COUNT[] = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM clients), "
                                "(SELECT count(*) " SA_SESSION_LIVE ")";
    const struct counting *counting = context;

    SA_QUERY(query, sql, COUNT);
    sa_put_int(&query, counting->now_ms);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    counting->stats->users = (uint64_t)sa_get_int(&query);
    counting->stats->clients = (uint64_t)sa_get_int(&query);
    counting->stats->sessions = (uint64_t)sa_get_int(&query);
    return SA_OK;
}

enum sa_status
sa_store_stats(struct sa_store *store, int64_t now_ms, struct sa_store_stats *ret_stats)
{
    struct sa_store_stats stats = {.schema_version = store->schema_version,
                                   .writable = atomic_load(&store->writable),
                                   .disk = sa_disk_stage(store),
                                   .audit_sequence = atomic_load(&store->sequence),
                                   .commits = atomic_load(&store->commits),
                                   .committed = atomic_load(&store->committed),
                                   .master_key = sa_store_master_state(store)};
    struct counting counting = {now_ms, &stats};
    enum sa_status status = sa_store_read(store, count_all, &counting);

    if (status == SA_OK)
        *ret_stats = stats;
    return status;
}
