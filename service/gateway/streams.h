/*
 * Streams: those that the gateway itself serves (health watches, reflection) and those of the daemon. A
 * bounded number, each told when there is something new, all ended at stop.
 */
#ifndef SA_GATEWAY_STREAMS_H
#define SA_GATEWAY_STREAMS_H

#include <pthread.h>
#include <sys/queue.h>

#include "proto/bytes.h"

#define SA_STREAMS_MAX     1024u
#define SA_STREAMS_OWN_MAX 512u /* of them the gateway's own, for which nobody proves anything */

struct sa_gcall;
struct sa_gcall_item;
struct sa_upstream_reply;
TAILQ_HEAD(sa_gcall_list, sa_gcall);

struct sa_streams {
    pthread_mutex_t lock;
    struct sa_gcall_list list;
    unsigned count;
    unsigned own;  /* of them */
    bool serving;  /* the daemon is connected */
    bool stopping; /* no stream goes on */
};

void sa_streams_init(struct sa_streams *streams);

/* Let a call in; it goes on from its kind's `next`. Past its bound, or at stop, the call is ended
 * instead. */
void sa_streams_join(struct sa_streams *streams, struct sa_gcall *call);

/* Its call is over. */
void sa_streams_leave(struct sa_streams *streams, struct sa_gcall *call);

/* Send a message on a stream that has none under way; the body is malloc'ed and taken over. */
void sa_streams_send(struct sa_streams *streams, struct sa_gcall *call, uint8_t *body, size_t len);

/*
 * A message of the daemon's for a call, which joins with its first one; taken over. One that waits for too
 * many is cut off. False: the call is over.
 */
SA_MUST_CHECK bool sa_streams_put(struct sa_streams *streams, struct sa_gcall *call,
                                  struct sa_gcall_item *item);

/* The end of a stream, whose body is taken over where this returns true: it waits for what is to be sent
 * before it. */
SA_MUST_CHECK bool sa_streams_put_end(struct sa_streams *streams, struct sa_gcall *call,
                                      const struct sa_upstream_reply *end);

/* Its message has left. */
void sa_streams_sent(struct sa_streams *streams, struct sa_gcall *call);

/* The daemon has come or gone: streams that follow it go on. */
void sa_streams_set_serving(struct sa_streams *streams, bool serving);

/* What health says now. */
bool sa_streams_serving(struct sa_streams *streams);

/* End them all. */
void sa_streams_stop(struct sa_streams *streams);

#endif
