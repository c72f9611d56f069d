/* Argon2id (RFC 9106) in its PHC form: `$argon2id$v=19$m=65536,t=3,p=1$salt$hash`. */
#ifndef SA_PASSWORD_ARGON2_H
#define SA_PASSWORD_ARGON2_H

#include "service/crypto/password.h"

struct sa_password_argon2 {
    uint32_t memory_kib;
    uint32_t passes;
    uint32_t lanes;
    uint8_t salt[64];
    size_t salt_len; /* 8 to 64 */
    uint8_t hash[64];
    size_t hash_len; /* 16 to 64 */
};

/* Read one; false for anything that is not whole, canonical and of version 19. */
bool sa_password_argon2_parse(const char *encoded, struct sa_password_argon2 *ret_parameters);

/* Make one with a fresh salt of 16 bytes, one lane, a hash of 32 bytes. Returns SA_OK or SA_NO_MEMORY. */
SA_MUST_CHECK enum sa_status sa_password_argon2_make(uint32_t memory_kib, uint32_t passes,
                                                     struct sa_bytes password,
                                                     char ret_encoded[SA_PASSWORD_HASH_MAX + 1]);

/*
 * Check a password. Returns SA_OK with *ret_match, or SA_NO_MEMORY: with parameters in range the raw
 * functions fail for lack of memory only, which crypto_pwhash_str_verify would report as a wrong password.
 */
SA_MUST_CHECK enum sa_status sa_password_argon2_verify(const char *encoded, struct sa_bytes password,
                                                       bool *ret_match);

#endif
