/*
 * API keys: `sak1_<id>_<secret>_<checksum>`, 22, 43 and 8 characters. The form is one that scanners of
 * secrets find (sak1_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{43}_[0-9a-f]{8}); the checksum, CRC-32 of all before it,
 * tells a key from what looks like one, and is no secret.
 */
#ifndef SA_API_KEY_H
#define SA_API_KEY_H

#include "service/auth/client_proof.h"
#include "service/store/store_api_key.h"

#define SA_API_KEY_LEN 80u /* characters */

/* A new key under an id, and what is kept of it. */
void sa_api_key_make(const struct sa_keyring *keyring, const char *id, char ret_key[SA_API_KEY_LEN + 1],
                     uint8_t ret_mac[SA_MAC_LEN]);

/* The id of what has a key's form and checksum. Returns SA_OK or SA_INVALID_CLIENT. */
SA_MUST_CHECK enum sa_status sa_api_key_parse(struct sa_bytes text, char ret_id[SA_ID_LEN + 1]);

/*
 * Leave of a client what a key may ask for as well: audiences, scopes, exchanges; and of the audiences that
 * it is, whose tokens it would see, those alone that it exchanges from.
 */
void sa_api_key_narrow(const struct sa_api_key *key, struct sa_client *client);

/*
 * As those of client_proof.h.
 *   ret_key  on SA_OK the key.
 */
SA_MUST_CHECK enum sa_status sa_client_by_api_key(struct sa_authority *authority,
                                                  const struct sa_client *client,
                                                  const struct sa_client_proof *proof,
                                                  struct sa_api_key *ret_key,
                                                  struct sa_client_proven *ret_proven, const char **ret_why);

#endif
