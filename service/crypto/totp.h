/* One-time codes: HOTP (RFC 4226 section 5.3) over a step of time, as RFC 6238 has it. */
#ifndef SA_TOTP_H
#define SA_TOTP_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_TOTP_DIGITS_MIN 6u
#define SA_TOTP_DIGITS_MIN 6u
#define SA_TOTP_DIGITS_MAX 8u

enum sa_totp_algorithm { SA_TOTP_SHA1 = 1, SA_TOTP_SHA256 = 2, SA_TOTP_SHA512 = 3 };

/*
 * The code of a step.
 *
 *   digits    6 to 8.
 *   ret_code  that many digits and a zero byte; written only on SA_OK. A secret until it was used.
 *
 * Returns SA_OK, SA_INVALID_ARGUMENT (digits, algorithm, a negative step), or SA_INTERNAL where OpenSSL does
 * not offer the hash.
 */
SA_MUST_CHECK enum sa_status sa_totp_code(enum sa_totp_algorithm algorithm, struct sa_bytes key, int64_t step,
                                          unsigned digits, char ret_code[SA_TOTP_DIGITS_MAX + 1]);

#endif
