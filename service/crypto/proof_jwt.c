#include "service/crypto/proof_jwt.h"

#include "service/crypto/jose.h"
#include "service/crypto/jwk.h"
#include "service/crypto/signing_key.h"

#define SIGNATURE_MAX 512u /* RSA of 4,096 bits */
#define KEYS_NODES    64u  /* values in a set of keys, and in the header of a DPoP proof */

#ifdef SA_PLANTED_FAULT
#define SIGNATURES_COUNT false /* taken out by tests/fuzz only, to see that it is missed */
#else
#define SIGNATURES_COUNT true
#endif

/* ---- a set of keys ---- */

static void
clear_set(struct sa_jwk *jwks, unsigned count)
{
    while (count > 0)
        sa_jwk_clear(&jwks[--count]);
}

/*
 * All of a set's keys, or none.
 *   ret_count  the caller clears so many.
 */
static bool
read_set(struct sa_bytes text, struct sa_jwk ret_jwks[SA_JWKS_KEYS_MAX], unsigned *ret_count)
{
    struct sa_json set[KEYS_NODES];
    uint8_t copy[SA_JWKS_MAX];
    const char *reason;
    unsigned done = 0;

    if (text.len == 0 || text.len > sizeof(copy))
        return false;
    memcpy(copy, text.data, text.len);
    if (sa_json_read(copy, text.len, set, KEYS_NODES, &reason) != SA_OK)
        return false;
    const struct sa_json *keys = sa_json_member(set, "keys");
    if (keys == NULL || keys->kind != SA_JSON_ARRAY || keys->children == 0 ||
        keys->children > SA_JWKS_KEYS_MAX)
        return false;
    const struct sa_json *jwk = sa_json_first(keys);
    for (; done < keys->children && sa_jwk_read(jwk, &ret_jwks[done]); jwk = sa_json_next(jwk))
        done++;
    if (done < keys->children) {
        clear_set(ret_jwks, done);
        return false;
    }
    *ret_count = done;
    return true;
}

bool
sa_jwks_is_good(struct sa_bytes text)
{
    struct sa_jwk jwks[SA_JWKS_KEYS_MAX];
    unsigned count = 0;

    if (!read_set(text, jwks, &count))
        return false;
    bool differ = count < 2 || (strcmp(jwks[0].kid, jwks[1].kid) != 0 || jwks[0].kid[0] == '\0');
    clear_set(jwks, count);
    return differ;
}

/* ---- the signature ---- */

static bool
signature_is_good(const struct sa_compact *parts, const struct sa_jwk *jwk)
{
    uint8_t signature[SIGNATURE_MAX];
    uint8_t digest[SA_SHA256_LEN];
    size_t len;

    if (sa_base64url_decode(parts->signature, signature, sizeof(signature), &len) != SA_OK)
        return false;
    sa_sha256(parts->signed_part, digest);
    return !SIGNATURES_COUNT || sa_signature_verifies(jwk->key, jwk->alg, digest, sa_bytes(signature, len));
}

/* ---- assertions ---- */

/* One of the keys that the header may mean: the one that it names, else each of its algorithm. */
static bool
one_verifies(const struct sa_compact *parts, const struct sa_jwk *jwks, unsigned count)
{
    struct sa_compact_header header;
    const char *reason;

    if (sa_compact_read_header(parts->header, &header, &reason) != SA_OK ||
        (header.typ != NULL && strcmp(header.typ, "JWT") != 0))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (header.kid != NULL && jwks[i].kid[0] != '\0' && strcmp(header.kid, jwks[i].kid) != 0)
            continue;
        if (strcmp(header.alg, sa_key_alg_name(jwks[i].alg)) == 0 && signature_is_good(parts, &jwks[i]))
            return true;
    }
    return false;
}

