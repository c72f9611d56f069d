#include "service/auth/turned_away.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/lru.h"
#include "service/auth/source.h"
#include "service/auth/switches.h"
#include "service/crypto/encode.h"

#define REASONS_MAX 32u /* places that are kept for the sums by reason alone */

struct row {
    struct sa_lru_item item;
    char source[SA_SOURCE_TEXT_MAX + 1]; /* "": further ones */
    const char *reason;
    uint64_t count;
};

/* Two tables: while one is written, the other counts. */
struct sa_turned_away {
    pthread_mutex_t lock;
    struct sa_lru *counting;
    struct sa_lru *writing;
    int64_t since_boot_ms; /* of the first that is counted; 0: none is */
};

struct sa_turned_away *
sa_turned_away_new(void)
{
    SA_OWN(sa_turned_away) made = calloc(1, sizeof(*made));

    if (made == NULL)
        return NULL;
    pthread_mutex_init(&made->lock, NULL);
    made->counting = sa_lru_new(SA_TURNED_AWAY_ROWS + REASONS_MAX, sizeof(struct row));
    made->writing = sa_lru_new(SA_TURNED_AWAY_ROWS + REASONS_MAX, sizeof(struct row));
    return made->counting == NULL || made->writing == NULL ? NULL : sa_turned_away_take(&made);
}

void
sa_turned_away_free(struct sa_turned_away *turned_away)
{
    if (turned_away == NULL)
        return;
    sa_lru_free(turned_away->counting);
    sa_lru_free(turned_away->writing);
    pthread_mutex_destroy(&turned_away->lock);
    free(turned_away);
}

static void
key_of(const char *source, const char *reason, uint8_t ret_digest[SA_SHA256_LEN])
{
    char text[SA_SOURCE_TEXT_MAX + 64];
    int len = snprintf(text, sizeof(text), "%s %s", reason, source);

    sa_sha256(sa_bytes(text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1), ret_digest);
}

/* The row, made where there is room for it; with the lock held. */
static struct row *
find(struct sa_turned_away *turned_away, const char *source, const char *reason)
{
    uint8_t digest[SA_SHA256_LEN];

    key_of(source, reason, digest);
    struct row *row = sa_lru_find(turned_away->counting, digest);
    if (row != NULL)
        return row;
    if (source[0] != '\0' && sa_lru_count(turned_away->counting) >= SA_TURNED_AWAY_ROWS)
        return find(turned_away, "", reason);
    row = sa_lru_add(turned_away->counting, digest);
    if (row != NULL) {
        snprintf(row->source, sizeof(row->source), "%s", source);
        row->reason = reason;
    }
    return row;
}

static void
count(struct sa_turned_away *turned_away, const char *source, const char *reason, uint64_t times)
{
    struct row *row = find(turned_away, source, reason);

    if (row != NULL)
        row->count += times;
}

void
sa_turned_away_count(struct sa_turned_away *turned_away, const char *source, const char *reason,
                     int64_t boot_ms)
{
    if (!sa_switch_is_on(SA_SWITCH_turned_away))
        return;
    pthread_mutex_lock(&turned_away->lock);
    count(turned_away, source, reason, 1);
    if (turned_away->since_boot_ms == 0)
        turned_away->since_boot_ms = boot_ms;
    pthread_mutex_unlock(&turned_away->lock);
}

static enum sa_status
write_row(struct sa_store *store, const struct row *row, struct sa_now now, int64_t seconds)
{
    struct sa_audit record = sa_audit(SA_EVENT_TURNED_AWAY);
    char detail[96];

    snprintf(detail, sizeof(detail), "count=%" PRIu64 " seconds=%" PRId64 "%s", row->count, seconds,
             row->source[0] == '\0' ? " of=further_sources" : "");
    record.outcome = SA_OUTCOME_DENIED;
    record.time_ms = now.wall_ms;
    record.reason = row->reason;
    record.source = row->source;
    record.detail = detail;
    return sa_store_audit(store, &record);
}

/* Let the other table count, if it is time. Returns for how many seconds this one did; -1: not yet. */
static int64_t
turn(struct sa_turned_away *turned_away, int64_t boot_ms, bool at_once)
{
    int64_t seconds = -1;

    pthread_mutex_lock(&turned_away->lock);
    int64_t since = turned_away->since_boot_ms;
    if (since != 0 && (at_once || boot_ms - since >= SA_TURNED_AWAY_MS)) {
        struct sa_lru *full = turned_away->counting;
        turned_away->counting = turned_away->writing;
        turned_away->writing = full;
        turned_away->since_boot_ms = 0;
        seconds = (boot_ms - since + 999) / 1000;
    }
    pthread_mutex_unlock(&turned_away->lock);
    return seconds;
}

void
sa_turned_away_write(struct sa_turned_away *turned_away, struct sa_store *store, struct sa_now now,
                     bool at_once)
{
    int64_t seconds = turn(turned_away, now.boot_ms, at_once);
    bool is_kept = true;
    struct row *row;

    if (seconds < 0)
        return;
    while ((row = sa_lru_next(turned_away->writing, NULL)) != NULL) {
        is_kept = is_kept && write_row(store, row, now, seconds) == SA_OK;
        if (!is_kept) {
            pthread_mutex_lock(&turned_away->lock);
            count(turned_away, row->source, row->reason, row->count);
            if (turned_away->since_boot_ms == 0)
                turned_away->since_boot_ms = now.boot_ms;
            pthread_mutex_unlock(&turned_away->lock);
        }
        sa_lru_remove(turned_away->writing, row);
    }
}
