/* What a token says, as the library hands it out, and what revocations look at. */
#ifndef SA_VERIFY_CLAIMS_H
#define SA_VERIFY_CLAIMS_H

#include "client/secauth.h"
#include "proto/compact.h"

#define SA_VERIFY_AUDIENCES    8u
#define SA_VERIFY_AUDIENCE_MAX 64u
#define SA_VERIFY_AMR          8u
#define SA_VERIFY_ACTORS       3u
#define SA_VERIFY_NODES        640u /* values in the claims, each group one */

/* Claims and all that they point to. */
struct sa_verify_claims {
    struct secauth_claims result; /* the first member: the caller's pointer is ours */
    int64_t nbf;                  /* 0: absent */
    int64_t minted_ms;            /* the parts of `jti`: when, through which gateway, for which client */
    uint16_t instance;
    uint32_t client_row;
    const char *audiences[SA_VERIFY_AUDIENCES];
    const char *amr[SA_VERIFY_AMR];
    const char *actors[SA_VERIFY_ACTORS];
    const char **groups; /* owned */
    bool no_memory;      /* for them */
    uint8_t text[];
};

/*
 * Read the claims of an access token (RFC 9068 section 2.2); their form is looked at, not what they say.
 * Required: iss, sub, aud, exp, iat, jti as secauth makes it, client_id. What nobody here knows is ignored,
 * but for a member of `cnf`: a binding that is not understood is not passed over.
 *
 *   payload     base64url.
 *   ret_claims  the caller frees it.
 *   ret_reason  why not: "form", "json", "duplicate", "deep", "large", "claim".
 *
 * Returns SA_OK, SA_INVALID_GRANT, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status
sa_verify_claims_read(struct sa_bytes payload, struct sa_verify_claims **ret_claims, const char **ret_reason);

void sa_verify_claims_free(struct sa_verify_claims *claims);
SA_DEFINE_OWN(sa_verify_claims, sa_verify_claims_free)

#endif
