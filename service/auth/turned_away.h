/*
 * Denials that cost no hash: counted by source and reason, and written to the audit log once a minute (design
 * section 9). A flood makes thousands of them a second, so none has a record of its own.
 *
 * Bounded: so many rows a minute; what comes from further sources is counted by reason alone. Thread-safe.
 */
#ifndef SA_TURNED_AWAY_H
#define SA_TURNED_AWAY_H

#include "service/base/clock.h"
#include "service/store/store.h"

#define SA_TURNED_AWAY_MS   INT64_C(60000)
#define SA_TURNED_AWAY_ROWS 256u

struct sa_turned_away;

/* NULL for lack of memory. */
struct sa_turned_away *sa_turned_away_new(void);
void sa_turned_away_free(struct sa_turned_away *turned_away);
SA_DEFINE_OWN(sa_turned_away, sa_turned_away_free)

/* One more. `reason` is a constant. Never waits for the store. */
void sa_turned_away_count(struct sa_turned_away *turned_away, const char *source, const char *reason,
                          int64_t boot_ms);

/*
 * Write what was counted, one record a row, where a minute has passed since the first of them, or `at_once`.
 * What the store does not take is counted on. One caller at a time.
 */
void sa_turned_away_write(struct sa_turned_away *turned_away, struct sa_store *store, struct sa_now now,
                          bool at_once);

#endif
