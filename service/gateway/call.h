/*
 * One gRPC call, from the library's request to its last completion. The library's rules that shape this: a
 * catch-all request is always armed, every call is answered, one send is under way at a time.
 */
#ifndef SA_GATEWAY_CALL_H
#define SA_GATEWAY_CALL_H

#include <grpc/grpc.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "service/gateway/gateway.h"

/* What the completion queue hands back: runs on its thread. */
struct sa_tag {
    void (*done)(struct sa_tag *tag, bool ok);
};

struct sa_gcall;

/* How calls of one kind are served: on the completion queue's thread, `next` on any. */
struct sa_gcall_kind {
    const char *path; /* "/grpc.health.v1.Health/Check"; NULL: every other */
    /* Streams: go on, after the start and after each message that has left. */
    void (*next)(struct sa_gcall *call); /* under the streams' lock; NULL: never a stream */
    bool follows;                        /* `next` also when the daemon has come or gone */
    void (*begin)(struct sa_gcall *call);
    /* A message has come: malloc'ed, now the callee's, wiped by it where it can be secret. NULL: there are no
     * more. */
    void (*message)(struct sa_gcall *call, uint8_t *body, size_t len);
    /* The call is over; `cancelled` before it was answered. May be NULL. */
    void (*closed)(struct sa_gcall *call, bool cancelled);
};

/* A message that waits for those before it. */
struct sa_gcall_item {
    STAILQ_ENTRY(sa_gcall_item) link;
    uint8_t *body;
    size_t len;
};

struct sa_gcall_items {
    STAILQ_HEAD(, sa_gcall_item) list;
    unsigned count;
    size_t bytes;
};

struct sa_gcall {
    struct sa_gateway *gateway;
    const struct sa_gcall_kind *kind;
    atomic_uint refs; /* the call itself until it is closed, each batch, a request to the daemon */
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    struct sa_tag on_request, on_message, on_close, on_sent, on_finished;
    grpc_byte_buffer *incoming;
    int cancelled;
    struct sa_patience_of patience;
    /* Sending. */
    atomic_bool answered;
    bool began; /* initial metadata is out; streams only */
    grpc_byte_buffer *outgoing;
    grpc_metadata trailers[2];
    size_t trailer_count;
    /* Forwarding. */
    struct sa_peer *peer;
    uint32_t upstream_call;
    /* Streams, under their lock. */
    TAILQ_ENTRY(sa_gcall) link;
    bool streams; /* it is one, or was */
    bool joined, left, sending;
    struct sa_gcall_items items; /* the daemon's, which wait to be sent */
    bool has_end;                /* and what comes after them */
    struct sa_upstream_reply end;
    bool known; /* Watch: the service exists */
    int told;   /* Watch: the state that was sent last */
};

/* How a call ends. */
struct sa_answer {
    enum sa_status status;
    const char *words;       /* what the caller may read; NULL: the words of the status */
    uint32_t retry_ms;       /* 0: nothing said */
    struct sa_bytes details; /* google.rpc.Status, packed; empty: none */
};

/* Arm a request for the next call of whatever method. False for lack of memory, or when the server stops. */
bool sa_gcall_arm(struct sa_gateway *gateway);

struct sa_gcall *sa_gcall_ref(struct sa_gcall *call);
void sa_gcall_unref(struct sa_gcall *call);

/* Ask for the next message. */
void sa_gcall_receive(struct sa_gcall *call);

/*
 * Send one message of a stream; kind->next follows. The body is malloc'ed, taken over, and wiped when it has
 * left. Under the streams' lock, and only while none is under way.
 */
void sa_gcall_send(struct sa_gcall *call, uint8_t *body, size_t len);

/*
 * End a call: with SA_OK and a body (malloc'ed, taken over), or with another status. What comes second is
 * dropped. From any thread.
 */
void sa_gcall_finish(struct sa_gcall *call, const struct sa_answer *answer, uint8_t *body, size_t len);

/*
 * End a call with a status of the gateway's own, with details as the daemon would make them. `rule`, where
 * there is one, is also what the caller reads: name in it what is refused.
 */
void sa_gcall_fail(struct sa_gcall *call, enum sa_status status, const char *field, const char *rule);

/* End a stream whose reader does not read: its end goes past what waits. From any thread. */
void sa_gcall_cut(struct sa_gcall *call, enum sa_status status);

/* Forget what waits to be sent. */
void sa_gcall_drop_items(struct sa_gcall *call);

/* The kinds; the last has path NULL. */
extern const struct sa_gcall_kind sa_health_check, sa_health_watch, sa_reflection, sa_reflection_alpha,
    sa_forward;

#endif
