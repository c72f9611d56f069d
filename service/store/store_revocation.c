#include "service/store/store_revocation.h"

#include <assert.h>
#include <stdlib.h>

#include "service/store/inside.h"

#define COLUMNS "sequence, kind, key, since_ms, not_before_ms, until_ms, client_row, audiences"

static void
read_row(struct sa_query *query, struct sa_revocation *ret_row)
{
    ret_row->sequence = (uint64_t)sa_get_int(query);
    ret_row->kind = (enum sa_revocation_kind)sa_get_int(query);
    sa_get_text(query, ret_row->key, sizeof(ret_row->key));
    ret_row->since_ms = sa_get_int(query);
    ret_row->not_before_ms = sa_get_int(query);
    ret_row->until_ms = sa_get_int(query);
    ret_row->client_row = (uint32_t)sa_get_int(query);
    sa_get_text(query, ret_row->audiences, sizeof(ret_row->audiences));
}

/* The last number that was given out, though its row may have gone. */
static enum sa_status
find_last(struct sa_sql *sql, uint64_t *ret_last)
{
    SA_QUERY(query, sql, "SELECT seq FROM sqlite_sequence WHERE name = 'revocations'");
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_last = status == SA_OK ? (uint64_t)sa_get_int(&query) : 0;
    return SA_OK;
}

/* ---- the newest, in memory: whoever follows has all but them ---- */

enum sa_status
sa_revocations_open(struct sa_store *store)
{
    struct sa_told *told = &store->told;

    told->ring = calloc(SA_TOLD_MAX, sizeof(*told->ring));
    if (told->ring == NULL)
        return SA_NO_MEMORY;
    SA_QUERY(query, store->writer.sql, "SELECT id FROM incarnation");
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        sa_get_text(&query, told->incarnation, sizeof(told->incarnation));
    if (status == SA_OK)
        status = sa_query_done(&query);
    if (status == SA_OK)
        status = find_last(store->writer.sql, &told->last);
    told->first = told->last;
    sa_sql_watch(store->writer.sql, "revocations");
    return status;
}

void
sa_revocations_close(struct sa_store *store)
{
    free(store->told.ring);
    pthread_mutex_destroy(&store->told.lock);
}

/* Under the lock. */
static void
remember(struct sa_told *told, const struct sa_revocation *row)
{
    if (row->sequence != told->last + 1) { /* some between are not remembered */
        told->count = 0;
        told->first = row->sequence - 1;
    }
    if (told->count == SA_TOLD_MAX) {
        told->first = told->ring[told->start].sequence;
        told->start = (told->start + 1) % SA_TOLD_MAX;
        told->count--;
    }
    told->ring[(told->start + told->count++) % SA_TOLD_MAX] = *row;
    told->last = row->sequence;
}

/* Those after the last one that is remembered; of very many the newest alone. */
static enum sa_status
take_in(struct sa_sql *sql, struct sa_told *told)
{
    static const char NEWEST[] = "SELECT " COLUMNS " FROM (SELECT * FROM revocations WHERE sequence > ?1 "
                                 "ORDER BY sequence DESC LIMIT ?2) ORDER BY sequence";
    struct sa_revocation row;
    enum sa_status status;

    SA_QUERY(query, sql, NEWEST);
    sa_put_int(&query, (int64_t)told->last);
    sa_put_int(&query, SA_TOLD_MAX);
    while ((status = sa_query_step(&query)) == SA_OK) {
        read_row(&query, &row);
        pthread_mutex_lock(&told->lock);
        remember(told, &row);
        pthread_mutex_unlock(&told->lock);
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

void
sa_revocations_committed(struct sa_store *store)
{
    struct sa_told *told = &store->told;

    if (!sa_sql_noticed(store->writer.sql) && !told->stale)
        return;
    /* Where they cannot be read now, whoever follows reads the store until they can. */
    bool failed = take_in(store->writer.sql, told) != SA_OK;
    pthread_mutex_lock(&told->lock);
    told->stale = failed;
    pthread_mutex_unlock(&told->lock);
    sa_bell_ring(&told->bell);
}

enum sa_status
sa_store_revocations_recent(struct sa_store *store, uint64_t after, struct sa_revocations *ret_revocations)
{
    struct sa_told *told = &store->told;
    enum sa_status status = SA_NOT_FOUND;

    ret_revocations->sequence = after;
    ret_revocations->count = 0;
    ret_revocations->more = false;
    pthread_mutex_lock(&told->lock);
    if (!told->stale && after >= told->first) {
        unsigned newer = 0; /* at the end of the ring */
        while (newer < told->count &&
               told->ring[(told->start + told->count - newer - 1) % SA_TOLD_MAX].sequence > after)
            newer++;
        unsigned count = newer < SA_REVOCATIONS_PAGE ? newer : SA_REVOCATIONS_PAGE;
        for (unsigned i = 0; i < count; i++)
            ret_revocations->rows[i] = told->ring[(told->start + told->count - newer + i) % SA_TOLD_MAX];
        ret_revocations->count = count;
        ret_revocations->more = newer > count;
        status = SA_OK;
    }
    pthread_mutex_unlock(&told->lock);
    if (ret_revocations->count > 0)
        ret_revocations->sequence = ret_revocations->rows[ret_revocations->count - 1].sequence;
    return status;
}

/* ---- all, in the store ---- */

static enum sa_status
read_page(struct sa_sql *sql, void *context)
{
    static const char PAGE[] =
        "SELECT " COLUMNS " FROM revocations WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
    struct sa_revocations *page = context;
    uint64_t last;
    enum sa_status status = find_last(sql, &last);

    if (status == SA_OK && page->sequence > last)
        return SA_OUT_OF_RANGE;
    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, PAGE);
    sa_put_int(&query, (int64_t)page->sequence);
    sa_put_int(&query, SA_REVOCATIONS_PAGE);
    while ((status = sa_query_step(&query)) == SA_OK) {
        assert(page->count < SA_REVOCATIONS_PAGE);
        read_row(&query, &page->rows[page->count++]);
    }
    if (status == SA_NOT_FOUND)
        status = sa_query_done(&query);
    page->more = page->count == SA_REVOCATIONS_PAGE;
    page->sequence = page->more ? page->rows[page->count - 1].sequence : last;
    return status;
}

enum sa_status
sa_store_revocations(struct sa_store *store, uint64_t after, struct sa_revocations *ret_revocations)
{
    ret_revocations->sequence = after;
    ret_revocations->count = 0;
    ret_revocations->more = false;
    if (after > INT64_MAX)
        return SA_OUT_OF_RANGE;
    return sa_store_read(store, read_page, ret_revocations);
}

const char *
sa_store_incarnation(const struct sa_store *store)
{
    return store->told.incarnation;
}

struct sa_bell *
sa_store_revocation_bell(struct sa_store *store)
{
    return &store->told.bell;
}
