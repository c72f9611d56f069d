/*
 * One connection of the front. With TLS: bytes pumped between the network and one end of a socket pair, whose
 * other end the HTTP library has. Local: the library has the accepted descriptor itself, and a duplicate of
 * it is watched for the end. On the loop's thread only.
 */
#ifndef SA_GATEWAY_FRONT_PUMP_H
#define SA_GATEWAY_FRONT_PUMP_H

#include <openssl/ssl.h>
#include <sys/queue.h>

#include "service/gateway/front.h"
#include "service/gateway/front_h2.h"
#include "service/gateway/front_tls.h"

/* A whole TLS record: nothing decrypted is ever left inside the library. */
#define SA_FRONT_PIECE_LEN 16384u

struct sa_front_conn;

/* What a connection tells the front. */
struct sa_front_conn_events {
    /* Plain bytes can flow over `fd`, which the callee takes. Returns the user's handle, NULL to close. */
    void *(*ready)(struct sa_front_conn *conn, int fd);
    /* It is over; its memory goes at the end of the loop's round. */
    void (*over)(struct sa_front_conn *conn);
};

/* Bytes under way in one direction. Nothing more is read while some are left: that is the back-pressure. */
struct sa_front_piece {
    size_t from, len;
    uint8_t bytes[SA_FRONT_PIECE_LEN];
};

struct sa_front_conn {
    TAILQ_ENTRY(sa_front_conn) link;
    const struct sa_front_conn_events *events;
    struct sa_front *front;
    struct sa_loop *loop;
    struct sa_front_peer peer;
    int64_t handshake_by_ms;
    void *handle; /* the user's; NULL until ready */
    const char *alpn;
    bool over;
    struct sa_loop_garbage garbage;
    struct sa_loop_source net;   /* the network; local: the duplicate that is watched */
    struct sa_loop_source plain; /* our end of the pair; fd -1 where there is none */
    /* TLS only from here on. */
    SSL *ssl;
    bool read_wants_out, write_wants_in; /* TLS needs the other direction first */
    bool library_closed;                 /* no more will come from the pair than it already holds */
    struct sa_front_h2 h2;
    const char *broken_rule; /* why it was ended, where the client has broken one */
    struct sa_front_piece to_plain, to_net;
};

/*
 * Start a connection.
 *
 *   conn  zeroed, with events, front, loop, peer and alpn set.
 *   fd    accepted, non-blocking; taken over, also on failure.
 *   ctx   the TLS context; NULL for a local connection, which is ready at once.
 *
 * Returns SA_OK: `over` will be called once; or SA_NO_MEMORY: it will not.
 */
SA_MUST_CHECK enum sa_status sa_front_conn_start(struct sa_front_conn *conn, int fd, SSL_CTX *ctx);

/* End it now. */
void sa_front_conn_end(struct sa_front_conn *conn);

#endif
