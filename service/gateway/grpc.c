#include "service/gateway/grpc.h"

#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <pthread.h>

#include "proto/frame.h"
#include "service/base/log.h"
#include "service/gateway/call.h"
#include "service/gateway/front_h2.h"

#define ARMED_REQUESTS 32 /* each re-arms itself: a call without an armed request would wait */

/* What connections and their streams may hold of what clients send; past it streams are cancelled. */
#define MEMORY_MIB 128

#define INT_ARG(name, number)                                                                                \
    ((grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)(name), .value.integer = (number)})

static struct {
    grpc_server_credentials *plain; /* TLS has ended at the front */
    pthread_t thread;
    void (*drained)(void *user);
    void *user;
} one;

static void
on_drained(SA_UNUSED struct sa_tag *tag, SA_UNUSED bool ok)
{
    one.drained(one.user);
}

static struct sa_tag drain_tag = {on_drained};

static void *
serve_queue(void *queue)
{
    for (;;) {
        grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct sa_tag *tag = event.tag;
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        tag->done(tag, event.success != 0);
    }
}

/* What the library calls an error is mostly what a client did wrong: nothing that any client may fill a log
 * with. */
static void
log_for_library(gpr_log_func_args *args)
{
    sa_log(SA_LOG_DEBUG, "grpc: %s", args->message);
}

static grpc_server *
make_server(void)
{
    grpc_resource_quota *quota = grpc_resource_quota_create("secauth-grpc");
    grpc_arg args[] = {
        {.type = GRPC_ARG_POINTER,
         .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
         .value.pointer = {quota, grpc_resource_quota_arg_vtable()}},
        /* Without it 100,000 opened and reset streams take 1 GB, with it 13 MB. */
        INT_ARG(GRPC_ARG_MAX_CONCURRENT_STREAMS, (int)SA_H2_STREAMS_MAX),
        INT_ARG(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)SA_FRAME_REQUEST_MAX),
        INT_ARG(GRPC_ARG_MAX_METADATA_SIZE, 8192),
        /* A window that grows with the line would let each connection hold megabytes. */
        INT_ARG(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        INT_ARG(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, (int)SA_FRAME_REQUEST_MAX),
        /* No compression in either way: what it expands to is bounded nowhere. */
        INT_ARG(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1),
        /* Dead peers are found; clients that ping every 10 s are welcome, a flood of pings is cut off. */
        INT_ARG(GRPC_ARG_KEEPALIVE_TIME_MS, 60000),
        INT_ARG(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20000),
        INT_ARG(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        INT_ARG(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000),
        INT_ARG(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 2),
        INT_ARG(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 15 * 60 * 1000),
        INT_ARG(GRPC_ARG_MAX_CONNECTION_AGE_MS, 6 * 60 * 60 * 1000),
        INT_ARG(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 60 * 1000),
    };
    grpc_resource_quota_resize(quota, (size_t)MEMORY_MIB << 20);
    grpc_channel_args all = {SA_COUNT(args), args};
    grpc_server *server = grpc_server_create(&all, NULL);

    grpc_resource_quota_unref(quota);
    return server;
}

enum sa_status
sa_grpc_start(struct sa_gateway *gateway, void (*drained)(void *user), void *user)
{
    one.drained = drained;
    one.user = user;
    gpr_set_log_function(log_for_library);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    grpc_init();
    one.plain = grpc_insecure_server_credentials_create();
    gateway->queue = grpc_completion_queue_create_for_next(NULL);
    gateway->server = make_server();
    grpc_server_register_completion_queue(gateway->server, gateway->queue, NULL);
    grpc_server_start(gateway->server);
    for (int i = 0; i < ARMED_REQUESTS; i++)
        if (!sa_gcall_arm(gateway))
            return SA_NO_MEMORY;
    return pthread_create(&one.thread, NULL, serve_queue, gateway->queue) == 0 ? SA_OK : SA_NO_MEMORY;
}

void
sa_grpc_add(struct sa_gateway *gateway, int fd)
{
    grpc_server_add_channel_from_fd(gateway->server, fd, one.plain);
}

void
sa_grpc_drain(struct sa_gateway *gateway)
{
    grpc_server_shutdown_and_notify(gateway->server, gateway->queue, &drain_tag);
}

void
sa_grpc_cancel(struct sa_gateway *gateway)
{
    grpc_server_cancel_all_calls(gateway->server);
}

void
sa_grpc_stop(struct sa_gateway *gateway)
{
    grpc_server_destroy(gateway->server);
    grpc_completion_queue_shutdown(gateway->queue);
    pthread_join(one.thread, NULL);
    grpc_completion_queue_destroy(gateway->queue);
    grpc_server_credentials_release(one.plain);
    grpc_shutdown();
}
