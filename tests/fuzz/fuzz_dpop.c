/* links: sa_crypto */
#include "fuzz.h"

#include <stdlib.h>

#include "service/crypto/proof_jwt.h"
#include "tests/support/proof_text.h"

/*
 * One byte: whether the rest is a proof, or claims of one that our key signs under the right header, or a
 * header that brings our key in a place of the fuzzer's choice. A proof by its own key is no forgery; whose
 * key it says must be the one that signed.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sa_signing_key *key;
    static char right[PROOF_JWKS_MAX];
    struct sa_dpop dpop;
    char text[SA_JWT_MAX + 1];
    struct sa_bytes header, claims;

    if (key == NULL) {
        key = sa_signing_key_generate(SA_KEY_ES256);
        proof_dpop_header(key, right);
    }
    if (len == 0)
        return 0;
    struct sa_bytes rest = sa_bytes(data + 1, len - 1);
    if (data[0] % 3 == 0) {
        (void)!sa_dpop_verify(rest, &dpop);
        return 0;
    }
    header = sa_bytes_of(right);
    claims = rest;
    if (data[0] % 3 == 2 && !proof_split(rest, &header, &claims))
        return 0;
    if (!proof_sign(key, header, claims, text) || sa_dpop_verify(sa_bytes_of(text), &dpop) != SA_OK)
        return 0;
    if (strcmp(dpop.jkt, sa_signing_key_kid(key)) != 0 || dpop.htm[0] == '\0' || dpop.htu[0] == '\0' ||
        dpop.jti[0] == '\0' || dpop.iat <= 0)
        abort();
    return 0;
}
