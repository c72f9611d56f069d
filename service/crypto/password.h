/*
 * Password hashes: Argon2id made; Argon2id, bcrypt, yescrypt, sha512crypt and sha256crypt verified.
 * Lack of memory is never a wrong password.
 */
#ifndef SA_PASSWORD_H
#define SA_PASSWORD_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_PASSWORD_MAX      511u /* bytes of a password: libxcrypt's limit, held for every kind */
#define SA_PASSWORD_HASH_MAX 383u /* characters of an encoded hash: CRYPT_OUTPUT_SIZE - 1 */

enum sa_password_kind {
    SA_PASSWORD_NONE, /* no usable hash: "", "*", "!", "!..." */
    SA_PASSWORD_ARGON2ID,
    SA_PASSWORD_BCRYPT,
    SA_PASSWORD_YESCRYPT,
    SA_PASSWORD_SHA512CRYPT,
    SA_PASSWORD_SHA256CRYPT,
};

/* How new hashes are made and which stored ones are taken. */
struct sa_password_policy {
    enum sa_password_kind kind; /* SA_PASSWORD_ARGON2ID or SA_PASSWORD_BCRYPT */
    uint32_t memory_kib;        /* Argon2id */
    uint32_t passes;            /* Argon2id */
    uint32_t bcrypt_cost;
    uint32_t max_memory_kib; /* a stored hash that needs more is refused */
    uint32_t max_millis;     /* one that is expected to take longer is refused */
};

/* "argon2id", ...; "" for none. */
const char *sa_password_kind_name(enum sa_password_kind kind);

/*
 * Look at an encoded hash without computing anything.
 *
 *   ret_kind  written only on SA_OK.
 *
 * Returns SA_OK (SA_PASSWORD_NONE included), or SA_INVALID_ARGUMENT: not a hash that is understood, or over
 * the policy's limits; *ret_rule then says which, a constant.
 */
SA_MUST_CHECK enum sa_status sa_password_inspect(const struct sa_password_policy *policy, const char *encoded,
                                                 enum sa_password_kind *ret_kind, const char **ret_rule);

/*
 * Make a hash with a fresh salt.
 *
 *   password  1 to SA_PASSWORD_MAX bytes, with bcrypt at most 72; without NUL, which crypt(3) cannot hold.
 *
 * Returns SA_OK, SA_INVALID_ARGUMENT, or SA_NO_MEMORY. Lane: hash.
 */
SA_MUST_CHECK enum sa_status sa_password_make(const struct sa_password_policy *policy,
                                              struct sa_bytes password,
                                              char ret_encoded[SA_PASSWORD_HASH_MAX + 1]);

/*
 * Check a password against a hash.
 *
 *   password   any length; one that no hash can carry (0 bytes, over SA_PASSWORD_MAX, with a NUL) does not
 *              match and costs the same hash.
 *   encoded    a hash; where it is NULL, of kind NONE or over the policy's limits nothing matches, at the
 *              cost of the policy's own hash.
 *   ret_match  written only on SA_OK.
 *
 * Returns SA_OK, or SA_NO_MEMORY where it could not be decided. Lane: hash.
 */
SA_MUST_CHECK enum sa_status sa_password_verify(const struct sa_password_policy *policy, const char *encoded,
                                                struct sa_bytes password, bool *ret_match);

/* Whether a good login should replace this hash by one of the policy. Not a bcrypt hash of a password over 72
 * bytes. */
bool sa_password_is_weaker(const struct sa_password_policy *policy, const char *encoded, size_t password_len);

#endif
