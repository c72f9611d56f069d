/*
 * What was revoked before it expired: sessions, tokens, and rules of what was minted before a moment. At most
 * SA_DENIED_MAX entries, 8 MiB; each is forgotten once all that it voids has expired. Times are milliseconds
 * since 1970. Whoever uses it holds a lock.
 */
#ifndef SA_VERIFY_DENIED_H
#define SA_VERIFY_DENIED_H

#include "client/verify_claims.h"

#define SA_DENIED_MAX     65536u
#define SA_DENIED_KEY_MAX 64u

enum sa_denied_kind {
    SA_DENIED_SESSION = 1,
    SA_DENIED_TOKEN,
    SA_DENIED_SUBJECT, /* these three have times */
    SA_DENIED_CLIENT,
    SA_DENIED_INSTANCE,
};

struct sa_denied_entry {
    enum sa_denied_kind kind; /* 0: free */
    uint32_t key_len;
    uint8_t key[SA_DENIED_KEY_MAX];
    int64_t since_ms,
        not_before_ms; /* of a rule: void is what was minted from the one on, before the other */
    int64_t until_ms;
};

struct sa_denied {
    size_t count;
    size_t size;                     /* of the table, a power of two; 0 at first */
    struct sa_denied_entry *entries; /* open addressing, no entry is ever taken out by itself */
};

/* An entry; false where the key is too long. Numbers are keys of four bytes. */
bool sa_denied_entry(enum sa_denied_kind kind, struct sa_bytes key, struct sa_denied_entry *ret_entry);
void sa_denied_entry_number(enum sa_denied_kind kind, uint32_t number, struct sa_denied_entry *ret_entry);

/*
 * Put an entry; it takes the place of one of the same kind and key. What is over by now_ms is not kept, and
 * goes when room is needed.
 * Returns SA_OK; SA_TOO_LARGE: there is no room and it is not known; SA_NO_MEMORY likewise.
 */
SA_MUST_CHECK enum sa_status sa_denied_put(struct sa_denied *denied, const struct sa_denied_entry *entry,
                                           int64_t now_ms);

/* Whether a token is void. */
bool sa_denied_has(const struct sa_denied *denied, const struct sa_verify_claims *claims);

/* Forget everything. */
void sa_denied_clear(struct sa_denied *denied);

#endif
