/* links: sa_verify sa_crypto */
#include "fuzz.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/verify_claims.h"
#include "client/verify_jws.h"
#include "service/crypto/signing_key.h"

/* What the first byte says of the rest. */
enum { KEY_SET, TOKEN, HEADER, CLAIMS, KINDS };

static struct sa_signing_key *key;
static struct sa_verify_keys *keys;

static void
make_keys(void)
{
    const char *reason;

    key = sa_signing_key_generate(SA_KEY_ES256);
    char *jwks = key == NULL ? NULL : sa_jwks(&key, 1);
    if (jwks == NULL || sa_verify_keys_read(sa_bytes_of(jwks), &keys, &reason) != SA_OK)
        abort();
    free(jwks);
}

/* A header and claims that our key has signed, whatever they are; false where they do not fit. */
static bool
sign(struct sa_bytes header, struct sa_bytes claims, char ret_token[2 * SA_JWT_MAX])
{
    uint8_t digest[SA_SHA256_LEN], signature[SA_SIGNATURE_MAX];

    if (header.len + claims.len > SA_JWT_MAX / 2)
        return false;
    sa_base64url(header, ret_token);
    strcat(ret_token, ".");
    sa_base64url(claims, ret_token + strlen(ret_token));
    sa_sha256(sa_bytes_of(ret_token), digest);
    if (sa_signing_key_sign(key, digest, signature) != SA_OK)
        abort();
    strcat(ret_token, ".");
    sa_base64url(sa_bytes(signature, SA_ES256_LEN), ret_token + strlen(ret_token));
    return true;
}

/* What is accepted is an object to another reader too, which knows members that come twice. */
static void
must_be_object(struct sa_bytes text)
{
    json_t *object = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(object))
        abort();
    json_decref(object);
}

static void
try_key_set(struct sa_bytes text)
{
    SA_OWN(sa_verify_keys) read = NULL;
    const char *reason = NULL;

    if (sa_verify_keys_read(text, &read, &reason) == SA_OK)
        must_be_object(text);
    else if (reason == NULL)
        abort();
}

static bool
is_signed(const char *token, struct sa_compact *ret_parts)
{
    struct sa_compact_header header;
    const char *reason = NULL;

    if (sa_verify_jws(keys, sa_bytes_of(token), ret_parts, &header, &reason) == SA_OK)
        return true;
    if (reason == NULL)
        abort();
    return false;
}

static void
try_header(struct sa_bytes header)
{
    char token[2 * SA_JWT_MAX];
    struct sa_compact parts;

    if (!sign(header, sa_bytes_of("{}"), token) || !is_signed(token, &parts))
        return;
    must_be_object(header);
}

static void
try_claims(struct sa_bytes text)
{
    char header[160], token[2 * SA_JWT_MAX];
    struct sa_compact parts;
    SA_OWN(sa_verify_claims) claims = NULL;
    const char *reason = NULL;

    snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
             sa_signing_key_kid(key));
    if (!sign(sa_bytes_of(header), text, token))
        return;
    if (!is_signed(token, &parts))
        abort();
    if (sa_verify_claims_read(parts.payload, &claims, &reason) != SA_OK) {
        if (reason == NULL)
            abort();
        return;
    }
    must_be_object(text);
    const struct secauth_claims *said = &claims->result;
    if (said->iss[0] == '\0' || said->sub[0] == '\0' || said->client_id[0] == '\0' || said->exp <= 0 ||
        said->iat <= 0 || strlen(said->jti) != SA_JTI_LEN || said->audience_count == 0 ||
        said->audience_count > SA_VERIFY_AUDIENCES || said->actor_count > SA_VERIFY_ACTORS)
        abort();
    for (size_t i = 0; i < said->group_count; i++)
        if (said->groups[i] == NULL)
            abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char token[2 * SA_JWT_MAX];
    struct sa_compact parts;

    if (keys == NULL)
        make_keys();
    if (len == 0)
        return 0;
    struct sa_bytes rest = sa_bytes(data + 1, len - 1);
    switch (data[0] % KINDS) {
    case KEY_SET:
        try_key_set(rest);
        break;
    case TOKEN:
        if (rest.len >= sizeof(token))
            return 0;
        memcpy(token, rest.data, rest.len);
        token[rest.len] = '\0';
        if (is_signed(token, &parts))
            abort(); /* a forgery */
        break;
    case HEADER:
        try_header(rest);
        break;
    default:
        try_claims(rest);
    }
    return 0;
}
