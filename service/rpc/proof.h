/*
 * What BeginAuthentication and ChangePassword have in common: a password is proven, and every denial looks
 * alike.
 */
#ifndef SA_RPC_PROOF_H
#define SA_RPC_PROOF_H

#include "service/rpc/shared.h"

/* Every denial leaves at the same time, whatever its kind: `return rpc_hold(call, status);`. */
SA_MUST_CHECK enum sa_status rpc_hold(struct sa_call *call, enum sa_status status);

/* A source that has no unit left is told so before anything is queued. SA_OK, or SA_RATE_LIMITED, held. */
SA_MUST_CHECK enum sa_status rpc_check_rate(struct sa_call *call);

/*
 * Hash; runs on the hash lane. The unit stays taken on SA_OK (rpc_forgive gives it back), and with no other
 * status. hash  NULL for a name without a record.
 */
SA_MUST_CHECK enum sa_status rpc_prove(struct sa_call *call, const char *hash, struct sa_bytes password,
                                       bool *ret_match);

/* The proof was no guess: its unit goes back to the source. */
void rpc_forgive(struct sa_call *call);

/*
 * Record a denial and hold it. A store that fails is told as such and counts against nobody: the unit that
 * SA_INVALID_CREDENTIALS would have cost goes back.
 */
SA_MUST_CHECK enum sa_status rpc_deny_proof(struct sa_call *call, const struct sa_audit *record,
                                            enum sa_status status);

/*
 * A copy of a user in the call's arena, which is wiped with it: what one step leaves to the next. NULL
 * likewise.
 */
struct sa_user *rpc_keep_user(struct sa_call *call, const struct sa_user *user);

#endif
