#include "service/gateway/front_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/stat.h>

#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CIPHERS_1_3 "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"
#define GROUPS      "X25519:P-256:P-384"

#define CLIENT_CHAIN_MAX       4           /* certificates between a client's and its CA's */
#define CLIENT_CHAIN_BYTES_MAX (32 * 1024) /* of all that a client shows */

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

/* Ask clients for certificates of this CA; one of another is refused in the handshake, whatever is required.
 */
static enum sa_status
load_client_ca(SSL_CTX *ctx, const struct sa_front_files *files, const char **ret_why)
{
    STACK_OF(X509_NAME) * names;

    if (files->client_ca == NULL)
        return SA_OK;
    names = SSL_load_client_CA_file(files->client_ca);
    if (names == NULL || SSL_CTX_load_verify_file(ctx, files->client_ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        *ret_why = "the file of client CAs cannot be read, or holds no whole PEM certificate";
        return SA_INVALID_ARGUMENT;
    }
    SSL_CTX_set_client_CA_list(ctx, names); /* takes them */
    SSL_CTX_set_verify_depth(ctx, CLIENT_CHAIN_MAX);
    SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_BYTES_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (files->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    return SA_OK;
}

static enum sa_status
load_certificate(SSL_CTX *ctx, const char *file, const char **ret_why)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, file) == 1)
        return SA_OK;
    *ret_why = "the certificate file cannot be read, or holds no whole PEM certificate";
    return SA_INVALID_ARGUMENT;
}

static enum sa_status
load_files(SSL_CTX *ctx, const struct sa_front_files *files, struct sa_front_fault *ret_fault)
{
    ret_fault->file = files->cert;
    if (load_certificate(ctx, files->cert, &ret_fault->why) != SA_OK)
        return SA_INVALID_ARGUMENT;
    ret_fault->file = files->key;
    if (load_key(ctx, files->key, &ret_fault->why) != SA_OK)
        return SA_INVALID_ARGUMENT;
    ret_fault->file = files->client_ca;
    return load_client_ca(ctx, files, &ret_fault->why);
}

enum sa_status
sa_front_tls_new(const struct sa_front_files *files, const char *alpn, SSL_CTX **ret_ctx,
                 struct sa_front_fault *ret_fault)
{
    SSL_CTX *ctx;
    enum sa_status status = SA_INVALID_ARGUMENT;

    ERR_clear_error();
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL || !set_up(ctx, alpn))
        *ret_fault = (struct sa_front_fault){.why = "the TLS library refuses its settings"};
    else
        status = load_files(ctx, files, ret_fault);
    ERR_clear_error();
    if (status != SA_OK) {
        SSL_CTX_free(ctx);
        return status;
    }
    *ret_ctx = ctx;
    return SA_OK;
}

bool
sa_front_tls_fingerprint(const SSL *ssl, uint8_t ret_fingerprint[SA_FRONT_FINGERPRINT_LEN])
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    unsigned len = 0;

    return certificate != NULL && X509_digest(certificate, EVP_sha256(), ret_fingerprint, &len) == 1 &&
           len == SA_FRONT_FINGERPRINT_LEN;
}

bool
sa_front_tls_agreed(const SSL *ssl, const char *alpn)
{
    const unsigned char *agreed;
    unsigned len;

    SSL_get0_alpn_selected(ssl, &agreed, &len);
    return sa_bytes_equal(sa_bytes(agreed, len), sa_bytes_of(alpn));
}
