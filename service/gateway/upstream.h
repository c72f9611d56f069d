/*
 * The gateway's one connection to the daemon: many calls at a time, replies in any order, made again by
 * itself when the daemon goes away. Frames are docs/protocol.md's.
 */
#ifndef SA_GATEWAY_UPSTREAM_H
#define SA_GATEWAY_UPSTREAM_H

#include "service/gateway/loop.h"
#include "service/gateway/peer_table.h"

#define SA_UPSTREAM_CALL_MS_MAX 60000u /* no call holds its place longer, whatever its deadline */

struct sa_upstream;

struct sa_upstream_reply {
    enum sa_status
        status;        /* the daemon's; SA_CONNECTION when it went away, SA_DEADLINE when the time was up */
    uint32_t retry_ms; /* try again after so long; 0: nothing said */
    uint8_t *body;     /* malloc'ed, now the callee's, who wipes it; NULL where len is 0 */
    size_t len;
};

/* Called once for each call that was started and not cancelled, on the loop's thread, with no lock held. */
typedef void sa_upstream_on_reply(void *user, const struct sa_upstream_reply *reply);

/* Called for each message of a stream, before its on_reply, likewise. The body is malloc'ed, now the
 * callee's; NULL for lack of memory. */
typedef void sa_upstream_on_item(void *user, uint8_t *body, size_t len);

/* Called on the loop's thread when the daemon has come (true) or gone. */
typedef void sa_upstream_on_state(void *user, bool connected);

struct sa_upstream_request {
    const char *name;     /* legal by sa_upstream_name_legal */
    uint32_t millis;      /* time left, 1 to SA_UPSTREAM_CALL_MS_MAX; of a stream, until its first message */
    struct sa_peer *peer; /* whom it is for */
    struct sa_bytes body; /* at most SA_FRAME_REQUEST_MAX */
    sa_upstream_on_reply *on_reply;
    sa_upstream_on_item *on_item;
    void (*hold)(void *user); /* before each on_item, under a lock: `user` shall live until it was called */
    void *user;
};

/*
 * Prepare; nothing is connected before the loop runs.
 *
 *   path       of the daemon's socket for this gateway; it must outlive the upstream.
 *   calls_max  calls in flight, 1 to 65,536.
 */
struct sa_upstream *sa_upstream_new(struct sa_loop *loop, const char *path, unsigned calls_max,
                                    sa_upstream_on_state *on_state, void *user);

/* Every call in flight is answered with SA_CONNECTION first. */
void sa_upstream_free(struct sa_upstream *upstream);
SA_DEFINE_OWN(sa_upstream, sa_upstream_free)

/* Whether a frame can carry this name: "package.Service/Method" in letters, digits, `_` and `.`. */
bool sa_upstream_name_legal(const char *name);

/*
 * Start a call; from any thread. The body is copied or sent before it returns.
 *
 *   ret_call  written only on SA_OK: names the call to sa_upstream_cancel. The reply may come before this
 * returns.
 *
 * Returns SA_OK: on_reply will be called. SA_NO_DAEMON: not connected. SA_OVERLOADED: too many calls in
 * flight, or the daemon does not read. SA_CONNECTION: it has just gone. SA_CANCELLED: the peer is gone. In
 * all four, on_reply will not be called.
 */
SA_MUST_CHECK enum sa_status sa_upstream_start(struct sa_upstream *upstream,
                                               const struct sa_upstream_request *request, uint32_t *ret_call);

/* Give a call up; from any thread. True: on_reply will not be called. False: it was, or is about to be. */
bool sa_upstream_cancel(struct sa_upstream *upstream, uint32_t call);

/* The peer's connection is there: the daemon looks at it now, if it can, rather than with its first call.
 * From any thread. */
void sa_upstream_peer_here(struct sa_upstream *upstream, struct sa_peer *peer);

/* The peer's connection is over: the daemon may forget it. From any thread. */
void sa_upstream_peer_gone(struct sa_upstream *upstream, struct sa_peer *peer);

#endif
