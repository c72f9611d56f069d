/* Pairs: what waits, what is taken, what becomes of an attempt. */
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/lockout_inside.h"

struct sa_lockout *
sa_lockout_new(const struct sa_lockout_limits *limits, const struct sa_keyring *keyring)
{
    struct sa_lockout *lockout = calloc(1, sizeof(*lockout));

    if (lockout == NULL)
        return NULL;
    pthread_mutex_init(&lockout->lock, NULL);
    lockout->limits = *limits;
    lockout->keyring = keyring;
    sa_random(lockout->salt, sizeof(lockout->salt));
    lockout->pairs =
        sa_lru_new(sa_switch_is_on(SA_SWITCH_eviction) ? limits->pairs : FEW_PAIRS, sizeof(struct pair));
    lockout->guards = sa_lru_new(USERS_MAX, sizeof(struct guard));
    lockout->sprays =
        sa_lru_new(limits->pairs < SPRAYS_MAX ? limits->pairs : SPRAYS_MAX, sizeof(struct spray));
    if (lockout->pairs == NULL || lockout->guards == NULL || lockout->sprays == NULL) {
        sa_lockout_free(lockout);
        return NULL;
    }
    return lockout;
}

void
sa_lockout_free(struct sa_lockout *lockout)
{
    if (lockout == NULL)
        return;
    sa_lru_free(lockout->pairs);
    sa_lru_free(lockout->guards);
    sa_lru_free(lockout->sprays);
    pthread_mutex_destroy(&lockout->lock);
    sa_wipe(lockout->salt, sizeof(lockout->salt));
    free(lockout);
}

/* ---- keys ---- */

/* A keyed hash of what kind it is, a name, and a text. */
static void
keyed(const struct sa_lockout *lockout, char kind, struct sa_bytes name, const char *text,
      uint8_t ret_tag[SA_TAG_LEN])
{
    const struct sa_bytes parts[] = {name, sa_bytes_of(text)};

    sa_keyring_tag(lockout->keyring, SA_KEY_LOCKOUT, (uint8_t)kind, parts, SA_COUNT(parts), ret_tag);
}

uint64_t
sa_lockout_short(const uint8_t *tag)
{
    uint64_t number;

    memcpy(&number, tag, sizeof(number));
    return number;
}

void
sa_lockout_name_key(const struct sa_lockout *lockout, struct sa_bytes name,
                    uint8_t ret_key[SA_LOCKOUT_KEY_LEN])
{
    keyed(lockout, 'n', name, "", ret_key);
}

static void
pair_key(const struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
         uint8_t ret_key[SA_LRU_KEY_LEN])
{
    keyed(lockout, 'p', attempt->name, sa_switch_is_on(SA_SWITCH_pair_source) ? attempt->source->text : "",
          ret_key);
}

static struct keys
keys_of(const struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    struct keys keys;

    pair_key(lockout, attempt, keys.pair);
    sa_lockout_name_key(lockout, attempt->name, keys.name);
    return keys;
}

uint64_t
sa_lockout_source_tag(const struct sa_lockout *lockout, const char *source)
{
    uint8_t tag[SA_TAG_LEN];

    keyed(lockout, 's', sa_bytes(NULL, 0), source, tag);
    return sa_lockout_short(tag);
}

/* What stands for a password; with the name and the hash that it was not, so that a change forgets it. */
void
sa_lockout_password_tag(const struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                        bool across_names, uint8_t ret_tag[SA_TAG_LEN])
{
    bool has_hash = attempt->user != NULL && sa_switch_is_on(SA_SWITCH_same_forgotten);
    const struct sa_bytes parts[] = {
        sa_bytes(lockout->salt, sizeof(lockout->salt)),
        attempt->password,
        attempt->name,
        sa_bytes_of(has_hash ? attempt->user->hash : ""),
    };

    sa_keyring_tag(lockout->keyring, SA_KEY_LOCKOUT, 'w', parts, across_names ? 2 : SA_COUNT(parts), ret_tag);
}

