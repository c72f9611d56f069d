#include <assert.h>
#include <stdlib.h>

#include "service/crypto/proof_jwt.h"
#include "service/store/inside.h"

struct sa_client *
sa_client_new(unsigned audiences)
{
    assert(audiences <= SA_AUDIENCES_MAX);
    return calloc(1, sizeof(struct sa_client) + audiences * sizeof(struct sa_client_audience));
}

bool
sa_client_room(struct sa_client *client, unsigned count)
{
    assert(client->exchanges == NULL && count <= SA_CLIENT_EXCHANGES);
    if (count > 0)
        client->exchanges = calloc(count, sizeof(*client->exchanges));
    return count == 0 || client->exchanges != NULL;
}

void
sa_client_free(struct sa_client *client)
{
    if (client == NULL)
        return;
    free(client->exchanges);
    free(client->jwks);
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
    "c.active, c.enabled_ms, c.attest_uid, c.attest_unit, c.say_groups, c.dpop_bound, "                      \
    "(SELECT count(*) FROM client_audiences WHERE client = c.number), "                                      \
    "(SELECT count(*) FROM client_exchanges WHERE client = c.number) FROM clients AS c "

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
    static const char AUDIENCES[] = "SELECT audience, scopes, user_group, plain_typ FROM client_audiences "
                                    "WHERE client = ? ORDER BY audience";
    enum sa_status status;

    SA_QUERY(query, sql, AUDIENCES);
    sa_put_int(&query, client->row);
    while ((status = sa_query_step(&query)) == SA_OK && client->audience_count < room) {
        struct sa_client_audience *audience = &client->audiences[client->audience_count++];

        sa_get_text(&query, audience->audience, sizeof(audience->audience));
        sa_get_text(&query, audience->scopes, sizeof(audience->scopes));
        sa_get_text(&query, audience->group, sizeof(audience->group));
        audience->plain_typ = sa_get_int(&query) != 0;
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

static enum sa_status
read_certificates(struct sa_sql *sql, struct sa_client *client)
{
    static const char CERTIFICATES[] =
        "SELECT sha256 FROM client_certificates WHERE client = ? ORDER BY place";
    enum sa_status status;

    SA_QUERY(query, sql, CERTIFICATES);
    sa_put_int(&query, client->row);
    while ((status = sa_query_step(&query)) == SA_OK && client->certificate_count < SA_CLIENT_CERTIFICATES)
        if (sa_get_blob(&query, client->certificates[client->certificate_count++], SA_SHA256_LEN) !=
            SA_SHA256_LEN)
            return SA_INTERNAL;
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

static enum sa_status
read_exchanges(struct sa_sql *sql, struct sa_client *client, unsigned room)
{
    static const char EXCHANGES[] = "SELECT from_audience, to_audience, scopes FROM client_exchanges "
                                    "WHERE client = ? ORDER BY place";
    enum sa_status status;

    if (!sa_client_room(client, room))
        return SA_NO_MEMORY;
    SA_QUERY(query, sql, EXCHANGES);
    sa_put_int(&query, client->row);
    while ((status = sa_query_step(&query)) == SA_OK && client->exchange_count < room) {
        struct sa_client_exchange *exchange = &client->exchanges[client->exchange_count++];

        sa_get_text(&query, exchange->from, sizeof(exchange->from));
        sa_get_text(&query, exchange->to, sizeof(exchange->to));
        sa_get_text(&query, exchange->scopes, sizeof(exchange->scopes));
    }
    return status == SA_NOT_FOUND ? sa_query_done(&query) : status;
}

static enum sa_status
read_jwks(struct sa_sql *sql, struct sa_client *client)
{
    static const char JWKS[] = "SELECT jwks FROM clients WHERE number = ? AND jwks IS NOT NULL";
    char text[SA_JWKS_MAX + 1];

    SA_QUERY(query, sql, JWKS);
    sa_put_int(&query, client->row);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_OK : status;
    sa_get_text(&query, text, sizeof(text));
    status = sa_query_done(&query);
    if (status != SA_OK)
        return status;
    client->jwks = strdup(text);
    return client->jwks == NULL ? SA_NO_MEMORY : SA_OK;
}

/* How many there are of each. */
struct counts {
    int64_t audiences;
    int64_t exchanges;
};

static enum sa_status
read_parts(struct sa_sql *sql, const struct counts *counts, struct sa_client *client)
{
    enum sa_status status = read_owned(sql, client);

    if (status == SA_OK)
        status = read_audiences(sql, client, (unsigned)counts->audiences);
    if (status == SA_OK)
        status = read_certificates(sql, client);
    if (status == SA_OK)
        status = read_exchanges(sql, client, (unsigned)counts->exchanges);
    if (status == SA_OK)
        status = read_jwks(sql, client);
    if (status == SA_OK)
        status = sa_secrets_read(sql, client->row, 0, client->secrets, &client->secret_count);
    return status;
}

/* The row that the query stands on, and what belongs to it. */
static enum sa_status
read_client(struct sa_sql *sql, struct sa_query *query, struct sa_client **ret_client)
{
    struct sa_client fixed = {0};
    struct counts counts;

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
    fixed.attest_uid = (uint32_t)sa_get_int(query);
    sa_get_text(query, fixed.attest_unit, sizeof(fixed.attest_unit));
    fixed.say_groups = sa_get_int(query) != 0;
    fixed.dpop_bound = sa_get_int(query) != 0;
    counts.audiences = sa_get_int(query);
    counts.exchanges = sa_get_int(query);
    enum sa_status status = sa_query_done(query);
    if (status != SA_OK)
        return status;
    if (counts.audiences > (int64_t)SA_AUDIENCES_MAX || counts.exchanges > (int64_t)SA_CLIENT_EXCHANGES)
        return SA_INTERNAL;
    SA_OWN(sa_client) client = sa_client_new((unsigned)counts.audiences);
    if (client == NULL)
        return SA_NO_MEMORY;
    memcpy(client, &fixed, sizeof(fixed));
    status = read_parts(sql, &counts, client);
    if (status == SA_OK)
        *ret_client = sa_client_take(&client);
    return status;
}

/* ---- one ---- */

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
    enum sa_status status = sa_client_cache_recall(&store->clients, id, ret_client, &age);
    if (status != SA_NOT_FOUND)
        return status;
    status = sa_store_read(store, find, &lookup);
    if (status != SA_OK)
        return status;
    sa_client_cache_remember(&store->clients, lookup.client, age);
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
