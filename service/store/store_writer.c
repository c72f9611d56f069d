#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/store/inside.h"

#define CHECKPOINT_PAGES 4000u

struct sa_work
sa_work(enum sa_status (*run)(struct sa_sql *sql, struct sa_work *work), void *context,
        const struct sa_audit *audit)
{
    struct sa_work work = {.run = run, .context = context, .uid_added = -1, .uid_removed = -1};

    if (audit != NULL)
        work.record = *audit;
    work.silent = audit == NULL;
    return work;
}

void
sa_work_say(struct sa_work *work, const struct sa_audit *records, unsigned count)
{
    work->silent = count == 0;
    if (count == 0)
        return;
    work->record = records[count - 1];
    work->others = records;
    work->other_count = count - 1;
}

/* ---- one batch: everything between BEGIN and COMMIT; true as long as the transaction stands ---- */

static bool
run_part(struct sa_store *store, struct sa_work *work)
{
    struct sa_sql *sql = store->writer.sql;

    if (!sa_disk_allows(store, work)) {
        work->status = SA_STORAGE;
        return true;
    }
    if (work->run == NULL) {
        work->status = SA_OK;
        work->keep = true;
        return true;
    }
    if (!work->only_looks && sa_sql_run(sql, "SAVEPOINT part") != SA_OK)
        return false;
    work->status = work->run(sql, work);
    if (!sa_sql_in_transaction(sql) || work->status == SA_STORAGE || work->status == SA_NO_MEMORY)
        return false;
    if (work->status == SA_OK)
        work->keep = true;
    if (work->only_looks)
        return true;
    if (!work->keep && sa_sql_run(sql, "ROLLBACK TO part") != SA_OK)
        return false;
    return sa_sql_run(sql, "RELEASE part") == SA_OK;
}

static bool
record_part(struct sa_sql *sql, struct sa_work *work, uint64_t *sequence, const uint8_t *salt)
{
    if (!work->keep || work->silent)
        return true;
    for (unsigned i = 0; i < work->other_count; i++) {
        uint8_t own[SA_AUDIT_SALT_LEN];

        sa_random(own, sizeof(own));
        if (sa_audit_insert(sql, &work->others[i], ++*sequence, own) != SA_OK)
            return false;
    }
    return sa_audit_insert(sql, &work->record, ++*sequence, salt) == SA_OK;
}

static bool
run_all(struct sa_store *store, struct sa_work *batch, uint64_t *sequence)
{
    struct sa_sql *sql = store->writer.sql;
    uint8_t salts[SA_BATCH_MAX][SA_AUDIT_SALT_LEN];
    unsigned count = 0;

    if (sa_sql_begin(sql) != SA_OK)
        return false;
    for (struct sa_work *work = batch; work != NULL; work = work->next, count++) {
        if (!run_part(store, work))
            return false;
    }
    sa_random(salts, count * sizeof(salts[0]));
    for (struct sa_work *work = batch; work != NULL; work = work->next) {
        if (!record_part(sql, work, sequence, salts[--count]))
            return false;
    }
    return true;
}

/* ---- its end ---- */

/* What is on the disk is not known any more. */
static void
give_up(struct sa_store *store, const char *why)
{
    store->writer.dead = true;
    sa_sql_abandon(store->writer.sql);
    store->fatal(why);
}

static void
undo_all(struct sa_store *store)
{
    if (!sa_sql_rollback(store->writer.sql))
        give_up(store, "a transaction cannot be rolled back");
}

/* What a failed part says of the disk; lack of memory says nothing, nor does another process with a lock. */
static void
note_fault(struct sa_store *store)
{
    enum sa_sql_fault fault = sa_sql_fault(store->writer.sql);

    if (fault == SA_SQL_BUSY)
        sa_log(SA_LOG_WARNING, "another process holds the store's lock: nothing is written meanwhile");
    else if (fault != SA_SQL_NONE)
        sa_disk_failed(store, fault == SA_SQL_FULL);
}

/* True where it is on the disk, false where it is known not to be, or where it does not matter any more. */
static bool
commit(struct sa_store *store)
{
    struct sa_sql *sql = store->writer.sql;

    if (sa_sql_commit(sql) == SA_OK)
        return true;
    /* A write that was refused was refused before the commit was whole. Anything else may have come after
     * that. */
    if (sa_sql_fault(sql) == SA_SQL_UNKNOWN)
        give_up(store, "a commit failed, its outcome is not known");
    else
        note_fault(store);
    return false;
}

static bool
write_batch(struct sa_store *store, struct sa_work *batch, uint64_t *sequence)
{
    if (store->writer.dead)
        return false;
    if (!run_all(store, batch, sequence)) {
        note_fault(store);
        undo_all(store);
        return false;
    }
    if (sa_managed_prepare(&store->managed, batch) == SA_OK && commit(store))
        return true;
    if (!store->writer.dead) { /* else what is in the file may be true */
        undo_all(store);
        sa_managed_undo(&store->managed, batch);
    }
    return false;
}

