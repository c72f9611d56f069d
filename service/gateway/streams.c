#include "service/gateway/streams.h"

#include "service/gateway/call.h"

void
sa_streams_init(struct sa_streams *streams)
{
    pthread_mutex_init(&streams->lock, NULL);
    TAILQ_INIT(&streams->list);
}

void
sa_streams_join(struct sa_streams *streams, struct sa_gcall *call)
{
    pthread_mutex_lock(&streams->lock);
    if (streams->stopping) {
        sa_gcall_fail(call, SA_SHUTTING_DOWN, NULL, NULL);
    } else if (streams->count >= SA_STREAMS_MAX) {
        sa_gcall_fail(call, SA_OVERLOADED, NULL, NULL);
    } else {
        TAILQ_INSERT_TAIL(&streams->list, call, link);
        streams->count++;
        call->joined = true;
        call->kind->next(call);
    }
    pthread_mutex_unlock(&streams->lock);
}

void
sa_streams_leave(struct sa_streams *streams, struct sa_gcall *call)
{
    pthread_mutex_lock(&streams->lock);
    if (call->joined) {
        TAILQ_REMOVE(&streams->list, call, link);
        streams->count--;
        call->joined = false;
    }
    pthread_mutex_unlock(&streams->lock);
}

void
sa_streams_send(struct sa_streams *streams, struct sa_gcall *call, uint8_t *body, size_t len)
{
    pthread_mutex_lock(&streams->lock);
    sa_gcall_send(call, body, len); /* when stopping: the end follows once it has left */
    pthread_mutex_unlock(&streams->lock);
}

void
sa_streams_sent(struct sa_streams *streams, struct sa_gcall *call)
{
    pthread_mutex_lock(&streams->lock);
    call->sending = false;
    if (streams->stopping)
        sa_gcall_fail(call, SA_SHUTTING_DOWN, NULL, NULL);
    else if (call->joined)
        call->kind->next(call);
    pthread_mutex_unlock(&streams->lock);
}

void
sa_streams_set_serving(struct sa_streams *streams, bool serving)
{
    struct sa_gcall *call;

    pthread_mutex_lock(&streams->lock);
    streams->serving = serving;
    TAILQ_FOREACH(call, &streams->list, link)
    if (call->kind->follows && !call->sending)
        call->kind->next(call);
    pthread_mutex_unlock(&streams->lock);
}

bool
sa_streams_serving(struct sa_streams *streams)
{
    bool serving;

    pthread_mutex_lock(&streams->lock);
    serving = streams->serving && !streams->stopping;
    pthread_mutex_unlock(&streams->lock);
    return serving;
}

void
sa_streams_stop(struct sa_streams *streams)
{
    struct sa_gcall *call;

    pthread_mutex_lock(&streams->lock);
    streams->stopping = true;
    TAILQ_FOREACH(call, &streams->list, link)
    if (!call->sending)
        sa_gcall_fail(call, SA_SHUTTING_DOWN, NULL, NULL);
    pthread_mutex_unlock(&streams->lock);
}
