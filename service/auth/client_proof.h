/* The ways in which a client proves itself, one function each. For service/auth/client.c and tests. */
#ifndef SA_CLIENT_PROOF_H
#define SA_CLIENT_PROOF_H

#include "service/auth/client.h"

/* What a proof has shown, beside whose it is. */
struct sa_client_proven {
    char x5t[SA_KID_LEN + 1]; /* what its tokens are bound to by a certificate; "": nothing */
    int64_t secret;           /* the number of the secret that was used; 0: none */
};

/*
 * Whether the proof is this client's. Each does its work for a client that is not there, too: NULL.
 *   ret_proven  on SA_OK what was found.
 *   ret_why     on SA_INVALID_CLIENT the reason for the log.
 * Returns SA_OK, SA_INVALID_CLIENT; SA_OVERLOADED, SA_STORAGE, SA_NO_MEMORY where they can.
 */
SA_MUST_CHECK enum sa_status sa_client_by_secret(struct sa_authority *authority,
                                                 const struct sa_client *client,
                                                 const struct sa_client_proof *proof,
                                                 struct sa_client_proven *ret_proven, const char **ret_why);
SA_MUST_CHECK enum sa_status sa_client_by_assertion(struct sa_authority *authority,
                                                    const struct sa_client *client,
                                                    const struct sa_client_proof *proof,
                                                    const char **ret_why);
SA_MUST_CHECK enum sa_status sa_client_by_certificate(const struct sa_client *client,
                                                      const struct sa_client_proof *proof,
                                                      struct sa_client_proven *ret_proven,
                                                      const char **ret_why);

/*
 * Which of the secrets that live at `wall_ms` a text is: its number, or 0. Takes as long whichever it is.
 */
int64_t sa_secret_find(const struct sa_keyring *keyring, enum sa_key_use use, struct sa_bytes text,
                       const struct sa_client_secret *secrets, unsigned count, int64_t wall_ms);

#endif
