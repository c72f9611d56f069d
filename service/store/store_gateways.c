/* Gateways by number. */
#include "service/store/store_gateway.h"

#include "service/store/inside.h"

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
