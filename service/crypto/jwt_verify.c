#include "service/crypto/jwt.h"

#include <stdio.h>

#include "service/crypto/jose.h"
#include "service/crypto/signing_key.h"

static bool
audiences_of(const struct sa_json *object, struct sa_claims *ret_claims)
{
    const struct sa_json *aud = sa_json_member(object, "aud");
    bool many = aud != NULL && aud->kind == SA_JSON_ARRAY;
    size_t count = many ? aud->children : 1;

    if (aud == NULL || count == 0 || count > SA_JWT_AUDIENCES)
        return false;
    const struct sa_json *one = many ? sa_json_first(aud) : aud;
    for (size_t i = 0; i < count; i++, one = sa_json_next(one)) {
        if (one->kind != SA_JSON_STRING || one->text.len == 0 || one->text.len > SA_JWT_AUDIENCE_MAX)
            return false;
        memcpy(ret_claims->aud[i], one->text.data, one->text.len + 1);
    }
    ret_claims->aud_count = (unsigned)count;
    return true;
}

static bool
words_of(const struct sa_json *object, const char *name, char *ret_words, size_t size)
{
    const struct sa_json *value = sa_json_member(object, name);
    size_t len = 0;

    ret_words[0] = '\0';
    if (value == NULL)
        return true;
    if (value->kind != SA_JSON_ARRAY)
        return false;
    const struct sa_json *one = sa_json_first(value);
    for (uint32_t i = 0; i < value->children; i++, one = sa_json_next(one)) {
        if (one->kind != SA_JSON_STRING || len + one->text.len + 2 > size)
            return false;
        len += (size_t)snprintf(ret_words + len, size - len, "%s%s", i == 0 ? "" : " ", sa_json_string(one));
    }
    return true;
}

/* `cnf`: members of ours only, and one at least; a binding that is not understood is not passed over. */
static bool
binding_of(const struct sa_json *object, struct sa_binding *ret_binding)
{
    const struct sa_json *cnf = sa_json_member(object, "cnf");

    if (cnf == NULL)
        return true;
    if (cnf->kind != SA_JSON_OBJECT ||
        !sa_jose_string(cnf, "x5t#S256", ret_binding->x5t, sizeof(ret_binding->x5t)) ||
        !sa_jose_string(cnf, "jkt", ret_binding->jkt, sizeof(ret_binding->jkt)))
        return false;
    uint32_t known = (ret_binding->x5t[0] != '\0') + (ret_binding->jkt[0] != '\0');
    return known > 0 && cnf->children == known;
}

/* `act`: each with who it is and, within it, who acted before; a longer chain than we make is not ours. */
static bool
actors_of(const struct sa_json *object, struct sa_claims *ret_claims)
{
    const struct sa_json *act = sa_json_member(object, "act");

    for (; act != NULL; act = sa_json_member(act, "act")) {
        if (ret_claims->act_count == SA_JWT_ACTORS || act->kind != SA_JSON_OBJECT)
            return false;
        char *name = ret_claims->act[ret_claims->act_count++];
        if (!sa_jose_string(act, "sub", name, sizeof(ret_claims->act[0])) || name[0] == '\0')
            return false;
    }
    return true;
}

static bool
claims_of(const struct sa_json *object, struct sa_claims *ret_claims)
{
    struct sa_claims *c = ret_claims;

    memset(c, 0, sizeof(*c));
    if (object->kind != SA_JSON_OBJECT || !sa_jose_string(object, "iss", c->iss, sizeof(c->iss)) ||
        !sa_jose_string(object, "sub", c->sub, sizeof(c->sub)) || !audiences_of(object, c) ||
        !sa_jose_number(object, "exp", &c->exp) || !sa_jose_number(object, "iat", &c->iat) ||
        !sa_jose_string(object, "jti", c->jti, sizeof(c->jti)) ||
        !sa_jose_string(object, "client_id", c->client_id, sizeof(c->client_id)) ||
        !sa_jose_string(object, "scope", c->scope, sizeof(c->scope)) ||
        !sa_jose_string(object, "sid", c->sid, sizeof(c->sid)) ||
        !sa_jose_number(object, "auth_time", &c->auth_time) ||
        !words_of(object, "amr", c->amr, sizeof(c->amr)) ||
        !sa_jose_string(object, "acr", c->acr, sizeof(c->acr)) ||
        !sa_jose_string(object, "username", c->username, sizeof(c->username)) ||
        !words_of(object, "groups", c->groups, sizeof(c->groups)) || !binding_of(object, &c->cnf) ||
        !actors_of(object, c))
        return false;
    c->has_groups = sa_json_member(object, "groups") != NULL;
    return c->iss[0] != '\0' && c->sub[0] != '\0' && c->exp != 0 && c->iat != 0 && c->client_id[0] != '\0' &&
           sa_jti_parse(c->jti, NULL, NULL, NULL) == SA_OK;
}

static const struct sa_signing_key *
key_of(struct sa_signing_key *const *keys, unsigned count, const char *kid)
{
    for (unsigned i = 0; i < count; i++)
        if (kid != NULL && strcmp(keys[i]->kid, kid) == 0)
            return keys[i];
    return NULL;
}

/*
 * Signature first: no claim is looked at before it is known to be ours. The algorithm is the key's; the token
 * only agrees (RFC 8725 section 3.1). Returns why not, or NULL.
 */
static const char *
wrong_signature(struct sa_signing_key *const *keys, unsigned count, const struct sa_compact *parts)
{
    struct sa_compact_header header;
    uint8_t signature[SA_COMPACT_DECODED_MAX(SA_COMPACT_TOKEN_MAX)];
    uint8_t digest[SA_SHA256_LEN];
    const char *reason;
    size_t len;

    if (sa_compact_read_header(parts->header, &header, &reason) != SA_OK)
        return reason;
    const struct sa_signing_key *key = key_of(keys, count, header.kid);
    if (key == NULL)
        return "kid";
    if (strcmp(header.alg, sa_key_alg_name(key->alg)) != 0)
        return "alg";
    if (sa_compact_decode(parts->signature, signature, &len) != SA_OK)
        return "form";
    sa_sha256(parts->signed_part, digest);
    if (!sa_signing_key_verifies(key, digest, sa_bytes(signature, len)))
        return "signature";
    return header.typ != NULL && (strcmp(header.typ, "at+jwt") == 0 || strcmp(header.typ, "JWT") == 0)
               ? NULL
               : "typ";
}

/* The claims, in form. Returns why not, or NULL. */
static const char *
read_claims(struct sa_bytes payload, struct sa_claims *ret_claims)
{
    struct sa_jose claims;
    const char *reason;

    if (sa_jose_read(payload, SA_JOSE_NODES_MAX, &claims, &reason) != SA_OK)
        return reason;
    return claims_of(claims.nodes, ret_claims) ? NULL : "claim";
}

enum sa_status
sa_jwt_verify(struct sa_signing_key *const *keys, unsigned count, const char *issuer, struct sa_bytes token,
              struct sa_claims *ret_claims, const char **ret_reason)
{
    struct sa_compact parts;
    struct sa_claims claims;

    const char *reason = sa_compact_split(token, &parts) ? wrong_signature(keys, count, &parts) : "form";
    if (reason == NULL)
        reason = read_claims(parts.payload, &claims);
    if (reason == NULL && strcmp(claims.iss, issuer) != 0)
        reason = "issuer";
    if (reason != NULL) {
        *ret_reason = reason;
        return SA_INVALID_GRANT;
    }
    *ret_claims = claims;
    return SA_OK;
}
