/* A login as the rules see it, and an account with the rules taken in. */
#ifndef SA_RPC_RULE_LOGIN_H
#define SA_RPC_RULE_LOGIN_H

#include "service/auth/rules.h"
#include "service/rpc/shared.h"
#include "service/store/store_login.h"

/*
 * What a call's login is to a rule.
 *   name   as it was typed; user  NULL for a name without a record. Both outlive it, and so does the call.
 *   is_known  the source is known to the user.
 */
struct sa_rule_login rpc_rule_login(const struct sa_call *call, struct sa_bytes name,
                                    const struct sa_user *user, struct sa_bytes service, bool is_known);

/*
 * Whether its account may be used: its own state (service/auth/account.h), or SA_DENIED_BY_RULE where that is
 * open and a rule is against it.
 *   ret_line  of the rule that decided; 0: none did.
 */
enum sa_status rpc_rule_state(const struct sa_rules *rules, const struct sa_rule_login *login,
                              unsigned *ret_line);

/*
 * Whether the call's source is known to a user: SA_OK with its row, SA_NOT_FOUND where it is not or can never
 * be, SA_STORAGE.
 */
SA_MUST_CHECK enum sa_status rpc_known_source(struct sa_call *call, const struct sa_user *user,
                                              struct sa_known_row *ret_row);

/* Log what the store has from the future about a user, once: it refuses nothing. used_s  of the known source.
 */
void rpc_look_at_stamps(struct sa_call *call, const struct sa_user *user, int64_t used_s);

/* The state of the account that a PAM entry names, from the call's source. SA_OK, SA_STORAGE. */
SA_MUST_CHECK enum sa_status rpc_account_state(struct sa_call *call, const struct sa_user *user,
                                               enum sa_status *ret_state, unsigned *ret_line);

/* The `rule=LINE` of a record; NULL where no rule decided. */
const char *rpc_rule_detail(struct sa_call *call, unsigned line);

/* Whether the caller is a service's uid that a rule lets check others for this service, on user.sock. */
bool rpc_is_service(const struct sa_call *call, struct sa_bytes service);

#endif
