/*
 * The life of a signing key as a function of times: who signs at a moment, and what is to be done next.
 * Nothing here waits, writes or looks at a clock.
 *
 * A row is *due* from its active_ms on. It is *begun* once the store has noted that it signs: its retire_ms
 * is then when its life is over, until a successor begins and makes it the moment from which it signed no
 * more.
 */
#ifndef SA_KEY_PLAN_H
#define SA_KEY_PLAN_H

#include "service/store/store.h"

struct sa_key_plan {
    enum sa_key_alg alg; /* of new keys */
    int64_t life_ms;     /* how long a key signs */
    int64_t max_age_ms;  /* how long verifiers may keep a key set that does not have it yet */
};

enum sa_key_state { SA_KEY_PREPARED = 1, SA_KEY_ACTIVE, SA_KEY_RETIRED };

enum sa_key_act {
    SA_KEY_REST,    /* all is as it should be */
    SA_KEY_CREATE,  /* there is no key: one that signs at once */
    SA_KEY_BEGIN,   /* `row` is due: note it */
    SA_KEY_REMOVE,  /* `row` is of no use to anybody */
    SA_KEY_PREPARE, /* one that signs from `active_ms` on */
};

struct sa_key_step {
    enum sa_key_act act;
    unsigned row;
    int64_t active_ms;
};

#define SA_KEY_NONE SA_KEYS_MAX

/*
 * The row that signs: the latest that has begun or is due. What has begun is not undone by a clock that goes
 * back, and goes on past its life where nothing else can sign. SA_KEY_NONE where there is no row.
 */
unsigned sa_key_signer(const struct sa_key_row *rows, unsigned count, int64_t now_ms);

/* Who signed last apart from a row: the latest of the others that has begun; SA_KEY_NONE where none has. */
unsigned sa_key_before(const struct sa_key_row *rows, unsigned count, unsigned row);

enum sa_key_state sa_key_state(const struct sa_key_row *rows, unsigned count, unsigned row, int64_t now_ms);

/* From when on every verifier has a prepared key. */
int64_t sa_key_ready_ms(const struct sa_key_row *row, const struct sa_key_plan *plan);

/* The prepared row that is to sign next, those of the plan's algorithm first; SA_KEY_NONE where there is
 * none. */
unsigned sa_key_successor(const struct sa_key_row *rows, unsigned count, const struct sa_key_plan *plan,
                          int64_t now_ms);

/* Whether the life of every row is over. */
bool sa_key_all_over(const struct sa_key_row *rows, unsigned count, const struct sa_key_plan *plan,
                     int64_t now_ms);

/* From when on a row that signs no more can be removed: the last token that it signed has died everywhere. */
int64_t sa_key_dead_ms(const struct sa_key_row *rows, unsigned count, unsigned row, int64_t now_ms);

/* What is to be done now. With SA_KEYS_MAX rows nothing is prepared until one of them can be removed. */
struct sa_key_step sa_key_next(const struct sa_key_row *rows, unsigned count, const struct sa_key_plan *plan,
                               int64_t now_ms);

/* Move the prepared rows to where the one that signs ends, and to one another, as soon as each is ready. */
void sa_key_move_along(struct sa_key_row *rows, unsigned count, unsigned signer,
                       const struct sa_key_plan *plan);

/* Let a row sign from `from_ms` on: it begins, the one that signs retires, the prepared ones move along. */
void sa_key_begin(struct sa_key_row *rows, unsigned count, unsigned row, int64_t from_ms,
                  const struct sa_key_plan *plan, int64_t now_ms);

#endif
