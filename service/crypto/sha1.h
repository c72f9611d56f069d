/* SHA-1, for one purpose: the public lists of breached passwords are lists of it. It protects nothing here.
 */
#ifndef SA_SHA1_H
#define SA_SHA1_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_SHA1_LEN 20u

/* SA_OK, or SA_INTERNAL where OpenSSL does not offer it (a host that runs it in FIPS mode). */
SA_MUST_CHECK enum sa_status sa_sha1(struct sa_bytes data, uint8_t ret_digest[SA_SHA1_LEN]);

#endif
