/*
 * Three tables: failures of (user, source), of users from sources that are not known to them, and of
 * passwords across names. Names, sources and passwords are keyed hashes in all of them.
 */
#include "service/auth/lockout.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/lru.h"
#include "service/auth/switches.h"

#define TAGS       4u  /* wrong passwords that a pair remembers */
#define GUARD_TAGS 8u  /* a user */
#define SLOTS      13u /* of the guard's window: the one in which it began counts whole */
#define SLOT_MS    (SA_GUARD_WINDOW_MS / (SLOTS - 1))
#define USERS_MAX  131072u /* with failures of their own at once */
#define SPRAYS_MAX 65536u  /* passwords that are remembered across names */
#define FEW_PAIRS  256u    /* what a table would hold whose size does not follow the hash rate; for tests */
#define TAKEN_MS   INT64_C(60000) /* longer than any call lives */
#define SPRAY_MS   INT64_C(3600000)

struct pair {
    struct sa_lru_item item; /* its pins: what is taken and not decided */
    uint8_t name[SA_LRU_KEY_LEN];
    uint64_t source;
    uint64_t tags[TAGS];
    int64_t until_ms; /* CLOCK_BOOTTIME, as all times here */
    int64_t failed_ms;
    int64_t taken_ms;
    uint32_t failures;
    uint32_t next_tag;
};

struct guard {
    struct sa_lru_item item; /* by the user's name */
    uint64_t tags[GUARD_TAGS];
    uint32_t next_tag;
    uint32_t slots[SLOTS];
    int64_t slot; /* number of the newest */
    int64_t failed_ms;
    int64_t until_ms; /* it is up; 0: it is not */
};

struct spray {
    struct sa_lru_item item; /* by the password */
    int64_t began_ms;
    uint32_t count;
    uint64_t names[SA_SPRAY_NAMES];
};

struct sa_lockout {
    pthread_mutex_t lock;
    struct sa_lockout_limits limits;
    const struct sa_keyring *keyring;
    uint8_t salt[32]; /* of passwords' tags: they mean nothing to another process */
    struct sa_lru *pairs;
    struct sa_lru *guards;
    struct sa_lru *sprays;
};

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

/* A keyed hash of what kind it is, a name of any length, and a text. */
static void
keyed(const struct sa_lockout *lockout, char kind, struct sa_bytes name, const char *text,
      uint8_t ret_mac[SA_MAC_LEN])
{
    uint8_t data[1 + SA_SHA256_LEN + SA_SOURCE_TEXT_MAX];
    size_t len = strnlen(text, SA_SOURCE_TEXT_MAX);

    data[0] = (uint8_t)kind;
    sa_sha256(name, data + 1);
    memcpy(data + 1 + SA_SHA256_LEN, text, len);
    sa_keyring_mac(lockout->keyring, SA_KEY_LOCKOUT, sa_bytes(data, 1 + SA_SHA256_LEN + len), ret_mac);
}

static uint64_t
short_of(const uint8_t *mac)
{
    uint64_t number;

    memcpy(&number, mac, sizeof(number));
    return number;
}

void
sa_lockout_name_key(const struct sa_lockout *lockout, struct sa_bytes name,
                    uint8_t ret_key[SA_LOCKOUT_KEY_LEN])
{
    uint8_t mac[SA_MAC_LEN];

    keyed(lockout, 'n', name, "", mac);
    memcpy(ret_key, mac, SA_LOCKOUT_KEY_LEN);
}

static void
pair_key(const struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
         uint8_t ret_key[SA_LRU_KEY_LEN])
{
    uint8_t mac[SA_MAC_LEN];

    keyed(lockout, 'p', attempt->name, attempt->source->text, mac);
    memcpy(ret_key, mac, SA_LRU_KEY_LEN);
}

static uint64_t
source_tag(const struct sa_lockout *lockout, const char *source)
{
    uint8_t mac[SA_MAC_LEN];

    keyed(lockout, 's', sa_bytes(NULL, 0), source, mac);
    return short_of(mac);
}

