/* Signing keys, whose private halves are sealed, and access tokens that were revoked one by one. */
#include <stdlib.h>

#include "service/store/inside.h"

#define TABLE      "signing_keys"
#define PRIVATE    "private"
#define SEALED_MAX (SA_JWT_PRIVATE_MAX + SA_SEAL_OVERHEAD)

struct changing {
    const struct sa_keyring *keyring;
    const struct sa_key_change *change;
};

static enum sa_status
add(struct sa_sql *sql, const struct sa_keyring *keyring, const struct sa_key_row *key)
{
    static const char INSERT[] =
        "INSERT INTO signing_keys (kid, created_ms, active_ms, retire_ms, private) VALUES (?, ?, ?, ?, ?)";
    struct sa_bytes plain = sa_secret_bytes(key->private_der);
    uint8_t sealed[SEALED_MAX];

    if (plain.len > SA_JWT_PRIVATE_MAX)
        return SA_INTERNAL;
    sa_keyring_seal(keyring, TABLE, PRIVATE, sa_bytes_of(key->kid), plain, sealed);
    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, key->kid);
    sa_put_int(&query, key->created_ms);
    sa_put_int(&query, key->active_ms);
    sa_put_int(&query, key->retire_ms);
    sa_put_blob(&query, sealed, plain.len + SA_SEAL_OVERHEAD);
    return sa_query_run(&query);
}

static enum sa_status
find(struct sa_sql *sql, const char *kid)
{
    SA_QUERY(query, sql, "SELECT 1 FROM signing_keys WHERE kid = ?");
    sa_put_text(&query, kid);
    return sa_query_step(&query);
}

static enum sa_status
drop(struct sa_sql *sql, const char *kid)
{
    enum sa_status status = find(sql, kid);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, "DELETE FROM signing_keys WHERE kid = ?");
    sa_put_text(&query, kid);
    return sa_query_run(&query);
}

static enum sa_status
set_times(struct sa_sql *sql, const struct sa_key_row *key)
{
    enum sa_status status = find(sql, key->kid);

    if (status != SA_OK)
        return status;
    SA_QUERY(query, sql, "UPDATE signing_keys SET active_ms = ?2, retire_ms = ?3 WHERE kid = ?1");
    sa_put_text(&query, key->kid);
    sa_put_int(&query, key->active_ms);
    sa_put_int(&query, key->retire_ms);
    return sa_query_run(&query);
}

static enum sa_status
check_bound(struct sa_sql *sql)
{
    SA_QUERY(query, sql, "SELECT count(*) FROM signing_keys");
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    return sa_get_int(&query) > (int64_t)SA_KEYS_MAX ? SA_TOO_LARGE : SA_OK;
}

static enum sa_status
change_keys(struct sa_sql *sql, struct sa_work *work)
{
    const struct changing *changing = work->context;
    const struct sa_key_change *change = changing->change;
    enum sa_status status = change->remove == NULL ? SA_OK : drop(sql, change->remove);

    for (unsigned i = 0; status == SA_OK && i < change->time_count; i++)
        status = set_times(sql, &change->times[i]);
    if (status == SA_OK && change->add != NULL)
        status = add(sql, changing->keyring, change->add);
    return status == SA_OK ? check_bound(sql) : status;
}

enum sa_status
sa_store_key_change(struct sa_store *store, const struct sa_key_change *change, const struct sa_audit *audit)
{
    struct changing changing = {store->keyring, change};
    struct sa_work work = sa_work(change_keys, &changing, audit);

    return sa_store_write(store, &work);
}

void
sa_key_rows_free(struct sa_key_row *keys, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        sa_secret_free(keys[i].private_der);
    free(keys);
}

struct listing {
    const struct sa_keyring *keyring;
    struct sa_key_row *keys;
    unsigned count;
};

static enum sa_status
get_private(struct sa_query *query, const struct sa_keyring *keyring, const char *kid,
            struct sa_secret **ret_secret)
{
    uint8_t sealed[SEALED_MAX];
    size_t len = sa_get_blob(query, sealed, sizeof(sealed));
    enum sa_status status = sa_query_done(query);

    if (status != SA_OK)
        return status;
    if (len <= SA_SEAL_OVERHEAD)
        return SA_INTERNAL;
    SA_OWN(sa_secret) secret = sa_secret_new(len - SA_SEAL_OVERHEAD);
    if (secret == NULL)
        return SA_NO_MEMORY;
    status = sa_keyring_unseal(keyring, TABLE, PRIVATE, sa_bytes_of(kid), sa_bytes(sealed, len),
                               sa_secret_data(secret));
    if (status == SA_OK)
        *ret_secret = sa_secret_take(&secret);
    return status;
}

