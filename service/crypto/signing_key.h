/* The inside of a signing key, for the files that sign and verify with it. */
#ifndef SA_SIGNING_KEY_H
#define SA_SIGNING_KEY_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "service/crypto/jwt.h"

#define SA_ES256_LEN     64u /* r and s of 32 bytes each (RFC 7518 section 3.4) */
#define SA_ES256_COORD   32u
#define SA_RS256_LEN     256u /* of a modulus of 2,048 bits (RFC 7518 section 3.3) */
#define SA_SIGNATURE_MAX SA_RS256_LEN

#define SA_JWK_MEMBERS_MAX 448u

struct sa_signing_key {
    atomic_uint holders;
    enum sa_key_alg alg; /* the only one that it signs and verifies with */
    EVP_PKEY *pair;
    char kid[SA_KID_LEN + 1];
    char members[SA_JWK_MEMBERS_MAX]; /* of the public JWK: those of its thumbprint, in their order */
    char *pem;
    struct {
        char text[192]; /* base64url of the header of every token that it signs, and a dot */
        size_t len;
    } headers[2]; /* by sa_claims' plain_typ */
};

/* 64 bytes of ES256, 256 of RS256. */
size_t sa_signing_key_signature_len(const struct sa_signing_key *key);

/*
 * Sign a SHA-256 digest: r and s, or PKCS #1 v1.5.
 *   ret_signature  sa_signing_key_signature_len bytes of it are written.
 * Returns SA_OK or SA_INTERNAL. Keeps a context for each thread.
 */
SA_MUST_CHECK enum sa_status sa_signing_key_sign(const struct sa_signing_key *key, const uint8_t digest[32],
                                                 uint8_t ret_signature[SA_SIGNATURE_MAX]);

/* Whether the signature over a SHA-256 digest is this key's by this algorithm, and of the length that it has.
 */
bool sa_signature_verifies(EVP_PKEY *key, enum sa_key_alg alg, const uint8_t digest[32],
                           struct sa_bytes signature);

/* The same of a signing key, by its own algorithm. */
bool sa_signing_key_verifies(const struct sa_signing_key *key, const uint8_t digest[32],
                             struct sa_bytes signature);

#endif
