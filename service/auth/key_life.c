#include "service/auth/key_life.h"

#include <stdio.h>

#include "proto/sockets.h"
#include "service/auth/inside.h"
#include "service/auth/key_plan.h"
#include "service/auth/signing.h"

#define RETRY_MS     5000
#define SETTLE_STEPS (SA_KEYS_MAX + 4u)
#define DETAIL_MAX   256u

/* The keys while they are changed: a copy, of which the store gets what is different. */
struct changing {
    struct sa_authority *authority;
    struct sa_key_plan plan;
    int64_t now_ms;
    unsigned count;
    struct sa_key_row rows[SA_KEYS_MAX + 1]; /* room for a new one */
    struct sa_secret *private_der;           /* of a new one */
    char detail[DETAIL_MAX];
};

/* Under signing->changing. */
static void
look(struct sa_authority *authority, int64_t now_ms, struct changing *keys)
{
    const struct sa_conf *conf = authority->conf;
    const struct sa_signing_set *set = authority->signing->set;

    *keys = (struct changing){
        .authority = authority,
        .plan = {.alg = strcmp(conf->token_algorithm, "RS256") == 0 ? SA_KEY_RS256 : SA_KEY_ES256,
                 .life_ms = conf->token_key_life * 1000,
                 .max_age_ms = conf->token_key_max_age * 1000},
        .now_ms = now_ms,
        .count = set->count,
    };
    memcpy(keys->rows, set->rows, set->count * sizeof(keys->rows[0]));
}

static unsigned
signer_of(const struct changing *keys)
{
    return sa_key_signer(keys->rows, keys->count, keys->now_ms);
}

static const char *
kid_of(const struct changing *keys, unsigned row)
{
    return row == SA_KEY_NONE ? "" : keys->rows[row].kid;
}

/*
 * A new key as the last of the rows; when it signs is for the caller to set. The primes of an RSA key can
 * take seconds on a busy host: what follows is timed from then on.
 */
static enum sa_status
make(struct changing *keys)
{
    struct sa_key_row *row = &keys->rows[keys->count];
    int64_t before_ms = sa_clock_now().boot_ms;
    SA_OWN(sa_signing_key) key = sa_signing_key_generate(keys->plan.alg);

    keys->now_ms += sa_clock_now().boot_ms - before_ms;
    keys->private_der = key == NULL ? NULL : sa_signing_key_private(key);
    if (keys->private_der == NULL)
        return SA_NO_MEMORY;
    *row = (struct sa_key_row){
        .alg = keys->plan.alg, .created_ms = keys->now_ms, .private_der = keys->private_der};
    memcpy(row->kid, sa_signing_key_kid(key), SA_KID_LEN + 1);
    keys->count++;
    return SA_OK;
}

/* Durable first, then published. */
static enum sa_status
commit(struct changing *keys, const char *removed, struct sa_audit *record, enum sa_event event)
{
    struct sa_signing *signing = keys->authority->signing;
    unsigned added = keys->private_der == NULL ? 0 : 1;
    struct sa_key_change change = {.remove = removed,
                                   .add = added == 0 ? NULL : &keys->rows[keys->count - 1],
                                   .times = keys->rows,
                                   .time_count = keys->count - added};

    record->event = event;
    record->outcome = SA_OUTCOME_GRANTED;
    record->time_ms = keys->now_ms;
    record->detail = keys->detail;
    enum sa_status status = sa_store_key_change(keys->authority->store, &change, record);
    sa_secret_free(keys->private_der);
    keys->private_der = NULL;
    if (status != SA_OK)
        return status;
    signing->stale = true;
    return sa_signing_reload(keys->authority);
}

/* ---- steps ---- */

/* A key that signs from now on, though no verifier knows it. */
static enum sa_status
create(struct changing *keys, enum sa_event event, struct sa_audit *record)
{
    unsigned before = signer_of(keys);
    enum sa_status status = make(keys);

    if (status != SA_OK)
        return status;
    unsigned row = keys->count - 1;
    if (before != SA_KEY_NONE)
        keys->rows[before].retire_ms = keys->now_ms; /* it may have signed until the daemon stopped */
    sa_key_begin(keys->rows, keys->count, row, keys->now_ms, &keys->plan, keys->now_ms);
    snprintf(keys->detail, sizeof(keys->detail), "kid=%s alg=%s%s%s", kid_of(keys, row),
             sa_key_alg_name(keys->plan.alg), before == SA_KEY_NONE ? "" : " retired=", kid_of(keys, before));
    return commit(keys, NULL, record, event);
}

static enum sa_status
prepare(struct changing *keys, int64_t active_ms, struct sa_audit *record)
{
    int64_t planned_ms = keys->now_ms;
    enum sa_status status = make(keys);

    if (status != SA_OK)
        return status;
    active_ms += keys->now_ms - planned_ms;
    keys->rows[keys->count - 1].active_ms = active_ms;
    snprintf(keys->detail, sizeof(keys->detail), "kid=%s alg=%s from_ms=%lld", kid_of(keys, keys->count - 1),
             sa_key_alg_name(keys->plan.alg), (long long)active_ms);
    return commit(keys, NULL, record, SA_EVENT_KEY_PREPARE);
}

