/* What the parts of secauth-grpc share, and the order in which they live and die. */
#ifndef SA_GATEWAY_GATEWAY_H
#define SA_GATEWAY_GATEWAY_H

#include <grpc/grpc.h>

#include "service/gateway/descriptors.h"
#include "service/gateway/pace.h"
#include "service/gateway/patience.h"
#include "service/gateway/peer_table.h"
#include "service/gateway/streams.h"
#include "service/gateway/upstream.h"

struct sa_gateway {
    struct sa_loop *loop;
    struct sa_upstream *upstream;
    struct sa_peer_table *peers;
    struct sa_descriptors *descriptors;
    struct sa_streams streams;
    struct sa_patience patience;
    struct sa_pace *pace;   /* NULL: addresses may call as often as they like */
    atomic_uint open_calls; /* of any kind, from request to close */
    grpc_server *server;
    grpc_completion_queue *queue;
};

#endif