static enum sa_status
read_keys(struct sa_sql *sql, void *context)
{
    static const char KEYS[] = "SELECT kid, created_ms, active_ms, retire_ms, private FROM signing_keys "
                               "ORDER BY active_ms DESC, created_ms DESC, kid LIMIT ?";
    struct listing *listing = context;
    enum sa_status status;

    SA_QUERY(query, sql, KEYS);
    sa_put_int(&query, SA_KEYS_MAX);
    while ((status = sa_query_step(&query)) == SA_OK) {
        struct sa_key_row *key = &listing->keys[listing->count];

        sa_get_text(&query, key->kid, sizeof(key->kid));
        key->created_ms = sa_get_int(&query);
        key->active_ms = sa_get_int(&query);
        key->retire_ms = sa_get_int(&query);
        status = get_private(&query, listing->keyring, key->kid, &key->private_der);
        if (status != SA_OK)
            return status;
        listing->count++;
    }
    return status == SA_NOT_FOUND ? SA_OK : status;
}

enum sa_status
sa_store_key_list(struct sa_store *store, struct sa_key_row **ret_keys, unsigned *ret_count)
{
    struct listing listing = {.keyring = store->keyring};

    listing.keys = calloc(SA_KEYS_MAX, sizeof(*listing.keys));
    if (listing.keys == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_store_read(store, read_keys, &listing);
    if (status != SA_OK) {
        sa_key_rows_free(listing.keys, listing.count);
        return status;
    }
    *ret_keys = listing.keys;
    *ret_count = listing.count;
    return SA_OK;
}

/* ---- revoked access tokens ---- */

static enum sa_status
check_room(struct sa_sql *sql, const struct sa_revoked_token *token, int64_t now_ms)
{
    static const char COUNT[] =
        "SELECT count(*) FROM (SELECT 1 FROM revoked_tokens WHERE client_row = ?1 AND "
        "exp_s > ?2 LIMIT ?3)";

    SA_QUERY(query, sql, COUNT);
    sa_put_int(&query, token->client_row);
    sa_put_int(&query, now_ms / 1000);
    sa_put_int(&query, (int64_t)SA_REVOKED_MAX + 1);
    enum sa_status status = sa_query_step(&query);
    if (status != SA_OK)
        return status;
    return sa_get_int(&query) <= (int64_t)SA_REVOKED_MAX ? SA_OK : SA_TOO_LARGE;
}

static enum sa_status
revoke(struct sa_sql *sql, struct sa_work *work)
{
    static const char INSERT[] =
        "INSERT INTO revoked_tokens (jti, exp_s, client_row, audiences) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO NOTHING";
    const struct sa_revoked_token *token = work->context;
    char audiences[SA_AUDIENCES_TEXT_LEN + 1];

    sa_audiences_write(token->aud_count, token->aud, audiences);
    SA_QUERY(query, sql, INSERT);
    sa_put_text(&query, token->jti);
    sa_put_int(&query, token->exp_s);
    sa_put_int(&query, token->client_row);
    sa_put_text(&query, audiences);
    enum sa_status status = sa_query_run(&query);
    if (status != SA_OK || sa_query_changed(&query) == 0)
        return status;
    return check_room(sql, token, work->record.time_ms);
}

enum sa_status
sa_store_token_revoke(struct sa_store *store, const struct sa_revoked_token *token,
                      const struct sa_audit *audit)
{
    struct sa_revoked_token copy = *token;
    struct sa_work work = sa_work(revoke, &copy, audit);

    return sa_store_write(store, &work);
}

static enum sa_status
find_revoked(struct sa_sql *sql, void *context)
{
    static const char FIND[] = "SELECT 1 FROM revoked_tokens WHERE jti = ?";

    SA_QUERY(query, sql, FIND);
    sa_put_text(&query, context);
    return sa_query_step(&query);
}

enum sa_status
sa_store_token_is_revoked(struct sa_store *store, const char *jti, bool *ret_revoked)
{
    char key[SA_JTI_LEN + 1];

    *ret_revoked = false;
    if (strnlen(jti, sizeof(key)) > SA_JTI_LEN)
        return SA_OK;
    strcpy(key, jti);
    enum sa_status status = sa_store_read(store, find_revoked, key);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    *ret_revoked = status == SA_OK;
    return SA_OK;
}
