#include "service/auth/replay.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "service/auth/lru.h"
#include "service/crypto/encode.h"

struct item {
    struct sa_lru_item head;
    int64_t until_boot_ms;
    int64_t iat_s;
    enum sa_replay_kind kind;
};

struct sa_replay {
    const struct sa_keyring *keyring;
    pthread_mutex_t lock;
    struct sa_lru *seen; /* oldest first, and so by until_boot_ms as well */
    uint32_t room;
    uint32_t dpop;   /* of those that are seen */
    int64_t floor_s; /* proofs made then or before may have been taken, and are not remembered */
};

struct sa_replay *
sa_replay_new(uint32_t room, const struct sa_keyring *keyring, struct sa_now now)
{
    SA_OWN(sa_replay) replay = calloc(1, sizeof(*replay));

    if (replay == NULL)
        return NULL;
    pthread_mutex_init(&replay->lock, NULL);
    replay->keyring = keyring;
    replay->room = room;
    /* One that was taken before the start may have been made by a clock that is ahead. */
    replay->floor_s = now.wall_ms / 1000 + SA_PROOF_LEEWAY_S;
    replay->seen = sa_lru_new(room, sizeof(struct item));
    return replay->seen == NULL ? NULL : sa_replay_take(&replay);
}

void
sa_replay_free(struct sa_replay *replay)
{
    if (replay == NULL)
        return;
    sa_lru_free(replay->seen);
    pthread_mutex_destroy(&replay->lock);
    free(replay);
}

/* What nobody can present any more. Should the wall clock go back, the floor still keeps it out. */
static void
forget(struct sa_replay *replay, int64_t boot_ms)
{
    struct item *oldest;

    while ((oldest = sa_lru_next(replay->seen, NULL)) != NULL && oldest->until_boot_ms <= boot_ms) {
        if (oldest->iat_s > replay->floor_s)
            replay->floor_s = oldest->iat_s;
        replay->dpop -= oldest->kind == SA_REPLAY_DPOP;
        sa_lru_remove(replay->seen, oldest);
    }
}

/* Anybody makes a DPoP proof of a key of their own, beside the id of a public client: they have half the
 * room. */
static bool
has_room(const struct sa_replay *replay, enum sa_replay_kind kind)
{
    return sa_lru_count(replay->seen) < replay->room &&
           (kind != SA_REPLAY_DPOP || replay->dpop < replay->room / 2);
}

static enum sa_status
take(struct sa_replay *replay, enum sa_replay_kind kind, const uint8_t key[SA_LRU_KEY_LEN], int64_t iat_s,
     struct sa_now now)
{
    forget(replay, now.boot_ms);
    if (iat_s <= replay->floor_s) /* the last seconds of the floor are new ones of honest clocks, too */
        return iat_s >= replay->floor_s - SA_PROOF_LEEWAY_S ? SA_OVERLOADED : SA_NOT_FOUND;
    if (sa_lru_find(replay->seen, key) != NULL)
        return SA_ALREADY_EXISTS;
    if (!has_room(replay, kind))
        return SA_OVERLOADED;
    struct item *item = sa_lru_add(replay->seen, key);
    item->until_boot_ms = now.boot_ms + SA_REPLAY_MEMORY_MS;
    item->iat_s = iat_s;
    item->kind = kind;
    replay->dpop += kind == SA_REPLAY_DPOP;
    return SA_OK;
}

enum sa_status
sa_replay_accept(struct sa_replay *replay, enum sa_replay_kind kind, const char *who, const char *jti,
                 int64_t iat_s, struct sa_now now)
{
    uint8_t digest[SA_SHA256_LEN];
    uint8_t key[SA_TAG_LEN];

    static_assert(SA_TAG_LEN == SA_LRU_KEY_LEN, "a tag is a key");
    sa_sha256(sa_bytes_of(jti), digest);
    struct sa_bytes parts[] = {sa_bytes_of(who), sa_bytes(digest, sizeof(digest))};
    sa_keyring_tag(replay->keyring, SA_KEY_CLIENT_SECRET, (uint8_t)kind, parts, SA_COUNT(parts), key);
    pthread_mutex_lock(&replay->lock);
    enum sa_status status = take(replay, kind, key, iat_s, now);
    pthread_mutex_unlock(&replay->lock);
    return status;
}