static bool
assertion_of(const struct sa_json *claims, struct sa_assertion *ret_assertion)
{
    struct sa_assertion *a = ret_assertion;

    return sa_jose_string(claims, "iss", a->iss, sizeof(a->iss)) && a->iss[0] != '\0' &&
           sa_jose_string(claims, "sub", a->sub, sizeof(a->sub)) && a->sub[0] != '\0' &&
           sa_jose_string(claims, "aud", a->aud, sizeof(a->aud)) && a->aud[0] != '\0' &&
           sa_jose_string(claims, "jti", a->jti, sizeof(a->jti)) && a->jti[0] != '\0' &&
           sa_jose_number(claims, "exp", &a->exp) && a->exp != 0 && sa_jose_number(claims, "iat", &a->iat) &&
           a->iat != 0 && sa_jose_number(claims, "nbf", &a->nbf);
}

enum sa_status
sa_assertion_verify(struct sa_bytes jwks_text, struct sa_bytes text, struct sa_assertion *ret_assertion)
{
    struct sa_jwk jwks[SA_JWKS_KEYS_MAX];
    struct sa_assertion assertion;
    struct sa_compact parts;
    struct sa_jose claims;
    const char *reason;
    unsigned count = 0;

    if (!sa_compact_split(text, &parts) || !read_set(jwks_text, jwks, &count))
        return SA_INVALID_CLIENT;
    bool good = one_verifies(&parts, jwks, count);
    clear_set(jwks, count);
    if (!good || sa_jose_read(parts.payload, SA_JOSE_NODES_MAX, &claims, &reason) != SA_OK ||
        !assertion_of(claims.nodes, &assertion))
        return SA_INVALID_CLIENT;
    *ret_assertion = assertion;
    return SA_OK;
}

/* ---- DPoP (RFC 9449 section 4.3) ---- */

static bool
dpop_key_of(const struct sa_json *header, struct sa_jwk *ret_jwk)
{
    char alg[16], typ[16];

    if (header->children != 3 || !sa_jose_string(header, "alg", alg, sizeof(alg)) ||
        !sa_jose_string(header, "typ", typ, sizeof(typ)) || strcmp(typ, "dpop+jwt") != 0 ||
        !sa_jwk_read(sa_json_member(header, "jwk"), ret_jwk))
        return false;
    if (strcmp(alg, sa_key_alg_name(ret_jwk->alg)) == 0)
        return true;
    sa_jwk_clear(ret_jwk);
    return false;
}

static bool
dpop_of(const struct sa_json *claims, struct sa_dpop *ret_dpop)
{
    struct sa_dpop *d = ret_dpop;

    return sa_jose_string(claims, "htm", d->htm, sizeof(d->htm)) && d->htm[0] != '\0' &&
           sa_jose_string(claims, "htu", d->htu, sizeof(d->htu)) && d->htu[0] != '\0' &&
           sa_jose_string(claims, "jti", d->jti, sizeof(d->jti)) && d->jti[0] != '\0' &&
           sa_jose_number(claims, "iat", &d->iat) && d->iat != 0;
}

enum sa_status
sa_dpop_verify(struct sa_bytes text, struct sa_dpop *ret_dpop)
{
    struct sa_dpop dpop;
    struct sa_jwk jwk;
    struct sa_compact parts;
    struct sa_jose part; /* the header, then the claims */
    const char *reason;

    if (!sa_compact_split(text, &parts) || sa_jose_read(parts.header, KEYS_NODES, &part, &reason) != SA_OK ||
        !dpop_key_of(part.nodes, &jwk))
        return SA_INVALID_DPOP_PROOF;
    bool good = signature_is_good(&parts, &jwk);
    memcpy(dpop.jkt, jwk.thumbprint, sizeof(dpop.jkt));
    sa_jwk_clear(&jwk);
    if (!good || sa_jose_read(parts.payload, SA_JOSE_NODES_MAX, &part, &reason) != SA_OK ||
        !dpop_of(part.nodes, &dpop))
        return SA_INVALID_DPOP_PROOF;
    *ret_dpop = dpop;
    return SA_OK;
}