/* Whether it was one of the last few; it is one from now on. */
bool
sa_lockout_is_again(uint64_t *tags, uint32_t count, uint32_t *next, uint64_t tag)
{
    if (!sa_switch_is_on(SA_SWITCH_same_password))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (tags[i] == tag)
            return true;
    tags[*next % count] = tag;
    ++*next;
    return false;
}

/* ---- pairs ---- */

int64_t
sa_lockout_life_ms(const struct sa_lockout *lockout)
{
    return lockout->limits.wait_max_ms > SA_LOCKOUT_IDLE_MS ? lockout->limits.wait_max_ms
                                                            : SA_LOCKOUT_IDLE_MS;
}

static int64_t
wait_after(const struct sa_lockout *lockout, const struct sa_source *source, uint32_t failures)
{
    uint32_t doublings = failures - lockout->limits.free_failures;
    int64_t wait = doublings >= 31 ? INT64_MAX : INT64_C(1000) << doublings;

    if (failures < lockout->limits.free_failures)
        return 0;
    if (wait > lockout->limits.wait_max_ms)
        wait = lockout->limits.wait_max_ms;
    if (wait > SA_SERVICE_WAIT_MS && strncmp(source->text, "service:", 8) == 0 &&
        sa_switch_is_on(SA_SWITCH_service_wait))
        wait = SA_SERVICE_WAIT_MS;
    return wait;
}

/* The pair, where there is one that still means something. */
struct pair *
sa_lockout_find_pair(struct sa_lockout *lockout, const uint8_t key[SA_LRU_KEY_LEN], int64_t boot_ms)
{
    struct pair *pair = sa_lru_find(lockout->pairs, key);

    /* A call that was dropped between its hash and its decision has left what it took. */
    if (pair != NULL && pair->item.pins > 0 && pair->taken_ms + TAKEN_MS <= boot_ms)
        pair->item.pins = 0;
    if (pair == NULL || pair->failed_ms + sa_lockout_life_ms(lockout) > boot_ms || pair->item.pins > 0)
        return pair;
    sa_lru_remove(lockout->pairs, pair);
    return NULL;
}

static uint32_t
wait_of(const struct sa_lockout *lockout, const struct pair *pair, const struct sa_lockout_try *attempt)
{
    if (pair == NULL || !sa_switch_is_on(SA_SWITCH_pair_wait) ||
        pair->failures < lockout->limits.free_failures)
        return 0;
    int64_t left = pair->until_ms - attempt->now.boot_ms;
    return left > 0 ? (uint32_t)left : 0;
}

/* Once the free ones are taken, one is looked at after the other: the next may have to wait for this one. */
static bool
is_taken(const struct sa_lockout *lockout, const struct pair *pair)
{
    return pair != NULL && sa_switch_is_on(SA_SWITCH_pair_wait) && pair->item.pins > 0 &&
           pair->failures + pair->item.pins >= lockout->limits.free_failures;
}

void
sa_lockout_look(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                struct sa_lockout_state *ret_state)
{
    uint8_t key[SA_LRU_KEY_LEN];

    pair_key(lockout, attempt, key);
    pthread_mutex_lock(&lockout->lock);
    const struct pair *pair = sa_lockout_find_pair(lockout, key, attempt->now.boot_ms);
    const struct guard *guard = sa_guard_is_stranger(attempt) ? sa_guard_find(lockout, attempt) : NULL;
    *ret_state = (struct sa_lockout_state){
        .wait_ms = wait_of(lockout, pair, attempt),
        .failures = pair == NULL ? 0 : pair->failures,
        .on_guard = guard != NULL && guard->until_ms > attempt->now.boot_ms,
    };
    pthread_mutex_unlock(&lockout->lock);
}