/* What stands for a password; with the name and the hash that it was not, so that a change forgets it. */
static void
password_tag(const struct sa_lockout *lockout, const struct sa_lockout_try *attempt, bool across_names,
             uint8_t ret_mac[SA_MAC_LEN])
{
    struct {
        uint8_t salt[32];
        uint8_t name[SA_SHA256_LEN];
        uint8_t hash[SA_SHA256_LEN];
        uint8_t password[SA_SHA256_LEN];
    } data = {.salt = {0}};

    memcpy(data.salt, lockout->salt, sizeof(data.salt));
    sa_sha256(attempt->password, data.password);
    if (!across_names) {
        sa_sha256(attempt->name, data.name);
        sa_sha256(sa_bytes_of(attempt->user == NULL ? "" : attempt->user->hash), data.hash);
    }
    sa_keyring_mac(lockout->keyring, SA_KEY_LOCKOUT, sa_bytes(&data, sizeof(data)), ret_mac);
    sa_wipe(&data, sizeof(data));
}

/* Whether it was one of the last few; it is one from now on. */
static bool
is_again(uint64_t *tags, uint32_t count, uint32_t *next, uint64_t tag)
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

static int64_t
life_ms(const struct sa_lockout *lockout)
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
    if (wait > SA_SERVICE_WAIT_MS && strncmp(source->text, "service:", 8) == 0)
        wait = SA_SERVICE_WAIT_MS;
    return wait;
}

/* The pair, where there is one that still means something. */
static struct pair *
find_pair(struct sa_lockout *lockout, const uint8_t key[SA_LRU_KEY_LEN], int64_t boot_ms)
{
    struct pair *pair = sa_lru_find(lockout->pairs, key);

    /* A call that was dropped between its hash and its decision has left what it took. */
    if (pair != NULL && pair->item.pins > 0 && pair->taken_ms + TAKEN_MS <= boot_ms)
        pair->item.pins = 0;
    if (pair == NULL || pair->failed_ms + life_ms(lockout) > boot_ms || pair->item.pins > 0)
        return pair;
    sa_lru_remove(lockout->pairs, pair);
    return NULL;
}

/* Once the free ones are spent, one is looked at after the other: the next may have to wait for this one. */
static uint32_t
wait_of(const struct sa_lockout *lockout, const struct pair *pair, const struct sa_lockout_try *attempt)
{
    if (pair == NULL || !sa_switch_is_on(SA_SWITCH_pair_wait) ||
        pair->failures + pair->item.pins < lockout->limits.free_failures)
        return 0;
    int64_t left = pair->until_ms - attempt->now.boot_ms;
    if (left > 0)
        return (uint32_t)left;
    return pair->item.pins == 0
               ? 0
               : (uint32_t)wait_after(lockout, attempt->source, pair->failures + pair->item.pins);
}

static struct guard *
find_guard(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t key[SA_LRU_KEY_LEN];

    sa_lockout_name_key(lockout, attempt->name, key);
    return sa_lru_find(lockout->guards, key);
}

/* From where a guard stands, and failures count towards one. */
static bool
is_stranger(const struct sa_lockout_try *attempt)
{
    if (attempt->user == NULL || !sa_switch_is_on(SA_SWITCH_guard))
        return false;
    return !sa_switch_is_on(SA_SWITCH_guard_known) || (!attempt->is_known && !attempt->is_console);
}

void
sa_lockout_look(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                struct sa_lockout_state *ret_state)
{
    uint8_t key[SA_LRU_KEY_LEN];

    pair_key(lockout, attempt, key);
    pthread_mutex_lock(&lockout->lock);
    const struct pair *pair = find_pair(lockout, key, attempt->now.boot_ms);
    const struct guard *guard = is_stranger(attempt) ? find_guard(lockout, attempt) : NULL;
    *ret_state = (struct sa_lockout_state){
        .wait_ms = wait_of(lockout, pair, attempt),
        .failures = pair == NULL ? 0 : pair->failures,
        .on_guard = guard != NULL && guard->until_ms > attempt->now.boot_ms,
    };
    pthread_mutex_unlock(&lockout->lock);
}

static struct pair *
add_pair(struct sa_lockout *lockout, const struct sa_lockout_try *attempt, const uint8_t key[SA_LRU_KEY_LEN])
{
    struct pair *pair = sa_lru_add(lockout->pairs, key);

    if (pair == NULL)
        return NULL;
    sa_lockout_name_key(lockout, attempt->name, pair->name);
    pair->source = source_tag(lockout, attempt->source->text);
    pair->failed_ms = attempt->now.boot_ms;
    return pair;
}

