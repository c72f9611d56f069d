#include "service/crypto/proof_jwt.h"

#include "service/crypto/jose.h"
#include "service/crypto/jwk.h"
#include "service/crypto/signing_key.h"

#define SIGNATURE_MAX 512u /* RSA of 4,096 bits */

#ifdef SA_PLANTED_FAULT
#define SIGNATURES_COUNT false /* taken out by tests/fuzz only, to see that it is missed */
#else
#define SIGNATURES_COUNT true
#endif

/* ---- a set of keys ---- */

/*
 * All of a set's keys, or none.
 *   ret_count  the caller clears so many.
 */
static bool
read_set(struct sa_bytes text, struct sa_jwk ret_jwks[SA_JWKS_KEYS_MAX], unsigned *ret_count)
{
    json_t *set = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *keys = json_object_get(set, "keys");
    size_t count = json_array_size(keys);
    unsigned done = 0;

    if (count <= SA_JWKS_KEYS_MAX)
        while (done < count && sa_jwk_read(json_array_get(keys, done), &ret_jwks[done]))
            done++;
    json_decref(set);
    if (count > 0 && done == count) {
        *ret_count = done;
        return true;
    }
    while (done > 0)
        sa_jwk_clear(&ret_jwks[--done]);
    return false;
}

static void
clear_set(struct sa_jwk *jwks, unsigned count)
{
    while (count > 0)
        sa_jwk_clear(&jwks[--count]);
}

bool
sa_jwks_is_good(struct sa_bytes text)
{
    struct sa_jwk jwks[SA_JWKS_KEYS_MAX];
    unsigned count = 0;

    if (text.len == 0 || !read_set(text, jwks, &count))
        return false;
    bool differ = count < 2 || (strcmp(jwks[0].kid, jwks[1].kid) != 0 || jwks[0].kid[0] == '\0');
    clear_set(jwks, count);
    return differ;
}

/* ---- the signature ---- */

static bool
signature_is_good(const struct sa_jose *parts, const struct sa_jwk *jwk)
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

/* What a header that may have these members and no others says. */
static bool
header_of(const json_t *header, char ret_alg[16], char ret_kid[SA_JWK_KID_MAX + 1])
{
    char typ[32];
    size_t members = 1;

    if (!sa_jose_string(header, "alg", ret_alg, 16) || ret_alg[0] == '\0' ||
        !sa_jose_string(header, "kid", ret_kid, SA_JWK_KID_MAX + 1) ||
        !sa_jose_string(header, "typ", typ, sizeof(typ)) || (typ[0] != '\0' && strcmp(typ, "JWT") != 0))
        return false;
    members += ret_kid[0] != '\0';
    members += typ[0] != '\0';
    return json_object_size(header) == members;
}

/* One of the keys that the header may mean: the one that it names, else each of its algorithm. */
static bool
one_verifies(const struct sa_jose *parts, const json_t *header, const struct sa_jwk *jwks, unsigned count)
{
    char alg[16], kid[SA_JWK_KID_MAX + 1];

    if (!header_of(header, alg, kid))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (kid[0] != '\0' && jwks[i].kid[0] != '\0' && strcmp(kid, jwks[i].kid) != 0)
            continue;
        if (strcmp(alg, sa_key_alg_name(jwks[i].alg)) == 0 && signature_is_good(parts, &jwks[i]))
            return true;
    }
    return false;
}

static bool
assertion_of(const json_t *claims, struct sa_assertion *ret_assertion)
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
    struct sa_jose parts;
    unsigned count = 0;

    if (!sa_jose_split(text, &parts) || jwks_text.len == 0 || !read_set(jwks_text, jwks, &count))
        return SA_INVALID_CLIENT;
    json_t *header = sa_jose_object(parts.header);
    bool good = header != NULL && one_verifies(&parts, header, jwks, count);
    json_decref(header);
    clear_set(jwks, count);
    if (!good)
        return SA_INVALID_CLIENT;
    json_t *claims = sa_jose_object(parts.claims);
    good = claims != NULL && assertion_of(claims, &assertion);
    json_decref(claims);
    if (!good)
        return SA_INVALID_CLIENT;
    *ret_assertion = assertion;
    return SA_OK;
}

/* ---- DPoP (RFC 9449 section 4.3) ---- */

static bool
dpop_key_of(const json_t *header, struct sa_jwk *ret_jwk)
{
    char alg[16], typ[16];

    if (json_object_size(header) != 3 || !sa_jose_string(header, "alg", alg, sizeof(alg)) ||
        !sa_jose_string(header, "typ", typ, sizeof(typ)) || strcmp(typ, "dpop+jwt") != 0 ||
        !sa_jwk_read(json_object_get(header, "jwk"), ret_jwk))
        return false;
    if (strcmp(alg, sa_key_alg_name(ret_jwk->alg)) == 0)
        return true;
    sa_jwk_clear(ret_jwk);
    return false;
}

static bool
dpop_of(const json_t *claims, struct sa_dpop *ret_dpop)
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
    struct sa_jose parts;

    if (!sa_jose_split(text, &parts))
        return SA_INVALID_DPOP_PROOF;
    json_t *header = sa_jose_object(parts.header);
    bool has_key = header != NULL && dpop_key_of(header, &jwk);
    json_decref(header);
    if (!has_key)
        return SA_INVALID_DPOP_PROOF;
    bool good = signature_is_good(&parts, &jwk);
    memcpy(dpop.jkt, jwk.thumbprint, sizeof(dpop.jkt));
    sa_jwk_clear(&jwk);
    if (!good)
        return SA_INVALID_DPOP_PROOF;
    json_t *claims = sa_jose_object(parts.claims);
    good = claims != NULL && dpop_of(claims, &dpop);
    json_decref(claims);
    if (!good)
        return SA_INVALID_DPOP_PROOF;
    *ret_dpop = dpop;
    return SA_OK;
}
