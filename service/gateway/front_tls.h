/* The TLS side of the front: what is offered, and how a certificate and its key are read. */
#ifndef SA_GATEWAY_FRONT_TLS_H
#define SA_GATEWAY_FRONT_TLS_H

#include <openssl/ssl.h>

#include "proto/bytes.h"
#include "proto/status.h"

/*
 * A server context: TLS 1.2 and 1.3, AEAD suites, no tickets, no session cache, no renegotiation, no
 * compression.
 *
 *   alpn     the one protocol spoken; it must outlive the context.
 *   ret_ctx  written only on SA_OK; the caller frees it (SSL_CTX_free).
 *   ret_why  on failure, a constant.
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT: a file is missing or bad, the key does not belong to the certificate,
 * or others than its owner may read the key.
 */
SA_MUST_CHECK enum sa_status sa_front_tls_new(const char *cert_file, const char *key_file, const char *alpn,
                                              SSL_CTX **ret_ctx, const char **ret_why);

/* Whether the client and we agreed on `alpn`: one that sends no ALPN at all completes the handshake too. */
bool sa_front_tls_agreed(const SSL *ssl, const char *alpn);

#endif
