#include "service/gateway/front_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_1_3 "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
#define GROUPS      "X25519:P-256:P-384"

static int
choose_alpn(SA_UNUSED SSL *ssl, const unsigned char **ret_out, unsigned char *ret_len,
            const unsigned char *offered, unsigned offered_len, void *alpn)
{
    size_t want = strlen(alpn);

    for (unsigned at = 0; at < offered_len && offered[at] < offered_len - at; at += 1u + offered[at])
        if (offered[at] == want && memcmp(offered + at + 1, alpn, want) == 0) {
            *ret_out = offered + at + 1;
            *ret_len = offered[at];
            return SSL_TLSEXT_ERR_OK;
        }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* An encrypted key is refused: nobody is there to type. */
static int
no_passphrase(SA_UNUSED char *buffer, SA_UNUSED int size, SA_UNUSED int writing, SA_UNUSED void *user)
{
    return -1;
}

static enum sa_status
load_key(SSL_CTX *ctx, const char *key_file, const char **ret_why)
{
    struct stat info;
    FILE *file = fopen(key_file, "re");
    EVP_PKEY *key = NULL;
    int loaded = 0;

    *ret_why = "the key file cannot be read";
    if (file == NULL)
        return SA_INVALID_ARGUMENT;
    /* The file that was opened is looked at, not its name. */
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
        *ret_why = "the key file is not a regular file";
    } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        *ret_why = "the key file is open to its group or to others: chmod 600";
    } else {
        key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
        *ret_why = key == NULL ? "the key file holds no unencrypted PEM key"
                               : "the key does not belong to the certificate";
        loaded = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    }
    EVP_PKEY_free(key);
    fclose(file);
    return loaded ? SA_OK : SA_INVALID_ARGUMENT;
}

static bool
set_up(SSL_CTX *ctx, const char *alpn)
{
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* A write may take a part and be repeated from other memory; idle connections give their buffers back. */
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, (void *)(uintptr_t)alpn);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 && SSL_CTX_set1_groups_list(ctx, GROUPS) == 1;
}

enum sa_status
sa_front_tls_new(const char *cert_file, const char *key_file, const char *alpn, SSL_CTX **ret_ctx,
                 const char **ret_why)
{
    SSL_CTX *ctx;
    enum sa_status status = SA_INVALID_ARGUMENT;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || !set_up(ctx, alpn))
        *ret_why = "the TLS library refuses its settings";
    else if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        *ret_why = "the certificate file cannot be read, or holds no PEM certificate";
    else
        status = load_key(ctx, key_file, ret_why);
    ERR_clear_error();
    if (status != SA_OK) {
        SSL_CTX_free(ctx);
        return status;
    }
    *ret_ctx = ctx;
    return SA_OK;
}

bool
sa_front_tls_agreed(const SSL *ssl, const char *alpn)
{
    const unsigned char *agreed;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &agreed, &len);
    return sa_bytes_equal(sa_bytes(agreed, len), sa_bytes_of(alpn));
}
