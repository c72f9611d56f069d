#include "service/crypto/keyring.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#include "proto/sockets.h"
#include "service/crypto/encode.h"
#include "service/crypto/master_file.h"

#define FIRST_EPOCH   1u
#define MASTERS       2u
#define KEYS_LEN      (SA_KEY_USES * SA_MAC_LEN)
#define NONCE_LEN     crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN       crypto_aead_xchacha20poly1305_ietf_ABYTES
#define CONTEXT       "secauth1" /* crypto_kdf's context: exactly eight bytes */
#define ASSOCIATE_MAX 256u
#define SECURE_HEAP   (64u * 1024u)
#define TAG_PART_MAX  64u
#define KEPT_TABLE    "master_keys"
#define KEPT_COLUMN   "kept"

/* What is derived from one master key. */
struct master {
    uint8_t epoch;          /* of what it seals; 0: the store has not said yet */
    struct sa_secret *keys; /* one of SA_MAC_LEN bytes for every use; NULL: there is no such master key */
};

struct masters {
    pthread_rwlock_t lock; /* of what follows */
    struct master of[MASTERS];
    unsigned present; /* the one that seals */
    bool from_file;   /* the second one stood in the file beside the first one's; the store has not said yet
                         what it is */
    bool unnamed;     /* the file of the present one still has the name of the next */
};

struct sa_keyring {
    char *path;              /* of the file; NULL for none */
    struct sa_secret *kept;  /* the keys of keyed hashes, likewise; that of SA_KEY_SEAL is not used */
    struct masters *masters; /* changes while others use the rest */
};

static_assert(SA_SEAL_OVERHEAD == 1 + NONCE_LEN + TAG_LEN, "SA_SEAL_OVERHEAD is what a seal adds");
static_assert(crypto_kdf_KEYBYTES == SA_MASTER_LEN && crypto_kdf_CONTEXTBYTES == sizeof(CONTEXT) - 1,
              "the master key is what crypto_kdf takes");
static_assert(crypto_auth_hmacsha256_BYTES == SA_MAC_LEN, "a mac is HMAC-SHA-256's");
static_assert(crypto_shorthash_siphashx24_BYTES == SA_TAG_LEN &&
                  crypto_shorthash_siphashx24_KEYBYTES <= SA_MAC_LEN,
              "a tag is SipHash of 128 bits");
static_assert(SA_KEY_SEAL == 0, "what is kept are the keys after the first one");

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

/* ---- its life ---- */

static struct sa_secret *
derive(struct sa_bytes master)
{
    struct sa_secret *keys = sa_secret_new(KEYS_LEN);

    for (unsigned use = 0; keys != NULL && use < SA_KEY_USES; use++)
        crypto_kdf_derive_from_key(sa_secret_data(keys) + use * SA_MAC_LEN, SA_MAC_LEN, use + 1, CONTEXT,
                                   master.data);
    return keys;
}

struct sa_keyring *
sa_keyring_new(struct sa_bytes master)
{
    assert(master.len == SA_MASTER_LEN);
    sa_crypto_start();

    SA_OWN(sa_keyring) keyring = calloc(1, sizeof(*keyring));
    if (keyring == NULL)
        return NULL;
    keyring->masters = calloc(1, sizeof(*keyring->masters));
    if (keyring->masters == NULL)
        return NULL;
    pthread_rwlock_init(&keyring->masters->lock, NULL);
    struct sa_secret *keys = derive(master);
    keyring->masters->of[0] = (struct master){FIRST_EPOCH, keys};
    keyring->kept = keys == NULL ? NULL : sa_secret_copy(sa_secret_bytes(keys));
    return keyring->kept == NULL ? NULL : sa_keyring_take(&keyring);
}

void
sa_keyring_free(struct sa_keyring *keyring)
{
    if (keyring == NULL)
        return;
    if (keyring->masters != NULL) {
        for (unsigned i = 0; i < MASTERS; i++)
            sa_secret_free(keyring->masters->of[i].keys);
        pthread_rwlock_destroy(&keyring->masters->lock);
    }
    free(keyring->masters);
    sa_secret_free(keyring->kept);
    free(keyring->path);
    free(keyring);
}

