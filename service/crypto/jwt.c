#include "service/crypto/jwt.h"

#include <assert.h>
#include <stdio.h>

#include "service/crypto/signing_key.h"

#define CLAIMS_MAX 2600u /* its base64url, a header and a signature fit into SA_JWT_MAX */
#define JTI_RAW    26u

static_assert(SA_BASE64URL_LEN(JTI_RAW) == SA_JTI_LEN, "a jti is 26 bytes");

/* Text that grows up to its bound; `full` once it did not fit. */
struct text {
    char *data;
    size_t len;
    size_t size;
    bool full;
};

static void
add(struct text *text, const char *data, size_t len)
{
    if (text->full || len > text->size - text->len) {
        text->full = true;
        return;
    }
    memcpy(text->data + text->len, data, len);
    text->len += len;
}

static void
add_text(struct text *text, const char *data)
{
    add(text, data, strlen(data));
}

/* A JSON string (RFC 8259 section 7). */
static void
add_string(struct text *text, const char *string, size_t len)
{
    add(text, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)string[i];
        char escape[8];

        if (c == '"' || c == '\\' || c < 0x20) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            add_text(text, escape);
        } else {
            add(text, string + i, 1);
        }
    }
    add(text, "\"", 1);
}

static void
add_member(struct text *text, const char *name)
{
    if (text->len > 0 && text->data[text->len - 1] != '{')
        add(text, ",", 1);
    add(text, "\"", 1);
    add_text(text, name);
    add(text, "\":", 2);
}

static void
add_string_member(struct text *text, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    add_member(text, name);
    add_string(text, value, strlen(value));
}

static void
add_number_member(struct text *text, const char *name, int64_t value)
{
    char digits[24];

    add_member(text, name);
    snprintf(digits, sizeof(digits), "%lld", (long long)value);
    add_text(text, digits);
}

/* RFC 7519 section 4.1.3: one audience is a string, several are an array. */
static void
add_audiences(struct text *text, const struct sa_claims *claims)
{
    add_member(text, "aud");
    if (claims->aud_count == 1) {
        add_string(text, claims->aud[0], strlen(claims->aud[0]));
        return;
    }
    add(text, "[", 1);
    for (unsigned i = 0; i < claims->aud_count; i++) {
        if (i > 0)
            add(text, ",", 1);
        add_string(text, claims->aud[i], strlen(claims->aud[i]));
    }
    add(text, "]", 1);
}

/* Words separated by spaces as an array of strings (`amr`, RFC 8176; `groups`, RFC 9068 section 2.2.3.1). */
static void
add_words(struct text *text, const char *name, const char *words)
{
    add_member(text, name);
    add(text, "[", 1);
    for (bool first = true; *words != '\0'; first = false) {
        size_t len = strcspn(words, " ");
        if (!first)
            add(text, ",", 1);
        add_string(text, words, len);
        words += len;
        words += strspn(words, " ");
    }
    add(text, "]", 1);
}

/* RFC 7800 section 3.1, RFC 8705 section 3.1, RFC 9449 section 6.1. */
static void
add_binding(struct text *text, const struct sa_binding *cnf)
{
    if (cnf->x5t[0] == '\0' && cnf->jkt[0] == '\0')
        return;
    add_member(text, "cnf");
    add(text, "{", 1);
    add_string_member(text, "x5t#S256", cnf->x5t);
    add_string_member(text, "jkt", cnf->jkt);
    add(text, "}", 1);
}

/* RFC 8693 section 4.1: whoever acted before is within whoever acts now. */
static void
add_actors(struct text *text, const struct sa_claims *claims)
{
    for (unsigned i = 0; i < claims->act_count; i++) {
        add_member(text, "act");
        add(text, "{", 1);
        add_string_member(text, "sub", claims->act[i]);
    }
    for (unsigned i = 0; i < claims->act_count; i++)
        add(text, "}", 1);
}