uint32_t
sa_lockout_claim(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t key[SA_LRU_KEY_LEN];

    if (!sa_switch_is_on(SA_SWITCH_pair_first))
        return 0;
    pair_key(lockout, attempt, key);
    pthread_mutex_lock(&lockout->lock);
    struct pair *pair = find_pair(lockout, key, attempt->now.boot_ms);
    uint32_t wait = wait_of(lockout, pair, attempt);
    if (wait == 0 && pair == NULL)
        pair = add_pair(lockout, attempt, key);
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
        .expires_ms = attempt->now.wall_ms + life_ms(lockout),
    };
    memcpy(row->key, pair->item.key, sizeof(row->key));
    memcpy(row->name, pair->name, sizeof(row->name));
    snprintf(row->user, sizeof(row->user), "%s", attempt->name_text);
    snprintf(row->source, sizeof(row->source), "%s", attempt->source->text);
}

static void
fail_pair(struct sa_lockout *lockout, struct sa_lockout_try *attempt, uint64_t tag,
          struct sa_login_change *change)
{
    uint8_t key[SA_LRU_KEY_LEN];

    pair_key(lockout, attempt, key);
    struct pair *pair = sa_lru_find(lockout->pairs, key);
    if (pair == NULL)
        pair = add_pair(lockout, attempt, key);
    if (pair == NULL)
        return;
    if (pair->item.pins > 0)
        pair->item.pins--;
    pair->failed_ms = attempt->now.boot_ms;
    sa_lru_touch(lockout->pairs, pair);
    if (is_again(pair->tags, TAGS, &pair->next_tag, tag))
        return;
    pair->failures++;
    pair->until_ms = attempt->now.boot_ms + wait_after(lockout, attempt->source, pair->failures);
    attempt->counted = true;
    row_of_pair(lockout, pair, attempt, change);
}

/* ---- guards ---- */

/* Let the slots that have left the window go. */
static void
advance(struct guard *guard, int64_t boot_ms)
{
    int64_t slot = boot_ms / SLOT_MS;

    if (slot - guard->slot >= (int64_t)SLOTS) {
        memset(guard->slots, 0, sizeof(guard->slots));
        guard->slot = slot;
    }
    while (guard->slot < slot)
        guard->slots[++guard->slot % SLOTS] = 0;
}

static uint32_t
failures_of(const struct guard *guard)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < SLOTS; i++)
        sum += guard->slots[i];
    return sum;
}

static void
row_of_guard(const struct guard *guard, const struct sa_lockout_try *attempt, struct sa_login_change *change)
{
    struct sa_guard_row *row = &change->guard;

    change->has_guard = true;
    *row = (struct sa_guard_row){
        .failures = failures_of(guard),
        .left_ms = guard->until_ms > attempt->now.boot_ms ? guard->until_ms - attempt->now.boot_ms : 0,
        .failed_ms = attempt->now.wall_ms,
        .expires_ms = attempt->now.wall_ms + SA_GUARD_WINDOW_MS,
    };
    memcpy(row->name, guard->item.key, sizeof(row->name));
    snprintf(row->user, sizeof(row->user), "%s", attempt->name_text);
}

static unsigned
fail_guard(struct sa_lockout *lockout, struct sa_lockout_try *attempt, uint64_t tag,
           struct sa_login_change *change)
{
    int64_t now = attempt->now.boot_ms;
    uint8_t key[SA_LRU_KEY_LEN];

    if (attempt->matched || !is_stranger(attempt))
        return 0;
    sa_lockout_name_key(lockout, attempt->name, key);
    struct guard *guard = sa_lru_find(lockout->guards, key);
    if (guard == NULL)
        guard = sa_lru_add(lockout->guards, key);
    advance(guard, now);
    if (is_again(guard->tags, GUARD_TAGS, &guard->next_tag, tag))
        return 0;
    bool was_up = guard->until_ms > now;
    guard->slots[guard->slot % SLOTS]++;
    guard->failed_ms = now;
    sa_lru_touch(lockout->guards, guard);
    if (was_up || failures_of(guard) >= lockout->limits.guard_failures)
        guard->until_ms = now + SA_GUARD_WINDOW_MS;
    attempt->guarded = true;
    row_of_guard(guard, attempt, change);
    return !was_up && guard->until_ms > now ? SA_ALARM_GUARD : 0;
}

/* ---- one password, many names ---- */

