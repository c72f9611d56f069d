/*
 * Dispatch: from a frame to a reply, in one order for every method. No handler repeats any of it.
 */
#ifndef SA_DISPATCH_H
#define SA_DISPATCH_H

#include <sys/queue.h>

#include "proto/frame.h"
#include "service/rpc/lanes.h"
#include "service/rpc/table.h"

#define SA_CALL_MILLIS_MAX 30000u             /* the longest that a call may take, whatever its frame says */
#define SA_CALL_ARENA_MAX  (6u * 1024 * 1024) /* memory of one call: request, work, reply */

/*
 * What is sent for a call. Part of its exchange; one that is held stands alone, since that may be tens of
 * thousands at once and an exchange with its arena is some 6 KiB (transport/held.h).
 */
struct sa_answer {
    struct sa_exchange *exchange; /* NULL: it stands alone, the body behind it */
    enum sa_status status;
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_bytes body; /* in the exchange's arena */

    /* The transport's. */
    int64_t due_boot_ms; /* while it is held */
    void *owner;
    uint32_t number;             /* the caller's; set by sa_dispatch_call */
    bool cancelled;              /* nobody waits for the answer */
    size_t sent;                 /* bytes of the frame */
    bool is_item;                /* of a stream: stands alone */
    struct sa_exchange *item_of; /* the stream that goes on once it has left; NULL: none */
    struct sa_answer *next;
    struct sa_answer *chain;
};

/* Where a stream is; the transport's. */
enum sa_stream_place {
    SA_STREAM_NONE,  /* a call like others, until it is admitted and once it has ended */
    SA_STREAM_RUNS,  /* a step runs, or is about to */
    SA_STREAM_WAITS, /* for its bell */
    SA_STREAM_SENDS, /* an item is on its way */
};

struct sa_stream {
    enum sa_stream_place place;
    struct sa_answer *item; /* that is on its way */
    int64_t due_boot_ms;    /* while it waits, or sends */
    TAILQ_ENTRY(sa_exchange) all, queue;
};

/* A call from its frame to its reply. One allocation and an arena. */
struct sa_exchange {
    struct sa_call call;     /* first, so that dispatch finds the exchange of a call */
    struct sa_answer answer; /* whole once the call is done */
    struct sa_dispatch *dispatch;
    struct sa_job job;
    sa_step step; /* the next to run */
    enum sa_lane lane;
    int64_t began_us;
    bool answered; /* what runs now comes after the answer */
    struct sa_stream stream;
};

/* A request frame. `caller` is NULL for one on behalf of a peer that was never told: it has no rights at all.
 */
struct sa_incoming {
    const struct sa_caller *caller;
    const struct sa_frame *frame;
    struct sa_bytes name;
    struct sa_bytes body;
    bool over_ceiling; /* more calls than whoever sent it may make: RATE_LIMITED, nothing is decoded or logged
                        */
};

struct sa_dispatch_options {
    struct sa_authority *authority; /* handed to handlers, not looked at */
    struct sa_buckets *buckets;
    const struct sa_conf *conf;
    const struct sa_method *(*find)(struct sa_bytes name); /* sa_table_find */
    unsigned hash_threads;
    unsigned hash_queue;
    void (*done)(struct sa_exchange *exchange);   /* any thread; called once for each sa_dispatch_call */
    struct sa_store *store;                       /* of sa_call_commit */
    void (*resume)(struct sa_exchange *exchange); /* any thread; leads to sa_dispatch_resume, not before the
                                                     call's again_boot_ms; a paused stream's not before its
                                                     item has left or its bell was rung */
    /* Whether there is room for one more stream: SA_OK, or what its caller is told. NULL: there are none. */
    enum sa_status (*admit_stream)(struct sa_exchange *exchange);
};

/* Start the lanes. NULL where there is no memory or thread. The options' pointers outlive it. */
struct sa_dispatch *sa_dispatch_new(const struct sa_dispatch_options *options);

/* From now on every call is SHUTTING_DOWN. */
void sa_dispatch_close(struct sa_dispatch *dispatch);

/* Stop the lanes: what waits is answered, what runs is waited for. */
void sa_dispatch_stop(struct sa_dispatch *dispatch);

/* Stop and free; every exchange is free by then. NULL is taken. */
void sa_dispatch_free(struct sa_dispatch *dispatch);
SA_DEFINE_OWN(sa_dispatch, sa_dispatch_free)

/* Another configuration from now on; the old one stays where it is. Any thread. */
void sa_dispatch_set_conf(struct sa_dispatch *dispatch, const struct sa_conf *conf);

/* An exchange with nothing in it; NULL for lack of memory. Its answer points back to it. */
struct sa_exchange *sa_exchange_new(struct sa_dispatch *dispatch);

/*
 * Carry a call out, up to `done`: perhaps before this returns, perhaps on another thread. Name and body are
 * read, not kept; the caller wipes the body. Never waits.
 */
void sa_dispatch_call(struct sa_exchange *exchange, const struct sa_incoming *incoming);

/* What a call waited for, a commit or its time, is over: carry it on. On the loop's thread; leads to `done`.
 */
void sa_dispatch_resume(struct sa_exchange *exchange);

/* End a stream that is paused; leads to `done`. On the loop's thread. */
void sa_dispatch_end(struct sa_exchange *exchange, enum sa_status status);

/* The answer has left, or nobody waits for it: run what comes after it, then wipe and free. */
void sa_exchange_end(struct sa_exchange *exchange);

/* Run a job of the daemon itself on the store lane, as source "self". */
SA_MUST_CHECK enum sa_status sa_dispatch_submit(struct sa_dispatch *dispatch, struct sa_job *job);

#endif
