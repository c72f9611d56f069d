/* links: sa_auth */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "service/auth/refresh.h"

/* A refresh token under a known key. What is taken is written again byte for byte: a token has one form only.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t master[32] = "the key of the fuzzer, 32 bytes";
    static struct sa_keyring *keyring;
    struct sa_refresh_token token;
    char again[SA_REFRESH_LEN + 1];

    if (keyring == NULL)
        keyring = sa_keyring_new(sa_bytes(master, sizeof(master)));
    if (keyring == NULL)
        return 0;
    if (sa_refresh_parse(keyring, sa_bytes(data, len), &token) != SA_OK)
        return 0;
    sa_refresh_format(keyring, &token, again);
    if (len != SA_REFRESH_LEN || memcmp(again, data, len) != 0)
        abort();
    return 0;
}
