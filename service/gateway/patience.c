#include "service/gateway/patience.h"

#include "service/gateway/call.h"

#define SWEEP_MS 1000

/* Under the lock, as the next two. */
static void
put(struct sa_patience *patience, struct sa_gcall *call)
{
    if (call->patience.waits)
        TAILQ_REMOVE(&patience->waiting, call, patience.link);
    TAILQ_INSERT_TAIL(&patience->waiting, call, patience.link);
    call->patience.waits = true;
    call->patience.until_ms = sa_loop_now_ms() + SA_PATIENCE_MS;
}

static void
take_out(struct sa_patience *patience, struct sa_gcall *call)
{
    TAILQ_REMOVE(&patience->waiting, call, patience.link);
    call->patience.waits = false;
}

/* A call that is found here lives: it is taken out, under the lock, before it is freed. */
static void
sweep(struct sa_loop_timer *timer)
{
    struct sa_patience *patience =
        (struct sa_patience *)((char *)timer - offsetof(struct sa_patience, timer));
    int64_t now_ms = sa_loop_now_ms();
    struct sa_gcall *call;

    pthread_mutex_lock(&patience->lock);
    while ((call = TAILQ_FIRST(&patience->waiting)) != NULL && call->patience.until_ms <= now_ms) {
        take_out(patience, call);
        (void)grpc_call_cancel_with_status(call->call, GRPC_STATUS_DEADLINE_EXCEEDED,
                                           "the client has kept its call waiting", NULL);
    }
    pthread_mutex_unlock(&patience->lock);
    sa_loop_arm(patience->loop, timer, SWEEP_MS);
}

void
sa_patience_start(struct sa_patience *patience, struct sa_loop *loop)
{
    pthread_mutex_init(&patience->lock, NULL);
    TAILQ_INIT(&patience->waiting);
    patience->loop = loop;
    patience->timer.due = sweep;
    sa_loop_arm(loop, &patience->timer, SWEEP_MS);
}

void
sa_patience_wait(struct sa_patience *patience, struct sa_gcall *call)
{
    pthread_mutex_lock(&patience->lock);
    put(patience, call);
    pthread_mutex_unlock(&patience->lock);
}

bool
sa_patience_take(struct sa_patience *patience, struct sa_gcall *call, size_t bytes)
{
    bool fits;

    pthread_mutex_lock(&patience->lock);
    fits = bytes == 0 || (bytes <= SA_PATIENCE_BYTES - patience->bytes &&
                          bytes <= SA_PATIENCE_PEER_BYTES - call->peer->unread);
    if (fits && bytes > 0) {
        patience->bytes += bytes;
        call->peer->unread += bytes;
        call->patience.bytes = bytes;
    }
    put(patience, call); /* the refusal waits to be read as well */
    pthread_mutex_unlock(&patience->lock);
    return fits;
}

void
sa_patience_end(struct sa_patience *patience, struct sa_gcall *call)
{
    pthread_mutex_lock(&patience->lock);
    if (call->patience.waits)
        take_out(patience, call);
    if (call->patience.bytes > 0) {
        patience->bytes -= call->patience.bytes;
        call->peer->unread -= call->patience.bytes;
        call->patience.bytes = 0;
    }
    pthread_mutex_unlock(&patience->lock);
}
