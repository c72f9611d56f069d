/* Guards of users, and passwords that are tried against many. */
#include <stdio.h>

#include "service/auth/lockout_inside.h"

struct guard *
sa_guard_find(struct sa_lockout *lockout, const struct sa_lockout_try *attempt)
{
    uint8_t key[SA_LRU_KEY_LEN];

    sa_lockout_name_key(lockout, attempt->name, key);
    return sa_lru_find(lockout->guards, key);
}

/* From where a guard stands, and failures count towards one. */
bool
sa_guard_is_stranger(const struct sa_lockout_try *attempt)
{
    if (attempt->user == NULL || !sa_switch_is_on(SA_SWITCH_guard))
        return false;
    return !sa_switch_is_on(SA_SWITCH_guard_known) ||
           (!attempt->is_known && !attempt->is_console && !attempt->is_oneself);
}

void
sa_guard_clear(struct guard *guard)
{
    memset(guard->slots, 0, sizeof(guard->slots));
    memset(guard->tags, 0, sizeof(guard->tags));
    guard->until_ms = 0;
}

/* Let the slots that have left the window go. */
void
sa_guard_advance(struct guard *guard, int64_t boot_ms)
{
    int64_t slot = boot_ms / SLOT_MS;

    if (slot - guard->slot >= (int64_t)SLOTS) {
        memset(guard->slots, 0, sizeof(guard->slots));
        guard->slot = slot;
    }
    while (guard->slot < slot)
        guard->slots[++guard->slot % SLOTS] = 0;
}

uint32_t
sa_guard_failures(const struct guard *guard)
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
        .failures = sa_guard_failures(guard),
        .left_ms = guard->until_ms > attempt->now.boot_ms ? guard->until_ms - attempt->now.boot_ms : 0,
        .failed_ms = attempt->now.wall_ms,
        .expires_ms = attempt->now.wall_ms + SA_GUARD_WINDOW_MS,
    };
    memcpy(row->name, guard->item.key, sizeof(row->name));
    snprintf(row->user, sizeof(row->user), "%s", attempt->name_text);
}

unsigned
sa_guard_fail(struct sa_lockout *lockout, struct sa_lockout_try *attempt, const struct keys *keys,
              uint64_t tag, struct sa_login_change *change)
{
    int64_t now = attempt->now.boot_ms;
    if (attempt->matched || !sa_guard_is_stranger(attempt))
        return 0;
    struct guard *guard = sa_lru_find(lockout->guards, keys->name);
    if (guard == NULL)
        guard = sa_lru_add(lockout->guards, keys->name);
    sa_guard_advance(guard, now);
    if (sa_lockout_is_again(guard->tags, GUARD_TAGS, &guard->next_tag, tag))
        return 0;
    bool was_up = guard->until_ms > now;
    guard->slots[guard->slot % SLOTS]++;
    guard->failed_ms = now;
    sa_lru_touch(lockout->guards, guard);
    bool has_enough = sa_guard_failures(guard) >= lockout->limits.guard_failures;
    if (sa_switch_is_on(SA_SWITCH_guard_renews) ? was_up || has_enough : !was_up && has_enough)
        guard->until_ms = now + SA_GUARD_WINDOW_MS;
    attempt->guarded = true;
    row_of_guard(guard, attempt, change);
    return !was_up && guard->until_ms > now ? SA_ALARM_GUARD : 0;
}

/* ---- one password, many names ---- */

unsigned
sa_spray_note(struct sa_lockout *lockout, const struct sa_lockout_try *attempt, const struct keys *keys,
              const uint8_t tag[SA_TAG_LEN])
{
    if (attempt->matched || !sa_switch_is_on(SA_SWITCH_spray_alarm))
        return 0;
    struct spray *spray = sa_lru_find(lockout->sprays, tag);
    if (spray == NULL)
        spray = sa_lru_add(lockout->sprays, tag);
    if (spray->count == 0 || attempt->now.boot_ms - spray->began_ms >= SPRAY_MS) {
        spray->began_ms = attempt->now.boot_ms;
        spray->count = 0;
    }
    for (uint32_t i = 0; i < spray->count && i < SA_SPRAY_NAMES; i++)
        if (spray->names[i] == sa_lockout_short(keys->name))
            return 0;
    if (spray->count >= SA_SPRAY_NAMES)
        return 0;
    spray->names[spray->count++] = sa_lockout_short(keys->name);
    sa_lru_touch(lockout->sprays, spray);
    return spray->count == SA_SPRAY_NAMES ? SA_ALARM_SPRAY : 0;
}
