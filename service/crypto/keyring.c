#include "service/crypto/keyring.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/sockets.h"
#include "service/crypto/encode.h"

#define MASTER_LEN    32u
#define EPOCH         1u
#define NONCE_LEN     crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN       crypto_aead_xchacha20poly1305_ietf_ABYTES
#define CONTEXT       "secauth1" /* crypto_kdf's context: exactly eight bytes */
#define ASSOCIATE_MAX 256u
#define SECURE_HEAP   (64u * 1024u)
#define TAG_PART_MAX  64u

struct sa_keyring {
    struct sa_secret *keys; /* SA_KEY_USES keys of SA_MAC_LEN bytes each */
};

static_assert(SA_SEAL_OVERHEAD == 1 + NONCE_LEN + TAG_LEN, "SA_SEAL_OVERHEAD is what a seal adds");
static_assert(crypto_kdf_KEYBYTES == MASTER_LEN && crypto_kdf_CONTEXTBYTES == sizeof(CONTEXT) - 1,
              "the master key is what crypto_kdf takes");
static_assert(crypto_auth_hmacsha256_BYTES == SA_MAC_LEN, "a mac is HMAC-SHA-256's");
static_assert(crypto_shorthash_siphashx24_BYTES == SA_TAG_LEN &&
                  crypto_shorthash_siphashx24_KEYBYTES <= SA_MAC_LEN,
              "a tag is SipHash of 128 bits");

void
sa_crypto_start(void)
{
    int started = sodium_init();

    if (started < 0)
        abort();
    /* Private keys in locked pages; where they cannot be locked, core dumps are off all the same. */
    if (started == 0 && CRYPTO_secure_malloc_initialized() == 0)
        CRYPTO_secure_malloc_init(SECURE_HEAP, 16);
}

struct sa_keyring *
sa_keyring_new(struct sa_bytes master)
{
    assert(master.len == MASTER_LEN);
    sa_crypto_start();

    struct sa_keyring *keyring = calloc(1, sizeof(*keyring));
    if (keyring == NULL)
        return NULL;
    keyring->keys = sa_secret_new(SA_KEY_USES * SA_MAC_LEN);
    if (keyring->keys == NULL) {
        free(keyring);
        return NULL;
    }
    for (unsigned use = 0; use < SA_KEY_USES; use++)
        crypto_kdf_derive_from_key(sa_secret_data(keyring->keys) + use * SA_MAC_LEN, SA_MAC_LEN, use + 1,
                                   CONTEXT, master.data);
    return keyring;
}

void
sa_keyring_free(struct sa_keyring *keyring)
{
    if (keyring == NULL)
        return;
    sa_secret_free(keyring->keys);
    free(keyring);
}

static const uint8_t *
key_of(const struct sa_keyring *keyring, enum sa_key_use use)
{
    return sa_secret_bytes(keyring->keys).data + (unsigned)use * SA_MAC_LEN;
}

/* ---- the file ---- */

/* The directory of a path, in a buffer of PATH_MAX. */
static const char *
directory_of(const char *path, char *buffer)
{
    snprintf(buffer, PATH_MAX, "%s", path);
    return dirname(buffer);
}

static enum sa_status
check_directory(const char *path, uint32_t owner, const char **ret_why)
{
    char buffer[PATH_MAX];
    struct stat st;

    if (stat(directory_of(path, buffer), &st) != 0) {
        *ret_why = "the master key's directory cannot be read";
        return SA_STORAGE;
    }
    if ((st.st_uid != owner && st.st_uid != 0) || (st.st_mode & 022) != 0) {
        *ret_why = "the master key's directory can be written by others";
        return SA_PERMISSION_DENIED;
    }
    return SA_OK;
}

static enum sa_status
read_file(int descriptor, uint32_t owner, uint8_t *ret_master, const char **ret_why)
{
    struct stat st;

    if (fstat(descriptor, &st) != 0) {
        *ret_why = "the master key cannot be read";
        return SA_STORAGE;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != owner || (st.st_mode & 077) != 0) {
        *ret_why =
            "the master key can be read by others, or is not the daemon's: it must be a file of mode 0600";
        return SA_PERMISSION_DENIED;
    }
    if (st.st_size != MASTER_LEN || read(descriptor, ret_master, MASTER_LEN) != MASTER_LEN) {
        *ret_why = "the master key does not have 32 bytes";
        return SA_INVALID_ARGUMENT;
    }
    return SA_OK;
}

/*
 * Make the file whole or not at all: written beside, synced, linked under its name (never over another), the
 * directory synced. Not O_TMPFILE: overlay file systems of Debian 12's kernel have none.
 */
static enum sa_status
create_file(const char *path, uint8_t *ret_master)
{
    char buffer[PATH_MAX];
    char beside[PATH_MAX];
    bool made = false;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return SA_STORAGE;
    sa_random(ret_master, MASTER_LEN);
    unlink(beside); /* what a crash left; nobody else can write here */
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int directory = open(directory_of(path, buffer), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0 && directory >= 0)
        made = write(file, ret_master, MASTER_LEN) == MASTER_LEN && fsync(file) == 0 &&
               link(beside, path) == 0 && unlink(beside) == 0 && fsync(directory) == 0;
    if (file >= 0)
        close(file);
    if (directory >= 0)
        close(directory);
    return made ? SA_OK : SA_STORAGE;
}

