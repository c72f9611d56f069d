/*
 * A bell: whoever has changed something rings it, and whoever follows looks at how often it was rung. Any
 * thread.
 *
 * A follower counts before it looks at what may have changed: a change that it has missed then shows as
 * another count.
 */
#ifndef SA_BELL_H
#define SA_BELL_H

#include <stdatomic.h>
#include <stdint.h>

/* Zeroed before its first use. */
struct sa_bell {
    _Atomic uint64_t rings;
    _Atomic int wake; /* an eventfd that is written to, plus one; 0: none */
};

uint64_t sa_bell_rings(const struct sa_bell *bell);
void sa_bell_ring(struct sa_bell *bell);

/* From now on ringing wakes whoever waits for this eventfd; -1: nobody. */
void sa_bell_hang(struct sa_bell *bell, int eventfd);

#endif
