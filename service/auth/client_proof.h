/* The ways in which a client proves itself, one function each. For service/auth/client.c and tests. */
#ifndef SA_CLIENT_PROOF_H
#define SA_CLIENT_PROOF_H

#include "service/auth/client.h"

/*
 * Whether the proof is this client's. Each does its work for a client that is not there, too: NULL.
 *   ret_why  on SA_INVALID_CLIENT the reason for the log.
 * Returns SA_OK, SA_INVALID_CLIENT; SA_OVERLOADED, SA_STORAGE, SA_NO_MEMORY where they can.
 */
SA_MUST_CHECK enum sa_status sa_client_by_secret(struct sa_authority *authority,
                                                 const struct sa_client *client,
                                                 const struct sa_client_proof *proof, const char **ret_why);
SA_MUST_CHECK enum sa_status sa_client_by_assertion(struct sa_authority *authority,
                                                    const struct sa_client *client,
                                                    const struct sa_client_proof *proof,
                                                    const char **ret_why);
SA_MUST_CHECK enum sa_status sa_client_by_certificate(const struct sa_client *client,
                                                      const struct sa_client_proof *proof,
                                                      char ret_x5t[SA_KID_LEN + 1], const char **ret_why);

/*
 * Which of the secrets that live at `wall_ms` a text is: its number, or 0. Takes as long whichever it is; the
 * use is noted.
 */
int64_t sa_secret_find(struct sa_authority *authority, enum sa_key_use use, struct sa_bytes text,
                       const struct sa_client_secret *secrets, unsigned count, struct sa_now now);

#endif
