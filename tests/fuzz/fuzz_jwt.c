/* links: sa_crypto */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "service/crypto/signing_key.h"

#define ISSUER "https://host.example"

static struct sa_signing_key *key;

static enum sa_status
verify(struct sa_bytes token, struct sa_claims *ret_claims)
{
    const char *reason;

    return sa_jwt_verify(&key, 1, ISSUER, token, ret_claims, &reason);
}

/* The claims as they are given, in a token that our key has signed: what only a bug of ours could sign. */
static enum sa_status
verify_signed(struct sa_bytes claims, struct sa_claims *ret_claims)
{
    char token[SA_JWT_MAX + 1];
    uint8_t digest[SA_SHA256_LEN];
    uint8_t signature[SA_SIGNATURE_MAX];
    size_t len = key->headers[0].len;

    if (len + SA_BASE64URL_LEN(claims.len) + 1 + SA_BASE64URL_LEN(SA_ES256_LEN) > SA_JWT_MAX)
        return SA_TOO_LARGE;
    memcpy(token, key->headers[0].text, len);
    sa_base64url(claims, token + len);
    len += SA_BASE64URL_LEN(claims.len);
    sa_sha256(sa_bytes(token, len), digest);
    if (sa_signing_key_sign(key, digest, signature) != SA_OK)
        abort();
    token[len++] = '.';
    sa_base64url(sa_bytes(signature, SA_ES256_LEN), token + len);
    return verify(sa_bytes_of(token), ret_claims);
}

/* One byte: whether the rest is a token, which is nobody's, or the claims of one of ours. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sa_claims claims;

    if (key == NULL)
        key = sa_signing_key_generate(SA_KEY_ES256);
    if (key == NULL || len == 0)
        return 0;
    struct sa_bytes rest = sa_bytes(data + 1, len - 1);
    if (data[0] % 2 == 0 && verify(rest, &claims) == SA_OK)
        abort(); /* a forgery */
    if (data[0] % 2 == 0 || verify_signed(rest, &claims) != SA_OK)
        return 0;
    if (strcmp(claims.iss, ISSUER) != 0 || claims.sub[0] == '\0' || claims.exp <= 0 || claims.iat <= 0 ||
        claims.aud_count == 0 || claims.aud_count > SA_JWT_AUDIENCES ||
        sa_jti_parse(claims.jti, NULL, NULL, NULL) != SA_OK)
        abort();
    return 0;
}
