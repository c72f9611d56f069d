#include <assert.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/source.h"
#include "service/auth/switches.h"
#include "service/crypto/encode.h"

/*
 * A bucket counts failures in slots of a twelfth of the window; the slot in which the window began counts
 * whole, so that no window ever holds more than the limit. Sources are found in a table of fixed size: a set
 * by their hash, and in it the idlest goes when there is no room.
 */
#define SLOTS           13u
#define SLOTS_IN_WINDOW (SLOTS - 1)
#define SETS            1024u
#define WAYS            16u
#define AROUND_TIMES    10u
#define GATEWAY_TIMES   100u
#define LEVELS          3u /* a source, what is around it, the gateway that reports it */

struct bucket {
    char text[SA_SOURCE_TEXT_MAX + 1];
    unsigned limit; /* of its allowance, as it was last charged */
    int64_t newest; /* number of the newest slot: boot time / slot length; 0 where the place is free */
    int64_t slot_ms;
    uint32_t sum;
    uint32_t slots[SLOTS];
};

struct sa_buckets {
    pthread_mutex_t lock;
    struct allowance {
        unsigned limit;
        int64_t slot_ms;
    } usual;
    uint8_t salt[32]; /* so that nobody can choose who shares a set */
    struct bucket sets[SETS][WAYS];
};

static struct allowance
allowance(unsigned limit, int64_t window_ms)
{
    return (struct allowance){limit, (window_ms + SLOTS_IN_WINDOW - 1) / SLOTS_IN_WINDOW};
}

struct sa_buckets *
sa_buckets_new(unsigned limit, int64_t window_ms)
{
    assert(limit > 0 && window_ms >= 1000);
    struct sa_buckets *buckets = calloc(1, sizeof(*buckets));
    if (buckets == NULL)
        return NULL;
    pthread_mutex_init(&buckets->lock, NULL);
    buckets->usual = allowance(limit, window_ms);
    sa_random(buckets->salt, sizeof(buckets->salt));
    return buckets;
}

void
sa_buckets_free(struct sa_buckets *buckets)
{
    if (buckets == NULL)
        return;
    pthread_mutex_destroy(&buckets->lock);
    free(buckets);
}

/*
 * Let the slots that have left the window go. A call that was admitted earlier than the last one changes
 * nothing.
 */
static void
advance(struct bucket *bucket, int64_t now)
{
    if (now - bucket->newest >= (int64_t)SLOTS) {
        memset(bucket->slots, 0, sizeof(bucket->slots));
        bucket->sum = 0;
        bucket->newest = now;
        return;
    }
    while (bucket->newest < now) {
        bucket->newest++;
        uint32_t *slot = &bucket->slots[bucket->newest % SLOTS];
        bucket->sum -= *slot;
        *slot = 0;
    }
}

static struct bucket *
set_of(struct sa_buckets *buckets, const char *text)
{
    uint8_t salted[sizeof(buckets->salt) + SA_SOURCE_TEXT_MAX];
    uint8_t digest[SA_SHA256_LEN];
    size_t len = strnlen(text, SA_SOURCE_TEXT_MAX);

    memcpy(salted, buckets->salt, sizeof(buckets->salt));
    memcpy(salted + sizeof(buckets->salt), text, len);
    sa_sha256(sa_bytes(salted, sizeof(buckets->salt) + len), digest);
    return buckets->sets[(digest[0] | (unsigned)digest[1] << 8) % SETS];
}

static int64_t
slot_at(int64_t slot_ms, int64_t boot_ms)
{
    return boot_ms / slot_ms + 1;
}

/*
 * The bucket of a text, with the slot of `boot_ms` as its newest. A missing one is made, or NULL for
 * `only_look`: who merely asks must not push others out.
 */
