/*
 * Public keys of a JWK Set (RFC 7517), and signatures by them (RFC 7515): ES256 and RS256 (RFC 7518 section
 * 3). Each key has one algorithm, which a token may only agree with (RFC 8725 section 3.1).
 */
#ifndef SA_VERIFY_JWS_H
#define SA_VERIFY_JWS_H

#include "proto/compact.h"

#define SA_VERIFY_JWKS_MAX 65536u
#define SA_VERIFY_KEYS_MAX 64u
#define SA_VERIFY_KID_MAX  128u

struct sa_verify_key;

/* Keys, immutable and counted: any number of threads verify with them at once. */
struct sa_verify_keys;

/*
 * Read a key set. Keys that are of no use here are left out (RFC 7517 section 5): another kty or curve, a
 * use, alg or key_ops that is not for verifying with ES256 or RS256, no kid, an RSA modulus below 2,048 or
 * above 4,096 bits or one of the broken generator CVE-2017-15361, an exponent below 65,537, a point that is
 * not on the curve, integers that are not in the form of RFC 7518 section 6.
 *
 *   ret_reason  why not, a constant: "json", "duplicate", "deep", "large", "keys" (no array of objects),
 *               "secret" (a symmetric or private key in it), "kid" (two of one name), "empty" (none of use).
 *
 * Returns SA_OK, SA_INVALID_ARGUMENT, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_verify_keys_read(struct sa_bytes jwks, struct sa_verify_keys **ret_keys,
                                                 const char **ret_reason);

/* The same keys with one more owner; each calls sa_verify_keys_free. */
struct sa_verify_keys *sa_verify_keys_hold(struct sa_verify_keys *keys);
void sa_verify_keys_free(struct sa_verify_keys *keys);
SA_DEFINE_OWN(sa_verify_keys, sa_verify_keys_free)

/* The key of this kid; NULL where there is none. As long as the keys. */
struct sa_verify_key *sa_verify_key(const struct sa_verify_keys *keys, const char *kid);

/* "ES256", "RS256". */
const char *sa_verify_key_alg(const struct sa_verify_key *key);

/*
 * Whether this is the key's signature of `signed_part`: 64 bytes of r and s, or PKCS #1 v1.5 as long as the
 * modulus. Lack of memory is no.
 */
bool sa_verify_signature(struct sa_verify_key *key, struct sa_bytes signed_part, struct sa_bytes signature);

/*
 * A compact JWS whose header is as secauth makes them, by the key that its kid names.
 *
 *   ret_parts, ret_header  what it is made of; written also on failure.
 *   ret_reason             why not: what sa_compact_read_header() says, "form", "kid", "alg", "signature".
 *
 * Returns SA_OK or SA_INVALID_GRANT.
 */
SA_MUST_CHECK enum sa_status sa_verify_jws(const struct sa_verify_keys *keys, struct sa_bytes token,
                                           struct sa_compact *ret_parts, struct sa_compact_header *ret_header,
                                           const char **ret_reason);

#endif
