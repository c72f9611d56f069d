#include "service/auth/key_plan.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The longest life of an access token, and twice the leeway of verifiers. */
#define KEEP_MS INT64_C(3660000)

/* What passes between the making of a key and its arrival: a slow disk's commit, a key set on its way. */
#define WAY_MS(max_age_ms) (1000 + (max_age_ms) / 8)

static bool
has_begun(const struct sa_key_row *row)
{
    return row->retire_ms != 0;
}

unsigned
sa_key_signer(const struct sa_key_row *rows, unsigned count, int64_t now_ms)
{
    unsigned latest = SA_KEY_NONE;
    unsigned first = SA_KEY_NONE;

    for (unsigned i = 0; i < count; i++) {
        if (first == SA_KEY_NONE || rows[i].active_ms < rows[first].active_ms)
            first = i;
        if ((has_begun(&rows[i]) || rows[i].active_ms <= now_ms) &&
            (latest == SA_KEY_NONE || rows[i].active_ms > rows[latest].active_ms))
            latest = i;
    }
    return latest != SA_KEY_NONE ? latest : first;
}

unsigned
sa_key_before(const struct sa_key_row *rows, unsigned count, unsigned row)
{
    unsigned before = SA_KEY_NONE;

    for (unsigned i = 0; i < count; i++)
        if (i != row && has_begun(&rows[i]) &&
            (before == SA_KEY_NONE || rows[i].active_ms > rows[before].active_ms))
            before = i;
    return before;
}

static bool
is_prepared(const struct sa_key_row *rows, unsigned signer, unsigned row)
{
    return !has_begun(&rows[row]) && rows[row].active_ms > rows[signer].active_ms;
}

enum sa_key_state
sa_key_state(const struct sa_key_row *rows, unsigned count, unsigned row, int64_t now_ms)
{
    unsigned signer = sa_key_signer(rows, count, now_ms);

    if (row == signer)
        return SA_KEY_ACTIVE;
    return is_prepared(rows, signer, row) ? SA_KEY_PREPARED : SA_KEY_RETIRED;
}

static int64_t
ready_after_ms(const struct sa_key_plan *plan)
{
    return plan->max_age_ms + WAY_MS(plan->max_age_ms);
}

int64_t
sa_key_ready_ms(const struct sa_key_row *row, const struct sa_key_plan *plan)
{
    return row->created_ms + ready_after_ms(plan);
}

unsigned
sa_key_successor(const struct sa_key_row *rows, unsigned count, const struct sa_key_plan *plan,
                 int64_t now_ms)
{
    unsigned signer = sa_key_signer(rows, count, now_ms);
    unsigned best = SA_KEY_NONE;

    for (unsigned i = 0; i < count; i++) {
        if (!is_prepared(rows, signer, i))
            continue;
        if (best == SA_KEY_NONE || (rows[i].alg == plan->alg && rows[best].alg != plan->alg) ||
            ((rows[i].alg == plan->alg) == (rows[best].alg == plan->alg) &&
             rows[i].active_ms < rows[best].active_ms))
            best = i;
    }
    return best;
}

/* When the life of a row that signs or will sign is over. */
static int64_t
end_ms(const struct sa_key_row *row, const struct sa_key_plan *plan)
{
    return has_begun(row) ? row->retire_ms : row->active_ms + plan->life_ms;
}

bool
sa_key_all_over(const struct sa_key_row *rows, unsigned count, const struct sa_key_plan *plan, int64_t now_ms)
{
    unsigned signer = sa_key_signer(rows, count, now_ms);

    if (signer == SA_KEY_NONE)
        return true;
    if (sa_key_successor(rows, count, plan, now_ms) != SA_KEY_NONE)
        return false;
    /* One that signed from its making on and has not begun is from a time when keys had no end. */
    if (!has_begun(&rows[signer]) && rows[signer].active_ms == rows[signer].created_ms)
        return false;
    return end_ms(&rows[signer], plan) <= now_ms;
}

int64_t
sa_key_dead_ms(const struct sa_key_row *rows, unsigned count, unsigned row, int64_t now_ms)
{
    unsigned signer = sa_key_signer(rows, count, now_ms);

    /* One that was passed over, since its time came and went while the daemon was stopped, has no retire_ms.
     */
    return (has_begun(&rows[row]) ? rows[row].retire_ms : rows[signer].active_ms) + KEEP_MS;
}

