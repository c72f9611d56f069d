#include "service/auth/inside.h"

#include <stdlib.h>
#include <unistd.h>

#include "service/auth/key_life.h"
#include "service/auth/signing.h"
#include "service/base/log.h"
#include "service/crypto/hash_memory.h"

#define QUEUE_MS     2000u
#define QUEUE_FEW    48u   /* jobs that are taken whatever they cost, */
#define QUEUE_FEW_MS 6000u /* unless it is more work than that: callers wait for eight seconds */
#define QUEUE_LEAST  16u
#define QUEUE_MOST   65536u
#define BUDGET_SHARE 4u /* of the machine's memory */
#define KIB_PER_MIB  1024u
#define PAIRS_LEAST  4096u
#define PAIRS_MOST   4194304u /* 1,165 hashes a second for an hour */

struct sa_password_policy
sa_authority_hashes(const struct sa_conf *conf)
{
    return (struct sa_password_policy){
        .kind = strcmp(conf->password_hash, "bcrypt") == 0 ? SA_PASSWORD_BCRYPT : SA_PASSWORD_ARGON2ID,
        .memory_kib = (uint32_t)conf->password_memory,
        .passes = (uint32_t)conf->password_passes,
        .bcrypt_cost = (uint32_t)conf->password_bcrypt_cost,
        .max_memory_kib = (uint32_t)conf->password_max_memory,
        .max_millis = (uint32_t)conf->password_max_millis,
    };
}

/*
 * Half the cores, at least one, and never more than the memory for hashes holds of new ones: a worker that
 * finds no memory would turn people away.
 */
static unsigned
hash_threads(const struct sa_conf *conf, const struct sa_password_policy *policy)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t quarter_kib =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024 / BUDGET_SHARE;
    uint64_t budget_kib = (uint64_t)conf->password_hash_budget * KIB_PER_MIB;
    uint64_t cost_kib = policy->kind == SA_PASSWORD_ARGON2ID ? policy->memory_kib : 8;
    uint64_t threads = conf->password_hash_threads > 0 ? (uint64_t)conf->password_hash_threads
                                                       : (uint64_t)(cores > 3 ? cores / 2 : 1);

    if (budget_kib > quarter_kib)
        budget_kib = quarter_kib;
    sa_hash_memory_limit(budget_kib);
    return (unsigned)(threads < budget_kib / cost_kib ? threads : budget_kib / cost_kib);
}

/* What the policy's own hash costs here, in milliseconds of a core. */
static enum sa_status
measure(struct sa_authority *authority)
{
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    int64_t before = sa_clock_cpu_us();

    enum sa_status status =
        sa_password_make(&authority->policy, sa_bytes_of("how long does it take"), encoded);
    authority->hash_ms = (unsigned)((sa_clock_cpu_us() - before) / 1000) + 1;
    sa_authority_saw_hash(authority, authority->hash_ms);
    return status;
}

/* As many pairs as can fail at the full hash rate while one counts. */
static unsigned
pairs_of(const struct sa_authority *authority)
{
    int64_t wait_max_s = authority->conf->login_pair_wait_max;
    int64_t seconds = wait_max_s > SA_LOCKOUT_IDLE_MS / 1000 ? wait_max_s : SA_LOCKOUT_IDLE_MS / 1000;
    int64_t pairs = seconds * 1000 / (int64_t)authority->hash_ms * (int64_t)authority->hash_threads;

    return pairs > PAIRS_MOST ? PAIRS_MOST : pairs < PAIRS_LEAST ? PAIRS_LEAST : (unsigned)pairs;
}

static enum sa_status
start_lockout(struct sa_authority *authority, struct sa_now now)
{
    const struct sa_conf *conf = authority->conf;
    struct sa_lockout_limits limits = {
        .free_failures = (unsigned)conf->login_pair_failures,
        .wait_max_ms = conf->login_pair_wait_max * 1000,
        .guard_failures = (unsigned)conf->login_guard_failures,
        .pairs = pairs_of(authority),
    };

    authority->lockout = sa_lockout_new(&limits, authority->keyring);
    if (authority->lockout == NULL)
        return SA_NO_MEMORY;
    return sa_lockout_load(authority->lockout, authority->store, now);
}

