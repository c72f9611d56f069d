#include "service/store/inside.h"

static struct sa_sql *
take(struct sa_readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    while (readers->idle_count == 0)
        pthread_cond_wait(&readers->freed, &readers->lock);
    struct sa_sql *sql = readers->idle[--readers->idle_count];
    pthread_mutex_unlock(&readers->lock);
    return sql;
}

static void
give_back(struct sa_readers *readers, struct sa_sql *sql)
{
    pthread_mutex_lock(&readers->lock);
    readers->idle[readers->idle_count++] = sql;
    pthread_cond_signal(&readers->freed);
    pthread_mutex_unlock(&readers->lock);
}

enum sa_status
sa_store_read(struct sa_store *store, enum sa_status (*read)(struct sa_sql *sql, void *context),
              void *context)
{
    struct sa_sql *sql = take(&store->readers);
    enum sa_status status = sa_sql_begin(sql);

    if (status == SA_OK)
        status = read(sql, context);
    /* A connection that keeps its snapshot would read the past for ever. */
    if (!sa_sql_rollback(sql))
        status = SA_STORAGE;
    give_back(&store->readers, sql);
    return status;
}

enum sa_status
sa_readers_open(struct sa_store *store, const char *path, const char *vfs)
{
    for (unsigned i = 0; i < SA_READERS; i++) {
        enum sa_status status = sa_sql_open(path, vfs, SA_SQL_READER, &store->readers.idle[i]);

        if (status != SA_OK)
            return status;
        store->readers.idle_count++;
    }
    return SA_OK;
}

void
sa_readers_close(struct sa_store *store)
{
    while (store->readers.idle_count > 0)
        sa_sql_close(store->readers.idle[--store->readers.idle_count]);
}
