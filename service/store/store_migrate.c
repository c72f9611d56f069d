#include "service/store/inside.h"

static const char IN_DOUBT[] = "the store cannot be read or written" SA_STORE_ADVICE;

static enum sa_status
get_number(struct sa_sql *sql, const char *text, int64_t *ret_number)
{
    SA_QUERY(query, sql, text);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    int64_t number = sa_get_int(&query);
    status = sa_query_done(&query);
    if (status == SA_OK)
        *ret_number = number;
    return status;
}

static enum sa_status
take_step(struct sa_sql *sql, const struct sa_migration *migration, int64_t to)
{
    int64_t version = -1;
    enum sa_status status = sa_sql_begin(sql);

    if (status != SA_OK)
        return status;
    status = sa_sql_script(sql, migration->script);
    if (status == SA_OK)
        status = get_number(sql, "PRAGMA user_version", &version);
    if (status == SA_OK && version != to)
        status = SA_INTERNAL; /* our own script */
    if (status == SA_OK)
        status = sa_sql_commit(sql);
    return sa_sql_rollback(sql) ? status : SA_STORAGE;
}

/* Version 0 is a file that nobody has written to; what carries another program's mark is not ours to change.
 */
static enum sa_status
check_owner(struct sa_sql *sql, int64_t version)
{
    int64_t application;
    int64_t tables;
    enum sa_status status = get_number(sql, "PRAGMA application_id", &application);

    if (status == SA_OK)
        status = get_number(sql, "SELECT count(*) FROM sqlite_schema", &tables);
    if (status != SA_OK)
        return status;
    if (version == 0)
        return application == 0 && tables == 0 ? SA_OK : SA_INVALID_ARGUMENT;
    return application == SA_APPLICATION_ID ? SA_OK : SA_INVALID_ARGUMENT;
}

enum sa_status
sa_migrate(struct sa_sql *sql, const struct sa_migration *table, unsigned count, uint32_t *ret_version,
           const char **ret_why)
{
    int64_t version;
    enum sa_status status = get_number(sql, "PRAGMA user_version", &version);

    *ret_why = IN_DOUBT;
    if (status == SA_OK)
        status = check_owner(sql, version);
    if (status == SA_INVALID_ARGUMENT)
        *ret_why = "the file is not a store of secauth" SA_STORE_ADVICE;
    if (status != SA_OK)
        return status;
    if (version < 0 || version > (int64_t)count) {
        *ret_why = "the store was written by a newer secauth";
        return SA_INVALID_ARGUMENT;
    }
    for (; version < (int64_t)count; version++) {
        status = take_step(sql, &table[version], version + 1);
        if (status != SA_OK)
            return status;
    }
    *ret_version = (uint32_t)version;
    return SA_OK;
}
