/* Gateways by number, and the end of what was made through one. */
#include "service/store/store_gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/store/inside.h"
#include "service/store/store_not_before.h"

struct numbering {
    const char *name;
    int64_t number;
};

static enum sa_status
find(struct sa_sql *sql, void *context)
{
    static const char FIND[] = "SELECT number FROM gateways WHERE name = ?";
    struct numbering *numbering = context;

    SA_QUERY(query, sql, FIND);
    sa_put_text(&query, numbering->name);
    enum sa_status status = sa_query_step(&query);
    if (status == SA_OK)
        numbering->number = sa_get_int(&query);
    return status;
}

static enum sa_status
add(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] = "INSERT INTO gateways (name) VALUES (?)";
    struct numbering *numbering = work->context;

    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, numbering->name);
    enum sa_status status = sa_query_run(&query);
    numbering->number = sa_sql_inserted(sql);
    return status == SA_OK && numbering->number > SA_GATEWAY_NUMBER_MAX ? SA_TOO_LARGE : status;
}

enum sa_status
sa_store_gateway_number(struct sa_store *store, const char *name, uint16_t *ret_number)
{
    struct numbering numbering = {.name = name};
    enum sa_status status = sa_store_read(store, find, &numbering);

    if (status == SA_NOT_FOUND) {
        struct sa_work work = sa_work(add, &numbering, NULL);
        status = sa_store_write(store, &work);
    }
    if (status == SA_OK)
        *ret_number = (uint16_t)numbering.number;
    return status;
}

/* ---- all ---- */

struct listing {
    int64_t now_ms;
    struct sa_gateway_row *rows;
    unsigned count;
};

static enum sa_status
read_list(struct sa_sql *sql, void *context)
{
    static const char LIST[] = "SELECT number, name, (SELECT count(*) " SA_SESSION_LIVE
                               "AND s.gateway = gateways.number) FROM gateways ORDER BY number LIMIT ?2";
    struct listing *listing = context;
    enum sa_status status;

    SA_QUERY(query, sql, LIST);
    sa_put_int(&query, listing->now_ms);
    sa_put_int(&query, SA_PAGE_MAX);
    while ((status = sa_query_step(&query)) == SA_OK) {
        struct sa_gateway_row *row = &listing->rows[listing->count++];

        row->number = (uint16_t)sa_get_int(&query);
        sa_get_text(&query, row->name, sizeof(row->name));
        row->sessions = (uint64_t)sa_get_int(&query);
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

enum sa_status
sa_store_gateway_list(struct sa_store *store, int64_t now_ms, struct sa_gateway_row **ret_rows,
                      unsigned *ret_count)
{
    struct listing listing = {.now_ms = now_ms};

    listing.rows = calloc(SA_PAGE_MAX, sizeof(*listing.rows));
    if (listing.rows == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_list, &listing);
    if (status != SA_OK) {
        free(listing.rows);
        return status;
    }
    *ret_rows = listing.rows;
    *ret_count = listing.count;
    return SA_OK;
}

/* ---- the end of what one has made ---- */

struct revoking {
    struct numbering gateway;
    int64_t since_ms;
    unsigned ended;
    char detail[128];
};

/* "Now" is when the writer comes to it: what was committed before is ended, whenever it was asked for. */
static enum sa_status
end_all(struct sa_sql *sql, struct sa_work *work)
{
    static const char END[] =
        "UPDATE sessions SET ended_ms = ?3 WHERE gateway = ?1 AND created_ms >= ?2 AND ended_ms = 0";
    struct revoking *revoking = work->context;
    int64_t now_ms = sa_clock_now().wall_ms;
    enum sa_status status = find(sql, &revoking->gateway);

    if (status != SA_OK)
        return status;
    struct sa_not_before rule = sa_not_before_number(
        SA_NOT_BEFORE_INSTANCE, (uint32_t)revoking->gateway.number, revoking->since_ms, now_ms + 1, now_ms);
    SA_QUERY(query, sql, END);
    sa_put_int(&query, revoking->gateway.number);
    sa_put_int(&query, revoking->since_ms);
    sa_put_int(&query, now_ms);
    status = sa_query_run(&query);
    if (status != SA_OK)
        return status;
    revoking->ended = sa_query_changed(&query);
    snprintf(revoking->detail, sizeof(revoking->detail),
             "revoked=%s number=%" PRId64 " since_ms=%" PRId64 " sessions=%u", revoking->gateway.name,
             revoking->gateway.number, revoking->since_ms, revoking->ended);
    work->record.detail = revoking->detail;
    return sa_not_before_put(sql, work, &rule);
}

enum sa_status
sa_store_gateway_revoke(struct sa_store *store, const char *name, int64_t since_ms,
                        const struct sa_audit *audit, uint64_t *ret_ended)
{
    struct revoking revoking = {.gateway = {.name = name}, .since_ms = since_ms};
    struct sa_work work = sa_work(end_all, &revoking, audit);
    enum sa_status status = sa_store_write(store, &work);

    if (status == SA_OK)
        *ret_ended = revoking.ended;
    return status;
}