/* What stands in the file beside it, where there is one: the store knows whether it is of any use. */
static enum sa_status
open_next(struct sa_keyring *keyring, uint32_t owner, uint8_t room[SA_MASTER_LEN])
{
    struct masters *masters = keyring->masters;

    if (sa_master_file_read_next(keyring->path, owner, room) != SA_OK)
        return SA_OK;
    masters->of[1].keys = derive(sa_bytes(room, SA_MASTER_LEN));
    masters->from_file = true;
    return masters->of[1].keys == NULL ? SA_NO_MEMORY : SA_OK;
}

enum sa_status
sa_keyring_open(const char *path, uint32_t owner, bool may_create, struct sa_keyring **ret_keyring,
                const char **ret_why)
{
    sa_crypto_start();
    *ret_why = "out of memory";
    SA_OWN(sa_secret) master = sa_secret_new(SA_MASTER_LEN);
    if (master == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = sa_master_file_open(path, owner, may_create, sa_secret_data(master), ret_why);
    if (status != SA_OK)
        return status;
    *ret_why = "out of memory";
    SA_OWN(sa_keyring) keyring = sa_keyring_new(sa_secret_bytes(master));
    if (keyring == NULL)
        return SA_NO_MEMORY;
    keyring->path = strdup(path);
    if (keyring->path == NULL || open_next(keyring, owner, sa_secret_data(master)) != SA_OK)
        return SA_NO_MEMORY;
    *ret_keyring = sa_keyring_take(&keyring);
    return SA_OK;
}

static const uint8_t *
key_of(const struct sa_secret *keys, enum sa_key_use use)
{
    return sa_secret_bytes(keys).data + (unsigned)use * SA_MAC_LEN;
}

/* ---- its uses ---- */

void
sa_keyring_mac(const struct sa_keyring *keyring, enum sa_key_use use, struct sa_bytes data,
               uint8_t ret_mac[SA_MAC_LEN])
{
    crypto_auth_hmacsha256(ret_mac, data.data, data.len, key_of(keyring->kept, use));
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
    crypto_shorthash_siphashx24(ret_tag, data, len, key_of(keyring->kept, use));
    sa_wipe(data, len);
}

/* ---- sealing ---- */

/* Where a sealed value belongs, unambiguously: epoch, then table, column and row, each behind its length. */
static size_t
associate(uint8_t epoch, const char *table, const char *column, struct sa_bytes row,
          uint8_t ret_data[ASSOCIATE_MAX])
{
    struct sa_bytes parts[] = {sa_bytes_of(table), sa_bytes_of(column), row};
    size_t at = 0;

    ret_data[at++] = epoch;
    for (size_t i = 0; i < SA_COUNT(parts); i++) {
        assert(parts[i].len < 80);
        ret_data[at++] = (uint8_t)parts[i].len;
        memcpy(ret_data + at, parts[i].data, parts[i].len);
        at += parts[i].len;
    }
    return at;
}

static void
seal_with(const struct master *master, const char *table, const char *column, struct sa_bytes row,
          struct sa_bytes plain, uint8_t *ret_sealed)
{
    uint8_t data[ASSOCIATE_MAX];
    size_t data_len = associate(master->epoch, table, column, row, data);
    uint8_t *nonce = ret_sealed + 1;

    ret_sealed[0] = master->epoch;
    sa_random(nonce, NONCE_LEN);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_LEN, NULL, plain.data, plain.len, data, data_len,
                                               NULL, nonce, key_of(master->keys, SA_KEY_SEAL));
}

/* Whatever epoch the master key is said to have. */
static enum sa_status
unseal_with(const struct master *master, const char *table, const char *column, struct sa_bytes row,
            struct sa_bytes sealed, uint8_t *ret_plain)
{
    uint8_t data[ASSOCIATE_MAX];