static enum sa_status
begin(struct changing *keys, unsigned row, struct sa_audit *record)
{
    snprintf(keys->detail, sizeof(keys->detail), "kid=%s retired=%s", kid_of(keys, row),
             kid_of(keys, sa_key_before(keys->rows, keys->count, row)));
    sa_key_begin(keys->rows, keys->count, row, keys->rows[row].active_ms, &keys->plan, keys->now_ms);
    return commit(keys, NULL, record, SA_EVENT_KEY_BEGIN);
}

/* Take a row out of the copy. */
static void
drop(struct changing *keys, unsigned row)
{
    keys->count--;
    memmove(&keys->rows[row], &keys->rows[row + 1], (keys->count - row) * sizeof(keys->rows[0]));
}

static enum sa_status
remove_row(struct changing *keys, unsigned row, struct sa_audit *record)
{
    char kid[SA_KID_LEN + 1];

    snprintf(kid, sizeof(kid), "%s", kid_of(keys, row));
    snprintf(keys->detail, sizeof(keys->detail), "kid=%s", kid);
    drop(keys, row);
    return commit(keys, kid, record, SA_EVENT_KEY_REMOVE);
}

static enum sa_status
take_step(struct changing *keys, const struct sa_key_step *step)
{
    struct sa_audit record = sa_audit(SA_EVENT_KEY_CREATE);

    switch (step->act) {
    case SA_KEY_CREATE:
        return create(keys, SA_EVENT_KEY_CREATE, &record);
    case SA_KEY_BEGIN:
        return begin(keys, step->row, &record);
    case SA_KEY_REMOVE:
        return remove_row(keys, step->row, &record);
    case SA_KEY_PREPARE:
        return prepare(keys, step->active_ms, &record);
    case SA_KEY_REST:
        break;
    }
    return SA_OK;
}

/* Up to `steps` of what is to be done. Under signing->changing. */
static enum sa_status
settle(struct sa_authority *authority, int64_t now_ms, unsigned steps)
{
    enum sa_status status = authority->signing->stale ? sa_signing_reload(authority) : SA_OK;

    for (unsigned i = 0; status == SA_OK && i < steps; i++) {
        struct changing keys;
        look(authority, now_ms, &keys);
        struct sa_key_step step = sa_key_next(keys.rows, keys.count, &keys.plan, now_ms);
        if (step.act == SA_KEY_REST)
            break;
        status = take_step(&keys, &step);
    }
    return status;
}

/* ---- the daemon's own ---- */

static enum sa_status
create_if_over(struct sa_authority *authority, int64_t now_ms)
{
    struct sa_audit record = sa_audit(SA_EVENT_KEY_EMERGENCY);
    struct changing keys;

    look(authority, now_ms, &keys);
    if (keys.count == 0 || keys.count == SA_KEYS_MAX ||
        !sa_key_all_over(keys.rows, keys.count, &keys.plan, now_ms))
        return SA_OK;
    return create(&keys, SA_EVENT_KEY_EMERGENCY, &record);
}

enum sa_status
sa_keys_start(struct sa_authority *authority, struct sa_now now, const char **ret_why)
{
    enum sa_status status = sa_signing_reload(authority);

    if (status != SA_OK) {
        *ret_why = status == SA_INTERNAL
                       ? "the signing keys are sealed with another master key" SA_STORE_ADVICE
                       : "the signing keys cannot be loaded";
        return status;
    }
    status = create_if_over(authority, now.wall_ms);
    if (status == SA_OK)
        status = settle(authority, now.wall_ms, SETTLE_STEPS);
    if (authority->signing->set->count > 0)
        return SA_OK; /* what is left to do is the tick's */
    *ret_why = "a signing key cannot be made";
    return status;
}

void
sa_keys_tick(struct sa_authority *authority, struct sa_now now)
{
    struct sa_signing *signing = authority->signing;

    pthread_mutex_lock(&signing->changing);
    if (now.boot_ms >= signing->retry_boot_ms && settle(authority, now.wall_ms, 1) != SA_OK)
        signing->retry_boot_ms = now.boot_ms + RETRY_MS;
    pthread_mutex_unlock(&signing->changing);
}

/* ---- the administrator's ---- */

/* When there is room for another key again. */
static int64_t
room_ms(const struct changing *keys)
{
    int64_t soonest = 0;

    for (unsigned i = 0; i < keys->count; i++) {
        int64_t dead_ms = sa_key_dead_ms(keys->rows, keys->count, i, keys->now_ms);
        if (i != signer_of(keys) && (soonest == 0 || dead_ms < soonest))
            soonest = dead_ms;
    }
    return soonest;
}

