/* The sockets that the daemon listens on: made by root, before it becomes somebody else. */
#ifndef SA_SOCKETS_H
#define SA_SOCKETS_H

#include <sys/types.h>

#include "proto/sockets.h"
#include "service/transport/server.h"

#define SA_SOCKET_WHY_MAX 256u

/* All doors, in the order in which they are served: root, the gateways of the configuration, user. */
struct sa_doors {
    unsigned count;
    struct sa_door_options door[SA_DOORS_MAX];
};

/* Who may open the gateways' sockets. A local gateway passes its callers on, a network gateway states them.
 */
struct sa_gateway_gids {
    gid_t local;
    gid_t network;
};

/*
 * Open them all: directories, bind, mode and owner, listen. Without gateways `gids` may hold anything. A
 * socket that is there already is replaced only if nobody listens on it.
 *
 * Returns SA_OK; or SA_ALREADY_EXISTS (another daemon listens) or SA_PERMISSION_DENIED (anything else), with
 * ret_why.
 */
SA_MUST_CHECK enum sa_status sa_doors_open(const struct sa_conf *conf, const struct sa_gateway_gids *gids,
                                           struct sa_doors *ret_doors, char ret_why[SA_SOCKET_WHY_MAX]);

/*
 * Give every gateway its number in the store. A door whose gateway has none is closed and left out: nothing
 * that came through it could be told from the rest.
 */
void sa_doors_number(struct sa_doors *doors, struct sa_store *store);

#endif
