/*
 * The memory that hashes computed at once may have together. Workers are counted by what a new hash costs; an
 * imported one may cost several times that, and then its worker waits here until the others have given enough
 * back.
 */
#ifndef SA_HASH_MEMORY_H
#define SA_HASH_MEMORY_H

#include "proto/bytes.h"

/* Set once at start. 0, as before: no limit. */
void sa_hash_memory_limit(uint64_t kib);

/* Wait for memory. One that needs more than the limit is computed alone. sa_hash_memory_give follows. Any
 * thread. */
void sa_hash_memory_take(uint32_t kib);
void sa_hash_memory_give(uint32_t kib);

#endif
