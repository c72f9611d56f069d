#include "service/crypto/jose.h"

enum sa_status
sa_jose_read(struct sa_bytes encoded, size_t room, struct sa_jose *ret_part, const char **ret_reason)
{
    size_t len;

    *ret_reason = "form";
    if (encoded.len > SA_COMPACT_TOKEN_MAX || sa_compact_decode(encoded, ret_part->text, &len) != SA_OK)
        return SA_INVALID_ARGUMENT;
    return sa_json_read(ret_part->text, len, ret_part->nodes, room, ret_reason);
}

bool
sa_jose_string(const struct sa_json *object, const char *name, char *ret_text, size_t size)
{
    const struct sa_json *value = sa_json_member(object, name);

    ret_text[0] = '\0';
    if (value == NULL)
        return true;
    if (value->kind != SA_JSON_STRING || value->text.len == 0 || value->text.len >= size)
        return false;
    memcpy(ret_text, value->text.data, value->text.len + 1);
    return true;
}

bool
sa_jose_number(const struct sa_json *object, const char *name, int64_t *ret_number)
{
    const struct sa_json *value = sa_json_member(object, name);

    *ret_number = 0;
    return value == NULL || (sa_json_integer(value, ret_number) && *ret_number > 0);
}
