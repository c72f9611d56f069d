/*
 * SHA-1 for the public lists of breached passwords, which are lists of it; it protects nothing here. In a
 * file of the verify_ family, where OpenSSL may be seen: libsodium has no SHA-1.
 */
#ifndef SA_VERIFY_SHA1_H
#define SA_VERIFY_SHA1_H

#include "proto/bytes.h"

#define SA_VERIFY_SHA1_LEN 20u

/* False where OpenSSL does not offer it. */
SA_MUST_CHECK bool sa_verify_sha1(struct sa_bytes data, uint8_t ret_digest[SA_VERIFY_SHA1_LEN]);

#endif
