#include "service/auth/otpauth.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "service/auth/factor.h"
#include "service/crypto/encode.h"

#define HOST_MAX    255u
#define ENCODED_MAX (3u * HOST_MAX)

static_assert(2 * ENCODED_MAX + 3 * SA_USER_NAME_MAX + SA_BASE32_LEN(SA_TOTP_KEY_MAX) + 96 <= SA_OTPAUTH_MAX,
              "the longest URI fits");

const char *
sa_otpauth_algorithm(enum sa_totp_algorithm algorithm)
{
    static const char *const names[] = {
        [SA_TOTP_SHA1] = "SHA1", [SA_TOTP_SHA256] = "SHA256", [SA_TOTP_SHA512] = "SHA512"};

    return names[algorithm];
}

/* Every byte but the unreserved ones of RFC 3986 section 2.3: a colon would end the issuer. */
static void
percent(struct sa_bytes from, char ret_text[ENCODED_MAX + 1])
{
    static const char DIGITS[] = "0123456789ABCDEF";
    static const char UNRESERVED[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t at = 0;

    for (size_t i = 0; i < from.len && i < HOST_MAX; i++) {
        uint8_t c = from.data[i];
        if (memchr(UNRESERVED, c, sizeof(UNRESERVED) - 1) != NULL) {
            ret_text[at++] = (char)c;
            continue;
        }
        ret_text[at++] = '%';
        ret_text[at++] = DIGITS[c >> 4];
        ret_text[at++] = DIGITS[c & 15];
    }
    ret_text[at] = '\0';
}

/* The host of https://host[:port]; an address in brackets keeps them. */
static struct sa_bytes
host_of(const char *issuer)
{
    const char *slashes = strstr(issuer, "://");
    const char *host = slashes == NULL ? issuer : slashes + 3;
    const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;

    return sa_bytes(host, bracket == NULL ? strcspn(host, ":/") : (size_t)(bracket + 1 - host));
}

void
sa_otpauth_uri(const struct sa_totp *totp, const char *issuer, const char *user,
               char ret_uri[SA_OTPAUTH_MAX + 1])
{
    char host[ENCODED_MAX + 1];
    char name[ENCODED_MAX + 1];
    char secret[SA_BASE32_LEN(SA_TOTP_KEY_MAX) + 1];

    percent(host_of(issuer), host);
    percent(sa_bytes_of(user), name);
    sa_base32(sa_bytes(totp->key, totp->key_len), secret);
    snprintf(ret_uri, SA_OTPAUTH_MAX + 1,
             "otpauth://totp/%s:%s?secret=%s&issuer=%s&algorithm=%s&digits=%u&period=%d", host, name, secret,
             host, sa_otpauth_algorithm(totp->algorithm), totp->digits, SA_TOTP_PERIOD_S);
    sa_wipe(secret, sizeof(secret));
}
