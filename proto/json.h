/*
 * JSON from strangers (RFC 8259), read strictly and without allocating: tokens and key sets. A text becomes
 * an array of nodes in the order of the text, each object and array followed by what it holds; the array is
 * the caller's, so its size is the limit.
 *
 * Refused beside what RFC 8259 refuses: an object with two members of one name, escapes undone first (RFC
 * 8725 section 2.4), at any depth; depth over SA_JSON_DEPTH_MAX; more values than there is room for; a string
 * that holds control characters or is not UTF-8, escaped or not.
 */
#ifndef SA_JSON_H
#define SA_JSON_H

#include "bytes.h"
#include "status.h"

#define SA_JSON_DEPTH_MAX 8u

enum sa_json_kind {
    SA_JSON_NULL = 1,
    SA_JSON_FALSE,
    SA_JSON_TRUE,
    SA_JSON_NUMBER,
    SA_JSON_STRING,
    SA_JSON_ARRAY,
    SA_JSON_OBJECT,
};

struct sa_json {
    enum sa_json_kind kind;
    uint32_t children;    /* values that it holds itself */
    uint32_t span;        /* nodes that it takes up, itself and all below */
    struct sa_bytes name; /* of a member, terminated; absent elsewhere */
    struct sa_bytes
        text; /* a string's characters, terminated; a number as it was written; absent elsewhere */
};

/*
 * Read one JSON text, which is all of `text`.
 *
 *   text        is changed: escapes are undone in place. Lives as long as the nodes.
 *   room        of ret_nodes; one value takes one node.
 *   ret_nodes   ret_nodes[0] is the whole; good only on SA_OK.
 *   ret_reason  why not, a constant of one word: "json", "duplicate", "deep", "large".
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT.
 */
SA_MUST_CHECK enum sa_status sa_json_read(uint8_t *text, size_t len, struct sa_json *ret_nodes, size_t room,
                                          const char **ret_reason);

/* The first value that an object or array holds, and the one after; `children` says how many there are. */
static inline const struct sa_json *
sa_json_first(const struct sa_json *whole)
{
    return whole + 1;
}

static inline const struct sa_json *
sa_json_next(const struct sa_json *value)
{
    return value + value->span;
}

/* The member of that name; NULL where there is none, and for what is no object. */
const struct sa_json *sa_json_member(const struct sa_json *object, const char *name);

/* Whether `value` is a whole number that fits, written without fraction and exponent. NULL is not. */
bool sa_json_integer(const struct sa_json *value, int64_t *ret_number);

/* Whether `value` is a string and this one. NULL is not. */
bool sa_json_is(const struct sa_json *value, const char *text);

/* A string's characters, terminated; NULL for anything else, and for NULL. As long as the text. */
const char *sa_json_string(const struct sa_json *value);

#endif
