/* DPoP proofs (RFC 9449) at the methods that hand out tokens. */
#ifndef SA_DPOP_H
#define SA_DPOP_H

#include "service/auth/authority.h"

#define SA_DPOP_MAX 4096u

/*
 * Judge a proof: `htm` POST, `htu` one of the configured origins and the method's path, made within
 * SA_PROOF_LIFE_S, `jti` taken once.
 *
 *   method   "secauth.v1.TokenService/IssueToken".
 *   source   who is charged, where the client is not proven; NULL: it is.
 *   ret_jkt  the thumbprint of its key, which the tokens are bound to.
 *   ret_why  on SA_INVALID_DPOP_PROOF the reason for the log, a constant.
 *
 * Returns SA_OK, SA_INVALID_DPOP_PROOF, SA_OVERLOADED.
 */
SA_MUST_CHECK enum sa_status sa_dpop_check(struct sa_authority *authority, struct sa_bytes proof,
                                           const char *method, const char *source, struct sa_now now,
                                           char ret_jkt[SA_KID_LEN + 1], const char **ret_why);

#endif
