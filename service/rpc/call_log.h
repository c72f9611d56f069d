/* The one line about a call in the daemon's log. */
#ifndef SA_RPC_CALL_LOG_H
#define SA_RPC_CALL_LOG_H

#include "service/rpc/dispatch.h"

/* Of a call that is answered; `unknown_name` is what was asked for where no method has it. */
void sa_call_log(const struct sa_exchange *exchange, struct sa_bytes unknown_name);

#endif