static enum sa_status
start(struct sa_authority *authority, struct sa_now now, const char **ret_why)
{
    const struct sa_conf *conf = authority->conf;

    *ret_why = "out of memory";
    authority->buckets =
        sa_buckets_new((unsigned)conf->login_source_failures, conf->login_source_window * 1000);
    authority->handles = sa_handles_new();
    authority->challenges = sa_challenges_new();
    authority->breached = sa_breached_new();
    authority->turned_away = sa_turned_away_new();
    authority->stamps = sa_stamps_new();
    authority->signing = sa_signing_new();
    authority->replay = sa_replay_new(SA_REPLAY_MAX, authority->keyring, now);
    authority->uses = sa_secret_uses_new(authority->keyring);
    if (authority->replay == NULL || authority->uses == NULL || authority->turned_away == NULL ||
        authority->signing == NULL || authority->stamps == NULL || authority->breached == NULL ||
        authority->buckets == NULL || authority->handles == NULL || authority->challenges == NULL)
        return SA_NO_MEMORY;
    const char *why;
    if (sa_breached_load(authority->breached, conf->password_breached, &why) != SA_OK) {
        sa_log(SA_LOG_ERROR, "%s %s", conf->password_breached, why);
        *ret_why = "the list of breached passwords (password.breached) cannot be used";
        return SA_INVALID_ARGUMENT;
    }
    authority->hash_threads = hash_threads(conf, &authority->policy);
    if (authority->hash_threads == 0) {
        *ret_why = "the memory for password hashes (password.hash_budget) holds not even one";
        return SA_NO_MEMORY;
    }
    enum sa_status status = measure(authority);
    if (status != SA_OK) {
        *ret_why = "a password hash cannot be made";
        return status;
    }
    status = start_lockout(authority, now);
    if (status != SA_OK) {
        *ret_why = "the failures of logins cannot be read";
        return status;
    }
    return sa_keys_start(authority, now, ret_why);
}

enum sa_status
sa_authority_new(const struct sa_conf *conf, const struct sa_keyring *keyring, struct sa_store *store,
                 struct sa_now now, struct sa_authority **ret_authority, const char **ret_why)
{
    SA_OWN(sa_authority) authority = calloc(1, sizeof(*authority));

    if (authority == NULL) {
        *ret_why = "out of memory";
        return SA_NO_MEMORY;
    }
    authority->conf = conf;
    authority->rules = sa_rules_default();
    authority->last_good = "";
    authority->keyring = keyring;
    authority->store = store;
    authority->policy = sa_authority_hashes(authority->conf);
    sa_clock_boot_id(authority->boot_id);
    enum sa_status status = start(authority, now, ret_why);
    if (status == SA_OK)
        *ret_authority = sa_authority_take(&authority);
    return status;
}

void
sa_authority_free(struct sa_authority *authority)
{
    if (authority == NULL)
        return;
    sa_signing_free(authority->signing);
    sa_lockout_free(authority->lockout);
    sa_handles_free(authority->handles);
    sa_challenges_free(authority->challenges);
    sa_breached_free(authority->breached);
    sa_turned_away_free(authority->turned_away);
    sa_stamps_free(authority->stamps);
    sa_replay_free(authority->replay);
    sa_secret_uses_free(authority->uses);
    sa_buckets_free(authority->buckets);
    free(authority);
}

void
sa_authority_set_conf(struct sa_authority *authority, const struct sa_conf *conf)
{
    authority->conf = conf;
}

void
sa_authority_set_rules(struct sa_authority *authority, const struct sa_rules *rules)
{
    authority->rules = rules;
}

const struct sa_rules *
sa_authority_rules(const struct sa_authority *authority)
{
    return authority == NULL ? sa_rules_default() : authority->rules;
}

void
sa_authority_set_last_good(struct sa_authority *authority, const char *why)
{
    authority->last_good = why;
}

enum sa_status
sa_authority_load_breached(struct sa_authority *authority, const char *path, const char **ret_why)
{
    return sa_breached_load(authority->breached, path, ret_why);
}

struct sa_buckets *
sa_authority_buckets(struct sa_authority *authority)
{
    return authority->buckets;
}

void
sa_authority_saw_hash(struct sa_authority *authority, unsigned millis)
{
    unsigned seen = atomic_load(&authority->dearest_ms);

    while (millis > seen && !atomic_compare_exchange_weak(&authority->dearest_ms, &seen, millis))
        ;
}

void
sa_authority_turned_away(struct sa_authority *authority, const struct sa_source *source, const char *reason,
                         int64_t boot_ms)
{
    if (authority != NULL)
        sa_turned_away_count(authority->turned_away, source->text, reason, boot_ms);
}

void
sa_authority_settle(struct sa_authority *authority, struct sa_now now, bool at_once)
{
    sa_turned_away_write(authority->turned_away, authority->store, now, at_once);
    sa_secret_uses_write(authority->uses, authority->store, now, at_once);
}

static unsigned
hashes_in(const struct sa_authority *authority, unsigned ms)
{
    return ms / authority->hash_ms * authority->hash_threads;
}

/* Two seconds are few hashes where one worker makes dear ones: fewer than a web server has threads. */
void
sa_authority_hash_lane(const struct sa_authority *authority, unsigned *ret_threads, unsigned *ret_queue)
{
    unsigned queue = hashes_in(authority, QUEUE_MS);
    unsigned few = hashes_in(authority, QUEUE_FEW_MS);

    if (few > QUEUE_FEW)
        few = QUEUE_FEW;
    if (queue < few)
        queue = few;
    *ret_threads = authority->hash_threads;
    *ret_queue = queue < QUEUE_LEAST ? QUEUE_LEAST : queue > QUEUE_MOST ? QUEUE_MOST : queue;
}
