#include "client/verify_claims.h"

#include <stdlib.h>

#define JTI_LEN      35u
#define JTI_BYTES    26u
#define JTI_TIME     6u
#define JTI_INSTANCE 2u
#define JTI_CLIENT   4u

/* A string that is not empty; "" where it is absent. */
static bool
text_of(const struct sa_json *object, const char *name, const char **ret_text)
{
    const struct sa_json *value = sa_json_member(object, name);

    *ret_text = value == NULL ? "" : sa_json_string(value);
    return value == NULL || (*ret_text != NULL && value->text.len > 0);
}

/* A time, seconds since 1970; 0 where it is absent. */
static bool
time_of(const struct sa_json *object, const char *name, int64_t *ret_seconds)
{
    const struct sa_json *value = sa_json_member(object, name);

    *ret_seconds = 0;
    return value == NULL || (sa_json_integer(value, ret_seconds) && *ret_seconds > 0);
}

/* An array of strings, as many as there is room for. */
static bool
texts_of(const struct sa_json *array, const char **ret_texts, size_t room, size_t *ret_count)
{
    if (array->kind != SA_JSON_ARRAY || array->children > room)
        return false;
    const struct sa_json *value = sa_json_first(array);
    for (uint32_t i = 0; i < array->children; i++, value = sa_json_next(value)) {
        ret_texts[i] = sa_json_string(value);
        if (ret_texts[i] == NULL)
            return false;
    }
    *ret_count = array->children;
    return true;
}

/* RFC 7519 section 4.1.3: one, or an array of them. */
static bool
audiences_of(const struct sa_json *object, struct sa_verify_claims *claims)
{
    const struct sa_json *aud = sa_json_member(object, "aud");
    size_t count = 1;

    if (aud == NULL)
        return false;
    if (aud->kind == SA_JSON_STRING)
        claims->audiences[0] = sa_json_string(aud);
    else if (!texts_of(aud, claims->audiences, SA_VERIFY_AUDIENCES, &count) || count == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(claims->audiences[i]);
        if (len == 0 || len > SA_VERIFY_AUDIENCE_MAX)
            return false;
    }
    claims->result.audiences = claims->audiences;
    claims->result.audience_count = count;
    return true;
}

static bool
amr_of(const struct sa_json *object, struct sa_verify_claims *claims)
{
    const struct sa_json *amr = sa_json_member(object, "amr");

    claims->result.amr = claims->amr;
    return amr == NULL || texts_of(amr, claims->amr, SA_VERIFY_AMR, &claims->result.amr_count);
}

static bool
groups_of(const struct sa_json *object, struct sa_verify_claims *claims)
{
    const struct sa_json *groups = sa_json_member(object, "groups");

    if (groups == NULL)
        return true;
    claims->groups = calloc((size_t)groups->children + 1, sizeof(*claims->groups));
    claims->result.groups = claims->groups;
    claims->no_memory = claims->groups == NULL;
    return !claims->no_memory &&
           texts_of(groups, claims->groups, groups->children, &claims->result.group_count);
}

/* RFC 7800 section 3.1. */
static bool
binding_of(const struct sa_json *object, struct secauth_claims *claims)
{
    const struct sa_json *cnf = sa_json_member(object, "cnf");

    claims->jkt = claims->x5t = "";
    if (cnf == NULL)
        return true;
    return cnf->kind == SA_JSON_OBJECT && text_of(cnf, "jkt", &claims->jkt) &&
           text_of(cnf, "x5t#S256", &claims->x5t) && cnf->children > 0 &&
           cnf->children == 0u + (claims->jkt[0] != '\0') + (claims->x5t[0] != '\0');
}

/* RFC 8693 section 4.1: who acted before is within who acts now. */
static bool
actors_of(const struct sa_json *object, struct sa_verify_claims *claims)
{
    size_t count = 0;

    for (const struct sa_json *act = sa_json_member(object, "act"); act != NULL;
         act = sa_json_member(act, "act")) {
        if (count == SA_VERIFY_ACTORS || act->kind != SA_JSON_OBJECT ||
            !text_of(act, "sub", &claims->actors[count]) || claims->actors[count][0] == '\0')
            return false;
        count++;
    }
    claims->result.actors = claims->actors;
    claims->result.actor_count = count;
    return true;
}

static bool
jti_of(struct sa_verify_claims *claims)
{
    struct sa_bytes jti = sa_bytes_of(claims->result.jti);
    uint8_t data[SA_COMPACT_DECODED_MAX(JTI_LEN)];
    size_t len;

    if (jti.len != JTI_LEN || sa_compact_decode(jti, data, &len) != SA_OK || len != JTI_BYTES)
        return false;
    claims->minted_ms = (int64_t)sa_get_number(data, JTI_TIME);
    claims->instance = (uint16_t)sa_get_number(data + JTI_TIME, JTI_INSTANCE);
    claims->client_row = (uint32_t)sa_get_number(data + JTI_TIME + JTI_INSTANCE, JTI_CLIENT);
    return true;
}

static bool
claims_of(const struct sa_json *object, struct sa_verify_claims *claims)
{
    struct secauth_claims *c = &claims->result;

    if (object->kind != SA_JSON_OBJECT || !text_of(object, "iss", &c->iss) ||
        !text_of(object, "sub", &c->sub) || !audiences_of(object, claims) ||
        !time_of(object, "exp", &c->exp) || !time_of(object, "iat", &c->iat) ||
        !time_of(object, "nbf", &claims->nbf) || !text_of(object, "jti", &c->jti) ||
        !text_of(object, "client_id", &c->client_id) || !text_of(object, "scope", &c->scope) ||
        !text_of(object, "sid", &c->sid) || !time_of(object, "auth_time", &c->auth_time) ||
        !text_of(object, "acr", &c->acr) || !text_of(object, "username", &c->username) ||
        !amr_of(object, claims) || !groups_of(object, claims) || !binding_of(object, c) ||
        !actors_of(object, claims))
        return false;
    return c->iss[0] != '\0' && c->sub[0] != '\0' && c->exp != 0 && c->iat != 0 && c->client_id[0] != '\0' &&
           jti_of(claims);
}

enum sa_status
sa_verify_claims_read(struct sa_bytes payload, struct sa_verify_claims **ret_claims, const char **ret_reason)
{
    struct sa_json nodes[SA_VERIFY_NODES];
    size_t len;
    SA_OWN(sa_verify_claims) claims = malloc(sizeof(*claims) + SA_COMPACT_DECODED_MAX(payload.len));

    if (claims == NULL)
        return SA_NO_MEMORY;
    memset(claims, 0, sizeof(*claims));
    *ret_reason = "form";
    if (sa_compact_decode(payload, claims->text, &len) != SA_OK ||
        sa_json_read(claims->text, len, nodes, SA_VERIFY_NODES, ret_reason) != SA_OK)
        return SA_INVALID_GRANT;
    *ret_reason = "claim";
    if (!claims_of(nodes, claims))
        return claims->no_memory ? SA_NO_MEMORY : SA_INVALID_GRANT;
    *ret_claims = sa_verify_claims_take(&claims);
    return SA_OK;
}

void
sa_verify_claims_free(struct sa_verify_claims *claims)
{
    if (claims == NULL)
        return;
    free(claims->groups);
    free(claims);
}
