/* Users between message and record. */
#ifndef SA_RPC_USER_MESSAGE_H
#define SA_RPC_USER_MESSAGE_H

#include "service/rpc/shared.h"

#define RPC_UID_MAX        4294967294u /* -1 is nobody */
#define RPC_RULE_UID       "0 to 4294967294; required"
#define RPC_RULE_FULL_NAME "at most 255 bytes"

/*
 * Read what an administrator may say of a user; subject, hash, active and password_changed are not theirs to
 * say. SA_OK, or SA_INVALID_ARGUMENT with the field and the rule.
 */
SA_MUST_CHECK enum sa_status rpc_read_user(struct sa_call *call, const Secauth__V1__User *from,
                                           struct sa_user *ret_user);

/* Fill in a message; false for lack of memory. */
SA_MUST_CHECK bool rpc_put_user(struct sa_call *call, const struct sa_user *user, enum sa_password_kind kind,
                                Secauth__V1__User *row);

#endif
