#include "client/verify_denied.h"

#include <stdlib.h>

#define SIZE_MIN 64u
#define NUMBER   4u /* bytes */

bool
sa_denied_entry(enum sa_denied_kind kind, struct sa_bytes key, struct sa_denied_entry *ret_entry)
{
    if (key.len > SA_DENIED_KEY_MAX)
        return false;
    *ret_entry = (struct sa_denied_entry){.kind = kind, .key_len = (uint32_t)key.len};
    if (key.len > 0)
        memcpy(ret_entry->key, key.data, key.len);
    return true;
}

void
sa_denied_entry_number(enum sa_denied_kind kind, uint32_t number, struct sa_denied_entry *ret_entry)
{
    *ret_entry = (struct sa_denied_entry){.kind = kind, .key_len = NUMBER};
    sa_put_number(ret_entry->key, number, NUMBER);
}

/* FNV-1a. The keys are the daemon's own, random or counted: nobody chooses them to collide. */
static size_t
hash_of(const struct sa_denied_entry *entry)
{
    uint64_t hash = 0xcbf29ce484222325u ^ (uint64_t)entry->kind;

    for (uint32_t i = 0; i < entry->key_len; i++)
        hash = (hash ^ entry->key[i]) * 0x100000001b3u;
    return (size_t)(hash ^ hash >> 32);
}

/* Where the entry is, or where it would be. The table is never full. */
static struct sa_denied_entry *
place_of(const struct sa_denied *denied, const struct sa_denied_entry *entry)
{
    size_t at = hash_of(entry) & (denied->size - 1);

    for (;; at = (at + 1) & (denied->size - 1)) {
        struct sa_denied_entry *found = &denied->entries[at];
        if (found->kind == 0 || (found->kind == entry->kind && found->key_len == entry->key_len &&
                                 memcmp(found->key, entry->key, entry->key_len) == 0))
            return found;
    }
}

static const struct sa_denied_entry *
find(const struct sa_denied *denied, const struct sa_denied_entry *entry)
{
    if (denied->size == 0)
        return NULL;
    const struct sa_denied_entry *found = place_of(denied, entry);
    return found->kind == 0 ? NULL : found;
}

/* A table of another size with what is not over; as it was where there is no memory. */
static bool
move_to(struct sa_denied *denied, size_t size, int64_t now_ms)
{
    struct sa_denied moved = {.size = size, .entries = calloc(size, sizeof(*moved.entries))};

    if (moved.entries == NULL)
        return false;
    for (size_t i = 0; i < denied->size; i++) {
        const struct sa_denied_entry *entry = &denied->entries[i];
        if (entry->kind == 0 || entry->until_ms <= now_ms)
            continue;
        *place_of(&moved, entry) = *entry;
        moved.count++;
    }
    free(denied->entries);
    *denied = moved;
    return true;
}

/* Room for one more, three quarters of the table at most: first by what is over, then by a larger table. */
static enum sa_status
make_room(struct sa_denied *denied, int64_t now_ms)
{
    size_t size = denied->size;

    if (size > 0 && denied->count + 1 <= size / 4 * 3 && denied->count < SA_DENIED_MAX)
        return SA_OK;
    if (!move_to(denied, size == 0 ? SIZE_MIN : size, now_ms))
        return SA_NO_MEMORY;
    if (denied->count >= SA_DENIED_MAX)
        return SA_TOO_LARGE;
    return denied->count < denied->size / 2 || move_to(denied, 2 * denied->size, now_ms) ? SA_OK
                                                                                         : SA_NO_MEMORY;
}

enum sa_status
sa_denied_put(struct sa_denied *denied, const struct sa_denied_entry *entry, int64_t now_ms)
{
    if (entry->until_ms <= now_ms && find(denied, entry) == NULL)
        return SA_OK;
    enum sa_status status = make_room(denied, now_ms);
    if (status != SA_OK)
        return status;
    struct sa_denied_entry *place = place_of(denied, entry);
    if (place->kind == 0)
        denied->count++;
    *place = *entry;
    return SA_OK;
}

static bool
voids(const struct sa_denied *denied, const struct sa_denied_entry *key, int64_t minted_ms)
{
    const struct sa_denied_entry *rule = find(denied, key);

    return rule != NULL && minted_ms >= rule->since_ms && minted_ms < rule->not_before_ms;
}

bool
sa_denied_has(const struct sa_denied *denied, const struct sa_verify_claims *claims)
{
    struct sa_denied_entry key;

    if (denied->count == 0)
        return false;
    /* A key that is too long is none of ours, so nothing was said of it. */
    if (sa_denied_entry(SA_DENIED_SESSION, sa_bytes_of(claims->result.sid), &key) && key.key_len > 0 &&
        find(denied, &key) != NULL)
        return true;
    if (sa_denied_entry(SA_DENIED_TOKEN, sa_bytes_of(claims->result.jti), &key) && find(denied, &key) != NULL)
        return true;
    if (sa_denied_entry(SA_DENIED_SUBJECT, sa_bytes_of(claims->result.sub), &key) &&
        voids(denied, &key, claims->minted_ms))
        return true;
    sa_denied_entry_number(SA_DENIED_CLIENT, claims->client_row, &key);
    if (voids(denied, &key, claims->minted_ms))
        return true;
    sa_denied_entry_number(SA_DENIED_INSTANCE, claims->instance, &key);
    return voids(denied, &key, claims->minted_ms);
}

void
sa_denied_clear(struct sa_denied *denied)
{
    free(denied->entries);
    *denied = (struct sa_denied){0};
}