    if (sealed.len < SA_SEAL_OVERHEAD)
        return SA_INTERNAL;
    size_t data_len = associate(sealed.data[0], table, column, row, data);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, sealed.data + 1 + NONCE_LEN,
                                                   sealed.len - 1 - NONCE_LEN, data, data_len,
                                                   sealed.data + 1, key_of(master->keys, SA_KEY_SEAL)) != 0)
        return SA_INTERNAL;
    return SA_OK;
}

/* Under the lock. NULL: no master key of this epoch is known. */
static const struct master *
master_of(const struct masters *masters, uint8_t epoch)
{
    for (unsigned i = 0; i < MASTERS; i++)
        if (masters->of[i].keys != NULL && masters->of[i].epoch == epoch)
            return &masters->of[i];
    return NULL;
}

void
sa_keyring_seal(const struct sa_keyring *keyring, const char *table, const char *column, struct sa_bytes row,
                struct sa_bytes plain, uint8_t *ret_sealed)
{
    struct masters *masters = keyring->masters;

    pthread_rwlock_rdlock(&masters->lock);
    seal_with(&masters->of[masters->present], table, column, row, plain, ret_sealed);
    pthread_rwlock_unlock(&masters->lock);
}

enum sa_status
sa_keyring_unseal(const struct sa_keyring *keyring, const char *table, const char *column,
                  struct sa_bytes row, struct sa_bytes sealed, uint8_t *ret_plain)
{
    struct masters *masters = keyring->masters;
    enum sa_status status = SA_INTERNAL;

    if (sealed.len < SA_SEAL_OVERHEAD)
        return SA_INTERNAL;
    pthread_rwlock_rdlock(&masters->lock);
    const struct master *master = master_of(masters, sealed.data[0]);
    if (master != NULL)
        status = unseal_with(master, table, column, row, sealed, ret_plain);
    pthread_rwlock_unlock(&masters->lock);
    return status;
}

/* ---- rotation ---- */

uint8_t
sa_keyring_epoch(const struct sa_keyring *keyring)
{
    struct masters *masters = keyring->masters;

    pthread_rwlock_rdlock(&masters->lock);
    uint8_t epoch = masters->of[masters->present].epoch;
    pthread_rwlock_unlock(&masters->lock);
    return epoch;
}

static void
drop(struct master *master)
{
    sa_secret_free(master->keys);
    *master = (struct master){.keys = NULL};
}

/* Which master key opens it; MASTERS: none of them. */
static unsigned
opener_of(struct sa_keyring *keyring, const struct sa_kept *kept)
{
    struct masters *masters = keyring->masters;
    struct sa_bytes sealed = sa_bytes(kept->sealed, kept->len);
    struct sa_bytes row = sa_bytes_of("");
    uint8_t plain[SA_KEPT_LEN];
    unsigned opener = MASTERS;

    if (kept->len < SA_SEAL_OVERHEAD || kept->len > SA_KEPT_SEALED_LEN || kept->sealed[0] != kept->epoch)
        return MASTERS;
    for (unsigned i = 0; i < MASTERS && opener == MASTERS; i++)
        if (masters->of[i].keys != NULL &&
            unseal_with(&masters->of[i], KEPT_TABLE, KEPT_COLUMN, row, sealed, plain) == SA_OK)
            opener = i;
    if (opener < MASTERS) {
        /* A use that was not there when they were sealed has the key of this master key. */
        memcpy(sa_secret_data(keyring->kept), sa_secret_bytes(masters->of[opener].keys).data, KEYS_LEN);
        memcpy(sa_secret_data(keyring->kept) + SA_MAC_LEN, plain, kept->len - SA_SEAL_OVERHEAD);
        masters->of[opener].epoch = kept->epoch;
    }
    sa_wipe(plain, sizeof(plain));
    return opener;
}

