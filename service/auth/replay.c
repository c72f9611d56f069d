#include "service/auth/replay.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "service/auth/lru.h"

#define SOURCES       256u /* that are told apart; two may fall together */
#define STRANGE_SHARE 2u   /* of the room, for proofs of clients that are not proven */
#define SOURCE_SHARE  8u
#define SOURCE_KIND   3u /* of a tag: beside those of enum sa_replay_kind */

struct item {
    struct sa_lru_item head;
    int64_t until_boot_ms;
    int64_t iat_s;
    bool is_strange;
    uint8_t source;
};

struct sa_replay {
    const struct sa_keyring *keyring;
    pthread_mutex_t lock;
    struct sa_lru *seen; /* oldest first, and so by until_boot_ms as well */
    uint32_t room;
    uint32_t strange;       /* how many are of clients that are not proven, */
    uint32_t held[SOURCES]; /* and of each source */
    int64_t floor_s;        /* proofs made then or before may have been taken, and are not remembered */
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
        if (oldest->is_strange) {
            replay->strange--;
            replay->held[oldest->source]--;
        }
        sa_lru_remove(replay->seen, oldest);
    }
}

static bool
has_room(const struct sa_replay *replay, bool is_strange, uint8_t source)
{
    if (is_strange && (replay->strange >= replay->room / STRANGE_SHARE ||
                       replay->held[source] >= replay->room / SOURCE_SHARE))
        return false;
    return sa_lru_count(replay->seen) < replay->room;
}

static enum sa_status
take(struct sa_replay *replay, const uint8_t key[SA_LRU_KEY_LEN], const struct sa_seen_proof *proof,
     uint8_t source, struct sa_now now)
{
    bool is_strange = proof->source != NULL;

    forget(replay, now.boot_ms);
    /* The last seconds of the floor are new ones of honest clocks, too. */
    if (proof->iat_s <= replay->floor_s)
        return proof->iat_s >= replay->floor_s - SA_PROOF_LEEWAY_S ? SA_OVERLOADED : SA_NOT_FOUND;
    if (sa_lru_find(replay->seen, key) != NULL)
        return SA_ALREADY_EXISTS;
    if (!has_room(replay, is_strange, source))
        return SA_OVERLOADED;
    struct item *item = sa_lru_add(replay->seen, key);
    item->until_boot_ms = now.boot_ms + SA_REPLAY_MEMORY_MS;
    item->iat_s = proof->iat_s;
    item->is_strange = is_strange;
    item->source = source;
    replay->strange += is_strange ? 1 : 0;
    replay->held[source] += is_strange ? 1 : 0;
    return SA_OK;
}

/* A keyed hash: nobody chooses where a proof or a source falls. */
static void
tag(const struct sa_replay *replay, uint8_t kind, const char *who, const char *text,
    uint8_t ret_tag[SA_TAG_LEN])
{
    struct sa_bytes parts[] = {sa_bytes_of(who), sa_bytes_of(text)};

    sa_keyring_tag(replay->keyring, SA_KEY_MEMORY, kind, parts, SA_COUNT(parts), ret_tag);
}

enum sa_status
sa_replay_accept(struct sa_replay *replay, const struct sa_seen_proof *proof, struct sa_now now)
{
    uint8_t key[SA_TAG_LEN];
    uint8_t source[SA_TAG_LEN] = {0};

    static_assert(SA_TAG_LEN == SA_LRU_KEY_LEN, "a tag is a key");
    tag(replay, (uint8_t)proof->kind, proof->who, proof->jti, key);
    if (proof->source != NULL)
        tag(replay, SOURCE_KIND, "", proof->source, source);
    pthread_mutex_lock(&replay->lock);
    enum sa_status status = take(replay, key, proof, source[0], now);
    pthread_mutex_unlock(&replay->lock);
    return status;
}
