#include "client/verify_sha1.h"

#include <openssl/evp.h>

bool
sa_verify_sha1(struct sa_bytes data, uint8_t ret_digest[SA_VERIFY_SHA1_LEN])
{
    return EVP_Digest(data.data, data.len, ret_digest, NULL, EVP_sha1(), NULL) == 1;
}
