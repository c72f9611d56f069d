/* The HTTP/2 library: its server, its completion queue and the thread that serves it. */
#ifndef SA_GATEWAY_GRPC_H
#define SA_GATEWAY_GRPC_H

#include "service/gateway/gateway.h"

/*
 * Make the server and start its thread. Writes gateway->server and ->queue; everything else in it is ready
 * before.
 *
 *   drained  called on the completion queue's thread when sa_grpc_drain has let the last call end.
 *
 * Returns SA_OK or SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_grpc_start(struct sa_gateway *gateway, void (*drained)(void *user),
                                           void *user);

/* Hand a connected descriptor over; its peer is in gateway->peers before. */
void sa_grpc_add(struct sa_gateway *gateway, int fd);

/* Begin to stop: no new calls (GOAWAY), those under way end, then `drained`. */
void sa_grpc_drain(struct sa_gateway *gateway);

/* While it drains: give up on what is still under way. */
void sa_grpc_cancel(struct sa_gateway *gateway);

/* End the thread and free; after `drained`, else at the end of the process only. */
void sa_grpc_stop(struct sa_gateway *gateway);

#endif
