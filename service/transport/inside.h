/*
 * The inside of the server: doors, connections and the loop share these. Everything here belongs to the
 * loop's thread but `done` and `asleep`.
 */
#ifndef SA_TRANSPORT_INSIDE_H
#define SA_TRANSPORT_INSIDE_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "service/transport/held.h"
#include "service/transport/passed.h"
#include "service/transport/peers.h"
#include "service/transport/server.h"

#define SA_OPEN_CHAINS 64u
#define SA_UID_CHAINS  256u
#define SA_READ_LEN    (16u * 1024u)  /* bytes taken from a connection in one turn */
#define SA_FRAME_MS    5000           /* for a whole frame, from its first byte */
#define SA_STUCK_MS    10000          /* for a reader that takes nothing */
#define SA_UNSENT_MAX  (256u * 1024u) /* waiting to be sent: above, nothing more is read */

/* What epoll points at. */
enum sa_watch { SA_WATCH_DOOR, SA_WATCH_CONN, SA_WATCH_WAKE, SA_WATCH_BELL, SA_WATCH_SIGNAL };

TAILQ_HEAD(sa_conn_list, sa_conn);
TAILQ_HEAD(sa_stream_list, sa_exchange);

struct sa_door {
    enum sa_watch watch; /* first */
    struct sa_server *server;
    enum sa_via via;
    const char *gateway;
    uint16_t gateway_number;
    int fd;        /* -1 once it is closed */
    unsigned rank; /* 0 is served first */
    unsigned count;
    unsigned count_max;
    unsigned open_max;                       /* open calls of one connection */
    unsigned calls_max;                      /* a second, of one connection; 0: root's have none */
    unsigned strangers;                      /* user.sock */
    int64_t paused_until_ms;                 /* 0: accepts */
    struct sa_conn_list uids[SA_UID_CHAINS]; /* connections by uid */
};

struct sa_conn {
    enum sa_watch watch; /* first */
    struct sa_door *door;
    int fd;                  /* -1 once it is over */
    struct sa_caller caller; /* on gateways' sockets the gateway itself */
    struct sa_peers *peers;  /* gateways */
    struct sa_passed passed; /* local gateways: descriptors whose PEER has not come whole */
    bool stranger;           /* counted as one */
    bool buried;             /* over, and no event can point here any more: goes with its last call */
    bool at_end;             /* nothing more will come; what is open is answered */
    uint32_t interest;       /* what epoll was told */

    /* The frame that is being read. */
    uint8_t header[SA_FRAME_HEADER_LEN];
    size_t header_len;
    struct sa_frame frame; /* once the header is whole */
    uint8_t *rest;         /* name and body, as far as they have come */
    size_t rest_len;
    size_t rest_size;
    int64_t frame_until_ms; /* 0: none is being read */

    int64_t second; /* in which it has made `in_second` calls */
    unsigned in_second;
    unsigned open;                            /* calls whose answer the peer waits for */
    unsigned streams;                         /* not among them */
    unsigned calls;                           /* all that still exist: with those that nobody waits for */
    struct sa_answer *chains[SA_OPEN_CHAINS]; /* open calls by number, until their answer is queued */

    /* What waits to be sent. */
    struct sa_answer *first_out;
    struct sa_answer **last_out;
    size_t unsent;
    int64_t stuck_until_ms; /* 0: nothing waits */
    bool dirty;

    TAILQ_ENTRY(sa_conn) all, by_uid, reading, stuck, flush;
};

struct sa_server {
    struct sa_server_options options;
    int epoll;
    int wake;
    int signals;
    int bell; /* what streams wait for */
    enum sa_watch wake_watch;
    enum sa_watch bell_watch;
    enum sa_watch signal_watch;
    uint32_t overflow_uid;
    int64_t admin_gid; /* -1: nobody is an administrator */
    struct sa_now now; /* of this turn */
    int64_t next_tick_ms;
    int64_t drain_until_ms; /* 0: serving */
    struct sa_door doors[SA_DOORS_MAX];
    unsigned door_count;
    unsigned calls; /* of all connections, those that are over too */

    _Atomic(struct sa_answer *) done; /* newest first; any thread pushes */
    atomic_bool asleep;

    struct sa_held held;
    struct sa_conn_list all, reading, stuck, flush, over;
    struct sa_stream_list streams, waiting, sending; /* the latter two by their time */
    uint8_t scratch[SA_READ_LEN];
};

/* door.c */

/* Begin to accept. */
SA_MUST_CHECK enum sa_status sa_door_open(struct sa_door *door);
void sa_door_close(struct sa_door *door);
/* Accept what waits, within bounds. */
void sa_door_accept(struct sa_door *door);
/* Accept again where the pause is over. */
void sa_door_resume(struct sa_door *door);

/* conn.c */

/* Take a descriptor over; closes it where that fails. */
void sa_conn_new(struct sa_door *door, int fd, const struct sa_caller *caller, bool stranger);
/* End it: what is open goes on, and is answered to nobody. The memory goes when nothing points to it any
 * more. */
void sa_conn_close(struct sa_conn *conn);
/* A call is over: sent, or there is nobody to send it to. */
void sa_conn_release(struct sa_answer *answer);
/* Free what can be freed at the end of a turn. */
void sa_conn_bury(struct sa_server *server);
/* What epoll said. */
void sa_conn_ready(struct sa_conn *conn, uint32_t events);
/* Tell epoll what this connection waits for. */
void sa_conn_watch(struct sa_conn *conn);

/* conn_read.c */

/* Read once and take what is whole. */
void sa_conn_read(struct sa_conn *conn);

/* conn_write.c */

/* Take a call that is done: hold it, queue its answer, or end it where nobody waits. */
void sa_conn_answer(struct sa_answer *answer);
/* The time of one that was held has come: queue the answer, or carry the call on. */
void sa_conn_due(struct sa_answer *answer);
/* Queue an answer. */
void sa_conn_queue(struct sa_answer *answer);
/* Send what is queued, as far as the peer takes it. */
void sa_conn_flush(struct sa_conn *conn);
/* Forget what is queued. */
void sa_conn_drop_queue(struct sa_conn *conn);
/* Send an item of a stream: it stands alone. */
void sa_conn_send_item(struct sa_conn *conn, struct sa_answer *item);
/* The open call of a number: the place that points to it, which holds NULL where there is none. */
struct sa_answer **sa_conn_find(struct sa_conn *conn, uint32_t number);

/* stream.c */

/* sa_dispatch_options.admit_stream: SA_OK; SA_INVALID_ARGUMENT, SA_OVERLOADED. */
SA_MUST_CHECK enum sa_status sa_stream_admit(struct sa_exchange *exchange);
/* A paused one has come from its step. */
void sa_stream_take(struct sa_exchange *exchange);
/* The item that was on its way has left. */
void sa_stream_sent(struct sa_exchange *exchange);
/* It ends: from here on it is a call like others, of which one answer is to be sent. */
void sa_stream_ends(struct sa_exchange *exchange);
/* Nobody waits for it any more. May free it. */
void sa_stream_cancel(struct sa_exchange *exchange);
/* The same for all of a connection. */
void sa_streams_close(struct sa_conn *conn);
/* A bell was rung. */
void sa_streams_ring(struct sa_server *server);
/* Those whose time has come; when the next one's does. */
void sa_streams_due(struct sa_server *server);
int64_t sa_streams_next_ms(const struct sa_server *server);
/* The daemon stops. */
void sa_streams_drain(struct sa_server *server);

#endif
