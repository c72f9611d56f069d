#include "service/store/store_api_key.h"

#include <assert.h>
#include <stdlib.h>

#include "service/store/inside.h"

/* ---- reading ---- */

#define SELECT                                                                                               \
    "SELECT k.number, k.id, c.id, c.number, k.label, k.created_ms, k.expires_ms "                            \
    "FROM api_keys AS k JOIN clients AS c ON c.number = k.client "

static enum sa_status
read_audiences(struct sa_sql *sql, struct sa_api_key *key)
{
    static const char AUDIENCES[] =
        "SELECT audience, scopes FROM api_key_audiences WHERE api_key = ? ORDER BY place";
    enum sa_status status;

    SA_QUERY(query, sql, AUDIENCES);
    sa_put_int(&query, key->number);
    while ((status = sa_query_step(&query)) == SA_OK && key->audience_count < SA_API_KEY_AUDIENCES) {
        struct sa_api_key_audience *audience = &key->audiences[key->audience_count++];

        sa_get_text(&query, audience->audience, sizeof(audience->audience));
        sa_get_text(&query, audience->scopes, sizeof(audience->scopes));
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

/* The row that the query stands on, and what belongs to it. */
static enum sa_status
read_key(struct sa_sql *sql, struct sa_query *query, struct sa_api_key *key)
{
    memset(key, 0, sizeof(*key));
    key->number = sa_get_int(query);
    sa_get_text(query, key->id, sizeof(key->id));
    sa_get_text(query, key->client_id, sizeof(key->client_id));
    key->client_row = (uint32_t)sa_get_int(query);
    sa_get_text(query, key->label, sizeof(key->label));
    key->created_ms = sa_get_int(query);
    key->expires_ms = sa_get_int(query);
    enum sa_status status = sa_query_done(query);
    if (status == SA_OK)
        status = read_audiences(sql, key);
    if (status == SA_OK)
        status = sa_secrets_read(sql, key->client_row, key->number, key->secrets, &key->secret_count);
    return status;
}

struct lookup {
    const char *id;
    struct sa_api_key *key;
};

static enum sa_status
find(struct sa_sql *sql, void *context)
{
    static const char BY_ID[] = SELECT "WHERE k.id = ?";
    const struct lookup *lookup = context;

    SA_QUERY(query, sql, BY_ID);
    sa_put_text(&query, lookup->id);
    enum sa_status status = sa_query_step(&query);
    return status == SA_OK ? read_key(sql, &query, lookup->key) : status;
}

enum sa_status
sa_store_api_key_by_id(struct sa_store *store, const char *id, struct sa_api_key *ret_key)
{
    struct lookup lookup = {.id = id, .key = ret_key};

    return sa_store_read(store, find, &lookup);
}

struct listing {
    const char *client_id;
    const char *after;
    unsigned limit;
    struct sa_api_key *keys;
    unsigned count;
    bool more;
};

static enum sa_status
read_list(struct sa_sql *sql, void *context)
{
    static const char LIST[] = SELECT "WHERE k.id > ?1 AND (?2 = '' OR c.id = ?2) ORDER BY k.id LIMIT ?3";
    struct listing *listing = context;
    enum sa_status status;

    SA_QUERY(query, sql, LIST);
    sa_put_text(&query, listing->after);
    sa_put_text(&query, listing->client_id);
    sa_put_int(&query, (int64_t)listing->limit + 1);
    while ((status = sa_query_step(&query)) == SA_OK) {
        if (listing->count == listing->limit) {
            listing->more = true;
            return SA_OK;
        }
        status = read_key(sql, &query, &listing->keys[listing->count]);
        if (status != SA_OK)
            return status;
        listing->count++;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_api_key_list(struct sa_store *store, const char *client_id, const char *after, unsigned limit,
                      struct sa_api_key **ret_keys, unsigned *ret_count, bool *ret_more)
{
    struct listing listing = {.client_id = client_id, .after = after, .limit = limit};

    assert(limit >= 1 && limit <= SA_PAGE_MAX);
    listing.keys = calloc(limit, sizeof(*listing.keys));
    if (listing.keys == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_list, &listing);
    if (status != SA_OK) {
        free(listing.keys);
        return status;
    }
    *ret_keys = listing.keys;
    *ret_count = listing.count;
    *ret_more = listing.more;
    return SA_OK;
}

/* ---- writing ---- */

static enum sa_status
insert_audiences(struct sa_sql *sql, const struct sa_api_key *key)
{
    static const char AUDIENCE[] =
        "INSERT INTO api_key_audiences (api_key, place, audience, scopes) VALUES (?, ?, ?, ?)";

    for (unsigned i = 0; i < key->audience_count; i++) {
        SA_QUERY(query, sql, AUDIENCE);
        sa_put_int(&query, key->number);
        sa_put_int(&query, i);
        sa_put_text(&query, key->audiences[i].audience);
        sa_put_text(&query, key->audiences[i].scopes);
        enum sa_status status = sa_query_run(&query);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
check_room(struct sa_sql *sql, uint32_t client_row)
{
    static const char COUNT[] = "SELECT count(*) FROM api_keys WHERE client = ?";

    SA_QUERY(query, sql, COUNT);
    sa_put_int(&query, client_row);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    return sa_get_int(&query) < (int64_t)SA_API_KEYS_MAX ? SA_OK : SA_TOO_LARGE;
}

static enum sa_status
create(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] =
        "INSERT INTO api_keys (id, client, label, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?)";
    struct sa_api_key *key = work->context;
    enum sa_status status = sa_client_find_row(sql, key->client_id, &key->client_row);

    if (status == SA_OK)
        status = check_room(sql, key->client_row);
    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, key->id);
    sa_put_int(&query, key->client_row);
    sa_put_text(&query, key->label);
    sa_put_int(&query, key->created_ms);
    sa_put_int(&query, key->expires_ms);
    status = sa_query_run(&query);
    if (status != SA_OK)
        return status;
    key->number = sa_sql_inserted(sql);
    status = insert_audiences(sql, key);
    return status == SA_OK ? sa_secrets_add(sql, key->client_row, key->number, &key->secrets[0]) : status;
}

enum sa_status
sa_store_api_key_create(struct sa_store *store, struct sa_api_key *key, const struct sa_audit *audit)
{
    struct sa_work work = sa_work(create, key, audit);

    assert(key->audience_count <= SA_API_KEY_AUDIENCES && key->secret_count == 1);
    return sa_store_write(store, &work);
}

struct change {
    const char *id;
    struct sa_client_secret *secret; /* a new one; NULL: all but the newest end */
    int64_t until_ms;
};

static enum sa_status
change_secrets(struct sa_sql *sql, struct sa_work *work)
{
    static const char FIND[] = "SELECT client, number FROM api_keys WHERE id = ?";
    const struct change *change = work->context;

    SA_QUERY(query, sql, FIND);
    sa_put_text(&query, change->id);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    uint32_t client_row = (uint32_t)sa_get_int(&query);
    int64_t number = sa_get_int(&query);
    return change->secret == NULL
               ? sa_secrets_end(sql, client_row, number)
               : sa_secrets_rotate(sql, client_row, number, change->secret, change->until_ms);
}

enum sa_status
sa_store_api_key_rotate(struct sa_store *store, const char *id, struct sa_client_secret *secret,
                        int64_t until_ms, const struct sa_audit *audit)
{
    struct change change = {.id = id, .secret = secret, .until_ms = until_ms};
    struct sa_work work = sa_work(change_secrets, &change, audit);

    return sa_store_write(store, &work);
}

enum sa_status
sa_store_api_key_end_secrets(struct sa_store *store, const char *id, const struct sa_audit *audit)
{
    struct change change = {.id = id};
    struct sa_work work = sa_work(change_secrets, &change, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
revoke_key(struct sa_sql *sql, struct sa_work *work)
{
    static const char DELETE[] = "DELETE FROM api_keys WHERE id = ?";
    const struct change *change = work->context;

    SA_QUERY(query, sql, DELETE);
    sa_put_text(&query, change->id);
    return sa_query_run_found(&query);
}

enum sa_status
sa_store_api_key_revoke(struct sa_store *store, const char *id, const struct sa_audit *audit)
{
    struct change change = {.id = id};
    struct sa_work work = sa_work(revoke_key, &change, audit);

    return sa_store_write(store, &work);
}