static struct pair *
add_pair(struct sa_lockout *lockout, const struct sa_lockout_try *attempt, const struct keys *keys)
{
    struct pair *pair = sa_lru_add(lockout->pairs, keys->pair);

    if (pair == NULL)
        return NULL;
    memcpy(pair->name, keys->name, sizeof(pair->name));
    pair->source = sa_lockout_source_tag(lockout, attempt->source->text);
    pair->failed_ms = attempt->now.boot_ms;
    return pair;
}

uint32_t
sa_lockout_claim(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    if (!sa_switch_is_on(SA_SWITCH_pair_first))
        return 0;
    const struct keys keys = keys_of(lockout, attempt);
    pthread_mutex_lock(&lockout->lock);
    struct pair *pair = sa_lockout_find_pair(lockout, keys.pair, attempt->now.boot_ms);
    uint32_t wait = wait_of(lockout, pair, attempt);
    if (wait == 0 && is_taken(lockout, pair))
        wait = SA_LOCKOUT_UNDECIDED;
    if (wait == 0 && pair == NULL)
        pair = add_pair(lockout, attempt, &keys);
    if (wait == 0 && pair != NULL) {
        pair->item.pins++;
        pair->taken_ms = attempt->now.boot_ms;
    }
    pthread_mutex_unlock(&lockout->lock);
    return wait;
}

/* What holds nothing is no entry: one is made by a finished hash only. */
static void
let_go(struct sa_lockout *lockout, struct pair *pair)
{
    if (pair->item.pins > 0)
        pair->item.pins--;
    if (pair->item.pins == 0 && pair->failures == 0 && pair->next_tag == 0)
        sa_lru_remove(lockout->pairs, pair);
}

void
sa_lockout_give_back(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t key[SA_LRU_KEY_LEN];

    if (!sa_switch_is_on(SA_SWITCH_give_back))
        return;
    pair_key(lockout, attempt, key);
    pthread_mutex_lock(&lockout->lock);
    struct pair *pair = sa_lru_find(lockout->pairs, key);
    if (pair != NULL)
        let_go(lockout, pair);
    pthread_mutex_unlock(&lockout->lock);
}

static void
row_of_pair(const struct sa_lockout *lockout, const struct pair *pair, const struct sa_lockout_try *attempt,
            struct sa_login_change *change)
{
    struct sa_pair_row *row = &change->pair;

    change->has_pair = true;
    *row = (struct sa_pair_row){
        .failures = pair->failures,
        .left_ms = pair->until_ms > attempt->now.boot_ms ? pair->until_ms - attempt->now.boot_ms : 0,
        .failed_ms = attempt->now.wall_ms,
        .expires_ms = attempt->now.wall_ms + sa_lockout_life_ms(lockout),
    };
    memcpy(row->key, pair->item.key, sizeof(row->key));
    memcpy(row->name, pair->name, sizeof(row->name));
    snprintf(row->user, sizeof(row->user), "%s", attempt->name_text);
    snprintf(row->source, sizeof(row->source), "%s", attempt->source->text);
}

static void
fail_pair(struct sa_lockout *lockout, struct sa_lockout_try *attempt, const struct keys *keys, uint64_t tag,
          struct sa_login_change *change)
{
    struct pair *pair = sa_lru_find(lockout->pairs, keys->pair);
    if (pair == NULL)
        pair = add_pair(lockout, attempt, keys);
    if (pair == NULL)
        return;
    if (pair->item.pins > 0)
        pair->item.pins--;
    pair->failed_ms = attempt->now.boot_ms;
    sa_lru_touch(lockout->pairs, pair);
    if (sa_lockout_is_again(pair->tags, TAGS, &pair->next_tag, tag))
        return;
    pair->failures++;
    pair->until_ms = attempt->now.boot_ms + wait_after(lockout, attempt->source, pair->failures);
    attempt->counted = true;
    row_of_pair(lockout, pair, attempt, change);
}

