#include "service/crypto/jwt.h"

#include <stdio.h>

#include "service/crypto/jose.h"
#include "service/crypto/signing_key.h"

static bool
audiences_of(const json_t *object, struct sa_claims *ret_claims)
{
    const json_t *value = json_object_get(object, "aud");
    size_t count = json_is_array(value) ? json_array_size(value) : 1;

    if (value == NULL || count == 0 || count > SA_JWT_AUDIENCES)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(value) ? json_array_get(value, i) : value;
        if (!json_is_string(one) || json_string_length(one) == 0 ||
            json_string_length(one) > SA_JWT_AUDIENCE_MAX)
            return false;
        memcpy(ret_claims->aud[i], json_string_value(one), json_string_length(one) + 1);
    }
    ret_claims->aud_count = (unsigned)count;
    return true;
}

static bool
words_of(const json_t *object, const char *name, char *ret_words, size_t size)
{
    const json_t *value = json_object_get(object, name);
    size_t len = 0;

    ret_words[0] = '\0';
    if (value == NULL)
        return true;
    if (!json_is_array(value))
        return false;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i);
        if (!json_is_string(one) || len + json_string_length(one) + 2 > size)
            return false;
        len +=
            (size_t)snprintf(ret_words + len, size - len, "%s%s", i == 0 ? "" : " ", json_string_value(one));
    }
    return true;
}

/* `cnf`: members of ours only, and one at least; a binding that is not understood is not passed over. */
static bool
binding_of(const json_t *object, struct sa_binding *ret_binding)
{
    const json_t *cnf = json_object_get(object, "cnf");

    if (cnf == NULL)
        return true;
    if (!json_is_object(cnf) ||
        !sa_jose_string(cnf, "x5t#S256", ret_binding->x5t, sizeof(ret_binding->x5t)) ||
        !sa_jose_string(cnf, "jkt", ret_binding->jkt, sizeof(ret_binding->jkt)))
        return false;
    size_t known = (ret_binding->x5t[0] != '\0') + (ret_binding->jkt[0] != '\0');
    return known > 0 && json_object_size(cnf) == known;
}

/* `act`: each with who it is and, within it, who acted before; a longer chain than we make is not ours. */
static bool
actors_of(const json_t *object, struct sa_claims *ret_claims)
{
    const json_t *act = json_object_get(object, "act");

    for (; act != NULL; act = json_object_get(act, "act")) {
        char *name = ret_claims->act[ret_claims->act_count];

        if (ret_claims->act_count++ == SA_JWT_ACTORS || !json_is_object(act) ||
            !sa_jose_string(act, "sub", name, sizeof(ret_claims->act[0])) || name[0] == '\0')
            return false;
    }
    return true;
}

static bool
claims_of(const json_t *object, const char *issuer, struct sa_claims *ret_claims)
{
    struct sa_claims *c = ret_claims;

    memset(c, 0, sizeof(*c));
    if (!sa_jose_string(object, "iss", c->iss, sizeof(c->iss)) ||
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
    c->has_groups = json_object_get(object, "groups") != NULL;
    return strcmp(c->iss, issuer) == 0 && c->sub[0] != '\0' && c->exp != 0 && c->iat != 0 &&
           c->client_id[0] != '\0' && sa_jti_parse(c->jti, NULL, NULL, NULL) == SA_OK;
}

/*
 * The key that a header names, where the header is one of ours: exactly alg, typ and kid. The algorithm is
 * the key's; the token only agrees (RFC 8725 section 3.1).
 */
static const struct sa_signing_key *
key_of(struct sa_signing_key *const *keys, unsigned count, const json_t *header)
{
    char alg[16], typ[16], kid[SA_KID_LEN + 1];

    if (json_object_size(header) != 3 || !sa_jose_string(header, "alg", alg, sizeof(alg)) ||
        !sa_jose_string(header, "typ", typ, sizeof(typ)) ||
        !sa_jose_string(header, "kid", kid, sizeof(kid)) ||
        (strcmp(typ, "at+jwt") != 0 && strcmp(typ, "JWT") != 0))
        return NULL;
    for (unsigned i = 0; i < count; i++)
        if (strcmp(keys[i]->kid, kid) == 0)
            return strcmp(alg, sa_key_alg_name(keys[i]->alg)) == 0 ? keys[i] : NULL;
    return NULL;
}

/* Signature first: no claim is looked at before it is known to be ours. */
static bool
signature_is_good(struct sa_signing_key *const *keys, unsigned count, const struct sa_jose *parts)
{
    uint8_t signature[SA_SIGNATURE_MAX];
    uint8_t digest[SA_SHA256_LEN];
    size_t len;
    json_t *header = sa_jose_object(parts->header);
    const struct sa_signing_key *key = header == NULL ? NULL : key_of(keys, count, header);

    json_decref(header);
    if (key == NULL || sa_base64url_decode(parts->signature, signature, sizeof(signature), &len) != SA_OK)
        return false;
    sa_sha256(parts->signed_part, digest);
    return sa_signing_key_verifies(key, digest, sa_bytes(signature, len));
}

enum sa_status
sa_jwt_verify(struct sa_signing_key *const *keys, unsigned count, const char *issuer, struct sa_bytes token,
              struct sa_claims *ret_claims)
{
    struct sa_jose parts;
    struct sa_claims claims;

    if (!sa_jose_split(token, &parts) || !signature_is_good(keys, count, &parts))
        return SA_INVALID_GRANT;
    json_t *object = sa_jose_object(parts.claims);
    bool good = object != NULL && claims_of(object, issuer, &claims);
    json_decref(object);
    if (!good)
        return SA_INVALID_GRANT;
    *ret_claims = claims;
    return SA_OK;
}
