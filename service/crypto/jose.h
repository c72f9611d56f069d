/*
 * What every reader of a JWS of others does first, strictly: take it apart and read its JSON.
 * Nothing is verified here. Private to service/crypto.
 */
#ifndef SA_JOSE_H
#define SA_JOSE_H

#include <jansson.h>

#include "service/crypto/jwt.h"

/* The parts of a compact JWS, still encoded; they live as long as its text. */
struct sa_jose {
    struct sa_bytes header;
    struct sa_bytes claims;
    struct sa_bytes signature;
    struct sa_bytes signed_part; /* header, dot, claims */
};

/* RFC 7515 section 7.1: three parts, two dots, at most SA_JWT_MAX bytes. */
bool sa_jose_split(struct sa_bytes text, struct sa_jose *ret_parts);

/*
 * A JSON object from base64url, canonical; NULL for anything else, a member named twice included (RFC 8725
 * section 2.4). The caller releases it.
 */
json_t *sa_jose_object(struct sa_bytes text);

/* A string member that fits into `size` bytes with its NUL and is not empty; an absent one is "". */
bool sa_jose_string(const json_t *object, const char *name, char *ret_text, size_t size);

/* A whole number over 0; an absent one is 0. */
bool sa_jose_number(const json_t *object, const char *name, int64_t *ret_number);

#endif
