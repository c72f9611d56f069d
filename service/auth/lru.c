#include "service/auth/lru.h"

#include <assert.h>
#include <stdlib.h>

/* Places are numbered from 1; 0 is none. */
struct sa_lru {
    size_t size;
    uint32_t room;
    uint32_t count;
    uint32_t used; /* places that were ever taken; those behind are untouched memory */
    uint32_t free; /* the first of the places that were given back, chained */
    uint32_t oldest;
    uint32_t newest;
    uint32_t mask;
    uint32_t *chains;
    uint8_t *items;
};

struct sa_lru *
sa_lru_new(uint32_t room, size_t size)
{
    SA_OWN(sa_lru) lru = calloc(1, sizeof(*lru));
    uint32_t chains = 1;

    assert(room > 0 && room <= UINT32_MAX / 2 && size >= sizeof(struct sa_lru_item));
    while (chains < room)
        chains *= 2;
    if (lru == NULL)
        return NULL;
    lru->size = size;
    lru->room = room;
    lru->mask = chains - 1;
    lru->chains = calloc(chains, sizeof(*lru->chains));
    lru->items = calloc(room, size);
    return lru->chains == NULL || lru->items == NULL ? NULL : sa_lru_take(&lru);
}

void
sa_lru_free(struct sa_lru *lru)
{
    if (lru == NULL)
        return;
    free(lru->chains);
    free(lru->items);
    free(lru);
}

uint32_t
sa_lru_count(const struct sa_lru *lru)
{
    return lru->count;
}

static struct sa_lru_item *
at(const struct sa_lru *lru, uint32_t place)
{
    return place == 0 ? NULL : (struct sa_lru_item *)(void *)(lru->items + (size_t)(place - 1) * lru->size);
}

static uint32_t
place_of(const struct sa_lru *lru, const void *item)
{
    return (uint32_t)((size_t)((const uint8_t *)item - lru->items) / lru->size) + 1;
}

static uint32_t *
chain_of(const struct sa_lru *lru, const uint8_t key[SA_LRU_KEY_LEN])
{
    uint32_t number;

    memcpy(&number, key, sizeof(number));
    return &lru->chains[number & lru->mask];
}

void *
sa_lru_find(struct sa_lru *lru, const uint8_t key[SA_LRU_KEY_LEN])
{
    struct sa_lru_item *item = at(lru, *chain_of(lru, key));

    while (item != NULL && memcmp(item->key, key, SA_LRU_KEY_LEN) != 0)
        item = at(lru, item->chain);
    return item;
}

/* ---- the order ---- */

static void
unlink_item(struct sa_lru *lru, struct sa_lru_item *item)
{
    if (item->older != 0)
        at(lru, item->older)->newer = item->newer;
    else
        lru->oldest = item->newer;
    if (item->newer != 0)
        at(lru, item->newer)->older = item->older;
    else
        lru->newest = item->older;
}

static void
link_newest(struct sa_lru *lru, struct sa_lru_item *item)
{
    uint32_t place = place_of(lru, item);

    item->older = lru->newest;
    item->newer = 0;
    if (lru->newest != 0)
        at(lru, lru->newest)->newer = place;
    else
        lru->oldest = place;
    lru->newest = place;
}

void
sa_lru_touch(struct sa_lru *lru, void *item)
{
    unlink_item(lru, item);
    link_newest(lru, item);
}

void *
sa_lru_next(struct sa_lru *lru, const void *item)
{
    return at(lru, item == NULL ? lru->oldest : ((const struct sa_lru_item *)item)->newer);
}

/* ---- coming and going ---- */

void
sa_lru_remove(struct sa_lru *lru, void *item)
{
    struct sa_lru_item *gone = item;
    uint32_t place = place_of(lru, gone);
    uint32_t *link = chain_of(lru, gone->key);

    while (*link != place)
        link = &at(lru, *link)->chain;
    *link = gone->chain;
    unlink_item(lru, gone);
    memset(gone, 0, lru->size);
    gone->chain = lru->free;
    lru->free = place;
    lru->count--;
}

static struct sa_lru_item *
oldest_without_pin(struct sa_lru *lru)
{
    struct sa_lru_item *item = at(lru, lru->oldest);

    while (item != NULL && item->pins > 0)
        item = at(lru, item->newer);
    return item;
}

void *
sa_lru_add(struct sa_lru *lru, const uint8_t key[SA_LRU_KEY_LEN])
{
    if (lru->free == 0 && lru->used == lru->room) {
        struct sa_lru_item *gone = oldest_without_pin(lru);
        if (gone == NULL)
            return NULL;
        sa_lru_remove(lru, gone);
    }
    uint32_t place = lru->free != 0 ? lru->free : ++lru->used;
    struct sa_lru_item *item = at(lru, place);
    if (item == NULL)
        return NULL; /* never: places begin at 1 */
    if (place == lru->free)
        lru->free = item->chain;
    memcpy(item->key, key, SA_LRU_KEY_LEN);
    uint32_t *chain = chain_of(lru, key);
    item->chain = *chain;
    *chain = place;
    link_newest(lru, item);
    lru->count++;
    return item;
}
