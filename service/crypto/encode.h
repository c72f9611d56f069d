/* Random bytes, base64url, hexadecimal: fixed alphabets, canonical forms only. */
#ifndef SA_ENCODE_H
#define SA_ENCODE_H

#include "proto/bytes.h"
#include "proto/status.h"

/* Length of base64url without padding, without the terminating NUL. */
#define SA_BASE64URL_LEN(len) (((len)*4 + 2) / 3)

#define SA_ID_LEN 22u /* base64url of 16 random bytes: session ids, subject ids, handles */

/* `len` random bytes from the kernel. Aborts where there are none. */
void sa_random(void *ret_data, size_t len);

/* A random id of SA_ID_LEN characters, the first of them no dash. */
void sa_random_id(char ret_id[SA_ID_LEN + 1]);

/* base64url (RFC 4648 section 5) without padding; ret_text has SA_BASE64URL_LEN(from.len) + 1 bytes. */
void sa_base64url(struct sa_bytes from, char *ret_text);

/* The same, eight times as fast, for what is no secret: not in constant time. */
void sa_base64url_open(struct sa_bytes from, char *ret_text);

/*
 * Decode; refuses padding, white space, other characters and trailing bits that are not zero.
 *   ret_data  `size` bytes; *ret_len of them are written on SA_OK.
 * Returns SA_OK or SA_INVALID_ARGUMENT (also when it does not fit).
 */
SA_MUST_CHECK enum sa_status sa_base64url_decode(struct sa_bytes text, uint8_t *ret_data, size_t size,
                                                 size_t *ret_len);

/* The same for base64's own alphabet (RFC 4648 section 4) without padding, as in PHC strings. */
SA_MUST_CHECK enum sa_status sa_base64_decode(struct sa_bytes text, uint8_t *ret_data, size_t size,
                                              size_t *ret_len);

/* base32 (RFC 4648 section 6) without padding; ret_text has SA_BASE32_LEN(from.len) + 1 bytes. */
#define SA_BASE32_LEN(len) (((len)*8 + 4) / 5)
void sa_base32(struct sa_bytes from, char *ret_text);

/* Lower-case hexadecimal; ret_text has 2 * from.len + 1 bytes. */
void sa_hex(struct sa_bytes from, char *ret_text);

#define SA_SHA256_LEN 32u
void sa_sha256(struct sa_bytes data, uint8_t ret_digest[SA_SHA256_LEN]);

#endif