/* ---- what became of an attempt ---- */

unsigned
sa_lockout_failed(struct sa_lockout *lockout, struct sa_lockout_try *attempt, bool counts,
                  struct sa_login_change *change)
{
    uint8_t tag[SA_TAG_LEN];
    uint8_t across[SA_TAG_LEN];

    if (!counts) {
        sa_lockout_give_back(lockout, attempt);
        return 0;
    }
    const struct keys keys = keys_of(lockout, attempt);
    sa_lockout_password_tag(lockout, attempt, false, tag);
    sa_lockout_password_tag(lockout, attempt, true, across);
    pthread_mutex_lock(&lockout->lock);
    fail_pair(lockout, attempt, &keys, sa_lockout_short(tag), change);
    unsigned alarms = sa_guard_fail(lockout, attempt, &keys, sa_lockout_short(tag), change);
    alarms |= sa_spray_note(lockout, attempt, &keys, across);
    pthread_mutex_unlock(&lockout->lock);
    return alarms;
}

/* The tags stay: the same password again would only be forgiven. */
void
sa_lockout_undo(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t key[SA_LRU_KEY_LEN];

    pair_key(lockout, attempt, key);
    pthread_mutex_lock(&lockout->lock);
    struct pair *pair = attempt->counted ? sa_lru_find(lockout->pairs, key) : NULL;
    if (pair != NULL && pair->failures > 0) {
        pair->failures--;
        pair->until_ms = attempt->now.boot_ms + wait_after(lockout, attempt->source, pair->failures);
    }
    struct guard *guard = attempt->guarded ? sa_guard_find(lockout, attempt) : NULL;
    if (guard != NULL && guard->slots[guard->slot % SLOTS] > 0)
        guard->slots[guard->slot % SLOTS]--;
    pthread_mutex_unlock(&lockout->lock);
}

void
sa_lockout_succeeded(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                     const struct sa_lockout_proof *proof, struct sa_login_change *change)
{
    uint8_t key[SA_LRU_KEY_LEN];

    pair_key(lockout, attempt, key);
    pthread_mutex_lock(&lockout->lock);
    const struct pair *pair = sa_lru_find(lockout->pairs, key);
    if (pair != NULL && pair->failures > 0) {
        row_of_pair(lockout, pair, attempt, change);
        change->pair.failures = 0;
    }
    pthread_mutex_unlock(&lockout->lock);
    if ((!proof->every_factor && sa_switch_is_on(SA_SWITCH_known_factors)) || !attempt->may_be_known ||
        attempt->user == NULL)
        return;
    change->has_known = true;
    sa_lockout_known_row(attempt->user, attempt->source, attempt->now, &change->known);
    if (proof->factor)
        change->known.factor_s = change->known.used_s;
}

void
sa_lockout_forgive(struct pair *pair)
{
    pair->failures = 0;
    pair->until_ms = 0;
    pair->next_tag = 0;
    memset(pair->tags, 0, sizeof(pair->tags));
}

void
sa_lockout_committed(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    const struct keys keys = keys_of(lockout, attempt);

    pthread_mutex_lock(&lockout->lock);
    struct pair *pair = sa_lru_find(lockout->pairs, keys.pair);
    if (pair != NULL)
        sa_lockout_forgive(pair);
    for (struct pair *other = sa_switch_is_on(SA_SWITCH_pair_clear) ? NULL
                                                                    : sa_lru_next(lockout->pairs, NULL);
         other != NULL; other = sa_lru_next(lockout->pairs, other))
        if (memcmp(other->name, keys.name, sizeof(keys.name)) == 0)
            sa_lockout_forgive(other);
    struct guard *guard = sa_switch_is_on(SA_SWITCH_guard_stays) ? NULL : sa_guard_find(lockout, attempt);
    if (guard != NULL)
        sa_guard_clear(guard);
    pthread_mutex_unlock(&lockout->lock);
}
