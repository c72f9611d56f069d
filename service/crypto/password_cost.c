#include "service/crypto/password_cost.h"

#include <stdlib.h>

#include "service/crypto/password_argon2.h"

/* crypt(3)'s alphabet, in the order of its values. */
static const char itoa64[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The times are those of 2 to 3 GHz cores: they keep an absurd hash out of the queue, nothing finer. */
#define ARGON2_MICROS_PER_MIB   500u /* a pass over a MiB */
#define YESCRYPT_MICROS_PER_KIB 2u   /* its 16 MiB take about 20 ms */
#define BCRYPT_MICROS_PER_ROUND 50u  /* cost 10: 50 ms */
#define SHACRYPT_ROUNDS_PER_MS  1000u
#define SHACRYPT_ROUNDS         5000u /* where none are named */

static bool
is_itoa64(const char *text, size_t len)
{
    return strspn(text, itoa64) == len && text[len] == '\0';
}

/* `$2b$NN$` and 53 characters: 22 of salt, 31 of hash. */
static bool
bcrypt_cost(const char *encoded, struct sa_password_cost *ret_cost)
{
    if (strchr("aby", encoded[2]) == NULL || encoded[2] == '\0' || encoded[3] != '$')
        return false;
    if (encoded[4] < '0' || encoded[4] > '3' || encoded[5] < '0' || encoded[5] > '9' || encoded[6] != '$')
        return false;
    unsigned log2 = (unsigned)(encoded[4] - '0') * 10 + (unsigned)(encoded[5] - '0');
    if (log2 < 4 || log2 > 31 || !is_itoa64(encoded + 7, 53))
        return false;
    ret_cost->kind = SA_PASSWORD_BCRYPT;
    ret_cost->memory_kib = 8;
    ret_cost->work = (uint64_t)1 << log2;
    ret_cost->millis = ret_cost->work * BCRYPT_MICROS_PER_ROUND / 1000 + 1;
    return true;
}

/*
 * `$y$` flavour, log2 of N, r, `$` salt `$` 43 characters. Only the common form with three parameters of one
 * character each is taken: 'j' is the flavour that crypt_gensalt(3) makes.
 */
static bool
yescrypt_cost(const char *encoded, struct sa_password_cost *ret_cost)
{
    if (encoded[3] != 'j' || encoded[4] == '\0' || encoded[5] == '\0' || encoded[6] != '$')
        return false;
    const char *n = strchr(itoa64, encoded[4]);
    const char *r = strchr(itoa64, encoded[5]);
    if (n == NULL || r == NULL || n - itoa64 > 47 || r - itoa64 > 47)
        return false;
    const char *salt = encoded + 7;
    size_t salt_len = strcspn(salt, "$");
    if (salt_len > 86 || strspn(salt, itoa64) != salt_len || salt[salt_len] != '$' ||
        !is_itoa64(salt + salt_len + 1, 43))
        return false;
    unsigned log2 = (unsigned)(n - itoa64) + 1;
    if (log2 > 30)
        return false;
    ret_cost->kind = SA_PASSWORD_YESCRYPT;
    ret_cost->memory_kib = ((uint64_t)128 * ((unsigned)(r - itoa64) + 1) << log2) / 1024;
    ret_cost->millis = ret_cost->memory_kib * YESCRYPT_MICROS_PER_KIB / 1000 + 1;
    return true;
}

/* `$6$` or `$5$`, perhaps `rounds=N$`, salt of up to 16 characters, `$`, 86 or 43 characters. */
static bool
shacrypt_cost(const char *encoded, enum sa_password_kind kind, size_t hash_len,
              struct sa_password_cost *ret_cost)
{
    const char *salt = encoded + 3;
    unsigned long rounds = SHACRYPT_ROUNDS;

    if (strncmp(salt, "rounds=", 7) == 0) {
        char *end;
        if (salt[7] < '1' || salt[7] > '9')
            return false;
        rounds = strtoul(salt + 7, &end, 10);
        if (*end != '$' || end - salt > 16 || rounds < 1000 || rounds > 999999999)
            return false;
        salt = end + 1;
    }
    size_t salt_len = strcspn(salt, "$");
    if (salt_len > 16 || strcspn(salt, ":\n") < salt_len || salt[salt_len] != '$' ||
        !is_itoa64(salt + salt_len + 1, hash_len))
        return false;
    ret_cost->kind = kind;
    ret_cost->memory_kib = 8;
    ret_cost->millis = rounds / SHACRYPT_ROUNDS_PER_MS + 1;
    return true;
}

static bool
argon2_cost(const char *encoded, struct sa_password_cost *ret_cost)
{
    struct sa_password_argon2 parameters;

    if (!sa_password_argon2_parse(encoded, &parameters))
        return false;
    ret_cost->kind = SA_PASSWORD_ARGON2ID;
    ret_cost->memory_kib = parameters.memory_kib;
    ret_cost->work = (uint64_t)parameters.memory_kib * parameters.passes;
    ret_cost->millis = ret_cost->work * ARGON2_MICROS_PER_MIB / 1024 / 1000 + 1;
    return true;
}

bool
sa_password_cost_of(const char *encoded, struct sa_password_cost *ret_cost)
{
    struct sa_password_cost cost = {.kind = SA_PASSWORD_NONE};
    bool known = false;

    if (strlen(encoded) > SA_PASSWORD_HASH_MAX)
        return false;
    if (encoded[0] == '\0' || strcmp(encoded, "*") == 0 || encoded[0] == '!')
        known = true;
    else if (strncmp(encoded, "$argon2id$", 10) == 0)
        known = argon2_cost(encoded, &cost);
    else if (strncmp(encoded, "$2", 2) == 0)
        known = bcrypt_cost(encoded, &cost);
    else if (strncmp(encoded, "$y$", 3) == 0)
        known = yescrypt_cost(encoded, &cost);
    else if (strncmp(encoded, "$6$", 3) == 0)
        known = shacrypt_cost(encoded, SA_PASSWORD_SHA512CRYPT, 86, &cost);
    else if (strncmp(encoded, "$5$", 3) == 0)
        known = shacrypt_cost(encoded, SA_PASSWORD_SHA256CRYPT, 43, &cost);
    if (known)
        *ret_cost = cost;
    return known;
}