/* Prepared ones of another algorithm make room once there is one of the plan's. */
static bool
is_useless(const struct sa_key_row *rows, unsigned count, unsigned row, const struct sa_key_plan *plan,
           int64_t now_ms)
{
    unsigned successor = sa_key_successor(rows, count, plan, now_ms);

    switch (sa_key_state(rows, count, row, now_ms)) {
    case SA_KEY_PREPARED:
        return rows[row].alg != plan->alg && rows[successor].alg == plan->alg;
    case SA_KEY_RETIRED:
        return sa_key_dead_ms(rows, count, row, now_ms) <= now_ms;
    case SA_KEY_ACTIVE:
        break;
    }
    return false;
}

/* The last row of the plan's algorithm that signs or will sign. */
static unsigned
last_of(const struct sa_key_row *rows, unsigned count, unsigned signer, const struct sa_key_plan *plan)
{
    unsigned last = SA_KEY_NONE;

    for (unsigned i = 0; i < count; i++)
        if (rows[i].alg == plan->alg && (i == signer || is_prepared(rows, signer, i)) &&
            (last == SA_KEY_NONE || rows[i].active_ms > rows[last].active_ms))
            last = i;
    return last;
}

/*
 * The next is prepared early enough that one which every verifier has is always there: while the last one
 * waits for its time, the one after it is published.
 */
static struct sa_key_step
prepare(const struct sa_key_row *rows, unsigned count, unsigned signer, const struct sa_key_plan *plan,
        int64_t now_ms)
{
    struct sa_key_step step = {.act = SA_KEY_PREPARE, .active_ms = now_ms + ready_after_ms(plan)};
    unsigned last = last_of(rows, count, signer, plan);

    if (last == SA_KEY_NONE)
        return step;
    if (last != signer && rows[last].active_ms > now_ms + 2 * ready_after_ms(plan))
        return (struct sa_key_step){.act = SA_KEY_REST};
    step.active_ms = MAX(end_ms(&rows[last], plan), step.active_ms);
    return step;
}

struct sa_key_step
sa_key_next(const struct sa_key_row *rows, unsigned count, const struct sa_key_plan *plan, int64_t now_ms)
{
    unsigned signer = sa_key_signer(rows, count, now_ms);

    if (signer == SA_KEY_NONE)
        return (struct sa_key_step){.act = SA_KEY_CREATE};
    if (!has_begun(&rows[signer]))
        return (struct sa_key_step){.act = SA_KEY_BEGIN, .row = signer};
    for (unsigned i = 0; i < count; i++)
        if (is_useless(rows, count, i, plan, now_ms))
            return (struct sa_key_step){.act = SA_KEY_REMOVE, .row = i};
    if (count == SA_KEYS_MAX)
        return (struct sa_key_step){.act = SA_KEY_REST};
    return prepare(rows, count, signer, plan, now_ms);
}

void
sa_key_move_along(struct sa_key_row *rows, unsigned count, unsigned signer, const struct sa_key_plan *plan)
{
    int64_t end = end_ms(&rows[signer], plan);
    bool moved[SA_KEYS_MAX] = {false};

    for (;;) {
        unsigned next = SA_KEY_NONE;
        for (unsigned i = 0; i < count; i++)
            if (!moved[i] && i != signer && !has_begun(&rows[i]) &&
                rows[i].active_ms >= rows[signer].active_ms &&
                (next == SA_KEY_NONE || rows[i].active_ms < rows[next].active_ms))
                next = i;
        if (next == SA_KEY_NONE)
            return;
        rows[next].active_ms = MAX(end, sa_key_ready_ms(&rows[next], plan));
        end = rows[next].active_ms + plan->life_ms;
        moved[next] = true;
    }
}

void
sa_key_begin(struct sa_key_row *rows, unsigned count, unsigned row, int64_t from_ms,
             const struct sa_key_plan *plan, int64_t now_ms)
{
    unsigned before = sa_key_before(rows, count, row);

    if (before != SA_KEY_NONE) {
        /* A clock that went back does not put the successor in front of whom it succeeds. */
        from_ms = MAX(from_ms, rows[before].active_ms + 1);
        rows[before].retire_ms = from_ms;
    }
    rows[row].active_ms = from_ms;
    rows[row].retire_ms = MAX(from_ms + plan->life_ms, now_ms);
    sa_key_move_along(rows, count, row, plan);
}