static struct bucket *
find(struct sa_buckets *buckets, const char *text, struct allowance allowed, int64_t boot_ms, bool only_look)
{
    int64_t now = slot_at(allowed.slot_ms, boot_ms);
    struct bucket *set = set_of(buckets, text);
    struct bucket *idlest = &set[0];
    for (unsigned way = 0; way < WAYS; way++) {
        if (set[way].newest != 0 && strcmp(set[way].text, text) == 0) {
            advance(&set[way], now);
            set[way].limit = allowed.limit;
            return &set[way];
        }
        if (set[way].newest * set[way].slot_ms < idlest->newest * idlest->slot_ms)
            idlest = &set[way];
    }
    if (only_look)
        return NULL;
    memset(idlest, 0, sizeof(*idlest));
    snprintf(idlest->text, sizeof(idlest->text), "%s", text);
    idlest->limit = allowed.limit;
    idlest->newest = now;
    idlest->slot_ms = allowed.slot_ms;
    return idlest;
}

/* Milliseconds until a bucket at its limit has a unit again; 0 where it has one. */
static uint32_t
wait_of(const struct bucket *bucket, int64_t boot_ms)
{
    uint32_t left = bucket == NULL ? 0 : bucket->sum;

    if (bucket == NULL || left < bucket->limit || !sa_switch_is_on(SA_SWITCH_source_bucket))
        return 0;
    for (int64_t slot = bucket->newest - SLOTS_IN_WINDOW; slot <= bucket->newest; slot++) {
        uint32_t in_slot = slot < 0 ? 0 : bucket->slots[slot % SLOTS];
        left -= in_slot;
        if (in_slot > 0 && left < bucket->limit)
            return (uint32_t)((slot + SLOTS - 1) * bucket->slot_ms - boot_ms);
    }
    return (uint32_t)bucket->slot_ms;
}

/* The /48 around a /64; false for any other place. */
static bool
net48(const char *place, const char *before, struct sa_source *ret_around)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];

    if (strncmp(place, "net64:", 6) != 0 || inet_pton(AF_INET6, place + 6, &address) != 1)
        return false;
    memset(address.s6_addr + 6, 0, sizeof(address.s6_addr) - 6);
    inet_ntop(AF_INET6, &address, text, sizeof(text));
    snprintf(ret_around->text, sizeof(ret_around->text), "%snet48:%s", before, text);
    return true;
}

/*
 * What is around a source and has an allowance of its own, so that nobody is many: ten times the usual one
 * for the /48 around a /64, and for every client together at one place, since a client's id is only claimed;
 * the one of its rule, or of any uid, for a service's uid with all the addresses that it reports. False for
 * any other source.
 */
static bool
around(const struct sa_buckets *buckets, const struct sa_source *source, struct sa_source *ret_around,
       struct allowance *ret_allowance)
{
    const char *at = strchr(source->text, '@');
    const char *clients = "clients@";

    if (!sa_switch_is_on(SA_SWITCH_around))
        return false;
    *ret_allowance = (struct allowance){buckets->usual.limit * AROUND_TIMES, buckets->usual.slot_ms};
    if (strncmp(source->text, "uid:", 4) == 0 && at != NULL) {
        *ret_allowance = source->whole_failures == 0
                             ? buckets->usual
                             : allowance(source->whole_failures, source->whole_window_s * INT64_C(1000));
        snprintf(ret_around->text, sizeof(ret_around->text), "service-%.*s/%" PRId64,
                 (int)(at - source->text), source->text, ret_allowance->slot_ms);
        return true;
    }
    if (at == NULL || strncmp(source->text, "client:", 7) != 0)
        return net48(source->text, "", ret_around);
    if (!net48(at + 1, clients, ret_around))
        snprintf(ret_around->text, sizeof(ret_around->text), "%s%.256s", clients, at + 1);
    return true;
}

static void
add_units(struct bucket *bucket, uint32_t units)
{
    bucket->slots[bucket->newest % SLOTS] += units;
    bucket->sum += units;
}

/*
 * All the buckets that a source is charged to; NULL where there is none. Found last, one may have taken the
 * place of another only where they share a full set: harmless.
 */
static void
find_all(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms, bool only_look,
         struct bucket *ret_found[LEVELS])
{
    struct allowance allowed;
    struct sa_source wide;

