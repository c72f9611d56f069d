/*
 * One epoll loop on one thread: descriptors with a callback, timers with a callback. Everything here is
 * called on the loop's own thread, except sa_loop_watch, sa_loop_change, sa_loop_wake and sa_loop_stop.
 */
#ifndef SA_GATEWAY_LOOP_H
#define SA_GATEWAY_LOOP_H

#include "proto/bytes.h"
#include "proto/status.h"

struct sa_loop;

/* A descriptor that is watched. Embedded in what owns it; must live until the loop has forgotten it. */
struct sa_loop_source {
    void (*ready)(struct sa_loop_source *source, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
    int fd;
};

/* A moment. Embedded in what owns it; zeroed before the first use. */
struct sa_loop_timer {
    void (*due)(struct sa_loop_timer *timer);
    int64_t at_ms;
    bool armed;
    struct sa_loop_timer *next;
};

/* Memory that an event of the same round may still point to: freed when the round is over. */
struct sa_loop_garbage {
    void (*free)(struct sa_loop_garbage *garbage);
    struct sa_loop_garbage *next;
};

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t sa_loop_now_ms(void);

/* A loop; NULL for lack of memory or descriptors. */
struct sa_loop *sa_loop_new(void);
void sa_loop_free(struct sa_loop *loop);
SA_DEFINE_OWN(sa_loop, sa_loop_free)

/* Watch source->fd, level-triggered. Returns SA_OK or SA_NO_MEMORY (no more watches, no memory). */
SA_MUST_CHECK enum sa_status sa_loop_watch(struct sa_loop *loop, struct sa_loop_source *source,
                                           uint32_t events);

/* Watch for other events from now on. */
void sa_loop_change(struct sa_loop *loop, struct sa_loop_source *source, uint32_t events);

/* Stop watching; before the descriptor is closed. */
void sa_loop_forget(struct sa_loop *loop, struct sa_loop_source *source);

/* (Re)arm a timer; it fires once, `after_ms` from now. */
void sa_loop_arm(struct sa_loop *loop, struct sa_loop_timer *timer, int64_t after_ms);
void sa_loop_disarm(struct sa_loop *loop, struct sa_loop_timer *timer);

/* Free after this round; the callback is called once. */
void sa_loop_discard(struct sa_loop *loop, struct sa_loop_garbage *garbage);

/* Run `woken` on the loop's thread soon; from any thread, also from a signal handler. */
void sa_loop_wake(struct sa_loop *loop);
void sa_loop_on_wake(struct sa_loop *loop, void (*woken)(void *user), void *user);

/* Run until sa_loop_stop; it may be run again. */
void sa_loop_run(struct sa_loop *loop);
void sa_loop_stop(struct sa_loop *loop);

#endif
