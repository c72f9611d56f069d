/*
 * Decoding, one function for every process, in two steps: a walk over the bytes that allocates nothing and
 * refuses what protobuf-c would let pass or choke on, then protobuf-c's unpack into a wiped arena of bounded
 * size.
 */
#ifndef SA_DECODE_H
#define SA_DECODE_H

#include <protobuf-c/protobuf-c.h>

#include "bytes.h"
#include "status.h"

#define SA_DECODE_DEPTH_MAX          8u
#define SA_DECODE_REQUEST_FIELDS_MAX 256u
#define SA_DECODE_REPLY_FIELDS_MAX   8192u
#define SA_DECODE_PATH_MAX           96u

/* What is wrong with a message: a field's path ("tokens.scope") and a rule in plain words. */
struct sa_problem {
    char field[SA_DECODE_PATH_MAX];
    const char *rule; /* a constant; NULL where there is no problem */
};

/*
 * Memory of one call: taken piece by piece, wiped and freed as a whole. Never grows past its limit.
 * It is also a ProtobufCAllocator, whose `free` does nothing.
 */
struct sa_arena;

/*
 * A new arena of at most `limit` bytes; NULL for lack of memory. Memory is taken from the system as it is
 * needed, in few blocks.
 */
struct sa_arena *sa_arena_new(size_t limit);

/* Wipe and free everything. NULL is taken. */
void sa_arena_free(struct sa_arena *arena);
SA_DEFINE_OWN(sa_arena, sa_arena_free)

/* `len` zeroed bytes, aligned for any type; NULL past the limit or for lack of memory. */
void *sa_arena_alloc(struct sa_arena *arena, size_t len);

/* A terminated copy; NULL likewise. */
char *sa_arena_strdup(struct sa_arena *arena, const char *text);

/* The arena as protobuf-c's allocator; valid as long as the arena. */
ProtobufCAllocator *sa_arena_allocator(struct sa_arena *arena);

enum sa_decode_side {
    SA_DECODE_REQUEST, /* at most SA_DECODE_REQUEST_FIELDS_MAX fields in all */
    SA_DECODE_REPLY,   /* at most SA_DECODE_REPLY_FIELDS_MAX */
};

/*
 * Walk over a message and refuse: a length outside its parent, depth over 8, too many fields, a singular
 * field or a oneof set twice, an unknown enum value, a varint over 10 bytes or with bits past 64, a wire type
 * that does not fit the field, groups, field number 0, a `string` that is not UTF-8 (RFC 3629) or holds a
 * control character (C0, DEL, C1). Unknown fields, packed and unpacked numbers and explicit defaults are
 * legal.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT with *ret_problem filled. Allocates nothing.
 */
SA_MUST_CHECK enum sa_status sa_decode_check(const ProtobufCMessageDescriptor *type, struct sa_bytes body,
                                             enum sa_decode_side side, struct sa_problem *ret_problem);

/*
 * Check and unpack.
 *
 *   arena        where the message is built; the message lives as long as it.
 *   ret_message  written only on SA_OK; never freed by itself.
 *
 * Returns SA_OK, SA_INVALID_ARGUMENT with *ret_problem, or SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_decode(const ProtobufCMessageDescriptor *type, struct sa_bytes body,
                                       enum sa_decode_side side, struct sa_arena *arena,
                                       ProtobufCMessage **ret_message, struct sa_problem *ret_problem);

/* Wipe memory in a way that the compiler keeps. */
void sa_wipe(void *data, size_t len);

#endif
