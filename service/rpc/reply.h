/* From an outcome to the frame that says so. */
#ifndef SA_RPC_REPLY_H
#define SA_RPC_REPLY_H

#include "service/rpc/dispatch.h"

/*
 * Make header and body of an exchange from what its handler returned: the reply on SA_OK, else a
 * google.rpc.Status with the public words and nothing more. A reply that does not fit becomes SA_TOO_LARGE or
 * SA_NO_MEMORY; an error that does not fit goes without a body. exchange->answer.status is what is sent.
 */
void sa_reply_make(struct sa_exchange *exchange, enum sa_status status);

/* An answer that stands alone, with its body behind it; NULL for lack of memory. */
struct sa_answer *sa_answer_new(size_t body_len);

/* Wipe and free one that stands alone. NULL is taken. */
void sa_answer_free(struct sa_answer *answer);

#endif
