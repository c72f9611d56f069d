/*
 * The network front: accepts, counts, ends TLS, and hands plain bytes to an HTTP library that is never
 * trusted with a listener. One front has one listener: TLS on an address, or a Unix socket whose callers the
 * kernel names. Everything runs on the loop's thread.
 */
#ifndef SA_GATEWAY_FRONT_H
#define SA_GATEWAY_FRONT_H

#include "service/gateway/loop.h"

#define SA_FRONT_ADDRESS_MAX 46u /* with its NUL */

/* Who is at the other end of a connection. */
struct sa_front_peer {
    bool local;                         /* a Unix socket: uid and pid are set, else address is */
    uint32_t uid;                       /* SO_PEERCRED */
    uint32_t pid;                       /* SO_PEERCRED */
    char address[SA_FRONT_ADDRESS_MAX]; /* without a port */
};

/* Whom the front hands its connections to. */
struct sa_front_user {
    /*
     * A connection is ready. `fd` carries plain bytes and belongs to the callee from here on.
     * Returns a handle for `gone`; NULL refuses: the callee has then closed fd.
     */
    void *(*ready)(void *user, int fd, const struct sa_front_peer *peer);
    /* The connection is over; called once for each handle. */
    void (*gone)(void *user, void *handle);
    void *user;
};

struct sa_front_options {
    unsigned connections_max;      /* in all; past it a connection is closed at accept */
    unsigned connections_per_peer; /* for one IPv4 address, IPv6 /64, or uid */
    uint32_t handshake_ms;         /* for a TLS handshake, from accept */
    const char *alpn;              /* the one protocol spoken: "h2" */
};

struct sa_front;

/* The most connections that the descriptor limit can carry: three for each, and 64 for everything else. */
unsigned sa_front_connections_limit(void);

/* A front without a listener; NULL for lack of memory. `user` and `options` are copied. */
struct sa_front *sa_front_new(struct sa_loop *loop, const struct sa_front_options *options,
                              const struct sa_front_user *user);
void sa_front_free(struct sa_front *front);
SA_DEFINE_OWN(sa_front, sa_front_free)

/*
 * Listen on a Unix socket of mode 0666; a socket that is there already is replaced.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT with *ret_why, a constant, and errno.
 */
SA_MUST_CHECK enum sa_status sa_front_listen_local(struct sa_front *front, const char *path,
                                                   const char **ret_why);

/*
 * Listen with TLS.
 *
 *   address    "127.0.0.1:8443", "[::1]:8443": numeric.
 *   cert_file  PEM, the chain with the server's own certificate first.
 *   key_file   PEM, readable by its owner only.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT with *ret_why, a constant.
 */
SA_MUST_CHECK enum sa_status sa_front_listen_tls(struct sa_front *front, const char *address,
                                                 const char *cert_file, const char *key_file,
                                                 const char **ret_why);

/*
 * Read the certificate and key again: new connections get the new pair, open ones keep theirs. A bad pair
 * changes nothing. Returns SA_OK (also for a local front), or SA_INVALID_ARGUMENT with *ret_why.
 */
SA_MUST_CHECK enum sa_status sa_front_reload(struct sa_front *front, const char **ret_why);

/* Accept no more; connections in their handshake end, open ones go on. */
void sa_front_stop(struct sa_front *front);

/* Open connections, handshakes included. */
unsigned sa_front_connections(const struct sa_front *front);

#endif
