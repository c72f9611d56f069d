#include "bell.h"

#include <unistd.h>

uint64_t
sa_bell_rings(const struct sa_bell *bell)
{
    return atomic_load(&bell->rings);
}

void
sa_bell_hang(struct sa_bell *bell, int eventfd)
{
    atomic_store(&bell->wake, eventfd + 1);
}

void
sa_bell_ring(struct sa_bell *bell)
{
    uint64_t one = 1;

    atomic_fetch_add(&bell->rings, 1);
    int wake = atomic_load(&bell->wake);
    if (wake != 0 && write(wake - 1, &one, sizeof(one)) < 0)
        return; /* the counter is full: it is awake */
}