static unsigned
note_spray(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t tag[SA_MAC_LEN];
    uint8_t name[SA_LRU_KEY_LEN];

    if (attempt->matched || !sa_switch_is_on(SA_SWITCH_spray_alarm))
        return 0;
    password_tag(lockout, attempt, true, tag);
    sa_lockout_name_key(lockout, attempt->name, name);
    struct spray *spray = sa_lru_find(lockout->sprays, tag);
    if (spray == NULL)
        spray = sa_lru_add(lockout->sprays, tag);
    if (spray->count == 0 || attempt->now.boot_ms - spray->began_ms >= SPRAY_MS) {
        spray->began_ms = attempt->now.boot_ms;
        spray->count = 0;
    }
    for (uint32_t i = 0; i < spray->count && i < SA_SPRAY_NAMES; i++)
        if (spray->names[i] == short_of(name))
            return 0;
    if (spray->count >= SA_SPRAY_NAMES)
        return 0;
    spray->names[spray->count++] = short_of(name);
    sa_lru_touch(lockout->sprays, spray);
    return spray->count == SA_SPRAY_NAMES ? SA_ALARM_SPRAY : 0;
}

/* ---- what became of an attempt ---- */

unsigned
sa_lockout_failed(struct sa_lockout *lockout, struct sa_lockout_try *attempt, bool counts,
                  struct sa_login_change *change)
{
    uint8_t tag[SA_MAC_LEN];

    if (!counts) {
        sa_lockout_give_back(lockout, attempt);
        return 0;
    }
    password_tag(lockout, attempt, false, tag);
    pthread_mutex_lock(&lockout->lock);
    fail_pair(lockout, attempt, short_of(tag), change);
    unsigned alarms = fail_guard(lockout, attempt, short_of(tag), change);
    alarms |= note_spray(lockout, attempt);
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
    struct guard *guard = attempt->guarded ? find_guard(lockout, attempt) : NULL;
    if (guard != NULL && guard->slots[guard->slot % SLOTS] > 0)
        guard->slots[guard->slot % SLOTS]--;
    pthread_mutex_unlock(&lockout->lock);
}

static void
known_row(const struct sa_user *user, const struct sa_source *source, struct sa_now now,
          struct sa_known_row *ret_row)
{
    *ret_row = (struct sa_known_row){.used_s = now.wall_ms / 1000};
    snprintf(ret_row->subject, sizeof(ret_row->subject), "%s", user->subject);
    snprintf(ret_row->source, sizeof(ret_row->source), "%s", source->text);
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
    if (!proof->every_factor || !attempt->may_be_known || attempt->user == NULL)
        return;
    change->has_known = true;
    known_row(attempt->user, attempt->source, attempt->now, &change->known);
    if (proof->factor)
        change->known.factor_s = change->known.used_s;
}

static void
forgive(struct pair *pair)
{
    pair->failures = 0;
    pair->until_ms = 0;
    pair->next_tag = 0;
    memset(pair->tags, 0, sizeof(pair->tags));
}

void
sa_lockout_committed(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t key[SA_LRU_KEY_LEN];
    uint8_t name[SA_LRU_KEY_LEN];

    pair_key(lockout, attempt, key);
    sa_lockout_name_key(lockout, attempt->name, name);
    pthread_mutex_lock(&lockout->lock);
    struct pair *pair = sa_lru_find(lockout->pairs, key);
    if (pair != NULL)
        forgive(pair);
    for (struct pair *other = sa_switch_is_on(SA_SWITCH_pair_clear) ? NULL
                                                                    : sa_lru_next(lockout->pairs, NULL);
         other != NULL; other = sa_lru_next(lockout->pairs, other))
        if (memcmp(other->name, name, sizeof(name)) == 0)
            forgive(other);
    pthread_mutex_unlock(&lockout->lock);
}

/* ---- known sources ---- */

bool
sa_lockout_may_be_known(const struct sa_rules *rules, const struct sa_source *source)
{
    static const char *const KINDS[] = {"addr:", "net64:", "uid:"};

    for (size_t i = 0; i < SA_COUNT(KINDS); i++)
        if (strncmp(source->text, KINDS[i], strlen(KINDS[i])) == 0)
            return strchr(source->text, '@') == NULL && !sa_rules_is_shared(rules, source);
    return false;
}

bool
sa_lockout_session_change(const struct sa_rules *rules, const struct sa_user *user,
                          const struct sa_source *source, struct sa_now now, struct sa_known_row *ret_row)
{
    if (!sa_lockout_may_be_known(rules, source))
        return false;
    known_row(user, source, now, ret_row);
    return true;
}

/* ---- the start ---- */

struct loading {
    struct sa_lockout *lockout;
    struct sa_now now;
};

/* When it was on this boot's clock. A stamp from the future is of a clock that was set back: taken for now.
 */
static int64_t
boot_of(const struct loading *loading, int64_t wall_ms)
{
    int64_t ago = loading->now.wall_ms - wall_ms;

    return loading->now.boot_ms - (ago < 0 ? 0 : ago);
}

