/*
 * A call on its way through the daemon. Dispatch fills it in, a handler reads it and fills in the reply. A
 * handler knows no socket, no SQL and no clock.
 */
#ifndef SA_RPC_CALL_H
#define SA_RPC_CALL_H

#include <sys/types.h>

#include "proto/decode.h"
#include "service/auth/authority.h"
#include "service/auth/source.h"
#include "service/base/bell.h"
#include "service/base/clock.h"

/* Where a call arrived: bits, for the `where` column of the method table. */
enum sa_via {
    SA_VIA_ROOT = 1,    /* root.sock */
    SA_VIA_USER = 2,    /* user.sock */
    SA_VIA_LOCAL = 4,   /* a gateway on this host's Unix socket */
    SA_VIA_NETWORK = 8, /* a gateway on the network */
};

/*
 * What a caller is, each with the rights of all before it, and so also what a method demands: the `who may
 * call` column of the method table. Zero is the least.
 */
enum sa_standing {
    SA_CALLER_GATEWAY,  /* a gateway for itself, behind nobody */
    SA_CALLER_STRANGER, /* on user.sock, a uid that has no record and is no administrator */
    SA_CALLER_ANY,      /* whoever else reaches the socket; the handler's rules say what for */
    SA_CALLER_ADMIN,    /* in the administrators' group, on user.sock */
    SA_CALLER_ROOT,     /* root, on root.sock */
};

/* Who is at the other end, as the kernel or a gateway's socket says. */
struct sa_caller {
    enum sa_via via;
    enum sa_standing standing;
    bool has_uid; /* false: through a network gateway */
    uint32_t uid; /* effective, at connect time */
    uint32_t pid;
    uint64_t pid_start; /* sa_process_of_peer's, when it connected to us; 0: it did not, or was gone */
    bool administrator; /* root, or in the administrators' group: standing at least SA_CALLER_ADMIN */
    char gateway[SA_CONF_WORD_MAX + 1]; /* "" for none */
    uint16_t gateway_number;            /* what tokens and sessions remember of it; 0 for none */
    char address[46];                   /* network gateways: the reported address */
    bool has_certificate;               /* network gateways: the peer has shown one, and it is good */
    uint8_t certificate[SA_SHA256_LEN]; /* SHA-256 of its DER */
};

enum sa_lane { SA_LANE_INLINE, SA_LANE_STORE, SA_LANE_HASH, SA_LANES };

/* How a lane is: for HostService/GetStatus. */
struct sa_lane_status {
    const char *name; /* "inline", "store", "hash" */
    unsigned threads;
    unsigned queued;
    unsigned capacity;
    uint64_t refused; /* since the start: the queue, or the source's share of it, was full */
};

/* How the daemon's front is, likewise. Cheap, any thread. */
struct sa_dispatch_status {
    int64_t started_ms;
    uint64_t calls;     /* answered */
    uint64_t malformed; /* refused for what they held */
    struct sa_lane_status lanes[SA_LANES];
};

struct sa_dispatch; /* rpc/dispatch.h */
void sa_dispatch_status(const struct sa_dispatch *dispatch, struct sa_dispatch_status *ret_status);

struct sa_call;
typedef enum sa_status (*sa_step)(struct sa_call *call);

struct sa_method; /* rpc/table.h */
struct sa_answer; /* rpc/dispatch.h */

struct sa_call {
    const struct sa_method *method;
    const struct sa_dispatch *dispatch;
    struct sa_authority *authority; /* the rules and all that they stand on */
    struct sa_caller caller;
    struct sa_source source; /* who is charged */
    struct sa_now now;       /* read once, when the call was admitted */
    int64_t deadline_boot_ms;
    uint64_t request_id;
    struct sa_arena *arena; /* request, reply and whatever the handler needs; wiped at the end */
    const ProtobufCMessage *request;
    ProtobufCMessage *reply; /* initialised; sent on SA_OK only */

