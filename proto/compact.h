/*
 * A token before a key is asked (RFC 7515 section 7.1), an access token or an assertion: its three parts,
 * base64url, and a header that decides nothing but which key. Depends on libc only.
 */
#ifndef SA_COMPACT_H
#define SA_COMPACT_H

#include "json.h"

#define SA_COMPACT_TOKEN_MAX  4096u
#define SA_COMPACT_HEADER_MAX 1024u /* decoded */
#define SA_COMPACT_NODES_MAX  32u   /* values in a header */

/* The most bytes that `len` characters of base64url stand for. */
#define SA_COMPACT_DECODED_MAX(len) ((len) / 4 * 3 + 2)

/*
 * Decode base64url (RFC 4648 section 5) as RFC 7515 section 2 has it: no padding, no white space, no other
 * alphabet, and one spelling for one value, so the bits that are left over are zero.
 *
 *   ret_data  of at least SA_COMPACT_DECODED_MAX(text.len) bytes.
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT.
 */
SA_MUST_CHECK enum sa_status sa_compact_decode(struct sa_bytes text, uint8_t *ret_data, size_t *ret_len);

struct sa_compact {
    struct sa_bytes header, payload, signature; /* base64url */
    struct sa_bytes signed_part;                /* header, dot, payload */
};

/* Three parts, two dots (RFC 7515 section 7.1); false for anything else and over SA_COMPACT_TOKEN_MAX. */
bool sa_compact_split(struct sa_bytes token, struct sa_compact *ret_parts);

/* A header that was read; the texts point into `text`. */
struct sa_compact_header {
    const char *alg; /* never NULL */
    const char *typ; /* NULL: absent, as `kid` */
    const char *kid;
    struct sa_json nodes[SA_COMPACT_NODES_MAX];
    uint8_t text[SA_COMPACT_DECODED_MAX(SA_COMPACT_HEADER_MAX * 4 / 3 + 4)];
};

/*
 * Read a header as secauth makes and takes them: alg, typ, kid and no other member, so neither crit (RFC 7515
 * section 4.1.11: no extension is understood here) nor keys from elsewhere (jwk, jku, x5c, x5u); and alg none
 * in no spelling.
 *
 *   ret_reason  why not, a constant of one word: "form", "json", "duplicate", "deep", "large", "alg", "crit",
 *               "jku", "x5u", "x5c", "jwk", "header" (any other member, or one of the wrong type).
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT.
 */
SA_MUST_CHECK enum sa_status
sa_compact_read_header(struct sa_bytes header, struct sa_compact_header *ret_header, const char **ret_reason);

#endif
