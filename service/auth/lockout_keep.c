/* What outlives a restart, what is known, and what administrators look at. */
#include <stdio.h>

#include "service/auth/lockout_inside.h"

/* ---- known sources ---- */

void
sa_lockout_known_row(const struct sa_user *user, const struct sa_source *source, struct sa_now now,
                     struct sa_known_row *ret_row)
{
    *ret_row = (struct sa_known_row){.used_s = now.wall_ms / 1000};
    snprintf(ret_row->subject, sizeof(ret_row->subject), "%s", user->subject);
    snprintf(ret_row->source, sizeof(ret_row->source), "%s", source->text);
}

bool
sa_lockout_may_be_known(const struct sa_rules *rules, const struct sa_source *source)
{
    static const char *const KINDS[] = {"addr:", "net64:", "uid:"};

    if (!sa_switch_is_on(SA_SWITCH_known_kinds))
        return true;
    for (size_t i = 0; i < SA_COUNT(KINDS); i++)
        if (strncmp(source->text, KINDS[i], strlen(KINDS[i])) == 0)
            return strchr(source->text, '@') == NULL && !sa_rules_is_shared(rules, source);
    return false;
}

bool
sa_lockout_session_change(const struct sa_rules *rules, const struct sa_user *user,
                          const struct sa_source *source, struct sa_now now, struct sa_known_row *ret_row)
{
    if (!sa_lockout_may_be_known(rules, source) || !sa_switch_is_on(SA_SWITCH_known_session))
        return false;
    sa_lockout_known_row(user, source, now, ret_row);
    return true;
}

/* ---- the start ---- */

struct loading {
    struct sa_lockout *lockout;
    struct sa_now now;
};

/* When it was on this boot's clock. A stamp from the future is of a clock that was set back: it counts as
 * this moment.
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

    if (failed_ms + sa_lockout_life_ms(lockout) <= loading->now.boot_ms)
        return true;
    struct pair *pair = sa_lru_find(lockout->pairs, row->key);
    if (pair == NULL)
        pair = sa_lru_add(lockout->pairs, row->key);
    memcpy(pair->name, row->name, sizeof(pair->name));
    pair->source = sa_lockout_source_tag(lockout, row->source);
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
    guard->until_ms = row->left_ms > 0 ? failed_ms + row->left_ms : 0;
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
    const struct pair *pair = sa_lockout_find_pair(lockout, key, boot_ms);
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
        sa_guard_advance(guard, boot_ms);
        ret_left->failures = sa_guard_failures(guard);
        ret_left->guard_ms = guard->until_ms > boot_ms ? guard->until_ms - boot_ms : 0;
    }
    pthread_mutex_unlock(&lockout->lock);
}

void
sa_lockout_clear(struct sa_lockout *lockout, const uint8_t *name, const char *source)
{
    uint64_t tag = source == NULL ? 0 : sa_lockout_source_tag(lockout, source);

    pthread_mutex_lock(&lockout->lock);
    for (struct pair *pair = sa_lru_next(lockout->pairs, NULL); pair != NULL;
         pair = sa_lru_next(lockout->pairs, pair))
        if ((name == NULL || memcmp(pair->name, name, SA_LRU_KEY_LEN) == 0) &&
            (source == NULL || pair->source == tag))
            sa_lockout_forgive(pair);
    for (struct guard *guard = source == NULL ? sa_lru_next(lockout->guards, NULL) : NULL; guard != NULL;
         guard = sa_lru_next(lockout->guards, guard))
        if (name == NULL || memcmp(guard->item.key, name, SA_LRU_KEY_LEN) == 0)
            sa_guard_clear(guard);
    pthread_mutex_unlock(&lockout->lock);
}
