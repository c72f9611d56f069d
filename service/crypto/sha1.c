#include "service/crypto/sha1.h"

#include <openssl/evp.h>

enum sa_status
sa_sha1(struct sa_bytes data, uint8_t ret_digest[SA_SHA1_LEN])
{
    return EVP_Digest(data.data, data.len, ret_digest, NULL, EVP_sha1(), NULL) == 1 ? SA_OK : SA_INTERNAL;
}
