/*
 * How long clients may keep the gateway waiting, for a request that does not come whole or a reply that is
 * not read, and how much may wait for them meanwhile. HTTP/2's windows let a client hold as much as it has
 * streams for, for ever, without a byte that a socket would miss.
 */
#ifndef SA_GATEWAY_PATIENCE_H
#define SA_GATEWAY_PATIENCE_H

#include <pthread.h>
#include <sys/queue.h>

#include "service/gateway/loop.h"

#define SA_PATIENCE_MS         10000                 /* for one message, in either way */
#define SA_PATIENCE_BYTES      (64u * 1024u * 1024u) /* of replies, in all */
#define SA_PATIENCE_PEER_BYTES (2u * 1024u * 1024u)  /* and of one connection */

struct sa_gcall;

/* Of the gateway; embedded, zeroed before sa_patience_start. */
struct sa_patience {
    struct sa_loop *loop;
    struct sa_loop_timer timer;
    pthread_mutex_t lock;
    TAILQ_HEAD(, sa_gcall) waiting; /* oldest first */
    size_t bytes;
};

/* What it keeps of a call; embedded, zeroed at first. */
struct sa_patience_of {
    TAILQ_ENTRY(sa_gcall) link;
    bool waits;
    int64_t until_ms;
    size_t bytes;
};

void sa_patience_start(struct sa_patience *patience, struct sa_loop *loop);

/* From now on the call waits for its client: past SA_PATIENCE_MS it is cancelled. From any thread. */
void sa_patience_wait(struct sa_patience *patience, struct sa_gcall *call);

/*
 * The same for a reply of so many bytes, 0 for a status alone. False: too many wait already, and these are
 * not to be kept.
 */
SA_MUST_CHECK bool sa_patience_take(struct sa_patience *patience, struct sa_gcall *call, size_t bytes);

/* It does not wait any more. Before the call is freed, and harmless at any other time. */
void sa_patience_end(struct sa_patience *patience, struct sa_gcall *call);

#endif
