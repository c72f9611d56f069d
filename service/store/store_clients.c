#include <assert.h>
#include <stdlib.h>

#include "service/store/inside.h"

static size_t
size_of(unsigned audiences)
{
    return sizeof(struct sa_client) + audiences * sizeof(struct sa_client_audience);
}

struct sa_client *
sa_client_new(unsigned audiences)
{
    assert(audiences <= SA_AUDIENCES_MAX);
    return calloc(1, size_of(audiences));
}

void
sa_client_free(struct sa_client *client)
{
    free(client);
}

void
sa_clients_free(struct sa_client **clients, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sa_client_free(clients[i]);
    free(clients);
}

/* ---- reading ---- */

#define SELECT                                                                                               \
    "SELECT c.id, c.number, c.kind, c.grants, c.login, c.access_ttl_s, c.grace_s, c.created_ms, "            \
    "c.active, c.enabled_ms, c.secret_mac, "                                                                 \
    "(SELECT count(*) FROM client_audiences WHERE client = c.number) FROM clients AS c "

static enum sa_status
read_owned(struct sa_sql *sql, struct sa_client *client)
{
    static const char OWNED[] = "SELECT audience FROM client_owned WHERE client = ? ORDER BY place";
    enum sa_status status;

    SA_QUERY(query, sql, OWNED);
    sa_put_int(&query, client->row);
    while ((status = sa_query_step(&query)) == SA_OK && client->owned_count < SA_OWNED_MAX)
        sa_get_text(&query, client->owned[client->owned_count++], sizeof(client->owned[0]));
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

static enum sa_status
read_audiences(struct sa_sql *sql, struct sa_client *client, unsigned room)
{
    static const char AUDIENCES[] =
        "SELECT audience, scopes, user_group FROM client_audiences WHERE client = ? ORDER BY audience";
    enum sa_status status;

    SA_QUERY(query, sql, AUDIENCES);
    sa_put_int(&query, client->row);
    while ((status = sa_query_step(&query)) == SA_OK && client->audience_count < room) {
        struct sa_client_audience *audience = &client->audiences[client->audience_count++];

        sa_get_text(&query, audience->audience, sizeof(audience->audience));
        sa_get_text(&query, audience->scopes, sizeof(audience->scopes));
        sa_get_text(&query, audience->group, sizeof(audience->group));
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

/* The row that the query stands on, and what belongs to it. */
static enum sa_status
read_client(struct sa_sql *sql, struct sa_query *query, struct sa_client **ret_client)
{
    struct sa_client fixed = {0};

    sa_get_text(query, fixed.id, sizeof(fixed.id));
    fixed.row = (uint32_t)sa_get_int(query);
    fixed.kind = (enum sa_client_kind)sa_get_int(query);
    fixed.grants = (unsigned)sa_get_int(query);
    fixed.login = sa_get_int(query) != 0;
    fixed.access_ttl_s = (uint32_t)sa_get_int(query);
    fixed.grace_s = (uint32_t)sa_get_int(query);
    fixed.created_ms = sa_get_int(query);
    fixed.active = sa_get_int(query) != 0;
    fixed.enabled_ms = sa_get_int(query);
    fixed.has_secret = sa_get_blob(query, fixed.secret_mac, SA_MAC_LEN) == SA_MAC_LEN;
    int64_t audiences = sa_get_int(query);
    enum sa_status status = sa_query_done(query);
    if (status != SA_OK)
        return status;
    if (audiences > (int64_t)SA_AUDIENCES_MAX)
        return SA_INTERNAL;
    SA_OWN(sa_client) client = sa_client_new((unsigned)audiences);
    if (client == NULL)
        return SA_NO_MEMORY;
    memcpy(client, &fixed, sizeof(fixed));
    status = read_owned(sql, client);
    if (status == SA_OK)
        status = read_audiences(sql, client, (unsigned)audiences);
    if (status == SA_OK)
        *ret_client = sa_client_take(&client);
    return status;
}

/* ---- one, from memory where it was read before ---- */

static size_t
slot_of(struct sa_bytes id)
{
    uint32_t hash = 2166136261u; /* FNV-1a; only ids that exist get here, so nobody picks them to collide */

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ id.data[i]) * 16777619u;
    return (hash ^ (hash >> 16)) % SA_CLIENT_SLOTS;
}

static struct sa_client *
copy_of(const struct sa_client *client)
{
    size_t size = size_of(client->audience_count);
    struct sa_client *copy = malloc(size);

    if (copy != NULL)
        memcpy(copy, client, size);
    return copy;
}

/* SA_NOT_FOUND where it is not in memory; *ret_age is then that of the cache. */
static enum sa_status
recall(struct sa_client_cache *cache, struct sa_bytes id, struct sa_client **ret_client, uint64_t *ret_age)
{
    enum sa_status status = SA_NOT_FOUND;

    pthread_rwlock_rdlock(&cache->lock);
    const struct sa_client *client = cache->slots[slot_of(id)];
    *ret_age = cache->age;
    if (client != NULL && sa_bytes_equal(id, sa_bytes_of(client->id))) {
        struct sa_client *copy = copy_of(client);

        status = copy == NULL ? SA_NO_MEMORY : SA_OK;
        if (copy != NULL)
            *ret_client = copy;
    }
    pthread_rwlock_unlock(&cache->lock);
    return status;
}

/* Unless clients have changed since the cache had this age: what was read may be older than that. */
static void
remember(struct sa_client_cache *cache, const struct sa_client *client, uint64_t age)
{
    struct sa_client *copy = copy_of(client);

    if (copy == NULL)
        return;
    pthread_rwlock_wrlock(&cache->lock);
    if (cache->age == age) {
        struct sa_client **slot = &cache->slots[slot_of(sa_bytes_of(client->id))];
        struct sa_client *before = *slot;

        *slot = copy;
        copy = before;
    }
    pthread_rwlock_unlock(&cache->lock);
    sa_client_free(copy);
}

void
sa_client_cache_empty(struct sa_client_cache *cache)
{
    pthread_rwlock_wrlock(&cache->lock);
    cache->age++;
    for (unsigned i = 0; i < SA_CLIENT_SLOTS; i++) {
        sa_client_free(cache->slots[i]);
        cache->slots[i] = NULL;
    }
    pthread_rwlock_unlock(&cache->lock);
}

struct lookup {
    struct sa_bytes id;
    struct sa_client *client;
};

static enum sa_status
find(struct sa_sql *sql, void *context)
{
    static const char BY_ID[] = SELECT "WHERE c.id = ?";
    struct lookup *lookup = context;

    SA_QUERY(query, sql, BY_ID);
    sa_put_bytes(&query, lookup->id);
    enum sa_status status = sa_query_step(&query);
    return status == SA_OK ? read_client(sql, &query, &lookup->client) : status;
}

enum sa_status
sa_store_client_by_id(struct sa_store *store, struct sa_bytes id, struct sa_client **ret_client)
{
    struct lookup lookup = {.id = id};
    uint64_t age;

    if (id.len == 0 || id.len > SA_CLIENT_ID_MAX)
        return SA_NOT_FOUND;
    enum sa_status status = recall(&store->clients, id, ret_client, &age);
    if (status != SA_NOT_FOUND)
        return status;
    status = sa_store_read(store, find, &lookup);
    if (status != SA_OK)
        return status;
    remember(&store->clients, lookup.client, age);
    *ret_client = lookup.client;
    return SA_OK;
}

/* ---- all ---- */

struct listing {
    const char *after;
    unsigned limit;
    struct sa_client **clients;
    unsigned count;
    bool more;
};

static enum sa_status
read_list(struct sa_sql *sql, void *context)
{
    static const char LIST[] = SELECT "WHERE c.id > ? ORDER BY c.id LIMIT ?";
    struct listing *listing = context;
    enum sa_status status;

    SA_QUERY(query, sql, LIST);
    sa_put_text(&query, listing->after);
    sa_put_int(&query, (int64_t)listing->limit + 1);
    while ((status = sa_query_step(&query)) == SA_OK) {
        if (listing->count == listing->limit) {
            listing->more = true;
            return SA_OK;
        }
        status = read_client(sql, &query, &listing->clients[listing->count]);
        if (status != SA_OK)
            return status;
        listing->count++;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_client_list(struct sa_store *store, const char *after, unsigned limit,
                     struct sa_client ***ret_clients, unsigned *ret_count, bool *ret_more)
{
    struct listing listing = {.after = after, .limit = limit};

    assert(limit >= 1 && limit <= SA_PAGE_MAX);
    listing.clients = calloc(limit, sizeof(struct sa_client *));
    if (listing.clients == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_list, &listing);
    if (status != SA_OK) {
        sa_clients_free(listing.clients, listing.count);
        return status;
    }
    *ret_clients = listing.clients;
    *ret_count = listing.count;
    *ret_more = listing.more;
    return SA_OK;
}
