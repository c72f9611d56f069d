/* Public keys of others (RFC 7517), as they come in a JWK. Private to service/crypto. */
#ifndef SA_JWK_H
#define SA_JWK_H

#include <openssl/evp.h>

#include "proto/json.h"
#include "service/crypto/jwt.h"

#define SA_JWK_KID_MAX 128u

struct sa_jwk {
    enum sa_key_alg alg; /* ES256 for EC P-256, RS256 for RSA of 2,048 to 4,096 bits: no other */
    EVP_PKEY *key;
    char kid[SA_JWK_KID_MAX + 1];    /* "" where it has none */
    char thumbprint[SA_KID_LEN + 1]; /* RFC 7638 */
};

/*
 * Read one. Refused: other kinds of keys and sizes, a point that is not on the curve, members that are not
 * canonical base64url, private members, an `alg` or `use` for something else.
 *   object   NULL is none.
 *   ret_jwk  the caller clears it.
 */
bool sa_jwk_read(const struct sa_json *object, struct sa_jwk *ret_jwk);
void sa_jwk_clear(struct sa_jwk *jwk);

#endif
