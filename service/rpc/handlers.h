/*
 * Every handler of the method table, declared from its row:
 *
 *     enum sa_status rpc_token_issue(struct sa_call *call, const Secauth__V1__IssueTokenRequest *request,
 *                                    Secauth__V1__IssueTokenResponse *reply);
 */
#ifndef SA_RPC_HANDLERS_H
#define SA_RPC_HANDLERS_H

#include "secauth/v1/api_key.pb-c.h"
#include "secauth/v1/audit.pb-c.h"
#include "secauth/v1/authn.pb-c.h"
#include "secauth/v1/client.pb-c.h"
#include "secauth/v1/host.pb-c.h"
#include "secauth/v1/key.pb-c.h"
#include "secauth/v1/lockout.pb-c.h"
#include "secauth/v1/mfa.pb-c.h"
#include "secauth/v1/session.pb-c.h"
#include "secauth/v1/signing_key.pb-c.h"
#include "secauth/v1/token.pb-c.h"
#include "secauth/v1/user.pb-c.h"
#include "service/rpc/call.h"

#define METHOD(service, rpc, who, where, source, lane, audit, max_request, handler)                          \
    enum sa_status handler(struct sa_call *call, const Secauth__V1__##rpc##Request *request,                 \
                           Secauth__V1__##rpc##Response *reply);
#include "service/rpc/table.def"
#undef METHOD

#endif
