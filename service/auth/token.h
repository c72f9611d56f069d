/* Access tokens (RFC 9068): what they say, and whether one still means anything. */
#ifndef SA_TOKEN_H
#define SA_TOKEN_H

#include "service/auth/authority.h"
#include "service/auth/scope.h"

/* For whom a token is. */
struct sa_token_subject {
    const struct sa_client *client;
    const struct sa_session *session; /* NULL: the token stands for the client itself */
    uint32_t ttl_s;                   /* cut at the session's end */
    uint16_t gateway;                 /* the number of the gateway that it goes through; 0: none */
    const struct sa_binding *binding; /* whose key or certificate it is bound to; NULL: nobody's */
    const struct sa_claims *original; /* the token that is exchanged for it: no session then; NULL: none */
};

/* A signed token, a secret: wiped by whoever holds it. */
struct sa_token {
    char jwt[SA_JWT_MAX + 1];
    char jti[SA_JTI_LEN + 1];
    const char *type; /* "Bearer" (RFC 6750), or "DPoP" (RFC 9449 section 5) */
    uint32_t expires_in_s;
};

/*
 * Say and sign it. `iat` is set back as configured, `exp` is not. A token that is exchanged for another one
 * says the same of its subject, ends no later, and names the client that acts now.
 *
 * Returns SA_OK; SA_INVALID_GRANT where the session, or the token that is exchanged, has no second left, or a
 * person whose groups are said is not there any more; SA_TOO_LARGE where it says more than SA_JWT_MAX holds;
 * SA_STORAGE, SA_NO_MEMORY, SA_INTERNAL.
 */
SA_MUST_CHECK enum sa_status sa_token_mint(struct sa_authority *authority,
                                           const struct sa_token_subject *subject,
                                           const struct sa_granted *granted, int64_t now_ms,
                                           struct sa_token *ret_token);

/* Life of a client's access tokens. */
uint32_t sa_token_ttl(const struct sa_authority *authority, const struct sa_client *client);

/*
 * Read a token of our own, dead or alive; whose it is and when it ends is for the caller to judge.
 *   ret_client_row  the client's row that it was minted for.
 *   ret_reason      why not, one word for the log; written only on SA_INVALID_GRANT.
 * Returns SA_OK, SA_INVALID_GRANT.
 */
SA_MUST_CHECK enum sa_status sa_token_read(const struct sa_authority *authority, struct sa_bytes token,
                                           struct sa_claims *ret_claims, uint32_t *ret_client_row,
                                           const char **ret_reason);

/* Whether a client is one of the audiences of a token. */
bool sa_token_is_for(const struct sa_claims *claims, const struct sa_client *client);

/*
 * Whether what a token of ours says holds now: not expired, not revoked, ruled out by nobody, its client the
 * same as ever, its session and its person's account open. SA_OK with *ret_live; SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_token_is_live(struct sa_authority *authority, const struct sa_claims *claims,
                                              uint32_t client_row, int64_t now_ms, bool *ret_live);

#endif
