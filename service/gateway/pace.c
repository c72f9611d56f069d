#include "service/gateway/pace.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#define SETS      4096u
#define WAYS      4u
#define MINUTE_MS INT64_C(60000)

/* What has been used is paid back evenly; at 0 the bucket is as good as none. */
struct bucket {
    uint8_t key[SA_PACE_KEY_LEN];
    int64_t used; /* in calls times MINUTE_MS, at `at_ms` */
    int64_t at_ms;
};

struct sa_pace {
    pthread_mutex_t lock;
    int64_t calls;
    uint64_t salt; /* so that nobody chooses whom to share a set with */
    struct bucket sets[SETS][WAYS];
};

struct sa_pace *
sa_pace_new(unsigned calls_per_minute)
{
    SA_OWN(sa_pace) pace = calloc(1, sizeof(*pace));

    if (pace == NULL || getrandom(&pace->salt, sizeof(pace->salt), 0) != sizeof(pace->salt))
        return NULL;
    pthread_mutex_init(&pace->lock, NULL);
    pace->calls = calls_per_minute;
    return sa_pace_take(&pace);
}

void
sa_pace_free(struct sa_pace *pace)
{
    free(pace);
}

static unsigned
set_of(const struct sa_pace *pace, const uint8_t key[SA_PACE_KEY_LEN])
{
    uint64_t hash = pace->salt;

    for (unsigned i = 0; i < SA_PACE_KEY_LEN; i++) {
        hash = (hash ^ key[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (unsigned)(hash % SETS);
}

static int64_t
used_now(const struct sa_pace *pace, const struct bucket *bucket, int64_t now_ms)
{
    int64_t used = bucket->used - (now_ms - bucket->at_ms) * pace->calls;

    return used > 0 ? used : 0;
}

/* The bucket of a key; a new one takes the place of the emptiest. */
static struct bucket *
find(struct sa_pace *pace, const uint8_t key[SA_PACE_KEY_LEN], int64_t now_ms)
{
    struct bucket *set = pace->sets[set_of(pace, key)];
    struct bucket *emptiest = &set[0];

    for (unsigned way = 0; way < WAYS; way++) {
        if (memcmp(set[way].key, key, SA_PACE_KEY_LEN) == 0)
            return &set[way];
        if (used_now(pace, &set[way], now_ms) < used_now(pace, emptiest, now_ms))
            emptiest = &set[way];
    }
    memcpy(emptiest->key, key, SA_PACE_KEY_LEN);
    emptiest->used = 0;
    return emptiest;
}

uint32_t
sa_pace_spend(struct sa_pace *pace, const uint8_t key[SA_PACE_KEY_LEN], int64_t now_ms)
{
    int64_t over;

    pthread_mutex_lock(&pace->lock);
    struct bucket *bucket = find(pace, key, now_ms);
    bucket->used = used_now(pace, bucket, now_ms);
    bucket->at_ms = now_ms;
    over = bucket->used + MINUTE_MS - pace->calls * MINUTE_MS;
    if (over <= 0)
        bucket->used += MINUTE_MS;
    pthread_mutex_unlock(&pace->lock);
    return over <= 0 ? 0 : (uint32_t)((over + pace->calls - 1) / pace->calls);
}
