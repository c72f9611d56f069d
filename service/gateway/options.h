/* The command line of secauth-grpc. */
#ifndef SA_GATEWAY_OPTIONS_H
#define SA_GATEWAY_OPTIONS_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_GATEWAY_PATH_MAX 108u /* a Unix socket's path with its NUL */

struct sa_gateway_options {
    const char *local;  /* path of the Unix socket; NULL: TLS on `listen` */
    const char *listen; /* "ADDRESS:PORT" */
    const char *cert, *key;
    const char *client_ca;              /* NULL: clients are asked for no certificate */
    const char *certificates;           /* "required" or "requested"; NULL: "required" */
    char upstream[SA_GATEWAY_PATH_MAX]; /* the daemon's socket for this gateway */
    unsigned calls;                     /* in flight to the daemon */
    unsigned connections;               /* in all; 0: as many as the descriptor limit carries */
    unsigned connections_per_peer;
    unsigned calls_per_minute; /* of one address, IPv6 /64 or uid; 0: any number */
    unsigned handshake_seconds;
    unsigned drain_seconds;
    bool verbose;
    bool help, version; /* print and end */
};

/*
 * Read the command line.
 *
 *   ret_why  on SA_INVALID_ARGUMENT: what is wrong, for a person; `size` bytes.
 *
 * Returns SA_OK or SA_INVALID_ARGUMENT.
 */
SA_MUST_CHECK enum sa_status sa_gateway_options_read(int argc, char **argv,
                                                     struct sa_gateway_options *ret_options, char *ret_why,
                                                     size_t size);

/* How it is called, for --help. */
extern const char sa_gateway_usage[];

#endif