static enum sa_status
read_or_create(const char *path, uint32_t owner, bool may_create, uint8_t *ret_master, const char **ret_why)
{
    enum sa_status status = check_directory(path, owner, ret_why);

    if (status != SA_OK)
        return status;
    int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0) {
        status = read_file(descriptor, owner, ret_master, ret_why);
        close(descriptor);
        return status;
    }
    if (errno != ENOENT) {
        *ret_why = "the master key cannot be read";
        return SA_STORAGE;
    }
    if (!may_create) {
        *ret_why = "there is a store and no master key" SA_STORE_ADVICE;
        return SA_INVALID_ARGUMENT;
    }
    status = create_file(path, ret_master);
    if (status != SA_OK)
        *ret_why = "the master key cannot be made";
    return status;
}

enum sa_status
sa_keyring_open(const char *path, uint32_t owner, bool may_create, struct sa_keyring **ret_keyring,
                const char **ret_why)
{
    sa_crypto_start();
    SA_OWN(sa_secret) master = sa_secret_new(MASTER_LEN);
    if (master == NULL) {
        *ret_why = "out of memory";
        return SA_NO_MEMORY;
    }
    enum sa_status status = read_or_create(path, owner, may_create, sa_secret_data(master), ret_why);
    if (status != SA_OK)
        return status;
    struct sa_keyring *keyring = sa_keyring_new(sa_secret_bytes(master));
    if (keyring == NULL) {
        *ret_why = "out of memory";
        return SA_NO_MEMORY;
    }
    *ret_keyring = keyring;
    return SA_OK;
}

/* ---- its uses ---- */

void
sa_keyring_mac(const struct sa_keyring *keyring, enum sa_key_use use, struct sa_bytes data,
               uint8_t ret_mac[SA_MAC_LEN])
{
    crypto_auth_hmacsha256(ret_mac, data.data, data.len, key_of(keyring, use));
}

/* A part behind its length; a long one is its SHA-256, behind a length that no part has. */
static size_t
put_part(struct sa_bytes part, uint8_t *ret_data)
{
    bool is_long = part.len > TAG_PART_MAX;

    ret_data[0] = is_long ? UINT8_MAX : (uint8_t)part.len;
    if (is_long)
        sa_sha256(part, ret_data + 1);
    else if (part.len > 0)
        memcpy(ret_data + 1, part.data, part.len);
    return 1 + (is_long ? SA_SHA256_LEN : part.len);
}

void
sa_keyring_tag(const struct sa_keyring *keyring, enum sa_key_use use, uint8_t kind,
               const struct sa_bytes *parts, size_t count, uint8_t ret_tag[SA_TAG_LEN])
{
    uint8_t data[1 + SA_TAG_PARTS * (1 + TAG_PART_MAX)];
    size_t len = 0;

    assert(count <= SA_TAG_PARTS);
    data[len++] = kind;
    for (size_t i = 0; i < count; i++)
        len += put_part(parts[i], data + len);
    crypto_shorthash_siphashx24(ret_tag, data, len, key_of(keyring, use));
    sa_wipe(data, len);
}

/* Where a sealed value belongs, unambiguously: epoch, then table, column and row, each behind its length. */
static size_t
associate(const char *table, const char *column, struct sa_bytes row, uint8_t ret_data[ASSOCIATE_MAX])
{
    struct sa_bytes parts[] = {sa_bytes_of(table), sa_bytes_of(column), row};
    size_t at = 0;

    ret_data[at++] = EPOCH;
    for (size_t i = 0; i < SA_COUNT(parts); i++) {
        assert(parts[i].len < 80);
        ret_data[at++] = (uint8_t)parts[i].len;
        memcpy(ret_data + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return at;
}

void
sa_keyring_seal(const struct sa_keyring *keyring, const char *table, const char *column, struct sa_bytes row,
                struct sa_bytes plain, uint8_t *ret_sealed)
{
    uint8_t data[ASSOCIATE_MAX];
    size_t data_len = associate(table, column, row, data);
    uint8_t *nonce = ret_sealed + 1;

    ret_sealed[0] = EPOCH;
    sa_random(nonce, NONCE_LEN);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_LEN, NULL, plain.data, plain.len, data, data_len,
                                               NULL, nonce, key_of(keyring, SA_KEY_SEAL));
}

enum sa_status
sa_keyring_unseal(const struct sa_keyring *keyring, const char *table, const char *column,
                  struct sa_bytes row, struct sa_bytes sealed, uint8_t *ret_plain)
{
    uint8_t data[ASSOCIATE_MAX];
    size_t data_len = associate(table, column, row, data);

    if (sealed.len < SA_SEAL_OVERHEAD || sealed.data[0] != EPOCH)
        return SA_INTERNAL;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, sealed.data + 1 + NONCE_LEN,
                                                   sealed.len - 1 - NONCE_LEN, data, data_len,
                                                   sealed.data + 1, key_of(keyring, SA_KEY_SEAL)) != 0)
        return SA_INTERNAL;
    return SA_OK;
}
