#include "service/crypto/password.h"

#include <assert.h>
#include <crypt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/crypto/encode.h"
#include "service/crypto/password_argon2.h"
#include "service/crypto/password_cost.h"

static_assert(SA_PASSWORD_HASH_MAX == CRYPT_OUTPUT_SIZE - 1,
              "an encoded hash is at most what crypt(3) makes");
static_assert(SA_PASSWORD_MAX == CRYPT_MAX_PASSPHRASE_SIZE - 1, "a password is at most what crypt(3) takes");

#define BCRYPT_MAX 72u /* bytes of a password that bcrypt reads */

const char *
sa_password_kind_name(enum sa_password_kind kind)
{
    static const char *const names[] = {
        [SA_PASSWORD_NONE] = "",
        [SA_PASSWORD_ARGON2ID] = "argon2id",
        [SA_PASSWORD_BCRYPT] = "bcrypt",
        [SA_PASSWORD_YESCRYPT] = "yescrypt",
        [SA_PASSWORD_SHA512CRYPT] = "sha512crypt",
        [SA_PASSWORD_SHA256CRYPT] = "sha256crypt",
    };
    return (unsigned)kind < SA_COUNT(names) ? names[kind] : "";
}

enum sa_status
sa_password_inspect(const struct sa_password_policy *policy, const char *encoded,
                    enum sa_password_kind *ret_kind, const char **ret_rule)
{
    struct sa_password_cost cost;

    if (!sa_password_cost_of(encoded, &cost)) {
        *ret_rule = "a hash of argon2id, bcrypt, yescrypt, sha512crypt or sha256crypt, whole and well-formed";
        return SA_INVALID_ARGUMENT;
    }
    if (cost.memory_kib > policy->max_memory_kib) {
        *ret_rule = "a hash within the configured maximum of memory (password.max_memory)";
        return SA_INVALID_ARGUMENT;
    }
    if (cost.millis > policy->max_millis) {
        *ret_rule = "a hash within the configured maximum of time (password.max_millis)";
        return SA_INVALID_ARGUMENT;
    }
    *ret_kind = cost.kind;
    return SA_OK;
}

static bool
has_nul(struct sa_bytes password)
{
    return password.len > 0 && memchr(password.data, 0, password.len) != NULL;
}

/*
 * crypt(3) of a password under a setting or an earlier hash. In range it fails only for lack of memory, which
 * is never to be taken for a wrong password.
 */
static enum sa_status
crypt_hash(struct sa_bytes password, const char *setting, char ret_encoded[SA_PASSWORD_HASH_MAX + 1])
{
    char phrase[SA_PASSWORD_MAX + 1] = {0};
    struct crypt_data *data = calloc(1, sizeof(*data));
    enum sa_status status = SA_NO_MEMORY;

    if (data == NULL)
        return SA_NO_MEMORY;
    assert(password.len <= SA_PASSWORD_MAX);
    if (password.len > 0)
        memcpy(phrase, password.data, password.len);
    const char *made = crypt_rn(phrase, setting, data, sizeof(*data));
    if (made != NULL && made[0] != '*') {
        snprintf(ret_encoded, SA_PASSWORD_HASH_MAX + 1, "%s", made);
        status = SA_OK;
    }
    sodium_memzero(phrase, sizeof(phrase));
    sodium_memzero(data, sizeof(*data));
    free(data);
    return status;
}

static enum sa_status
bcrypt_make(uint32_t cost, struct sa_bytes password, char ret_encoded[SA_PASSWORD_HASH_MAX + 1])
{
    char salt[16];
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];

    sa_random(salt, sizeof(salt));
    if (crypt_gensalt_rn("$2b$", cost, salt, sizeof(salt), setting, sizeof(setting)) == NULL)
        return SA_INVALID_ARGUMENT;
    return crypt_hash(password, setting, ret_encoded);
}

static enum sa_status
make(const struct sa_password_policy *policy, struct sa_bytes password,
     char ret_encoded[SA_PASSWORD_HASH_MAX + 1])
{
    if (policy->kind == SA_PASSWORD_BCRYPT)
        return bcrypt_make(policy->bcrypt_cost, password, ret_encoded);
    return sa_password_argon2_make(policy->memory_kib, policy->passes, password, ret_encoded);
}

enum sa_status
sa_password_make(const struct sa_password_policy *policy, struct sa_bytes password,
                 char ret_encoded[SA_PASSWORD_HASH_MAX + 1])
{
    if (password.len == 0 || password.len > SA_PASSWORD_MAX || has_nul(password))
        return SA_INVALID_ARGUMENT;
    if (policy->kind == SA_PASSWORD_BCRYPT && password.len > BCRYPT_MAX)
        return SA_INVALID_ARGUMENT;
    return make(policy, password, ret_encoded);
}

enum sa_status
sa_password_verify(const struct sa_password_policy *policy, const char *encoded, struct sa_bytes password,
                   bool *ret_match)
{
    struct sa_password_cost cost;
    char made[SA_PASSWORD_HASH_MAX + 1] = "";
    bool fits = password.len > 0 && password.len <= SA_PASSWORD_MAX && !has_nul(password);
    bool match = false;
    enum sa_status status;

    if (password.len > SA_PASSWORD_MAX)
        password.len = SA_PASSWORD_MAX; /* for its cost only: it cannot match */
    if (encoded == NULL || !sa_password_cost_of(encoded, &cost) || cost.kind == SA_PASSWORD_NONE ||
        cost.memory_kib > policy->max_memory_kib || cost.millis > policy->max_millis) {
        status = make(policy, password, made);
    } else if (cost.kind == SA_PASSWORD_ARGON2ID) {
        status = sa_password_argon2_verify(encoded, password, &match);
    } else {
        status = crypt_hash(password, encoded, made);
        match = status == SA_OK && strlen(made) == strlen(encoded) &&
                sodium_memcmp(made, encoded, strlen(encoded)) == 0;
    }
    sodium_memzero(made, sizeof(made));
    if (status != SA_OK)
        return status;
    *ret_match = match && fits;
    return SA_OK;
}

bool
sa_password_is_weaker(const struct sa_password_policy *policy, const char *encoded, size_t password_len)
{
    struct sa_password_cost cost;

    if (!sa_password_cost_of(encoded, &cost) || cost.kind == SA_PASSWORD_NONE)
        return false;
    /* bcrypt read 72 bytes of it: a new hash would ask for what was never checked, or could not carry it. */
    if (password_len > BCRYPT_MAX && (cost.kind == SA_PASSWORD_BCRYPT || policy->kind == SA_PASSWORD_BCRYPT))
        return false;
    if (cost.kind == SA_PASSWORD_ARGON2ID)
        return policy->kind == SA_PASSWORD_ARGON2ID &&
               cost.work < (uint64_t)policy->memory_kib * policy->passes;
    if (cost.kind == SA_PASSWORD_BCRYPT && policy->kind == SA_PASSWORD_BCRYPT)
        return cost.work < (uint64_t)1 << policy->bcrypt_cost;
    return true;
}
