/* Texts of proofs, signed by a key of ours: for fuzz targets and unit tests of what verifies those of others.
 */
#ifndef SA_TESTS_PROOF_TEXT_H
#define SA_TESTS_PROOF_TEXT_H

#include <stdio.h>
#include <string.h>

#include "service/crypto/signing_key.h"

#define PROOF_JWKS_MAX 1024u

/* A JWK Set with the public half. */
static inline void
proof_jwks(const struct sa_signing_key *key, char ret_jwks[PROOF_JWKS_MAX])
{
    snprintf(ret_jwks, PROOF_JWKS_MAX, "{\"keys\":[{%s}]}", key->members);
}

static inline void
proof_dpop_header(const struct sa_signing_key *key, char ret_header[PROOF_JWKS_MAX])
{
    snprintf(ret_header, PROOF_JWKS_MAX, "{\"typ\":\"dpop+jwt\",\"alg\":\"%s\",\"jwk\":{%s}}",
             sa_key_alg_name(key->alg), key->members);
}

/* Two texts parted by a line feed. */
static inline bool
proof_split(struct sa_bytes both, struct sa_bytes *ret_first, struct sa_bytes *ret_second)
{
    const uint8_t *end = both.len == 0 ? NULL : memchr(both.data, '\n', both.len);

    if (end == NULL)
        return false;
    *ret_first = sa_bytes(both.data, (size_t)(end - both.data));
    *ret_second = sa_bytes(end + 1, both.len - ret_first->len - 1);
    return true;
}

/* A compact JWS of header and claims as they are given; false where it would be over SA_JWT_MAX. */
static inline bool
proof_sign(const struct sa_signing_key *key, struct sa_bytes header, struct sa_bytes claims,
           char ret_text[SA_JWT_MAX + 1])
{
    uint8_t digest[SA_SHA256_LEN];
    uint8_t signature[SA_SIGNATURE_MAX];
    size_t signature_len = sa_signing_key_signature_len(key);
    size_t at = 0;

    if (SA_BASE64URL_LEN(header.len) + SA_BASE64URL_LEN(claims.len) + SA_BASE64URL_LEN(signature_len) + 2 >
        SA_JWT_MAX)
        return false;
    sa_base64url(header, ret_text);
    at = SA_BASE64URL_LEN(header.len);
    ret_text[at++] = '.';
    sa_base64url(claims, ret_text + at);
    at += SA_BASE64URL_LEN(claims.len);
    sa_sha256(sa_bytes(ret_text, at), digest);
    if (sa_signing_key_sign(key, digest, signature) != SA_OK)
        return false;
    ret_text[at++] = '.';
    sa_base64url(sa_bytes(signature, signature_len), ret_text + at);
    return true;
}

#endif
