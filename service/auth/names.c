#include "service/auth/names.h"

#include "service/crypto/encode.h"
#include "service/crypto/jwt.h"
#include "service/store/store.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool
is_one_of(uint8_t byte, const char *set)
{
    return byte != '\0' && strchr(set, byte) != NULL;
}

/* All bytes are of the set, and there are 1 to `max` of them. */
static bool
consists_of(struct sa_bytes name, size_t max, const char *set)
{
    if (name.len == 0 || name.len > max)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_one_of(name.data[i], set))
            return false;
    return true;
}

bool
sa_name_is_user(struct sa_bytes name)
{
    if (name.len == 0 || name.len > SA_USER_NAME_MAX || !is_one_of(name.data[0], LOWER "_"))
        return false;
    if (name.len > 1 && name.data[name.len - 1] == '$')
        name.len--;
    return consists_of(name, SA_USER_NAME_MAX, LOWER DIGIT "_.-");
}

bool
sa_name_is_group(struct sa_bytes name)
{
    return consists_of(name, SA_GROUP_NAME_MAX, LOWER DIGIT "_-") && is_one_of(name.data[0], LOWER "_");
}

bool
sa_name_is_client_id(struct sa_bytes name)
{
    return consists_of(name, SA_CLIENT_ID_MAX, LOWER UPPER DIGIT "_-");
}

bool
sa_name_is_audience(struct sa_bytes name)
{
    return consists_of(name, SA_JWT_AUDIENCE_MAX, LOWER UPPER DIGIT "_.:/-");
}

bool
sa_name_is_scope(struct sa_bytes name)
{
    if (name.len == 0 || name.len > SA_SCOPE_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] < 0x21 || name.data[i] > 0x7e || name.data[i] == '"' || name.data[i] == '\\')
            return false;
    return true;
}

/* Dots part atoms of `set`, none of which is empty. */
static bool
is_dotted(struct sa_bytes text, size_t max, const char *set)
{
    if (text.len == 0 || text.len > max || text.data[text.len - 1] == '.')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.' && (i == 0 || text.data[i - 1] == '.'))
            return false;
        if (text.data[i] != '.' && !is_one_of(text.data[i], set))
            return false;
    }
    return true;
}

/* A label neither begins nor ends with a hyphen (RFC 1123 section 2.1) and has at most 63 bytes. */
static bool
is_domain(struct sa_bytes domain)
{
    size_t label = 0;

    if (!is_dotted(domain, 253, LOWER UPPER DIGIT "-"))
        return false;
    for (size_t i = 0; i <= domain.len; i++) {
        bool ends = i == domain.len || domain.data[i] == '.';
        if (ends && (label > 63 || domain.data[i - 1] == '-' || domain.data[i - label] == '-'))
            return false;
        label = ends ? 0 : label + 1;
    }
    return true;
}

bool
sa_name_is_email(struct sa_bytes name)
{
    const uint8_t *at = name.len == 0 || name.len > 254 ? NULL : memchr(name.data, '@', name.len);

    if (at == NULL)
        return false;
    size_t local = (size_t)(at - name.data);
    return is_dotted(sa_bytes(name.data, local), 64, LOWER UPPER DIGIT "!#$%&'*+-/=?^_`{|}~") &&
           is_domain(sa_bytes(at + 1, name.len - local - 1));
}

bool
sa_name_is_id(struct sa_bytes name)
{
    return name.len == SA_ID_LEN && consists_of(name, SA_ID_LEN, LOWER UPPER DIGIT "_-");
}

bool
sa_name_is_kid(struct sa_bytes name)
{
    return name.len == SA_KID_LEN && consists_of(name, SA_KID_LEN, LOWER UPPER DIGIT "_-");
}
