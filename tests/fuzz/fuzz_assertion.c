/* links: sa_crypto */
#include "fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/crypto/proof_jwt.h"
#include "tests/support/proof_text.h"

/* What was taken is as strict as it says: this header, these claims, a text in one form. */
static void
judge(struct sa_bytes header, const struct sa_assertion *assertion)
{
    json_t *object = json_loadb((const char *)header.data, header.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(object) || json_object_size(object) > 3 || json_object_get(object, "alg") == NULL ||
        assertion->iss[0] == '\0' || assertion->sub[0] == '\0' || assertion->aud[0] == '\0' ||
        assertion->jti[0] == '\0' || assertion->exp <= 0 || assertion->iat <= 0)
        abort();
    json_decref(object);
}

/* One byte: whether the rest is an assertion, which is nobody's, or a set of keys, or header and claims to be
 * signed. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sa_signing_key *key;
    static char jwks[PROOF_JWKS_MAX];
    struct sa_assertion assertion;
    char text[SA_JWT_MAX + 1];
    struct sa_bytes header, claims;

    if (key == NULL) {
        key = sa_signing_key_generate(SA_KEY_ES256);
        proof_jwks(key, jwks);
    }
    if (len == 0)
        return 0;
    struct sa_bytes rest = sa_bytes(data + 1, len - 1);
    if (data[0] % 3 == 0 && sa_assertion_verify(sa_bytes_of(jwks), rest, &assertion) == SA_OK)
        abort(); /* a forgery */
    if (data[0] % 3 == 1)
        (void)sa_jwks_is_good(rest);
    if (data[0] % 3 != 2 || !proof_split(rest, &header, &claims) || !proof_sign(key, header, claims, text))
        return 0;
    if (sa_assertion_verify(sa_bytes_of(jwks), sa_bytes_of(text), &assertion) == SA_OK)
        judge(header, &assertion);
    return 0;
}
