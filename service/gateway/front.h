/*
 * The network front: accepts, counts, ends TLS, and hands plain bytes to an HTTP library that is never
 * trusted with a listener. One front has one listener: TLS on an address, or a Unix socket whose callers the
 * kernel names. Everything runs on the loop's thread.
 */
#ifndef SA_GATEWAY_FRONT_H
#define SA_GATEWAY_FRONT_H

#include "service/gateway/loop.h"

#define SA_FRONT_ADDRESS_MAX     46u /* with its NUL */
#define SA_FRONT_FINGERPRINT_LEN 32u /* SHA-256 */
#define SA_FRONT_KEY_LEN         16u

/* Who is at the other end of a connection. */
struct sa_front_peer {
    bool local;     /* a Unix socket: descriptor is set, else address is */
    int descriptor; /* our end of it, which stays the front's and is open until `gone` returns; else -1 */
    char address[SA_FRONT_ADDRESS_MAX]; /* without a port */
    uint8_t key[SA_FRONT_KEY_LEN];      /* whom it counts against: an IPv4 address, an IPv6 /64, or a uid */
    bool has_certificate;               /* it has shown one, and the client CA vouches for it */
    uint8_t certificate[SA_FRONT_FINGERPRINT_LEN]; /* of its DER */
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

/* What a TLS front reads, at the start and at every reload. PEM; the strings are copied. */
struct sa_front_files {
    const char *cert;      /* the chain with the server's own certificate first */
    const char *key;       /* readable by its owner only */
    const char *client_ca; /* NULL: no client is asked for a certificate */
    bool client_required;  /* one without a certificate is refused in the handshake */
};

/* What is wrong, for the log. */
struct sa_front_fault {
    const char *file; /* the front's own copy of its name; NULL: it is about no file */
    const char *why;  /* a constant */
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
 *   address  "127.0.0.1:8443", "[::1]:8443": numeric.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT with *ret_fault.
 */
SA_MUST_CHECK enum sa_status sa_front_listen_tls(struct sa_front *front, const char *address,
                                                 const struct sa_front_files *files,
                                                 struct sa_front_fault *ret_fault);

/*
 * Read the files again: new connections get what they hold now, open ones keep what they began with. Where
 * one of them is bad nothing changes. Returns SA_OK (also for a local front), or SA_INVALID_ARGUMENT with
 * *ret_fault.
 */
SA_MUST_CHECK enum sa_status sa_front_reload(struct sa_front *front, struct sa_front_fault *ret_fault);

/* Accept no more; connections in their handshake end, open ones go on. */
void sa_front_stop(struct sa_front *front);

/* Open connections, handshakes included. */
unsigned sa_front_connections(const struct sa_front *front);

#endif
