#include "service/auth/signing.h"

#include <stdlib.h>

#include "proto/sockets.h"
#include "service/auth/inside.h"

/* Keep a key: the newest in front, as they are published. */
static void
keep(struct sa_signing_keys *signing, struct sa_signing_key *key, const struct sa_key_row *row)
{
    unsigned at = signing->count++;

    while (at > 0 && signing->rows[at - 1].created_ms < row->created_ms) {
        signing->keys[at] = signing->keys[at - 1];
        signing->rows[at] = signing->rows[at - 1];
        at--;
    }
    signing->keys[at] = key;
    signing->rows[at] = *row;
    signing->rows[at].private_der = NULL;
}

static enum sa_status
load(struct sa_signing_keys *signing, const struct sa_key_row *rows, unsigned count)
{
    for (unsigned i = 0; i < count && signing->count < SA_SIGNING_KEYS_MAX; i++) {
        struct sa_signing_key *key;
        enum sa_status status = sa_signing_key_load(sa_secret_bytes(rows[i].private_der), &key);
        if (status != SA_OK)
            return status;
        keep(signing, key, &rows[i]);
    }
    return SA_OK;
}

static enum sa_status
load_stored(struct sa_authority *authority)
{
    struct sa_key_row *rows;
    unsigned count;

    enum sa_status status = sa_store_key_list(authority->store, &rows, &count);
    if (status != SA_OK)
        return status;
    status = load(&authority->signing, rows, count);
    sa_key_rows_free(rows, count);
    return status;
}

/* Make a key that signs at once, with its record. */
static enum sa_status
make(struct sa_authority *authority, struct sa_now now)
{
    SA_OWN(sa_signing_key) key = sa_signing_key_generate();
    SA_OWN(sa_secret) private_der = key == NULL ? NULL : sa_signing_key_private(key);
    struct sa_key_row row = {.created_ms = now.wall_ms, .active_ms = now.wall_ms, .private_der = private_der};
    struct sa_audit record = sa_audit(SA_EVENT_KEY_CREATE);
    char detail[SA_KID_LEN + sizeof("kid=")];

    if (private_der == NULL)
        return SA_NO_MEMORY;
    memcpy(row.kid, sa_signing_key_kid(key), SA_KID_LEN);
    memcpy(detail, "kid=", 4);
    memcpy(detail + 4, row.kid, SA_KID_LEN + 1);
    record.outcome = SA_OUTCOME_GRANTED;
    record.time_ms = now.wall_ms;
    record.detail = detail;
    enum sa_status status = sa_store_key_add(authority->store, &row, &record);
    if (status == SA_OK)
        keep(&authority->signing, sa_signing_key_take(&key), &row);
    return status;
}

static enum sa_status
publish(struct sa_signing_keys *signing)
{
    uint8_t digest[SA_SHA256_LEN];

    signing->jwks = sa_jwks(signing->keys, signing->count);
    if (signing->jwks == NULL)
        return SA_NO_MEMORY;
    sa_sha256(sa_bytes_of(signing->jwks), digest);
    sa_base64url(sa_bytes(digest, sizeof(digest)), signing->etag);
    return SA_OK;
}

enum sa_status
sa_signing_start(struct sa_authority *authority, struct sa_now now, const char **ret_why)
{
    enum sa_status status = load_stored(authority);

    if (status != SA_OK) {
        *ret_why = status == SA_INTERNAL
                       ? "the signing keys are sealed with another master key" SA_STORE_ADVICE
                       : "the signing keys cannot be loaded";
        return status;
    }
    if (sa_signing_now(authority, now.wall_ms) == NULL) {
        if (authority->signing.count == SA_SIGNING_KEYS_MAX) {
            *ret_why = "there are too many signing keys, and none of them signs now";
            return SA_INTERNAL;
        }
        status = make(authority, now);
    }
    if (status == SA_OK)
        status = publish(&authority->signing);
    if (status != SA_OK)
        *ret_why = "a signing key cannot be made";
    return status;
}

void
sa_signing_stop(struct sa_signing_keys *signing)
{
    for (unsigned i = 0; i < signing->count; i++)
        sa_signing_key_free(signing->keys[i]);
    free(signing->jwks);
    *signing = (struct sa_signing_keys){0};
}

struct sa_key_set
sa_signing_key_set(const struct sa_authority *authority)
{
    return (struct sa_key_set){authority->signing.jwks, authority->signing.etag};
}

const struct sa_signing_key *
sa_signing_now(const struct sa_authority *authority, int64_t now_ms)
{
    const struct sa_signing_keys *signing = &authority->signing;

    for (unsigned i = 0; i < signing->count; i++) {
        const struct sa_key_row *row = &signing->rows[i];
        if (row->active_ms <= now_ms && (row->retire_ms == 0 || now_ms < row->retire_ms))
            return signing->keys[i];
    }
    return NULL;
}

const struct sa_signing_key *
sa_signing_at(const struct sa_authority *authority, unsigned index, const struct sa_key_row **ret_times)
{
    if (index >= authority->signing.count)
        return NULL;
    *ret_times = &authority->signing.rows[index];
    return authority->signing.keys[index];
}
