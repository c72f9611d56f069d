/*
 * How a client proves who it is (RFC 6749 section 2.3), and its secrets: `sac1_` and base64url of 256 bits.
 *
 * A client with registered certificates proves itself by one of them and by nothing else; any other
 * confidential one by a live secret, an assertion with one of its keys (RFC 7523), or an API key; a public
 * one is only named.
 */
#ifndef SA_CLIENT_H
#define SA_CLIENT_H

#include "service/auth/authority.h"

#define SA_CLIENT_SECRET_PREFIX "sac1_"
#define SA_CLIENT_SECRET_LEN    48u /* characters */
#define SA_CLIENT_SECRET_MAX    128u
#define SA_CLIENT_ASSERTION_MAX 4096u

/* A new secret and what is kept of it: machines made it, so a keyed hash is enough. */
void sa_client_secret_make(const struct sa_keyring *keyring, char ret_secret[SA_CLIENT_SECRET_LEN + 1],
                           uint8_t ret_mac[SA_MAC_LEN]);

enum sa_client_method {
    SA_CLIENT_BY_NAME, /* nothing is proven */
    SA_CLIENT_BY_SECRET,
    SA_CLIENT_BY_API_KEY,
    SA_CLIENT_BY_ASSERTION,
    SA_CLIENT_BY_CERTIFICATE,
};

/* What a client says of itself. */
struct sa_client_proof {
    const char *client_id;
    enum sa_client_method method;
    struct sa_bytes text;       /* the secret, key or assertion, within its bound */
    const uint8_t *certificate; /* SHA-256 of that of the connection; NULL: none is known */
    struct sa_now now;
};

/*
 * Authenticate. A confidential client must prove itself, a public one must not try to.
 *
 *   ret_client  the caller owns it; through an API key with what that allows of it, and no more.
 *   ret_x5t     what its tokens are bound to by its certificate; "": nothing.
 *   ret_why     on SA_INVALID_CLIENT the reason for the log, a constant.
 *
 * Returns SA_OK; SA_INVALID_CLIENT, one for an unknown client, a disabled one, a wrong proof, a missing one
 * and one of another kind than it has; SA_OVERLOADED where an assertion cannot be remembered; SA_STORAGE,
 * SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_client_authenticate(struct sa_authority *authority,
                                                    const struct sa_client_proof *proof,
                                                    struct sa_client **ret_client,
                                                    char ret_x5t[SA_KID_LEN + 1], const char **ret_why);

/* The built-in client of logins. */
SA_MUST_CHECK enum sa_status sa_client_host(struct sa_authority *authority, struct sa_client **ret_client);

/* Whether it may use a grant. */
bool sa_client_may(const struct sa_client *client, enum sa_client_grant grant);

/* Whether it is an audience. */
bool sa_client_owns(const struct sa_client *client, const char *audience);

#endif