    /* A handler may fill in: */
    struct sa_problem problem;  /* with SA_INVALID_ARGUMENT and SA_PASSWORD_REFUSED */
    uint32_t retry_ms;          /* with RATE_LIMITED and UNAVAILABLE kinds */
    int64_t hold_until_boot_ms; /* the answer leaves no earlier; 0: at once */
    const char *log_reason;     /* why, for the log line only; a constant */
    bool hashed;                /* a denial of it queues for the hash lane */
    bool counts_against_source; /* a client's failed proof: its source is charged */
    bool kept;   /* before sa_call_then: on the hash lane a place is kept for it (set for a console) */
    void *state; /* what one step leaves to the next; in the arena */

    /* Set by sa_call_then, sa_call_settle, sa_call_commit and sa_call_after: */
    sa_step next_step;
    enum sa_lane next_lane;
    bool settles;             /* next_step does */
    struct sa_work *commit;   /* next_step waits for this part of a commit */
    enum sa_status committed; /* what became of it */
    sa_step after_step;
    enum sa_lane after_lane;
    int64_t again_boot_ms; /* 0: not put off */

    /* A stream's, set by sa_call_item and sa_call_wait: next_step runs on next_lane once this has happened.
     */
    bool paused;
    struct sa_answer *item;     /* has left; malloc'ed */
    const struct sa_bell *bell; /* was rung more often than `heard`, or it is this late */
    uint64_t heard;
    int64_t wait_until_boot_ms;
};

/* Go on with `step` on another lane: `return sa_call_then(call, SA_LANE_HASH, step);`. Its status is the
 * call's. */
enum sa_status sa_call_then(struct sa_call *call, enum sa_lane lane, sa_step step);

/*
 * The same for a step that settles what this one has taken: it runs after the call's deadline, too, and
 * however full the lane is. Only where something dear came before it, so that nobody can make many of them.
 */
enum sa_status sa_call_settle(struct sa_call *call, enum sa_lane lane, sa_step step);

/*
 * Run this same step once more on its lane, after so many milliseconds: `return sa_call_again(call, 10);`. No
 * thread waits meanwhile; the deadline of the call goes on.
 */
enum sa_status sa_call_again(struct sa_call *call, unsigned ms);

/*
 * Commit, and go on with `step` afterwards: `return sa_call_commit(call, sa_store_audit_work(...), step);`.
 * No thread waits meanwhile, which is what the calls that services make all day are worth. The step finds the
 * outcome in call->committed; it runs on the loop's thread, so it fills in the reply and does no more. NULL
 * for `commit` is lack of memory. All that the part points to lives in the call's arena.
 */
enum sa_status sa_call_commit(struct sa_call *call, struct sa_work *commit, sa_step step);

/* Run `step` on a lane once the answer has left (a rehash); dropped when the lane is full. Its status is
 * ignored. */
void sa_call_after(struct sa_call *call, enum sa_lane lane, sa_step step);

/* `return sa_call_refuse(call, "user.name", "1 to 32 bytes of ...");`: INVALID_ARGUMENT naming field and
 * rule. */
enum sa_status sa_call_refuse(struct sa_call *call, const char *field, const char *rule);

/* ---- streams: a step of a streaming method ends with one of these, or with a status, the stream's end ----
 */

/*
 * Let go of the request, which may hold secrets, and of all else in the arena but `len` bytes of state:
 * call->state is the copy. In a streaming method's first step, before it goes on. SA_OK, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_call_keep(struct sa_call *call, const void *state, size_t len);

/*
 * Send a message, which is packed before this returns, and go on with `step` once it has left: one that is
 * read slowly holds up nothing but itself. From here on the call has no deadline, and a lane takes its steps
 * however full it is; call->now is the time of each step.
 */
enum sa_status sa_call_item(struct sa_call *call, const ProtobufCMessage *message, enum sa_lane lane,
                            sa_step step);

/* Go on with `step` once the bell was rung more often than `heard`, or at a time of CLOCK_BOOTTIME. */
enum sa_status sa_call_wait(struct sa_call *call, const struct sa_bell *bell, uint64_t heard,
                            int64_t until_boot_ms, enum sa_lane lane, sa_step step);

/* A record of this call: actor, source, request id, time, gateway are filled in. */
struct sa_audit sa_call_audit(const struct sa_call *call, enum sa_event event, enum sa_outcome outcome,
                              const char *reason);

#endif
