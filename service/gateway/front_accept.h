/* Making the front's listening sockets, and reading who is at the other end of an accepted one. */
#ifndef SA_GATEWAY_FRONT_ACCEPT_H
#define SA_GATEWAY_FRONT_ACCEPT_H

#include <sys/socket.h>

#include "service/gateway/front.h"

/*
 * A listening, non-blocking socket.
 *
 *   address  "127.0.0.1:8443", "[::]:8443".
 *   path     of a Unix socket: mode 0666, one that nobody listens on any more is replaced.
 *
 * Returns SA_OK with a descriptor, or SA_INVALID_ARGUMENT with *ret_why, a constant.
 */
SA_MUST_CHECK enum sa_status sa_front_bind_tcp(const char *address, int *ret_fd, const char **ret_why);
SA_MUST_CHECK enum sa_status sa_front_bind_unix(const char *path, int *ret_fd, const char **ret_why);

/*
 * Who has connected.
 *
 *   name      what accept4 wrote.
 *   ret_peer  its descriptor, or an address (an IPv4 address that came over IPv6 in its IPv4 form); its key.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT where the kernel does not say.
 */
SA_MUST_CHECK enum sa_status sa_front_identify(int fd, const struct sockaddr_storage *name,
                                               struct sa_front_peer *ret_peer);

#endif
