/*
 * The master key and what is derived from it. Every use has a key of its own (crypto_kdf), so that none can
 * be played against another.
 *
 * Another master key may take its place. What is sealed begins with the epoch of its master key, and while a
 * rotation is under way both are known. Keyed hashes cannot be made anew, so the keys of those are kept:
 * those of the first master key, sealed in the store under the present one.
 */
#ifndef SA_KEYRING_H
#define SA_KEYRING_H

#include "proto/status.h"
#include "service/base/secret.h"

#define SA_MAC_LEN       32u
#define SA_SEAL_OVERHEAD 41u /* epoch 1, nonce 24, tag 16 */

/* The numbers are those of the store's: new ones come at the end. */
enum sa_key_use {
    SA_KEY_SEAL,           /* sealed columns */
    SA_KEY_REFRESH_TAG,    /* tag of refresh tokens */
    SA_KEY_REFRESH_LOOKUP, /* row of a refresh token, from its handle */
    SA_KEY_CLIENT_SECRET,  /* client secrets at rest */
    SA_KEY_AUDIT_NAME,     /* names without a record in the audit log */
    SA_KEY_LOCKOUT,        /* names and sources in the tables of failures */
    SA_KEY_RECOVERY,       /* recovery codes at rest */
    SA_KEY_CHALLENGE,      /* passwords and hashes beside a challenge, in memory */
    SA_KEY_API_KEY,        /* API keys at rest */
    SA_KEY_MEMORY,         /* tables in memory of proofs and secrets that were seen */
    SA_KEY_USES,
};

struct sa_keyring;

/*
 * Make the libraries ready: libsodium, and OpenSSL's secure heap for private keys. Called by everything here
 * that makes a key; calling it again is free. Aborts where libsodium cannot start: there is no safe way on.
 */
void sa_crypto_start(void);

/*
 * Read the master key, or make it at the first start.
 *
 *   path         a regular file of 32 bytes that nobody but `owner` may read, in a directory that nobody but
 *                `owner` and root may write; made, with mode 0600, where it does not exist.
 *   may_create   false: a missing file is an error, because there is a store that needs it.
 *   ret_keyring  written only on SA_OK; the caller owns it. Where `PATH.next` is there it has that as well,
 *                until sa_keyring_settle.
 *   ret_why      on any other status, the reason in plain words for the log; a constant.
 *
 * Returns SA_OK, SA_NO_MEMORY, SA_STORAGE (cannot be read or made), SA_PERMISSION_DENIED (readable or
 * writable by others, or not the owner's), SA_INVALID_ARGUMENT (not 32 bytes, or missing).
 */
SA_MUST_CHECK enum sa_status sa_keyring_open(const char *path, uint32_t owner, bool may_create,
                                             struct sa_keyring **ret_keyring, const char **ret_why);

/* A keyring of a given master key of 32 bytes, for tests; NULL for lack of memory. */
struct sa_keyring *sa_keyring_new(struct sa_bytes master);

/* Wipe and free; NULL is taken. */
void sa_keyring_free(struct sa_keyring *keyring);
SA_DEFINE_OWN(sa_keyring, sa_keyring_free)

/* HMAC-SHA-256 of `data` under the key of a use. Thread-safe, allocates nothing. */
void sa_keyring_mac(const struct sa_keyring *keyring, enum sa_key_use use, struct sa_bytes data,
                    uint8_t ret_mac[SA_MAC_LEN]);

/*
 * A short keyed hash of some parts, for what tables are keyed by: SipHash-2-4 of 128 bits under the key of a
 * use, which costs a tenth of an HMAC. Who does not have the key can neither guess at what stands behind one
 * nor choose where it falls. Parts are kept apart; `kind` keeps those of one use apart. At most SA_TAG_PARTS.
 * Thread-safe.
 */
#define SA_TAG_LEN   16u
#define SA_TAG_PARTS 4u
void sa_keyring_tag(const struct sa_keyring *keyring, enum sa_key_use use, uint8_t kind,
                    const struct sa_bytes *parts, size_t count, uint8_t ret_tag[SA_TAG_LEN]);

/*
 * Seal a column: XChaCha20-Poly1305 with table, column and row as associated data, so that a value moved to
 * another place is refused.
 *
 *   ret_sealed  plain.len + SA_SEAL_OVERHEAD bytes.
 */
void sa_keyring_seal(const struct sa_keyring *keyring, const char *table, const char *column,
                     struct sa_bytes row, struct sa_bytes plain, uint8_t *ret_sealed);

/*
 * Open it.
 *   ret_plain  sealed.len - SA_SEAL_OVERHEAD bytes; holds a secret.
 * Returns SA_OK, or SA_INTERNAL where it was not sealed for this place, or under a master key that is not
 * known.
 */
SA_MUST_CHECK enum sa_status sa_keyring_unseal(const struct sa_keyring *keyring, const char *table,
                                               const char *column, struct sa_bytes row,
                                               struct sa_bytes sealed, uint8_t *ret_plain);

/* ---- rotation: by one thread at a time, while others go on with all of the above ---- */

#define SA_KEPT_LEN        ((SA_KEY_USES - 1u) * SA_MAC_LEN)
#define SA_KEPT_SEALED_LEN (SA_KEPT_LEN + SA_SEAL_OVERHEAD)

/* The keys of keyed hashes, sealed under the master key of an epoch. */
struct sa_kept {
    uint8_t epoch;
    size_t len; /* of `sealed` */
    uint8_t sealed[SA_KEPT_SEALED_LEN];
};

/*
 * Before anything else is asked of it: what the store has to say of its master keys, the one that seals last.
 *
 *   kept, count  none: there was no rotation yet. Two: one is under way. At most two.
 *   ret_why      otherwise the reason, a constant.
 *
 * Where the file beside the master key's is the one that the store is sealed with it takes that name now: the
 * rotation was over. Returns SA_OK, or SA_INVALID_ARGUMENT: a master key is not the store's.
 */
SA_MUST_CHECK enum sa_status sa_keyring_settle(struct sa_keyring *keyring, const struct sa_kept *kept,
                                               unsigned count, const char **ret_why);

/* The epoch of what is sealed now, which is the first byte of it. */
uint8_t sa_keyring_epoch(const struct sa_keyring *keyring);

/*
 * Make the next master key, in the file beside, in the place of any that is not the present one. It opens
 * what it has sealed, and nothing is sealed with it yet. SA_OK, SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_keyring_prepare(struct sa_keyring *keyring, uint8_t epoch);

/* What is kept, sealed under the master key of an epoch. SA_NOT_FOUND: there is no such one. */
SA_MUST_CHECK enum sa_status sa_keyring_keep(const struct sa_keyring *keyring, uint8_t epoch,
                                             struct sa_kept *ret_kept);

/* Seal with the other master key from now on, once the store knows of it. */
void sa_keyring_switch(struct sa_keyring *keyring);

/* Nothing is sealed with the other master key any more: the file of the present one takes its name. SA_OK;
 * SA_STORAGE: the next start does it. */
SA_MUST_CHECK enum sa_status sa_keyring_adopt(struct sa_keyring *keyring);

/* Wipe the one that does not seal. */
void sa_keyring_forget(struct sa_keyring *keyring);

#endif
