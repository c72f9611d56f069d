#include "client/ctl.h"

#include <stdlib.h>

/* The value of a base64url character (RFC 4648 section 5), or -1. */
static int
digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Decode without padding; ret_data has room for 3 bytes for every 4. False where it is not base64url. */
static bool
decode(const char *text, size_t len, uint8_t *ret_data, size_t *ret_len)
{
    unsigned bits = 0, held = 0;
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        int value = digit(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (unsigned)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret_data[used++] = (uint8_t)(bits >> held);
        }
    }
    *ret_len = used;
    return len % 4 != 1;
}

json_t *
sa_ctl_claims(const char *token, size_t len)
{
    const char *first = memchr(token, '.', len);
    if (first == NULL)
        return NULL;
    const char *payload = first + 1;
    const char *second = memchr(payload, '.', len - (size_t)(payload - token));
    if (second == NULL)
        return NULL;

    size_t payload_len = (size_t)(second - payload), json_len;
    uint8_t *json = malloc(payload_len + 1);
    if (json == NULL)
        return NULL;
    json_t *claims = NULL;
    if (decode(payload, payload_len, json, &json_len))
        claims = json_loadb((const char *)json, json_len, JSON_REJECT_DUPLICATES, NULL);
    sa_wipe(json, payload_len + 1);
    free(json);
    return claims;
}