static void
publish(struct sa_store *store, const struct sa_work *batch, uint64_t sequence)
{
    bool clients_changed = false;
    int64_t rule_until_ms = 0;
    unsigned count = 0;

    for (const struct sa_work *work = batch; work != NULL; work = work->next) {
        clients_changed |= work->status == SA_OK && work->clients_changed;
        if (work->status == SA_OK && work->rule_until_ms > rule_until_ms)
            rule_until_ms = work->rule_until_ms;
        if (work->is_probe)
            sa_disk_probed(store, work);
        count += work->keep;
    }
    if (count > 0)
        atomic_store_explicit(&store->writable, true, memory_order_relaxed);
    if (clients_changed) {
        sa_client_cache_empty(&store->clients);
        /* Where it cannot be read, the uids of before stay until it can. */
        (void)!sa_client_attested_load(&store->clients, store->writer.sql);
    }
    sa_not_before_committed(store, rule_until_ms);
    sa_managed_commit(&store->managed, batch);
    atomic_store(&store->sequence, sequence);
    atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&store->committed, count, memory_order_relaxed);
}

/* Once `done` is posted a part may be gone, with the stack that it was on. */
static void
answer(struct sa_work *batch, bool written)
{
    for (struct sa_work *work = batch, *next; work != NULL; work = next) {
        next = work->next;
        if (!written)
            work->status = SA_STORAGE;
        if (work->finished != NULL)
            work->finished(work->user, work->status);
        else
            sem_post(&work->done);
    }
}

static void
run_batch(struct sa_store *store, struct sa_work *batch)
{
    uint64_t sequence = atomic_load_explicit(&store->sequence, memory_order_relaxed);
    bool written = write_batch(store, batch, &sequence);

    if (written)
        publish(store, batch, sequence);
    else
        atomic_store_explicit(&store->writable, false, memory_order_relaxed);
    answer(batch, written);
    /* When nobody waits for the answer of this batch any more. */
    if (written)
        sa_revocations_committed(store);
    if (written && sa_sql_checkpoint(store->writer.sql, CHECKPOINT_PAGES) == SA_STORAGE)
        give_up(store, "a checkpoint failed, what is on the disk is not known");
}

/* ---- the queue; its length is bounded by the threads that wait in it ---- */

static struct sa_work *
take_batch(struct sa_writer *writer)
{
    struct sa_work *batch;
    struct sa_work **end = &writer->first;

    pthread_mutex_lock(&writer->lock);
    while (writer->first == NULL && !writer->stopping)
        pthread_cond_wait(&writer->wake, &writer->lock);
    batch = writer->first;
    for (unsigned count = 0; *end != NULL && count < SA_BATCH_MAX; count++) {
        end = &(*end)->next;
        writer->queued--;
    }
    writer->first = *end;
    if (writer->first == NULL)
        writer->last = &writer->first;
    *end = NULL;
    pthread_mutex_unlock(&writer->lock);
    return batch;
}

static void *
writer_main(void *argument)
{
    struct sa_store *store = argument;
    struct sa_work *batch;

    while ((batch = take_batch(&store->writer)) != NULL)
        run_batch(store, batch);
    return NULL;
}

static void
enqueue(struct sa_writer *writer, struct sa_work *work)
{
    pthread_mutex_lock(&writer->lock);
    assert(!writer->stopping);
    bool idle = writer->first == NULL;
    work->next = NULL;
    *writer->last = work;
    writer->last = &work->next;
    writer->queued++;
    if (idle)
        pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
}

enum sa_status
sa_store_write(struct sa_store *store, struct sa_work *work)
{
    sem_init(&work->done, 0, 0);
    enqueue(&store->writer, work);
    while (sem_wait(&work->done) != 0)
        assert(errno == EINTR);
    sem_destroy(&work->done);
    return work->status;
}

void
sa_store_submit(struct sa_store *store, struct sa_work *work,
                void (*finished)(void *user, enum sa_status status), void *user)
{
    work->finished = finished;
    work->user = user;
    enqueue(&store->writer, work);
}

unsigned
sa_store_queued(struct sa_store *store)
{
    pthread_mutex_lock(&store->writer.lock);
    unsigned queued = store->writer.queued;
    pthread_mutex_unlock(&store->writer.lock);
    return queued;
}

/* Signals are the main thread's. */
static int
start_thread(struct sa_store *store)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&store->writer.thread, NULL, writer_main, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum sa_status
sa_writer_start(struct sa_store *store)
{
    struct sa_writer *writer = &store->writer;

    writer->last = &writer->first;
    if (start_thread(store) != 0)
        return SA_NO_MEMORY;
    writer->started = true;
    return SA_OK;
}

void
sa_writer_stop(struct sa_store *store)
{
    struct sa_writer *writer = &store->writer;

    if (!writer->started)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
}
