#include "service/crypto/jose.h"

bool
sa_jose_split(struct sa_bytes text, struct sa_jose *ret_parts)
{
    if (text.len == 0 || text.len > SA_JWT_MAX)
        return false;
    const uint8_t *end = text.data + text.len;
    const uint8_t *dot1 = memchr(text.data, '.', text.len);
    const uint8_t *dot2 = dot1 == NULL ? NULL : memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1));
    if (dot2 == NULL || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)) != NULL)
        return false;
    ret_parts->header = sa_bytes(text.data, (size_t)(dot1 - text.data));
    ret_parts->claims = sa_bytes(dot1 + 1, (size_t)(dot2 - dot1 - 1));
    ret_parts->signature = sa_bytes(dot2 + 1, (size_t)(end - dot2 - 1));
    ret_parts->signed_part = sa_bytes(text.data, (size_t)(dot2 - text.data));
    return true;
}

json_t *
sa_jose_object(struct sa_bytes text)
{
    uint8_t data[SA_JWT_MAX];
    size_t len;

    if (sa_base64url_decode(text, data, sizeof(data), &len) != SA_OK)
        return NULL;
    json_t *value = json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES, NULL);
    if (value != NULL && !json_is_object(value)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

bool
sa_jose_string(const json_t *object, const char *name, char *ret_text, size_t size)
{
    const json_t *value = json_object_get(object, name);

    ret_text[0] = '\0';
    if (value == NULL)
        return true;
    if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) >= size)
        return false;
    memcpy(ret_text, json_string_value(value), json_string_length(value) + 1);
    return true;
}

bool
sa_jose_number(const json_t *object, const char *name, int64_t *ret_number)
{
    const json_t *value = json_object_get(object, name);

    *ret_number = 0;
    if (value == NULL)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) <= 0)
        return false;
    *ret_number = json_integer_value(value);
    return true;
}