    ret_found[0] = find(buckets, source->text, buckets->usual, boot_ms, only_look);
    ret_found[1] = around(buckets, source, &wide, &allowed)
                       ? find(buckets, wide.text, allowed, boot_ms, only_look)
                       : NULL;
    ret_found[2] = NULL;
    if (source->gateway[0] == '\0' || !sa_switch_is_on(SA_SWITCH_around))
        return;
    allowed = (struct allowance){buckets->usual.limit * GATEWAY_TIMES, buckets->usual.slot_ms};
    snprintf(wide.text, sizeof(wide.text), "gateway:%s", source->gateway);
    ret_found[2] = find(buckets, wide.text, allowed, boot_ms, only_look);
}

/* Look at a source's buckets and take `units` from each of them, or from none. */
static uint32_t
take(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms, uint32_t units)
{
    struct bucket *all[LEVELS];
    uint32_t wait = 0;

    pthread_mutex_lock(&buckets->lock);
    find_all(buckets, source, boot_ms, units == 0, all);
    for (unsigned i = 0; i < LEVELS && wait == 0; i++)
        wait = wait_of(all[i], boot_ms);
    for (unsigned i = 0; i < LEVELS && wait == 0 && units > 0; i++)
        if (all[i] != NULL && (i == 0 || all[i] != all[i - 1]))
            add_units(all[i], units);
    pthread_mutex_unlock(&buckets->lock);
    return wait;
}

uint32_t
sa_buckets_charge(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms)
{
    return take(buckets, source, boot_ms, 1);
}

uint32_t
sa_buckets_wait(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms)
{
    return take(buckets, source, boot_ms, 0);
}

/* Back into the newest slot that holds one: what was taken last. */
static void
put_back(struct bucket *bucket)
{
    for (unsigned back = 0; bucket != NULL && back < SLOTS && bucket->sum > 0; back++) {
        uint32_t *slot = &bucket->slots[(bucket->newest + SLOTS - back) % SLOTS];
        if (*slot > 0) {
            --*slot;
            bucket->sum--;
            return;
        }
    }
}

void
sa_buckets_give_back(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms)
{
    struct bucket *all[LEVELS];

    pthread_mutex_lock(&buckets->lock);
    find_all(buckets, source, boot_ms, true, all);
    for (unsigned i = 0; i < LEVELS; i++)
        put_back(all[i]);
    pthread_mutex_unlock(&buckets->lock);
}

void
sa_buckets_forget(struct sa_buckets *buckets, const char *source)
{
    pthread_mutex_lock(&buckets->lock);
    struct bucket *set = source == NULL ? NULL : set_of(buckets, source);
    for (unsigned way = 0; set != NULL && way < WAYS; way++)
        if (strcmp(set[way].text, source) == 0)
            memset(&set[way], 0, sizeof(set[way]));
    if (source == NULL)
        memset(buckets->sets, 0, sizeof(buckets->sets));
    pthread_mutex_unlock(&buckets->lock);
}

/* ---- for administrators ---- */

static bool
row_of(struct bucket *bucket, int64_t boot_ms, struct sa_bucket_row *ret_row)
{
    if (bucket->newest == 0)
        return false;
    advance(bucket, slot_at(bucket->slot_ms, boot_ms));
    snprintf(ret_row->source, sizeof(ret_row->source), "%s", bucket->text);
    ret_row->failures = bucket->sum;
    ret_row->wait_ms = wait_of(bucket, boot_ms);
    return bucket->sum > 0;
}

bool
sa_buckets_next(struct sa_buckets *buckets, int64_t boot_ms, unsigned *place, struct sa_bucket_row *ret_row)
{
    bool found = false;

    pthread_mutex_lock(&buckets->lock);
    while (!found && *place < SETS * WAYS) {
        unsigned at = (*place)++;
        found = row_of(&buckets->sets[at / WAYS][at % WAYS], boot_ms, ret_row);
    }
    pthread_mutex_unlock(&buckets->lock);
    return found;
}

bool
sa_buckets_find(struct sa_buckets *buckets, const char *source, int64_t boot_ms,
                struct sa_bucket_row *ret_row)
{
    bool found = false;

    pthread_mutex_lock(&buckets->lock);
    struct bucket *set = set_of(buckets, source);
    for (unsigned way = 0; way < WAYS && !found; way++)
        found = strcmp(set[way].text, source) == 0 && row_of(&set[way], boot_ms, ret_row);
    pthread_mutex_unlock(&buckets->lock);
    return found;
}
