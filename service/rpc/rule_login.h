/* A login as the rules see it, and an account with the rules taken in. */
#ifndef SA_RPC_RULE_LOGIN_H
#define SA_RPC_RULE_LOGIN_H

#include "service/auth/rules.h"
#include "service/rpc/shared.h"

/*
 * What a call's login is to a rule.
 *   name   as it was typed; user  NULL for a name without a record. Both outlive it, and so does the call.
 *   is_known  the source is known to the user.
 */
struct sa_rule_login rpc_rule_login(const struct sa_call *call, struct sa_bytes name,
                                    const struct sa_user *user, const Secauth__V1__Origin *origin,
                                    bool is_known);

/*
 * Whether an account may be used for what a call names: its own state (service/auth/account.h), or
 * SA_DENIED_BY_RULE where that is open and a rule is against it.
 *   ret_line  of the rule that decided; 0: none did.
 */
enum sa_status rpc_account_state(const struct sa_call *call, const struct sa_user *user,
                                 const Secauth__V1__Origin *origin, bool is_known, unsigned *ret_line);

/*
 * Whether the call's source is known to a user. SA_OK,
 * SA_STORAGE.
 */
SA_MUST_CHECK enum sa_status rpc_source_is_known(struct sa_call *call, const struct sa_user *user,
                                                 bool *ret_known);

/* The `rule=LINE` of a record; NULL where no rule decided. */
const char *rpc_rule_detail(struct sa_call *call, unsigned line);

/* Whether the caller is a service's uid that a rule lets check others for this service, on user.sock. */
bool rpc_is_service(const struct sa_call *call, const Secauth__V1__Origin *origin);

#endif
