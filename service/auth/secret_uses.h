/*
 * When secrets of clients and API keys were last used, to the minute: kept in memory and written together,
 * once a minute, so that no call waits for it. Bounded: of more than SA_SECRET_USES within a minute the
 * oldest are forgotten. Thread-safe.
 */
#ifndef SA_SECRET_USES_H
#define SA_SECRET_USES_H

#include "service/base/clock.h"
#include "service/store/store.h"

#define SA_SECRET_USES 4096u

struct sa_secret_uses;

/* NULL for lack of memory. */
struct sa_secret_uses *sa_secret_uses_new(const struct sa_keyring *keyring);
void sa_secret_uses_free(struct sa_secret_uses *uses);
SA_DEFINE_OWN(sa_secret_uses, sa_secret_uses_free)

/* The secret with this number was used. Never waits for the store. */
void sa_secret_uses_note(struct sa_secret_uses *uses, int64_t number, struct sa_now now);

/*
 * Write what was noted, where a minute has passed since the last time, or `at_once`: before the daemon stops,
 * and for whoever looks at the records. What the store does not take is noted on.
 */
void sa_secret_uses_write(struct sa_secret_uses *uses, struct sa_store *store, struct sa_now now,
                          bool at_once);

#endif
