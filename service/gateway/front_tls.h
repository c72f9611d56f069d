/* The TLS side of the front: what is offered, how certificates and the key are read, and who a client is. */
#ifndef SA_GATEWAY_FRONT_TLS_H
#define SA_GATEWAY_FRONT_TLS_H

#include <openssl/ssl.h>

#include "service/gateway/front.h"

/*
 * A server context: TLS 1.2 and 1.3, AEAD suites, no tickets, no session cache, no renegotiation, no
 * compression.
 *
 *   files      must outlive the context, as does alpn.
 *   alpn       the one protocol spoken.
 *   ret_ctx    written only on SA_OK; the caller frees it (SSL_CTX_free).
 *   ret_fault  on failure.
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT: a file is missing or bad, the key does not belong to the certificate,
 * or others than its owner may read the key.
 */
SA_MUST_CHECK enum sa_status sa_front_tls_new(const struct sa_front_files *files, const char *alpn,
                                              SSL_CTX **ret_ctx, struct sa_front_fault *ret_fault);

/* Whether the client and we agreed on `alpn`: one that sends no ALPN at all completes the handshake too. */
bool sa_front_tls_agreed(const SSL *ssl, const char *alpn);

/* The fingerprint of the certificate that a client has shown, after the handshake has found it good. False:
 * none. */
bool sa_front_tls_fingerprint(const SSL *ssl, uint8_t ret_fingerprint[SA_FRONT_FINGERPRINT_LEN]);

#endif
