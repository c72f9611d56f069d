#include "service/crypto/totp.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "service/base/secret.h"

static const EVP_MD *
hash_of(enum sa_totp_algorithm algorithm)
{
    switch (algorithm) {
    case SA_TOTP_SHA1:
        return EVP_sha1();
    case SA_TOTP_SHA256:
        return EVP_sha256();
    case SA_TOTP_SHA512:
        return EVP_sha512();
    }
    return NULL;
}

enum sa_status
sa_totp_code(enum sa_totp_algorithm algorithm, struct sa_bytes key, int64_t step, unsigned digits,
             char ret_code[SA_TOTP_DIGITS_MAX + 1])
{
    const EVP_MD *hash = hash_of(algorithm);
    uint8_t counter[8];
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;

    if (hash == NULL || digits < 6 || digits > SA_TOTP_DIGITS_MAX || step < 0 || key.len > INT_MAX)
        return SA_INVALID_ARGUMENT;
    for (unsigned i = 0; i < sizeof(counter); i++)
        counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
    if (HMAC(hash, key.data, (int)key.len, counter, sizeof(counter), mac, &mac_len) == NULL)
        return SA_INTERNAL;

    const uint8_t *at = mac + (mac[mac_len - 1] & 15u);
    uint32_t number = (at[0] & 127u) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    for (unsigned i = digits; i-- > 0; number /= 10)
        ret_code[i] = (char)('0' + number % 10);
    ret_code[digits] = '\0';
    sa_wipe(mac, sizeof(mac));
    return SA_OK;
}
