/* Token exchange (RFC 8693; design section 7): what a client may make of a token that was meant for it. */
#ifndef SA_EXCHANGE_H
#define SA_EXCHANGE_H

#include "service/auth/scope.h"

/*
 * Judge an exchange by the rows of the client's record. A row fits where the subject token is meant for its
 * from_audience, the client owns that audience, and its to_audience is the one that is asked for. What is
 * granted are the scopes of the rows that fit, of those that the subject token has by name, and of those that
 * are asked for.
 *
 *   subject  a token of ours that is live; when it ends and what it is bound to is for the caller to judge.
 *
 * Returns SA_OK; SA_INVALID_GRANT for a token that is meant for nobody that the client is, or that has been
 * handed on SA_JWT_ACTORS times; SA_INVALID_TARGET where no row fits, or not exactly one audience is asked
 * for; SA_INVALID_SCOPE for a scope that is not granted, or where no scope is left of rows that have some.
 */
SA_MUST_CHECK enum sa_status sa_exchange_grant(const struct sa_client *client,
                                               const struct sa_claims *subject,
                                               const struct sa_scope_request *request,
                                               struct sa_granted *ret_granted);

#endif
