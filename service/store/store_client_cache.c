/* Clients in memory, and the uids that are attested. */
#include <stdlib.h>

#include "service/store/inside.h"

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
    SA_OWN(sa_client) copy = sa_client_new(client->audience_count);

    if (copy == NULL)
        return NULL;
    memcpy(copy, client, sizeof(*client) + client->audience_count * sizeof(client->audiences[0]));
    copy->exchanges = NULL;
    copy->jwks = client->jwks == NULL ? NULL : strdup(client->jwks);
    if (!sa_client_room(copy, client->exchange_count) || (client->jwks != NULL && copy->jwks == NULL))
        return NULL;
    for (unsigned i = 0; i < client->exchange_count; i++)
        copy->exchanges[i] = client->exchanges[i];
    return sa_client_take(&copy);
}

enum sa_status
sa_client_cache_recall(struct sa_client_cache *cache, struct sa_bytes id, struct sa_client **ret_client,
                       uint64_t *ret_age)
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

void
sa_client_cache_remember(struct sa_client_cache *cache, const struct sa_client *client, uint64_t age)
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

/* ---- uids that are attested ---- */

static int
compare_uids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

enum sa_status
sa_client_attested_load(struct sa_client_cache *cache, struct sa_sql *sql)
{
    static const char UIDS[] = "SELECT DISTINCT attest_uid FROM clients WHERE attest_uid > 0 AND active <> 0 "
                               "ORDER BY attest_uid";
    uint32_t *uids = NULL;
    size_t count = 0;
    enum sa_status status;

    SA_QUERY(query, sql, UIDS);
    while ((status = sa_query_step(&query)) == SA_OK) {
        uint32_t *more = realloc(uids, (count + 1) * sizeof(*uids));

        if (more == NULL) {
            free(uids);
            return SA_NO_MEMORY;
        }
        uids = more;
        uids[count++] = (uint32_t)sa_get_int(&query);
    }
    if (status != SA_NOT_FOUND) {
        free(uids);
        return status;
    }
    pthread_rwlock_wrlock(&cache->lock);
    uint32_t *before = cache->attested;
    cache->attested = uids;
    cache->attested_count = count;
    pthread_rwlock_unlock(&cache->lock);
    free(before);
    return SA_OK;
}

bool
sa_store_uid_is_attested(struct sa_store *store, uint32_t uid)
{
    struct sa_client_cache *cache = &store->clients;

    pthread_rwlock_rdlock(&cache->lock);
    bool is = cache->attested_count > 0 &&
              bsearch(&uid, cache->attested, cache->attested_count, sizeof(uid), compare_uids) != NULL;
    pthread_rwlock_unlock(&cache->lock);
    return is;
}
