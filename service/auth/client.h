/* How a client authenticates (RFC 6749 section 2.3), and its secrets: `sac1_` and base64url of 256 bits. */
#ifndef SA_CLIENT_H
#define SA_CLIENT_H

#include "service/auth/authority.h"

#define SA_CLIENT_SECRET_PREFIX "sac1_"
#define SA_CLIENT_SECRET_LEN    48u /* characters */
#define SA_CLIENT_SECRET_MAX    128u

/* A new secret and what is kept of it: machines made it, so a keyed hash is enough. */
void sa_client_secret_make(const struct sa_keyring *keyring, char ret_secret[SA_CLIENT_SECRET_LEN + 1],
                           uint8_t ret_mac[SA_MAC_LEN]);

/* What a client says of itself. */
struct sa_client_proof {
    const char *client_id;
    struct sa_bytes secret; /* absent: a public client, named and not proven */
};

/*
 * Authenticate. A confidential client must prove itself, a public one must not try to.
 *
 *   ret_client  written only on SA_OK; the caller owns it.
 *
 * Returns SA_OK; SA_INVALID_CLIENT, one for an unknown client, a disabled one, a wrong secret and a missing
 * one; SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_client_authenticate(struct sa_authority *authority,
                                                    const struct sa_client_proof *proof,
                                                    struct sa_client **ret_client);

/* The built-in client of logins. */
SA_MUST_CHECK enum sa_status sa_client_host(struct sa_authority *authority, struct sa_client **ret_client);

/* Whether it may use a grant. */
bool sa_client_may(const struct sa_client *client, enum sa_client_grant grant);

#endif
