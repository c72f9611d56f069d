/*
 * JWTs that others sign to prove themselves: assertions of clients (`private_key_jwt`, RFC 7523) and DPoP
 * proofs (RFC 9449). Read as strictly as our own tokens: an algorithm that is the key's, no member of the
 * header that is not expected, no member named twice, canonical base64url, a signature of the right length.
 * Times and who it is are for the caller to judge, and that it comes once.
 */
#ifndef SA_PROOF_JWT_H
#define SA_PROOF_JWT_H

#include "service/crypto/jwt.h"

#define SA_PROOF_JTI_MAX 128u
#define SA_JWKS_MAX      4096u /* bytes of a set's text */
#define SA_JWKS_KEYS_MAX 2u
#define SA_PROOF_HTU_MAX 512u

/*
 * Whether this is a JWK Set (RFC 7517 section 5) of one or two public keys that sa_assertion_verify can use,
 * no two of one `kid`; at most SA_JWKS_MAX bytes, and 64 values in all.
 */
bool sa_jwks_is_good(struct sa_bytes jwks);

struct sa_assertion {
    char iss[65];
    char sub[65];
    char aud[256]; /* a string and nothing else */
    int64_t exp;   /* seconds since 1970, all */
    int64_t iat;
    int64_t nbf; /* 0: absent */
    char jti[SA_PROOF_JTI_MAX + 1];
};

/*
 * Verify an assertion with one of the keys of a set that is good. The header has `alg`, perhaps `kid` and
 * `typ` (JWT), and nothing else; every claim but `nbf` is there. Returns SA_OK, or SA_INVALID_CLIENT.
 */
SA_MUST_CHECK enum sa_status sa_assertion_verify(struct sa_bytes jwks, struct sa_bytes text,
                                                 struct sa_assertion *ret_assertion);

struct sa_dpop {
    char htm[16];
    char htu[SA_PROOF_HTU_MAX + 1]; /* as it was sent */
    int64_t iat;
    char jti[SA_PROOF_JTI_MAX + 1];
    char jkt[SA_KID_LEN + 1]; /* thumbprint of its key (RFC 7638) */
};

/*
 * Verify a DPoP proof with the key that it brings. The header has `typ` dpop+jwt, `alg`, `jwk` and nothing
 * else. Returns SA_OK, or SA_INVALID_DPOP_PROOF.
 */
SA_MUST_CHECK enum sa_status sa_dpop_verify(struct sa_bytes text, struct sa_dpop *ret_dpop);

#endif
