/*
 * A bounded table: items of one size, found by a key, the oldest first out. All memory is claimed at the
 * start and touched as it is needed. Not thread-safe.
 */
#ifndef SA_LRU_H
#define SA_LRU_H

#include "proto/bytes.h"

#define SA_LRU_KEY_LEN 16u

/* The head of every item. Keys are keyed hashes: nobody chooses where they fall. */
struct sa_lru_item {
    uint8_t key[SA_LRU_KEY_LEN];
    uint32_t chain; /* lru.c's own, as the next two */
    uint32_t older;
    uint32_t newer;
    uint32_t pins; /* while it is not zero, the item is never pushed out */
};

struct sa_lru;

/* Room for `room` items of `size` bytes each, the head included. NULL for lack of memory. */
struct sa_lru *sa_lru_new(uint32_t room, size_t size);
void sa_lru_free(struct sa_lru *lru);
SA_DEFINE_OWN(sa_lru, sa_lru_free)

uint32_t sa_lru_count(const struct sa_lru *lru);

/* NULL where there is none. */
void *sa_lru_find(struct sa_lru *lru, const uint8_t key[SA_LRU_KEY_LEN]);

/* A new item with this key, zeroed, the newest; the oldest without a pin gives way. NULL: every one has one.
 */
void *sa_lru_add(struct sa_lru *lru, const uint8_t key[SA_LRU_KEY_LEN]);

/* Make it the newest. */
void sa_lru_touch(struct sa_lru *lru, void *item);

void sa_lru_remove(struct sa_lru *lru, void *item);

/* From the oldest (NULL) to the newest; NULL behind it. */
void *sa_lru_next(struct sa_lru *lru, const void *item);

#endif
