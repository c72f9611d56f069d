/* What the grants of TokenService do alike. A token is signed before the commit and leaves after it. */
#ifndef SA_RPC_GRANT_H
#define SA_RPC_GRANT_H

#include "service/auth/token.h"
#include "service/rpc/shared.h"
#include "service/store/store_grant.h"

/* The rule that a request breaks whose token would have more than SA_JWT_MAX bytes. */
#define RPC_TOO_MUCH "a token does not hold so much: ask for fewer audiences or scopes"

/*
 * A request that an authenticated client or a session may not make: recorded under the reason that its record
 * has, else under the status's own name.
 */
SA_MUST_CHECK enum sa_status rpc_grant_refuse(struct sa_call *call, struct sa_audit *record,
                                              enum sa_status status);

/*
 * Before it is refused what no public client may ask for: one that is only named has proven nothing, and each
 * refusal has its record, so they have their rate.
 */
void rpc_count_unproven(struct sa_call *call, const struct sa_client *client);

/*
 * Sign, fill in the reply, complete the record: all but the commit. The call says which gateway it goes
 * through. Also SA_INVALID_ARGUMENT, for what does not fit into one token.
 */
SA_MUST_CHECK enum sa_status rpc_grant_prepare(struct sa_call *call, const struct sa_token_subject *subject,
                                               const struct sa_granted *granted, struct sa_audit *record,
                                               Secauth__V1__TokenGrant **ret_grant);

/*
 * Commit, and answer with what is in the reply: the handler's last word. Those behind the grant are asked
 * once more within the transaction.
 */
SA_MUST_CHECK enum sa_status rpc_grant_commit(struct sa_call *call, const struct sa_grant *grant,
                                              const struct sa_audit *record);

/* Say whose session it is. The session outlives the record. */
void rpc_grant_audit_session(struct sa_audit *record, const struct sa_session *session);

#endif
