#include "service/auth/challenges.h"

#include <pthread.h>
#include <stdlib.h>

#include "service/base/secret.h"

#define REHASHES 64u /* as many as can be under way between the look at a record and its challenge */

/* An owner, part by part: whatever a part's length is, it is one digest, so no two owners look alike. */
struct parts {
    uint8_t source[SA_SHA256_LEN];
    uint8_t name[SA_SHA256_LEN];
    uint8_t service[SA_SHA256_LEN];
    uint8_t via;
};

struct slot {
    int64_t made_boot_ms; /* 0: free */
    uint64_t serial;      /* in the order of making; several may be made in one millisecond */
    char state[SA_ID_LEN + 1];
    struct parts owner;
    struct sa_challenge challenge;
};

struct rehash {
    uint8_t old_mac[SA_MAC_LEN];
    uint8_t new_mac[SA_MAC_LEN];
};

struct sa_challenges {
    pthread_mutex_t lock;
    uint64_t serial;
    struct rehash rehashes[REHASHES]; /* the last ones */
    size_t next_rehash;
    struct slot slots[SA_CHALLENGES_MAX];
    struct slot *by_source[SA_CHALLENGES_MAX]; /* room's alone */
};

struct sa_challenges *
sa_challenges_new(void)
{
    struct sa_challenges *challenges = calloc(1, sizeof(*challenges));

    if (challenges != NULL)
        pthread_mutex_init(&challenges->lock, NULL);
    return challenges;
}

void
sa_challenges_free(struct sa_challenges *challenges)
{
    if (challenges == NULL)
        return;
    pthread_mutex_destroy(&challenges->lock);
    sa_wipe(challenges->slots, sizeof(challenges->slots));
    free(challenges);
}

static struct parts
parts_of(const struct sa_challenge_owner *owner)
{
    struct parts parts = {.via = (uint8_t)owner->via};

    sa_sha256(sa_bytes_of(owner->source->text), parts.source);
    sa_sha256(owner->name, parts.name);
    sa_sha256(owner->service, parts.service);
    return parts;
}

static bool
is_of_pair(const struct slot *slot, const struct parts *owner)
{
    return memcmp(slot->owner.source, owner->source, SA_SHA256_LEN) == 0 &&
           memcmp(slot->owner.name, owner->name, SA_SHA256_LEN) == 0;
}

/* ---- room for one more ---- */

static bool
is_dead(const struct slot *slot, int64_t boot_ms)
{
    return slot->made_boot_ms == 0 || boot_ms - slot->made_boot_ms >= SA_CHALLENGE_LIFE_MS;
}

static int
compare_slots(const void *left, const void *right)
{
    const struct slot *a = *(struct slot *const *)left;
    const struct slot *b = *(struct slot *const *)right;
    int order = memcmp(a->owner.source, b->owner.source, SA_SHA256_LEN);

    return order != 0 ? order : a->serial < b->serial ? -1 : 1;
}

/* Of a full table: the oldest of the source that holds the most; of several such sources, the oldest of all.
 */
static struct slot *
oldest_of_greediest(struct sa_challenges *challenges)
{
    struct slot **slots = challenges->by_source;
    size_t best = 0;
    size_t most = 0;

    for (size_t i = 0; i < SA_CHALLENGES_MAX; i++)
        slots[i] = &challenges->slots[i];
    qsort(slots, SA_CHALLENGES_MAX, sizeof(slots[0]), compare_slots);
    for (size_t first = 0, i = 0; i < SA_CHALLENGES_MAX; i++) {
        if (memcmp(slots[i]->owner.source, slots[first]->owner.source, SA_SHA256_LEN) != 0)
            first = i;
        size_t count = i - first + 1;
        if (count < most || (count == most && slots[first]->serial > slots[best]->serial))
            continue;
        most = count;
        best = first;
    }
    return slots[best];
}

