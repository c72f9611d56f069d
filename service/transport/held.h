/* Answers that leave no earlier than their time: a heap, the earliest on top. */
#ifndef SA_HELD_H
#define SA_HELD_H

#include "service/rpc/dispatch.h"

struct sa_held {
    struct sa_exchange **heap;
    size_t count;
    size_t room;
};

/* Hold one until call.hold_until_boot_ms. Returns SA_OK, or SA_NO_MEMORY: it is not held. */
SA_MUST_CHECK enum sa_status sa_held_add(struct sa_held *held, struct sa_exchange *exchange);

/* When the first is due; INT64_MAX for none. */
int64_t sa_held_next_ms(const struct sa_held *held);

/* The first that is due, taken out; NULL for none. */
struct sa_exchange *sa_held_due(struct sa_held *held, int64_t boot_ms);

#endif
