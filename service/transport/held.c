#include "held.h"

#include <stdlib.h>

#define ROOM_FIRST 64u

static int64_t
due_ms(const struct sa_held *held, size_t at)
{
    return held->heap[at]->due_boot_ms;
}

static void
swap(struct sa_held *held, size_t a, size_t b)
{
    struct sa_answer *answer = held->heap[a];

    held->heap[a] = held->heap[b];
    held->heap[b] = answer;
}

enum sa_status
sa_held_add(struct sa_held *held, struct sa_answer *answer)
{
    if (held->count == held->room) {
        size_t room = held->room == 0 ? ROOM_FIRST : held->room * 2;
        struct sa_answer **heap = reallocarray(held->heap, room, sizeof(*heap)); /* pointers, no secret */
        if (heap == NULL)
            return SA_NO_MEMORY;
        held->heap = heap;
        held->room = room;
    }
    size_t at = held->count++;
    held->heap[at] = answer;
    for (; at > 0 && due_ms(held, at) < due_ms(held, (at - 1) / 2); at = (at - 1) / 2)
        swap(held, at, (at - 1) / 2);
    return SA_OK;
}

int64_t
sa_held_next_ms(const struct sa_held *held)
{
    return held->count == 0 ? INT64_MAX : due_ms(held, 0);
}

static size_t
earlier_child(const struct sa_held *held, size_t at)
{
    size_t child = 2 * at + 1;

    if (child + 1 < held->count && due_ms(held, child + 1) < due_ms(held, child))
        child++;
    return child;
}

struct sa_answer *
sa_held_due(struct sa_held *held, int64_t boot_ms)
{
    if (sa_held_next_ms(held) > boot_ms || held->count == 0)
        return NULL;
    struct sa_answer *first = held->heap[0];
    held->heap[0] = held->heap[--held->count];
    for (size_t at = 0, child; (child = earlier_child(held, at)) < held->count; at = child) {
        if (due_ms(held, at) <= due_ms(held, child))
            break;
        swap(held, at, child);
    }
    return first;
}

struct sa_answer *
sa_answer_alone(const struct sa_answer *answer)
{
    struct sa_answer *copy = sa_answer_new(answer->body.len);
    if (copy == NULL)
        return NULL;
    uint8_t *body = (uint8_t *)(copy + 1);
    *copy = *answer;
    copy->exchange = NULL;
    if (answer->body.len > 0)
        memcpy(body, answer->body.data, answer->body.len);
    copy->body = sa_bytes(body, answer->body.len);
    return copy;
}
