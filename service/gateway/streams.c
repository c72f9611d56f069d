#include "service/gateway/streams.h"

#include <stdlib.h>

#include "service/gateway/call.h"

#define ITEMS_MAX      64u /* that wait behind one that is being sent */
#define ITEM_BYTES_MAX (256u * 1024u)

void
sa_streams_init(struct sa_streams *streams)
{
    pthread_mutex_init(&streams->lock, NULL);
    TAILQ_INIT(&streams->list);
}

static bool
is_own(const struct sa_gcall *call)
{
    return call->kind != &sa_forward;
}

/* Under the lock. */
static void
let_in(struct sa_streams *streams, struct sa_gcall *call)
{
    if (streams->stopping) {
        sa_gcall_fail(call, SA_SHUTTING_DOWN, NULL, NULL);
    } else if (streams->count >= SA_STREAMS_MAX || (is_own(call) && streams->own >= SA_STREAMS_OWN_MAX)) {
        sa_gcall_fail(call, SA_OVERLOADED, NULL, NULL);
    } else {
        TAILQ_INSERT_TAIL(&streams->list, call, link);
        streams->count++;
        streams->own += is_own(call) ? 1 : 0;
        call->streams = true;
        call->joined = true;
    }
}

void
sa_streams_join(struct sa_streams *streams, struct sa_gcall *call)
{
    pthread_mutex_lock(&streams->lock);
    let_in(streams, call);
    if (call->joined)
        call->kind->next(call);
    pthread_mutex_unlock(&streams->lock);
}

/* ---- the daemon's ---- */

/* Under the lock. */
static void
put(struct sa_gcall *call, struct sa_gcall_item *item)
{
    STAILQ_INSERT_TAIL(&call->items.list, item, link);
    call->items.count++;
    call->items.bytes += item->len;
    if (!call->sending) {
        call->kind->next(call);
    } else if (call->items.count > ITEMS_MAX || call->items.bytes > ITEM_BYTES_MAX) {
        sa_gcall_drop_items(call);
        sa_gcall_cut(call, SA_SLOW_READER);
    }
}

bool
sa_streams_put(struct sa_streams *streams, struct sa_gcall *call, struct sa_gcall_item *item)
{
    pthread_mutex_lock(&streams->lock);
    if (!call->joined && !call->left)
        let_in(streams, call);
    bool goes_on = call->joined && !atomic_load(&call->answered);
    if (goes_on)
        put(call, item);
    pthread_mutex_unlock(&streams->lock);
    if (!goes_on) {
        free(item->body);
        free(item);
    }
    return goes_on;
}

bool
sa_streams_put_end(struct sa_streams *streams, struct sa_gcall *call, const struct sa_upstream_reply *end)
{
    pthread_mutex_lock(&streams->lock);
    bool waits = call->joined && call->sending;
    if (waits) {
        call->end = *end;
        call->has_end = true;
    }
    pthread_mutex_unlock(&streams->lock);
    return waits;
}

void
sa_streams_leave(struct sa_streams *streams, struct sa_gcall *call)
{
    pthread_mutex_lock(&streams->lock);
    if (call->joined) {
        TAILQ_REMOVE(&streams->list, call, link);
        streams->count--;
        streams->own -= is_own(call) ? 1 : 0;
        call->joined = false;
    }
    call->left = true;
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