static enum sa_status
rotate(struct changing *keys, bool forced, struct sa_audit *record, struct sa_keys_rotated *ret_rotated)
{
    unsigned next = sa_key_successor(keys->rows, keys->count, &keys->plan, keys->now_ms);
    struct sa_keys_rotated rotated = {.ready_ms = next == SA_KEY_NONE ? room_ms(keys) : 0};

    if (next != SA_KEY_NONE) {
        snprintf(rotated.kid, sizeof(rotated.kid), "%s", kid_of(keys, next));
        rotated.ready_ms = sa_key_ready_ms(&keys->rows[next], &keys->plan);
        rotated.rotated = forced || rotated.ready_ms <= keys->now_ms;
    }
    if (rotated.rotated) {
        snprintf(keys->detail, sizeof(keys->detail), "kid=%s retired=%s known=%s", rotated.kid,
                 kid_of(keys, signer_of(keys)), rotated.ready_ms <= keys->now_ms ? "yes" : "no");
        rotated.ready_ms = 0;
        sa_key_begin(keys->rows, keys->count, next, keys->now_ms, &keys->plan, keys->now_ms);
        enum sa_status status = commit(keys, NULL, record, SA_EVENT_KEY_ROTATE);
        if (status != SA_OK)
            return status;
    }
    *ret_rotated = rotated;
    return SA_OK;
}

enum sa_status
sa_keys_rotate(struct sa_authority *authority, bool forced, int64_t now_ms, struct sa_audit *record,
               struct sa_keys_rotated *ret_rotated)
{
    struct changing keys;

    pthread_mutex_lock(&authority->signing->changing);
    enum sa_status status = settle(authority, now_ms, SETTLE_STEPS);
    if (status == SA_OK) {
        look(authority, now_ms, &keys);
        status = rotate(&keys, forced, record, ret_rotated);
    }
    if (status == SA_OK && ret_rotated->rotated && settle(authority, now_ms, SETTLE_STEPS) != SA_OK)
        authority->signing->retry_boot_ms = 0; /* the next one is the tick's to prepare */
    pthread_mutex_unlock(&authority->signing->changing);
    return status;
}

static unsigned
find(const struct changing *keys, const char *kid)
{
    for (unsigned i = 0; i < keys->count; i++)
        if (strcmp(keys->rows[i].kid, kid) == 0)
            return i;
    return SA_KEY_NONE;
}

/* The one that signs is gone: the prepared one of this id does from now on, or a new one. */
static enum sa_status
replace(struct changing *keys, const char *kid)
{
    unsigned row = find(keys, kid);

    if (row == SA_KEY_NONE) {
        enum sa_status status = make(keys);
        if (status != SA_OK)
            return status;
        row = keys->count - 1;
    }
    sa_key_begin(keys->rows, keys->count, row, keys->now_ms, &keys->plan, keys->now_ms);
    return SA_OK;
}

static enum sa_status
revoke(struct changing *keys, const char *kid, struct sa_audit *record)
{
    static const char *const words[] = {
        [SA_KEY_PREPARED] = "prepared", [SA_KEY_ACTIVE] = "active", [SA_KEY_RETIRED] = "retired"};
    unsigned row = find(keys, kid);
    enum sa_status status = SA_OK;
    char next[SA_KID_LEN + 1];

    if (row == SA_KEY_NONE)
        return SA_NOT_FOUND;
    enum sa_key_state state = sa_key_state(keys->rows, keys->count, row, keys->now_ms);
    snprintf(next, sizeof(next), "%s",
             kid_of(keys, sa_key_successor(keys->rows, keys->count, &keys->plan, keys->now_ms)));
    drop(keys, row);
    if (state == SA_KEY_ACTIVE)
        status = replace(keys, next);
    else
        sa_key_move_along(keys->rows, keys->count, signer_of(keys), &keys->plan);
    if (status != SA_OK)
        return status;
    unsigned signer = signer_of(keys);
    snprintf(keys->detail, sizeof(keys->detail), "kid=%s state=%s signs=%s known=%s", kid, words[state],
             kid_of(keys, signer),
             sa_key_ready_ms(&keys->rows[signer], &keys->plan) <= keys->now_ms ? "yes" : "no");
    return commit(keys, kid, record, SA_EVENT_KEY_REVOKE);
}

enum sa_status
sa_keys_revoke(struct sa_authority *authority, const char *kid, int64_t now_ms, struct sa_audit *record,
               char ret_kid[SA_KID_LEN + 1])
{
    struct changing keys;

    pthread_mutex_lock(&authority->signing->changing);
    enum sa_status status = authority->signing->stale ? sa_signing_reload(authority) : SA_OK;
    if (status == SA_OK) {
        look(authority, now_ms, &keys);
        status = revoke(&keys, kid, record);
    }
    if (status == SA_OK) {
        snprintf(ret_kid, SA_KID_LEN + 1, "%s", kid_of(&keys, signer_of(&keys)));
        if (settle(authority, now_ms, SETTLE_STEPS) != SA_OK)
            authority->signing->retry_boot_ms = 0; /* the next one is the tick's to prepare */
    }
    pthread_mutex_unlock(&authority->signing->changing);
    return status;
}
