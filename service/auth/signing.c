#include "service/auth/signing.h"

#include <stdlib.h>

#include "service/auth/inside.h"
#include "service/auth/key_plan.h"

struct sa_signing *
sa_signing_new(void)
{
    struct sa_signing *signing = calloc(1, sizeof(*signing));

    if (signing == NULL)
        return NULL;
    pthread_mutex_init(&signing->lock, NULL);
    pthread_mutex_init(&signing->changing, NULL);
    return signing;
}

void
sa_signing_free(struct sa_signing *signing)
{
    if (signing == NULL)
        return;
    sa_signing_set_free(signing->set);
    pthread_mutex_destroy(&signing->lock);
    pthread_mutex_destroy(&signing->changing);
    free(signing);
}

/* ---- sets ---- */

struct sa_signing_set *
sa_signing_hold(const struct sa_authority *authority)
{
    struct sa_signing *signing = authority->signing;

    pthread_mutex_lock(&signing->lock);
    struct sa_signing_set *set = signing->set;
    atomic_fetch_add(&set->holders, 1);
    pthread_mutex_unlock(&signing->lock);
    return set;
}

void
sa_signing_set_free(struct sa_signing_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->holders, 1) > 1)
        return;
    for (unsigned i = 0; i < set->count; i++)
        sa_signing_key_free(set->keys[i]);
    free(set->jwks);
    free(set);
}

struct sa_bell *
sa_signing_bell(struct sa_authority *authority)
{
    return &authority->signing->bell;
}

const struct sa_signing_key *
sa_signing_signer(const struct sa_signing_set *set, int64_t now_ms)
{
    return set->keys[sa_key_signer(set->rows, set->count, now_ms)];
}

/* ---- from the store ---- */

/* The key of a row: the one that there is already, or from its private half. */
static enum sa_status
find_key(const struct sa_signing_set *old, const struct sa_key_row *row, struct sa_signing_key **ret_key)
{
    for (unsigned i = 0; old != NULL && i < old->count; i++)
        if (strcmp(old->rows[i].kid, row->kid) == 0) {
            *ret_key = sa_signing_key_hold(old->keys[i]);
            return SA_OK;
        }
    return sa_signing_key_load(sa_secret_bytes(row->private_der), ret_key);
}

static enum sa_status
fill(struct sa_signing_set *set, const struct sa_signing_set *old, const struct sa_key_row *rows,
     unsigned count)
{
    uint8_t digest[SA_SHA256_LEN];

    for (unsigned i = 0; i < count; i++) {
        enum sa_status status = find_key(old, &rows[i], &set->keys[i]);
        if (status != SA_OK)
            return status;
        set->count++;
        set->rows[i] = rows[i];
        set->rows[i].private_der = NULL;
        set->rows[i].alg = sa_signing_key_alg(set->keys[i]);
    }
    set->jwks = sa_jwks(set->keys, set->count);
    if (set->jwks == NULL)
        return SA_NO_MEMORY;
    sa_sha256(sa_bytes_of(set->jwks), digest);
    sa_base64url(sa_bytes(digest, sizeof(digest)), set->etag);
    return SA_OK;
}

static enum sa_status
read_set(struct sa_authority *authority, struct sa_signing_set *set)
{
    struct sa_key_row *rows;
    unsigned count;

    enum sa_status status = sa_store_key_list(authority->store, &rows, &count);
    if (status != SA_OK)
        return status;
    status = fill(set, authority->signing->set, rows, count);
    sa_key_rows_free(rows, count);
    return status;
}

enum sa_status
sa_signing_reload(struct sa_authority *authority)
{
    struct sa_signing *signing = authority->signing;
    SA_OWN(sa_signing_set) set = calloc(1, sizeof(*set));

    if (set == NULL)
        return SA_NO_MEMORY;
    atomic_init(&set->holders, 1);
    enum sa_status status = read_set(authority, set);
    if (status != SA_OK)
        return status;
    pthread_mutex_lock(&signing->lock);
    struct sa_signing_set *old = signing->set;
    signing->set = sa_signing_set_take(&set);
    pthread_mutex_unlock(&signing->lock);
    signing->stale = false;
    sa_bell_ring(&signing->bell);
    sa_signing_set_free(old);
    return SA_OK;
}
