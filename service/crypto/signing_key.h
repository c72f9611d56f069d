/* The inside of a signing key, for the files that sign and verify with it. */
#ifndef SA_SIGNING_KEY_H
#define SA_SIGNING_KEY_H

#include <openssl/evp.h>

#include "service/crypto/jwt.h"

#define SA_ES256_LEN   64u /* r and s of 32 bytes each (RFC 7518 section 3.4) */
#define SA_ES256_COORD 32u

struct sa_signing_key {
    EVP_PKEY *pair;
    char kid[SA_KID_LEN + 1];
    char x[SA_BASE64URL_LEN(SA_ES256_COORD) + 1]; /* coordinates of the public point, base64url */
    char y[SA_BASE64URL_LEN(SA_ES256_COORD) + 1];
    char *pem;
    char header[192]; /* base64url of the header of every token that it signs, and a dot */
    size_t header_len;
};

/* ES256 over a SHA-256 digest, as r and s. Returns SA_OK or SA_INTERNAL. Keeps a context for each thread. */
SA_MUST_CHECK enum sa_status sa_signing_key_sign(const struct sa_signing_key *key, const uint8_t digest[32],
                                                 uint8_t ret_signature[SA_ES256_LEN]);

/* Whether the signature is this key's. */
bool sa_signing_key_verifies(const struct sa_signing_key *key, const uint8_t digest[32],
                             const uint8_t signature[SA_ES256_LEN]);

#endif