static struct slot *
room(struct sa_challenges *challenges, const struct parts *owner, int64_t boot_ms)
{
    struct slot *oldest_of_pair = NULL;
    struct slot *unused = NULL;
    unsigned of_pair = 0;

    for (size_t i = 0; i < SA_CHALLENGES_MAX; i++) {
        struct slot *slot = &challenges->slots[i];
        if (is_dead(slot, boot_ms)) {
            sa_wipe(slot, sizeof(*slot));
            unused = slot;
            continue;
        }
        if (!is_of_pair(slot, owner))
            continue;
        of_pair++;
        if (oldest_of_pair == NULL || slot->serial < oldest_of_pair->serial)
            oldest_of_pair = slot;
    }
    if (of_pair >= SA_CHALLENGES_PER_PAIR)
        return oldest_of_pair;
    return unused != NULL ? unused : oldest_of_greediest(challenges);
}

/* ---- in and out ---- */

/* A proof of the old hash is one of the new hash, too. */
static void
carry_over(struct sa_challenge *challenge, const struct rehash *rehash)
{
    if (memcmp(challenge->hash_mac, rehash->old_mac, SA_MAC_LEN) == 0 ||
        memcmp(challenge->next_mac, rehash->old_mac, SA_MAC_LEN) == 0)
        memcpy(challenge->next_mac, rehash->new_mac, SA_MAC_LEN);
}

void
sa_challenges_issue(struct sa_challenges *challenges, const struct sa_challenge_owner *owner,
                    const struct sa_challenge *challenge, int64_t boot_ms, char ret_state[SA_ID_LEN + 1])
{
    const struct parts parts = parts_of(owner);

    sa_random_id(ret_state);
    pthread_mutex_lock(&challenges->lock);
    struct slot *slot = room(challenges, &parts, boot_ms);
    *slot = (struct slot){
        .made_boot_ms = boot_ms, .serial = ++challenges->serial, .owner = parts, .challenge = *challenge};
    memcpy(slot->state, ret_state, sizeof(slot->state));
    for (size_t i = 0; i < REHASHES; i++) /* from the oldest on */
        carry_over(&slot->challenge, &challenges->rehashes[(challenges->next_rehash + i) % REHASHES]);
    pthread_mutex_unlock(&challenges->lock);
}

bool
sa_challenges_redeem(struct sa_challenges *challenges, struct sa_bytes state,
                     const struct sa_challenge_owner *owner, int64_t boot_ms,
                     struct sa_challenge *ret_challenge)
{
    const struct parts parts = parts_of(owner);
    bool redeemed = false;

    if (state.len != SA_ID_LEN)
        return false;
    pthread_mutex_lock(&challenges->lock);
    for (size_t i = 0; i < SA_CHALLENGES_MAX && !redeemed; i++) {
        struct slot *slot = &challenges->slots[i];
        redeemed = !is_dead(slot, boot_ms) && memcmp(&slot->owner, &parts, sizeof(parts)) == 0 &&
                   sa_secret_equal(state, sa_bytes(slot->state, SA_ID_LEN));
        if (!redeemed)
            continue;
        *ret_challenge = slot->challenge;
        sa_wipe(slot, sizeof(*slot));
    }
    pthread_mutex_unlock(&challenges->lock);
    return redeemed;
}

void
sa_challenges_rehashing(struct sa_challenges *challenges, const uint8_t old_mac[SA_MAC_LEN],
                        const uint8_t new_mac[SA_MAC_LEN])
{
    pthread_mutex_lock(&challenges->lock);
    struct rehash *rehash = &challenges->rehashes[challenges->next_rehash++ % REHASHES];
    memcpy(rehash->old_mac, old_mac, SA_MAC_LEN);
    memcpy(rehash->new_mac, new_mac, SA_MAC_LEN);
    for (size_t i = 0; i < SA_CHALLENGES_MAX; i++)
        carry_over(&challenges->slots[i].challenge, rehash);
    pthread_mutex_unlock(&challenges->lock);
}
