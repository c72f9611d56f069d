/*
 * What every reader of a JWS does, of our own and of others': take a part's JSON out of base64url, and
 * members out of that. Nothing is verified here. Private to service/crypto.
 */
#ifndef SA_JOSE_H
#define SA_JOSE_H

#include "proto/compact.h"

#define SA_JOSE_NODES_MAX 640u /* values in a part; in claims each group is one */

/* A part that was read, and the memory that its values stand in: 34 KiB, for a stack. */
struct sa_jose {
    struct sa_json nodes[SA_JOSE_NODES_MAX];
    uint8_t text[SA_COMPACT_DECODED_MAX(SA_COMPACT_TOKEN_MAX)];
};

/*
 * Read a part of a token that was split.
 *
 *   room        values that it may have, at most SA_JOSE_NODES_MAX.
 *   ret_part    its first node is the whole, perhaps no object; good only on SA_OK.
 *   ret_reason  why not: "form" for what is not canonical base64url, else as sa_json_read.
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT.
 */
SA_MUST_CHECK enum sa_status sa_jose_read(struct sa_bytes encoded, size_t room, struct sa_jose *ret_part,
                                          const char **ret_reason);

/* A string member that fits into `size` bytes with its NUL and is not empty; an absent one is "". */
bool sa_jose_string(const struct sa_json *object, const char *name, char *ret_text, size_t size);

/* A whole number over 0; an absent one is 0. */
bool sa_jose_number(const struct sa_json *object, const char *name, int64_t *ret_number);

#endif
