#include "decode.h"

#include <stdlib.h>

/* The first block serves an ordinary request whole; each later one is twice the last. */
#define FIRST_BLOCK_LEN 4096u

struct block {
    struct block *next;
    size_t len; /* of the whole block, this header included */
    _Alignas(max_align_t) uint8_t data[];
};

struct sa_arena {
    ProtobufCAllocator allocator;
    struct block *newest;
    size_t used;  /* of the newest block's data */
    size_t taken; /* from the system, all blocks */
    size_t limit;
};

static void *
allocator_alloc(void *arena, size_t len)
{
    return sa_arena_alloc(arena, len);
}

static void
allocator_free(SA_UNUSED void *arena, SA_UNUSED void *piece)
{
}

struct sa_arena *
sa_arena_new(size_t limit)
{
    struct sa_arena *arena = calloc(1, sizeof(*arena));
    if (arena == NULL)
        return NULL;
    arena->allocator = (ProtobufCAllocator){allocator_alloc, allocator_free, arena};
    arena->limit = limit;
    return arena;
}

void
sa_arena_free(struct sa_arena *arena)
{
    if (arena == NULL)
        return;
    while (arena->newest != NULL) {
        struct block *block = arena->newest;
        arena->newest = block->next;
        sa_wipe(block, block->len);
        free(block);
    }
    free(arena);
}

/* A fresh block with room for `len` bytes; false past the limit or for lack of memory. */
static bool
grow(struct sa_arena *arena, size_t len)
{
    size_t left = arena->limit - arena->taken;
    size_t want = arena->newest == NULL ? FIRST_BLOCK_LEN : arena->newest->len * 2;

    if (left < sizeof(struct block) || len > left - sizeof(struct block))
        return false;
    if (want < len + sizeof(struct block))
        want = len + sizeof(struct block);
    if (want > left)
        want = left;
    struct block *block = calloc(1, want); /* zeroed here, and every piece is handed out once */
    if (block == NULL)
        return false;
    block->next = arena->newest;
    block->len = want;
    arena->newest = block;
    arena->used = 0;
    arena->taken += want;
    return true;
}

void *
sa_arena_alloc(struct sa_arena *arena, size_t len)
{
    const size_t step = _Alignof(max_align_t);

    if (len > arena->limit)
        return NULL;
    len = len == 0 ? step : (len + step - 1) / step * step;
    if (arena->newest == NULL || len > arena->newest->len - sizeof(struct block) - arena->used)
        if (!grow(arena, len))
            return NULL;
    void *piece = arena->newest->data + arena->used;
    arena->used += len;
    return piece;
}

char *
sa_arena_strdup(struct sa_arena *arena, const char *text)
{
    size_t len = strlen(text);
    char *copy = sa_arena_alloc(arena, len + 1);

    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

ProtobufCAllocator *
sa_arena_allocator(struct sa_arena *arena)
{
    return &arena->allocator;
}

void
sa_wipe(void *data, size_t len)
{
    if (len > 0)
        explicit_bzero(data, len);
}