enum sa_status
sa_keyring_settle(struct sa_keyring *keyring, const struct sa_kept *kept, unsigned count,
                  const char **ret_why)
{
    struct masters *masters = keyring->masters;
    bool needed[MASTERS] = {false};
    unsigned opener = masters->present;

    assert(count <= MASTERS);
    for (unsigned i = 0; i < count; i++) {
        opener = opener_of(keyring, &kept[i]);
        /* Where there are two, the first is the present file's: at the end the second takes its name. */
        if (opener == MASTERS || (count == MASTERS && masters->from_file && opener != i)) {
            *ret_why =
                count == MASTERS
                    ? "a rotation of the master key was under way: both its file and the one beside it "
                      "(.next) are needed, as they were"
                    : "the store is sealed with another master key" SA_STORE_ADVICE;
            return SA_INVALID_ARGUMENT;
        }
        needed[opener] = true;
    }
    needed[opener] = true;
    masters->present = opener;
    for (unsigned i = 0; i < MASTERS; i++)
        if (!needed[i])
            drop(&masters->of[i]);
    masters->unnamed = masters->from_file && count == 1 && opener == 1;
    masters->from_file = false;
    if (masters->unnamed)
        (void)!sa_keyring_adopt(keyring); /* else the next rotation begins with that */
    return SA_OK;
}

enum sa_status
sa_keyring_prepare(struct sa_keyring *keyring, uint8_t epoch)
{
    struct masters *masters = keyring->masters;
    enum sa_status status = SA_OK;

    if (masters->unnamed && sa_keyring_adopt(keyring) != SA_OK)
        return SA_STORAGE;
    SA_OWN(sa_secret) master = sa_secret_new(SA_MASTER_LEN);
    if (master == NULL)
        return SA_NO_MEMORY;
    if (keyring->path == NULL)
        sa_random(sa_secret_data(master), SA_MASTER_LEN);
    else
        status = sa_master_file_make_next(keyring->path, sa_secret_data(master));
    if (status != SA_OK)
        return status;
    struct sa_secret *keys = derive(sa_secret_bytes(master));
    if (keys == NULL)
        return SA_NO_MEMORY;
    pthread_rwlock_wrlock(&masters->lock);
    struct master *next = &masters->of[1 - masters->present];
    drop(next);
    *next = (struct master){epoch, keys};
    pthread_rwlock_unlock(&masters->lock);
    return SA_OK;
}

enum sa_status
sa_keyring_keep(const struct sa_keyring *keyring, uint8_t epoch, struct sa_kept *ret_kept)
{
    struct masters *masters = keyring->masters;
    struct sa_bytes kept = sa_bytes(key_of(keyring->kept, SA_KEY_SEAL + 1), SA_KEPT_LEN);

    pthread_rwlock_rdlock(&masters->lock);
    const struct master *master = master_of(masters, epoch);
    if (master != NULL) {
        *ret_kept = (struct sa_kept){.epoch = epoch, .len = SA_KEPT_SEALED_LEN};
        seal_with(master, KEPT_TABLE, KEPT_COLUMN, sa_bytes_of(""), kept, ret_kept->sealed);
    }
    pthread_rwlock_unlock(&masters->lock);
    return master == NULL ? SA_NOT_FOUND : SA_OK;
}

void
sa_keyring_switch(struct sa_keyring *keyring)
{
    struct masters *masters = keyring->masters;

    pthread_rwlock_wrlock(&masters->lock);
    assert(masters->of[1 - masters->present].keys != NULL);
    masters->present = 1 - masters->present;
    pthread_rwlock_unlock(&masters->lock);
}

enum sa_status
sa_keyring_adopt(struct sa_keyring *keyring)
{
    struct masters *masters = keyring->masters;

    masters->unnamed = keyring->path != NULL && sa_master_file_adopt_next(keyring->path) != SA_OK;
    return masters->unnamed ? SA_STORAGE : SA_OK;
}

void
sa_keyring_forget(struct sa_keyring *keyring)
{
    struct masters *masters = keyring->masters;

    pthread_rwlock_wrlock(&masters->lock);
    drop(&masters->of[1 - masters->present]);
    pthread_rwlock_unlock(&masters->lock);
}
