/* Secrets that a machine made: of clients and of API keys, alike. */
#include "service/store/inside.h"

/* `api_key` of a client's own secrets is NULL in the table. */
static void
put_owner(struct sa_query *query, uint32_t client, int64_t api_key)
{
    sa_put_int(query, client);
    if (api_key == 0)
        sa_put_null(query);
    else
        sa_put_int(query, api_key);
}

enum sa_status
sa_secrets_read(struct sa_sql *sql, uint32_t client, int64_t api_key,
                struct sa_client_secret ret_secrets[SA_CLIENT_SECRETS], unsigned *ret_count)
{
    static const char READ[] = "SELECT number, mac, created_ms, expires_ms, last_used_ms FROM secrets "
                               "WHERE client = ? AND api_key IS ? ORDER BY number DESC";
    enum sa_status status;
    unsigned count = 0;

    SA_QUERY(query, sql, READ);
    put_owner(&query, client, api_key);
    while ((status = sa_query_step(&query)) == SA_OK && count < SA_CLIENT_SECRETS) {
        struct sa_client_secret *secret = &ret_secrets[count++];

        secret->number = sa_get_int(&query);
        if (sa_get_blob(&query, secret->mac, sizeof(secret->mac)) != sizeof(secret->mac))
            return SA_INTERNAL;
        secret->created_ms = sa_get_int(&query);
        secret->expires_ms = sa_get_int(&query);
        secret->last_used_ms = sa_get_int(&query);
    }
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_count = count;
    return sa_query_done(&query);
}

enum sa_status
sa_secrets_add(struct sa_sql *sql, uint32_t client, int64_t api_key, struct sa_client_secret *secret)
{
    static const char ADD[] =
        "INSERT INTO secrets (client, api_key, mac, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?)";

    SA_QUERY(query, sql, ADD);
    put_owner(&query, client, api_key);
    sa_put_blob(&query, secret->mac, sizeof(secret->mac));
    sa_put_int(&query, secret->created_ms);
    sa_put_int(&query, secret->expires_ms);
    enum sa_status status = sa_query_run(&query);
    if (status == SA_OK)
        secret->number = sa_sql_inserted(sql);
    return status;
}

enum sa_status
sa_secrets_end(struct sa_sql *sql, uint32_t client, int64_t api_key)
{
    static const char END[] = "DELETE FROM secrets WHERE client = ?1 AND api_key IS ?2 AND number < "
                              "(SELECT max(number) FROM secrets WHERE client = ?1 AND api_key IS ?2)";

    SA_QUERY(query, sql, END);
    put_owner(&query, client, api_key);
    return sa_query_run(&query);
}

/* What is left is the newest: it goes on for a while. */
static enum sa_status
let_expire(struct sa_sql *sql, uint32_t client, int64_t api_key, int64_t until_ms)
{
    static const char EXPIRE[] =
        "UPDATE secrets SET expires_ms = iif(expires_ms = 0, ?3, min(expires_ms, ?3)) "
        "WHERE client = ?1 AND api_key IS ?2";

    SA_QUERY(query, sql, EXPIRE);
    put_owner(&query, client, api_key);
    sa_put_int(&query, until_ms);
    return sa_query_run(&query);
}

enum sa_status
sa_secrets_rotate(struct sa_sql *sql, uint32_t client, int64_t api_key, struct sa_client_secret *secret,
                  int64_t until_ms)
{
    enum sa_status status = sa_secrets_end(sql, client, api_key);

    if (status == SA_OK)
        status = let_expire(sql, client, api_key, until_ms);
    if (status == SA_OK)
        status = sa_secrets_add(sql, client, api_key, secret);
    if (status == SA_OK && until_ms <= secret->created_ms)
        status = sa_secrets_end(sql, client, api_key);
    return status;
}

/* ---- of a client ---- */

struct change {
    const char *id;
    struct sa_client_secret *secret; /* a new one; NULL: all but the newest end */
    int64_t until_ms;
};

static enum sa_status
find_confidential(struct sa_sql *sql, const char *id, uint32_t *ret_row)
{
    static const char KIND[] = "SELECT kind FROM clients WHERE number = ?";
    enum sa_status status = sa_client_find_row(sql, id, ret_row);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, KIND);
    sa_put_int(&query, *ret_row);
    status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    return sa_get_int(&query) == SA_CLIENT_CONFIDENTIAL ? SA_OK : SA_INVALID_ARGUMENT;
}

static enum sa_status
change_secrets(struct sa_sql *sql, struct sa_work *work)
{
    const struct change *change = work->context;
    uint32_t row;
    enum sa_status status = find_confidential(sql, change->id, &row);

    if (status != SA_OK)
        return status;
    work->clients_changed = true;
    return change->secret == NULL ? sa_secrets_end(sql, row, 0)
                                  : sa_secrets_rotate(sql, row, 0, change->secret, change->until_ms);
}

enum sa_status
sa_store_client_rotate_secret(struct sa_store *store, const char *id, struct sa_client_secret *secret,
                              int64_t until_ms, const struct sa_audit *audit)
{
    struct change change = {.id = id, .secret = secret, .until_ms = until_ms};
    struct sa_work work = sa_work(change_secrets, &change, audit);

    return sa_store_write(store, &work);
}

enum sa_status
sa_store_client_end_secrets(struct sa_store *store, const char *id, const struct sa_audit *audit)
{
    struct change change = {.id = id};
    struct sa_work work = sa_work(change_secrets, &change, audit);

    return sa_store_write(store, &work);
}

/* ---- when they were last used ---- */

struct noting {
    const struct sa_secret_use *uses;
    unsigned count;
};

static enum sa_status
note_uses(struct sa_sql *sql, struct sa_work *work)
{
    static const char NOTE[] = "UPDATE secrets SET last_used_ms = ?2 WHERE number = ?1 AND last_used_ms < ?2";
    const struct noting *noting = work->context;

    for (unsigned i = 0; i < noting->count; i++) {
        SA_QUERY(query, sql, NOTE);
        sa_put_int(&query, noting->uses[i].number);
        sa_put_int(&query, noting->uses[i].used_ms);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    work->clients_changed = true;
    return SA_OK;
}

enum sa_status
sa_store_secrets_used(struct sa_store *store, const struct sa_secret_use *uses, unsigned count)
{
    struct noting noting = {.uses = uses, .count = count};
    struct sa_work work = sa_work(note_uses, &noting, NULL);

    return sa_store_write(store, &work);
}
