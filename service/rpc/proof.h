/*
 * What BeginAuthentication and ChangePassword have in common: a password is proven under the lockout, and
 * every denial looks alike.
 */
#ifndef SA_RPC_PROOF_H
#define SA_RPC_PROOF_H

#include "service/auth/lockout.h"
#include "service/rpc/shared.h"

/*
 * Every denial leaves at the same time, whatever its kind: `return rpc_hold(call, status);`. While those that
 * are hashed queue, so that they leave later than that, one without a hash is as late as the last of them.
 */
SA_MUST_CHECK enum sa_status rpc_hold(struct sa_call *call, enum sa_status status);

/* Deny without a hash, a charge or a record of its own: counted by source and reason, held. */
SA_MUST_CHECK enum sa_status rpc_turn_away(struct sa_call *call, enum sa_status status, const char *reason);

/* A source that has no unit left is told so before anything is queued. SA_OK, or SA_RATE_LIMITED, held. */
SA_MUST_CHECK enum sa_status rpc_check_rate(struct sa_call *call);

/*
 * Fill in what an attempt's source means to it: `name`, `name_text`, `user` and `password` are there already,
 * and outlive it. Who is known, or at the console, is kept a place on the hash lane.
 *   ret_known  written where attempt->is_known.
 * SA_OK, SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status rpc_place_attempt(struct sa_call *call, struct sa_lockout_try *attempt,
                                               struct sa_known_row *ret_known);

/*
 * Whether a password may be hashed at all: the source has a unit, the pair does not wait, and there is a
 * password. SA_OK takes nothing; everything else is the answer, held.
 */
SA_MUST_CHECK enum sa_status rpc_admit_proof(struct sa_call *call, const struct sa_lockout_try *attempt);

/*
 * Both of these for somebody who has a record and changes a password or a factor, which is kept a place:
 * judged by the same pair, the same bucket as a login. user and password outlive the attempt.
 */
SA_MUST_CHECK enum sa_status rpc_begin_proof(struct sa_call *call, const struct sa_user *user,
                                             struct sa_bytes password, struct sa_lockout_try *ret_attempt);

/*
 * Take a failure of the pair and a unit of the source, then hash; runs on the hash lane. On SA_OK both stay
 * taken: rpc_fail_proof or sa_lockout_give_back decides about the pair's, rpc_forgive gives the unit back.
 * With any other status nothing is taken. Where as many proofs of the pair are under way as it may still
 * fail, none is turned away for it: the step runs again once one of them may be decided.
 */
SA_MUST_CHECK enum sa_status rpc_prove(struct sa_call *call, const struct sa_lockout_try *attempt,
                                       bool *ret_match);

/* The proof was no guess: its unit goes back to the source. */
void rpc_forgive(struct sa_call *call);

/*
 * Deny with `status` after a hash: what was taken becomes a failure, in one commit with the record; alarms
 * have records of their own. Held. Only SA_INVALID_CREDENTIALS counts against anybody, sshd's filler against
 * no user; a store that fails is told as such, and then nothing has counted.
 */
SA_MUST_CHECK enum sa_status rpc_fail_proof(struct sa_call *call, struct sa_lockout_try *attempt,
                                            const struct sa_audit *record, enum sa_status status);

/* Deny whom it is no business of, without a hash: charged to the source, recorded, held. */
SA_MUST_CHECK enum sa_status rpc_refuse_proof(struct sa_call *call, const struct sa_audit *record);

/*
 * A copy of a user in the call's arena, which is wiped with it: what one step leaves to the next. NULL
 * likewise.
 */
struct sa_user *rpc_keep_user(struct sa_call *call, const struct sa_user *user);

#endif
