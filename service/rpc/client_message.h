/* Clients between message and record. */
#ifndef SA_RPC_CLIENT_MESSAGE_H
#define SA_RPC_CLIENT_MESSAGE_H

#include "service/rpc/shared.h"

/*
 * Read what an administrator may say of a client; row, secret and created_ms are not theirs to say.
 * SA_OK (the caller owns it), SA_NO_MEMORY, or SA_INVALID_ARGUMENT with the field and the rule.
 */
SA_MUST_CHECK enum sa_status rpc_read_client(struct sa_call *call, const Secauth__V1__Client *from,
                                             struct sa_client **ret_client);

/*
 * Read an audience; only the client `host` may restrict one to a group. `field` is what the message calls
 * it.
 */
SA_MUST_CHECK enum sa_status rpc_read_audience(struct sa_call *call, const Secauth__V1__ClientAudience *from,
                                               const char *field, bool is_host,
                                               struct sa_client_audience *ret_audience);

/* Fill in a message; false for lack of memory. */
SA_MUST_CHECK bool rpc_put_client(struct sa_call *call, const struct sa_client *client,
                                  Secauth__V1__Client *row);

#endif
