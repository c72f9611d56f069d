/*
 * The inside of the lockout, for its files. Three tables: failures of (user, source), of users from sources
 * that are not known to them, and of passwords across names. Names, sources and passwords are keyed hashes in
 * all of them. What is here is called with the lock held.
 */
#ifndef SA_LOCKOUT_INSIDE_H
#define SA_LOCKOUT_INSIDE_H

#include <pthread.h>

#include "service/auth/lockout.h"
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

/* What an attempt is found by; made before the lock is taken. */
struct keys {
    uint8_t pair[SA_LRU_KEY_LEN];
    uint8_t name[SA_LRU_KEY_LEN];
};

/* ---- lockout.c ---- */

int64_t sa_lockout_life_ms(const struct sa_lockout *lockout);
uint64_t sa_lockout_short(const uint8_t *tag);
uint64_t sa_lockout_source_tag(const struct sa_lockout *lockout, const char *source);
void sa_lockout_password_tag(const struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                             bool across_names, uint8_t ret_tag[SA_TAG_LEN]);
bool sa_lockout_is_again(uint64_t *tags, uint32_t count, uint32_t *next, uint64_t tag);
struct pair *sa_lockout_find_pair(struct sa_lockout *lockout, const uint8_t key[SA_LRU_KEY_LEN],
                                  int64_t boot_ms);
void sa_lockout_forgive(struct pair *pair);

/* ---- lockout_guard.c ---- */

struct guard *sa_guard_find(struct sa_lockout *lockout, const struct sa_lockout_try *attempt);
bool sa_guard_is_stranger(const struct sa_lockout_try *attempt);
void sa_guard_clear(struct guard *guard);
void sa_guard_advance(struct guard *guard, int64_t boot_ms);
uint32_t sa_guard_failures(const struct guard *guard);
unsigned sa_guard_fail(struct sa_lockout *lockout, struct sa_lockout_try *attempt, const struct keys *keys,
                       uint64_t tag, struct sa_login_change *change);
unsigned sa_spray_note(struct sa_lockout *lockout, const struct sa_lockout_try *attempt,
                       const struct keys *keys, const uint8_t tag[SA_TAG_LEN]);

/* ---- lockout_keep.c ---- */

void sa_lockout_known_row(const struct sa_user *user, const struct sa_source *source, struct sa_now now,
                          struct sa_known_row *ret_row);

#endif
