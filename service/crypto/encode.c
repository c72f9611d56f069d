#include "service/crypto/encode.h"

#include <assert.h>
#include <sodium.h>

void
sa_random(void *ret_data, size_t len)
{
    randombytes_buf(ret_data, len);
}

void
sa_random_id(char ret_id[SA_ID_LEN + 1])
{
    uint8_t raw[16];

    do {
        sa_random(raw, sizeof(raw));
        sa_base64url(sa_bytes(raw, sizeof(raw)), ret_id);
    } while (ret_id[0] == '-'); /* a command line would take it for an option */
}

void
sa_base64url(struct sa_bytes from, char *ret_text)
{
    sodium_bin2base64(ret_text, SA_BASE64URL_LEN(from.len) + 1, from.data, from.len,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void
sa_base64url_open(struct sa_bytes from, char *ret_text)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < from.len; i++) {
        bits = bits << 8 | from.data[i];
        for (held += 8; held >= 6; held -= 6)
            *ret_text++ = LETTERS[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *ret_text++ = LETTERS[bits << (6 - held) & 63];
    *ret_text = '\0';
}

static enum sa_status
decode(struct sa_bytes text, int variant, uint8_t *ret_data, size_t size, size_t *ret_len)
{
    const char *end;
    size_t len;

    /* libsodium 1.0.18 reads every byte from 0x80 on as the last character of the alphabet. */
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] >= 0x80)
            return SA_INVALID_ARGUMENT;
    /* One failed character in the middle and a short buffer both come back as an error or as an early end. */
    if (sodium_base642bin(ret_data, size, (const char *)text.data, text.len, NULL, &len, &end, variant) !=
            0 ||
        end != (const char *)text.data + text.len)
        return SA_INVALID_ARGUMENT;
    *ret_len = len;
    return SA_OK;
}

enum sa_status
sa_base64url_decode(struct sa_bytes text, uint8_t *ret_data, size_t size, size_t *ret_len)
{
    return decode(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, ret_data, size, ret_len);
}

enum sa_status
sa_base64_decode(struct sa_bytes text, uint8_t *ret_data, size_t size, size_t *ret_len)
{
    return decode(text, sodium_base64_VARIANT_ORIGINAL_NO_PADDING, ret_data, size, ret_len);
}

void
sa_base32(struct sa_bytes from, char *ret_text)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < from.len; i++) {
        bits = (bits << 8 | from.data[i]) & 0xfff; /* never more than four bits are left over */
        for (held += 8; held >= 5; held -= 5)
            *ret_text++ = LETTERS[bits >> (held - 5) & 31];
    }
    if (held > 0)
        *ret_text++ = LETTERS[bits << (5 - held) & 31];
    *ret_text = '\0';
}

void
sa_hex(struct sa_bytes from, char *ret_text)
{
    sodium_bin2hex(ret_text, 2 * from.len + 1, from.data, from.len);
}