static bool
load_pair(void *user, const struct sa_pair_row *row)
{
    struct loading *loading = user;
    struct sa_lockout *lockout = loading->lockout;
    int64_t failed_ms = boot_of(loading, row->failed_ms);

    if (failed_ms + life_ms(lockout) <= loading->now.boot_ms)
        return true;
    struct pair *pair = sa_lru_find(lockout->pairs, row->key);
    if (pair == NULL)
        pair = sa_lru_add(lockout->pairs, row->key);
    memcpy(pair->name, row->name, sizeof(pair->name));
    pair->source = source_tag(lockout, row->source);
    pair->failures = row->failures;
    pair->failed_ms = failed_ms;
    pair->until_ms = loading->now.boot_ms + row->left_ms;
    return true;
}

static bool
load_guard(void *user, const struct sa_guard_row *row)
{
    struct loading *loading = user;
    struct sa_lockout *lockout = loading->lockout;
    int64_t failed_ms = boot_of(loading, row->failed_ms);

    if (failed_ms + SA_GUARD_WINDOW_MS <= loading->now.boot_ms)
        return true;
    struct guard *guard = sa_lru_find(lockout->guards, row->name);
    if (guard == NULL)
        guard = sa_lru_add(lockout->guards, row->name);
    guard->slot = loading->now.boot_ms / SLOT_MS;
    guard->slots[guard->slot % SLOTS] = row->failures;
    guard->failed_ms = failed_ms;
    guard->until_ms = row->left_ms > 0 ? loading->now.boot_ms + row->left_ms : 0;
    return true;
}

enum sa_status
sa_lockout_load(struct sa_lockout *lockout, struct sa_store *store, struct sa_now now)
{
    struct loading loading = {lockout, now};

    if (!sa_switch_is_on(SA_SWITCH_pair_persist))
        return SA_OK;
    enum sa_status status = sa_store_pairs(store, load_pair, &loading);
    return status == SA_OK ? sa_store_guards(store, load_guard, &loading) : status;
}

/* ---- for administrators ---- */

void
sa_lockout_pair_left(struct sa_lockout *lockout, const uint8_t key[SA_LOCKOUT_KEY_LEN], int64_t boot_ms,
                     struct sa_lockout_left *ret_left)
{
    pthread_mutex_lock(&lockout->lock);
    const struct pair *pair = find_pair(lockout, key, boot_ms);
    *ret_left = (struct sa_lockout_left){.failures = pair == NULL ? 0 : pair->failures};
    if (pair != NULL && pair->until_ms > boot_ms)
        ret_left->wait_ms = (uint32_t)(pair->until_ms - boot_ms);
    pthread_mutex_unlock(&lockout->lock);
}

void
sa_lockout_guard_left(struct sa_lockout *lockout, const uint8_t name[SA_LOCKOUT_KEY_LEN], int64_t boot_ms,
                      struct sa_lockout_left *ret_left)
{
    pthread_mutex_lock(&lockout->lock);
    struct guard *guard = sa_lru_find(lockout->guards, name);
    *ret_left = (struct sa_lockout_left){.failures = 0};
    if (guard != NULL) {
        advance(guard, boot_ms);
        ret_left->failures = failures_of(guard);
        ret_left->guard_ms = guard->until_ms > boot_ms ? guard->until_ms - boot_ms : 0;
    }
    pthread_mutex_unlock(&lockout->lock);
}

void
sa_lockout_clear(struct sa_lockout *lockout, const uint8_t *name, const char *source)
{
    uint64_t tag = source == NULL ? 0 : source_tag(lockout, source);

    pthread_mutex_lock(&lockout->lock);
    for (struct pair *pair = sa_lru_next(lockout->pairs, NULL); pair != NULL;
         pair = sa_lru_next(lockout->pairs, pair))
        if ((name == NULL || memcmp(pair->name, name, SA_LRU_KEY_LEN) == 0) &&
            (source == NULL || pair->source == tag))
            forgive(pair);
    for (struct guard *guard = source == NULL ? sa_lru_next(lockout->guards, NULL) : NULL; guard != NULL;
         guard = sa_lru_next(lockout->guards, guard))
        if (name == NULL || memcmp(guard->item.key, name, SA_LRU_KEY_LEN) == 0) {
            memset(guard->slots, 0, sizeof(guard->slots));
            memset(guard->tags, 0, sizeof(guard->tags));
            guard->until_ms = 0;
        }
    pthread_mutex_unlock(&lockout->lock);
}
