#include "service/gateway/inflight.h"

#include <assert.h>
#include <stdlib.h>

struct place {
    struct sa_inflight_call call;
    uint32_t uses;
};

struct sa_inflight {
    unsigned max, index_bits, free_count;
    uint32_t *free_places; /* a stack of indices */
    struct place places[];
};

struct sa_inflight *
sa_inflight_new(unsigned max)
{
    struct sa_inflight *inflight = calloc(1, sizeof(*inflight) + max * sizeof(inflight->places[0]));

    if (inflight == NULL)
        return NULL;
    inflight->max = max;
    while (1u << inflight->index_bits < max)
        inflight->index_bits++;
    inflight->free_places = calloc(max, sizeof(*inflight->free_places));
    if (inflight->free_places == NULL) {
        free(inflight);
        return NULL;
    }
    while (inflight->free_count < max) {
        inflight->free_places[inflight->free_count] = inflight->free_count;
        inflight->free_count++;
    }
    return inflight;
}

void
sa_inflight_free(struct sa_inflight *inflight)
{
    if (inflight == NULL)
        return;
    free(inflight->free_places);
    free(inflight);
}

bool
sa_inflight_full(const struct sa_inflight *inflight)
{
    return inflight->free_count == 0;
}

uint32_t
sa_inflight_add(struct sa_inflight *inflight, struct sa_inflight_call call)
{
    uint32_t index;
    struct place *place;

    assert(inflight->free_count > 0);
    index = inflight->free_places[--inflight->free_count];
    place = &inflight->places[index];
    do
        call.call = ++place->uses << inflight->index_bits | index;
    while (call.call >> inflight->index_bits == 0);
    place->call = call;
    return call.call;
}

static uint32_t
index_of(const struct sa_inflight *inflight, uint32_t number)
{
    return number & ((1u << inflight->index_bits) - 1);
}

static struct sa_inflight_call *
find(struct sa_inflight *inflight, uint32_t number)
{
    uint32_t index = index_of(inflight, number);

    if (number == 0 || index >= inflight->max || inflight->places[index].call.call != number)
        return NULL;
    return &inflight->places[index].call;
}

struct sa_inflight_call *
sa_inflight_stay(struct sa_inflight *inflight, uint32_t number)
{
    struct sa_inflight_call *call = find(inflight, number);

    if (call != NULL)
        call->until_ms = INT64_MAX;
    return call;
}

bool
sa_inflight_remove(struct sa_inflight *inflight, uint32_t number, struct sa_inflight_call *ret_call)
{
    struct sa_inflight_call *call = find(inflight, number);

    if (call == NULL)
        return false;
    *ret_call = *call;
    call->call = 0;
    inflight->free_places[inflight->free_count++] = index_of(inflight, number);
    return true;
}

bool
sa_inflight_remove_late(struct sa_inflight *inflight, unsigned *at, int64_t now_ms,
                        struct sa_inflight_call *ret_call)
{
    while (*at < inflight->max) {
        const struct sa_inflight_call *call = &inflight->places[(*at)++].call;
        if (call->call != 0 && call->until_ms <= now_ms)
            return sa_inflight_remove(inflight, call->call, ret_call);
    }
    return false;
}
