/* What the methods of MfaService have in common: whom they are about, and that a person proves who they are.
 */
#ifndef SA_RPC_MFA_H
#define SA_RPC_MFA_H

#include "service/rpc/proof.h"

/* In call->state, and in the call's arena with all that it points to. */
struct rpc_mfa {
    struct sa_user *user;
    enum sa_event event;
    bool proves; /* a person for themselves, who proves the password and a code; administrators do not */
    struct sa_lockout_try attempt; /* with proves */
    bool match;
    const char *reason; /* of a denial */
    sa_step change;     /* what happens once it is proven */
};

/* Whom a request is about: `name` from administrators, else the caller. SA_OK; SA_INVALID_ARGUMENT;
 * SA_NOT_FOUND; SA_NOT_MANAGED for a caller without a record; SA_PERMISSION_DENIED for anybody else's. */
SA_MUST_CHECK enum sa_status rpc_mfa_find(struct sa_call *call, const char *name, struct sa_user **ret_user);

/* Find the person, let them prove the password, and go on with `change` on the store's lane. */
SA_MUST_CHECK enum sa_status rpc_mfa_start(struct sa_call *call, const char *name, struct sa_bytes password,
                                           enum sa_event event, sa_step change);

/* The record of the change, or of its denial. */
struct sa_audit rpc_mfa_record(struct sa_call *call, enum sa_outcome outcome, const char *reason);

/* How a change ends: the proof was no guess, and no failure comes sooner to a right password than to a wrong
 * one. */
SA_MUST_CHECK enum sa_status rpc_mfa_finish(struct sa_call *call, enum sa_status status);

#endif
