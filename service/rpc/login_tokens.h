/* Tokens for a person who logs in through a public client (BeginAuthentication through a gateway). */
#ifndef SA_RPC_LOGIN_TOKENS_H
#define SA_RPC_LOGIN_TOKENS_H

#include "service/auth/handles.h"
#include "service/auth/scope.h"
#include "service/rpc/shared.h"
#include "service/store/store_login.h"

/*
 * Before anything is proven: a public client that may pass people's passwords on, and what it asks for. It
 * says nothing of any person. SA_OK; SA_INVALID_ARGUMENT; SA_INVALID_CLIENT; SA_UNAUTHORIZED_CLIENT;
 * SA_INVALID_SCOPE; SA_INVALID_TARGET.
 */
SA_MUST_CHECK enum sa_status rpc_login_check_client(struct sa_call *call, const Secauth__V1__ClientAuth *auth,
                                                    const Secauth__V1__TokenRequest *tokens,
                                                    struct sa_granted *ret_granted);

/*
 * Begin a session of the client for the person and give it its tokens.
 *   proof   what was proven.
 *   change  what the login changes beside it.
 *   record  completed here, and committed with the session.
 */
SA_MUST_CHECK enum sa_status
rpc_login_grant_tokens(struct sa_call *call, const struct sa_user *user, const struct sa_granted *granted,
                       const struct sa_proof *proof, const struct sa_login_change *change,
                       struct sa_audit *record, Secauth__V1__TokenGrant **ret_grant);

#endif
