/* links: sa_auth */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "service/auth/api_key.h"
#include "service/auth/names.h"

/* What has a key's form has one form only: another byte anywhere, and the checksum or the form refuses it. */
static void
judge(const uint8_t *data, size_t at)
{
    char other[SA_API_KEY_LEN];
    char id[SA_ID_LEN + 1];

    memcpy(other, data, SA_API_KEY_LEN);
    other[at] = other[at] == 'A' ? 'B' : 'A';
    if (sa_api_key_parse(sa_bytes(other, sizeof(other)), id) == SA_OK)
        abort();
}

/* Two bytes: where another byte is put; the rest: a key. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char id[SA_ID_LEN + 1];

    if (len < 2 || sa_api_key_parse(sa_bytes(data + 2, len - 2), id) != SA_OK)
        return 0;
    if (len - 2 != SA_API_KEY_LEN || !sa_name_is_id(sa_bytes_of(id)) ||
        memcmp(id, data + 2 + sizeof("sak1_") - 1, SA_ID_LEN) != 0)
        abort();
    judge(data + 2, (size_t)(data[0] | data[1] << 8) % SA_API_KEY_LEN);
    return 0;
}