static void
add_claims(struct text *text, const struct sa_claims *claims)
{
    add(text, "{", 1);
    add_string_member(text, "iss", claims->iss);
    add_string_member(text, "sub", claims->sub);
    add_audiences(text, claims);
    add_number_member(text, "exp", claims->exp);
    add_number_member(text, "iat", claims->iat);
    add_string_member(text, "jti", claims->jti);
    add_string_member(text, "client_id", claims->client_id);
    add_string_member(text, "scope", claims->scope);
    add_string_member(text, "sid", claims->sid);
    if (claims->auth_time != 0)
        add_number_member(text, "auth_time", claims->auth_time);
    if (claims->sid[0] != '\0')
        add_words(text, "amr", claims->amr);
    add_string_member(text, "acr", claims->acr);
    add_string_member(text, "username", claims->username);
    if (claims->has_groups)
        add_words(text, "groups", claims->groups);
    add_binding(text, &claims->cnf);
    add_actors(text, claims);
    add(text, "}", 1);
}

enum sa_status
sa_jwt_sign(const struct sa_signing_key *key, const struct sa_claims *claims, char ret_token[SA_JWT_MAX + 1])
{
    char buffer[CLAIMS_MAX];
    struct text text = {.data = buffer, .size = sizeof(buffer)};
    uint8_t digest[SA_SHA256_LEN];
    uint8_t signature[SA_SIGNATURE_MAX];

    static_assert(sizeof(key->headers[0].text) + SA_BASE64URL_LEN(CLAIMS_MAX) +
                          SA_BASE64URL_LEN(SA_SIGNATURE_MAX) <
                      SA_JWT_MAX,
                  "header, claims and signature fit");
    assert(claims->aud_count >= 1 && claims->aud_count <= SA_JWT_AUDIENCES);
    assert(claims->act_count <= SA_JWT_ACTORS);
    add_claims(&text, claims);
    if (text.full)
        return SA_TOO_LARGE;
    size_t len = key->headers[claims->plain_typ].len;
    memcpy(ret_token, key->headers[claims->plain_typ].text, len);
    sa_base64url_open(sa_bytes(text.data, text.len), ret_token + len);
    len += SA_BASE64URL_LEN(text.len);
    sa_sha256(sa_bytes(ret_token, len), digest);
    enum sa_status status = sa_signing_key_sign(key, digest, signature);
    if (status != SA_OK)
        return status;
    ret_token[len++] = '.';
    sa_base64url(sa_bytes(signature, sa_signing_key_signature_len(key)), ret_token + len);
    return SA_OK;
}

/* ---- token ids ---- */

void
sa_jti_make(int64_t now_ms, uint16_t instance, uint32_t client_row, char ret_jti[SA_JTI_LEN + 1])
{
    uint8_t raw[JTI_RAW];

    sa_put_number(raw, (uint64_t)now_ms, 6);
    sa_put_number(raw + 6, instance, 2);
    sa_put_number(raw + 8, client_row, 4);
    sa_random(raw + 12, sizeof(raw) - 12);
    sa_base64url(sa_bytes(raw, sizeof(raw)), ret_jti);
}

enum sa_status
sa_jti_parse(const char *jti, int64_t *ret_mint_ms, uint16_t *ret_instance, uint32_t *ret_client_row)
{
    uint8_t raw[JTI_RAW];
    size_t len;

    if (sa_base64url_decode(sa_bytes_of(jti), raw, sizeof(raw), &len) != SA_OK || len != sizeof(raw))
        return SA_INVALID_ARGUMENT;
    if (ret_mint_ms != NULL)
        *ret_mint_ms = (int64_t)sa_get_number(raw, 6);
    if (ret_instance != NULL)
        *ret_instance = (uint16_t)sa_get_number(raw + 6, 2);
    if (ret_client_row != NULL)
        *ret_client_row = (uint32_t)sa_get_number(raw + 8, 4);
    return SA_OK;
}
