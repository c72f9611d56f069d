#include "service/crypto/password_argon2.h"

#include <argon2.h>
#include <sodium.h>
#include <stdio.h>

#include "service/crypto/encode.h"
#include "service/crypto/hash_memory.h"

#define SALT_LEN 16u
#define HASH_LEN 32u
#define PREFIX   "$argon2id$v=19$m="
#define BASE64   sodium_base64_VARIANT_ORIGINAL_NO_PADDING

/* A decimal number without sign or leading zero, followed by `end`; advances *at past it. */
static bool
read_number(const char **at, char end, uint32_t *ret_number)
{
    uint64_t number = 0;
    const char *digit = *at;

    if (*digit < '1' || *digit > '9')
        return false;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        number = number * 10 + (uint64_t)(*digit - '0');
        if (number > UINT32_MAX)
            return false;
    }
    if (*digit != end)
        return false;
    *at = digit + 1;
    *ret_number = (uint32_t)number;
    return true;
}

static bool
read_name(const char **at, const char *name)
{
    size_t len = strlen(name);

    if (strncmp(*at, name, len) != 0)
        return false;
    *at += len;
    return true;
}

/* Canonical base64 up to the end of the text or to `$`. */
static bool
read_base64(const char **at, uint8_t *ret_data, size_t size, size_t least, size_t *ret_len)
{
    struct sa_bytes text = sa_bytes(*at, strcspn(*at, "$"));

    if (sa_base64_decode(text, ret_data, size, ret_len) != SA_OK || *ret_len < least)
        return false;
    *at += text.len;
    return true;
}

bool
sa_password_argon2_parse(const char *encoded, struct sa_password_argon2 *ret_parameters)
{
    struct sa_password_argon2 p;
    const char *at = encoded;

    memset(&p, 0, sizeof(p));
    if (!read_name(&at, PREFIX) || !read_number(&at, ',', &p.memory_kib) || !read_name(&at, "t=") ||
        !read_number(&at, ',', &p.passes) || !read_name(&at, "p=") || !read_number(&at, '$', &p.lanes))
        return false;
    if (!read_base64(&at, p.salt, sizeof(p.salt), 8, &p.salt_len) || *at++ != '$')
        return false;
    if (!read_base64(&at, p.hash, sizeof(p.hash), 16, &p.hash_len) || *at != '\0')
        return false;
    if (p.lanes > 64 || p.memory_kib < 8 * p.lanes)
        return false;
    *ret_parameters = p;
    return true;
}

/* libsodium's raw function for what it can do (one lane, salts of 16 bytes); libargon2 for the rest. */
static bool
compute_raw(const struct sa_password_argon2 *p, struct sa_bytes password, uint8_t *ret_hash, size_t hash_len)
{
    const char *text = password.len == 0 ? "" : (const char *)password.data;

    if (p->lanes == 1 && p->salt_len == crypto_pwhash_SALTBYTES)
        return crypto_pwhash(ret_hash, hash_len, text, password.len, p->salt, p->passes,
                             (size_t)p->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
    return argon2id_hash_raw(p->passes, p->memory_kib, p->lanes, text, password.len, p->salt, p->salt_len,
                             ret_hash, hash_len) == ARGON2_OK;
}

static enum sa_status
compute(const struct sa_password_argon2 *p, struct sa_bytes password, uint8_t *ret_hash, size_t hash_len)
{
    sa_hash_memory_take(p->memory_kib);
    bool made = compute_raw(p, password, ret_hash, hash_len);
    sa_hash_memory_give(p->memory_kib);
    return made ? SA_OK : SA_NO_MEMORY;
}

enum sa_status
sa_password_argon2_make(uint32_t memory_kib, uint32_t passes, struct sa_bytes password,
                        char ret_encoded[SA_PASSWORD_HASH_MAX + 1])
{
    struct sa_password_argon2 p = {
        .memory_kib = memory_kib, .passes = passes, .lanes = 1, .salt_len = SALT_LEN};
    char salt[sodium_base64_ENCODED_LEN(SALT_LEN, BASE64)];
    char hash[sodium_base64_ENCODED_LEN(HASH_LEN, BASE64)];

    sa_random(p.salt, SALT_LEN);
    enum sa_status status = compute(&p, password, p.hash, HASH_LEN);
    if (status != SA_OK)
        return status;
    sodium_bin2base64(salt, sizeof(salt), p.salt, SALT_LEN, BASE64);
    sodium_bin2base64(hash, sizeof(hash), p.hash, HASH_LEN, BASE64);
    snprintf(ret_encoded, SA_PASSWORD_HASH_MAX + 1, PREFIX "%u,t=%u,p=1$%s$%s", memory_kib, passes, salt,
             hash);
    sodium_memzero(&p, sizeof(p));
    sodium_memzero(hash, sizeof(hash));
    return SA_OK;
}

enum sa_status
sa_password_argon2_verify(const char *encoded, struct sa_bytes password, bool *ret_match)
{
    struct sa_password_argon2 p;
    uint8_t hash[sizeof(p.hash)] = {0};

    if (!sa_password_argon2_parse(encoded, &p))
        return SA_INVALID_ARGUMENT;
    enum sa_status status = compute(&p, password, hash, p.hash_len);
    if (status == SA_OK)
        *ret_match = sodium_memcmp(hash, p.hash, p.hash_len) == 0;
    sodium_memzero(hash, sizeof(hash));
    sodium_memzero(&p, sizeof(p));
    return status;
}
