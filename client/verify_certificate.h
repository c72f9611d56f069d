/*
 * What a certificate is registered by: SHA-256 of its DER (RFC 8705 section 3.1). In a file of the verify_
 * family, where OpenSSL may be seen.
 */
#ifndef SA_VERIFY_CERTIFICATE_H
#define SA_VERIFY_CERTIFICATE_H

#include "proto/bytes.h"

#define SA_VERIFY_CERTIFICATE_LEN 32u

/* Of the first certificate in a PEM file. False where there is none that can be read. */
SA_MUST_CHECK bool sa_verify_certificate_digest(const char *path,
                                                uint8_t ret_digest[SA_VERIFY_CERTIFICATE_LEN]);

#endif
