/*
 * The form of refresh tokens (design section 7): `sar1_` and base64url of key epoch 1, handle 16, generation
 * 4 (big-endian), tag 16. The tag is HMAC-SHA-256 over a label and the bytes before it, cut to 16.
 */
#ifndef SA_REFRESH_H
#define SA_REFRESH_H

#include "service/crypto/encode.h"
#include "service/crypto/keyring.h"

#define SA_REFRESH_PREFIX     "sar1_"
#define SA_REFRESH_HANDLE_LEN 16u
#define SA_REFRESH_RAW_LEN    37u
#define SA_REFRESH_LEN        55u /* characters */

struct sa_refresh_token {
    uint8_t handle[SA_REFRESH_HANDLE_LEN];
    uint32_t generation; /* 1 for the first of its session */
};

/* A handle for a new session, at generation 1. */
void sa_refresh_new(struct sa_refresh_token *ret_token);

/* The text of a token; a secret. */
void sa_refresh_format(const struct sa_keyring *keyring, const struct sa_refresh_token *token,
                       char ret_text[SA_REFRESH_LEN + 1]);

/*
 * Read one. The tag is checked before anything else may look at what it holds: no I/O is spent on a forgery.
 *
 * Returns SA_OK; SA_INVALID_ARGUMENT for what does not have the form; SA_INVALID_GRANT for a wrong tag or
 * epoch.
 */
SA_MUST_CHECK enum sa_status sa_refresh_parse(const struct sa_keyring *keyring, struct sa_bytes text,
                                              struct sa_refresh_token *ret_token);

/* Under what the session's row is found: the row holds no handle, so the database cannot make a token. */
void sa_refresh_lookup(const struct sa_keyring *keyring, const struct sa_refresh_token *token,
                       uint8_t ret_mac[SA_MAC_LEN]);

#endif
