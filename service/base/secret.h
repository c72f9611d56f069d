/*
 * Secrets that live longer than a call: guarded pages, out of core dumps, wiped when freed. There is no
 * formatter.
 */
#ifndef SA_SECRET_H
#define SA_SECRET_H

#include "proto/bytes.h"
#include "proto/decode.h" /* sa_wipe */

struct sa_secret;

/* A zeroed secret of `len` bytes, 1 to 65,536, in memory of sodium_malloc; NULL for lack of memory. */
struct sa_secret *sa_secret_new(size_t len);

/* A copy of `bytes`; NULL likewise. */
struct sa_secret *sa_secret_copy(struct sa_bytes bytes);

/* Wipe and free; NULL is taken. */
void sa_secret_free(struct sa_secret *secret);
SA_DEFINE_OWN(sa_secret, sa_secret_free)

/* Its bytes, to be written by whoever made it, and to be read. */
uint8_t *sa_secret_data(struct sa_secret *secret);
struct sa_bytes sa_secret_bytes(const struct sa_secret *secret);

/* Equality in a time that depends on the lengths only. */
bool sa_secret_equal(struct sa_bytes a, struct sa_bytes b);

#endif
