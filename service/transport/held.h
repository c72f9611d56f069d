/*
 * Answers that leave no earlier than their time: a heap, the earliest on top.
 *
 * A flood of denials makes tens of thousands of them, so an answer is held without its call: a block of its
 * own with header and body, under 512 bytes for a denial.
 */
#ifndef SA_HELD_H
#define SA_HELD_H

#include "service/rpc/reply.h"

struct sa_held {
    struct sa_answer **heap;
    size_t count;
    size_t room;
};

/* Hold one until answer->due_boot_ms. Returns SA_OK, or SA_NO_MEMORY: it is not held. */
SA_MUST_CHECK enum sa_status sa_held_add(struct sa_held *held, struct sa_answer *answer);

/* When the first is due; INT64_MAX for none. */
int64_t sa_held_next_ms(const struct sa_held *held);

/* The first that is due, taken out; NULL for none. */
struct sa_answer *sa_held_due(struct sa_held *held, int64_t boot_ms);

/* A copy that stands alone, with a copy of the body; NULL for lack of memory. Freed by sa_answer_free. */
struct sa_answer *sa_answer_alone(const struct sa_answer *answer);

#endif
