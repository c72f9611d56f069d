/*
 * Streams on the loop. One is with its step (RUNS), in the list of those that wait for a bell (WAITS), or has
 * one item in its connection's queue (SENDS) and takes its next step when that has left: so a slow reader
 * costs one item, and is cut off when it has not taken it in time.
 */
#include "inside.h"

#define STREAMS_MAX     1024u
#define STREAMS_SOURCE  64u  /* of one source */
#define STREAMS_GATEWAY 512u /* through one gateway */
#define STREAMS_OPEN                                                                                         \
    256u /* of them, such as need no proof: nobody with many addresses takes the others' room */
#define SLOW_MS   5000
#define NOT_ALONE "a stream has its connection to itself, and there are calls open on it"

static struct sa_conn *
conn_of(const struct sa_exchange *exchange)
{
    return exchange->answer.owner;
}

static struct sa_server *
server_of(const struct sa_exchange *exchange)
{
    return conn_of(exchange)->door->server;
}

static void
step(struct sa_exchange *exchange)
{
    exchange->stream.place = SA_STREAM_RUNS;
    sa_dispatch_resume(exchange);
}

static void
end(struct sa_exchange *exchange, enum sa_status status)
{
    exchange->stream.place = SA_STREAM_RUNS;
    sa_dispatch_end(exchange, status);
}

/* ---- beginning and end ---- */

static bool
is_open(const struct sa_exchange *exchange)
{
    return exchange->call.method->source != SA_SOURCE_CLIENT;
}

/* Whether there is room beside those that there are, of which one source or gateway has a part only. */
static bool
has_room(const struct sa_exchange *newcomer)
{
    const struct sa_call *call = &newcomer->call;
    const struct sa_exchange *other;
    unsigned all = 0;
    unsigned of_source = 0;
    unsigned of_gateway = 0;
    unsigned open_of_gateway = 0;

    TAILQ_FOREACH(other, &server_of(newcomer)->streams, stream.all)
    {
        all++;
        of_source += strcmp(other->call.source.text, call->source.text) == 0 ? 1 : 0;
        if (strcmp(other->call.caller.gateway, call->caller.gateway) == 0) {
            of_gateway++;
            open_of_gateway += is_open(other) ? 1 : 0;
        }
    }
    return all < STREAMS_MAX && of_source < STREAMS_SOURCE &&
           (call->caller.gateway[0] == '\0' ||
            (of_gateway < STREAMS_GATEWAY && (!is_open(newcomer) || open_of_gateway < STREAMS_OPEN)));
}

enum sa_status
sa_stream_admit(struct sa_exchange *exchange)
{
    struct sa_conn *conn = conn_of(exchange);

    if (conn->peers == NULL && conn->open > 1)
        return sa_call_refuse(&exchange->call, "", NOT_ALONE);
    if (!has_room(exchange))
        return SA_OVERLOADED;
    TAILQ_INSERT_TAIL(&server_of(exchange)->streams, exchange, stream.all);
    exchange->stream.place = SA_STREAM_RUNS;
    conn->open--;
    conn->streams++;
    return SA_OK;
}

static void
leave(struct sa_exchange *exchange)
{
    TAILQ_REMOVE(&server_of(exchange)->streams, exchange, stream.all);
    exchange->stream.place = SA_STREAM_NONE;
    conn_of(exchange)->streams--;
}

void
sa_stream_ends(struct sa_exchange *exchange)
{
    if (exchange->stream.place == SA_STREAM_NONE)
        return;
    leave(exchange);
    conn_of(exchange)->open++;
}

/* What is on its way leaves without it. */
static void
forget_item(struct sa_exchange *exchange)
{
    TAILQ_REMOVE(&server_of(exchange)->sending, exchange, stream.queue);
    exchange->stream.item->item_of = NULL;
    exchange->stream.item = NULL;
}

void
sa_stream_cancel(struct sa_exchange *exchange)
{
    enum sa_stream_place place = exchange->stream.place;

    exchange->answer.cancelled = true;
    if (place == SA_STREAM_WAITS)
        TAILQ_REMOVE(&server_of(exchange)->waiting, exchange, stream.queue);
    if (place == SA_STREAM_SENDS)
        forget_item(exchange);
    leave(exchange);
    if (place != SA_STREAM_RUNS) /* else when its step is done */
        sa_conn_release(&exchange->answer);
}

void
sa_streams_close(struct sa_conn *conn)
{
    struct sa_exchange *next;

    for (struct sa_exchange *at = TAILQ_FIRST(&conn->door->server->streams); at != NULL && conn->streams > 0;
         at = next) {
        next = TAILQ_NEXT(at, stream.all);
        if (conn_of(at) == conn)
            sa_stream_cancel(at);
    }
}

/* ---- between its steps ---- */

static void
send_item(struct sa_exchange *exchange)
{
    struct sa_stream *stream = &exchange->stream;

    stream->item = exchange->call.item;
    stream->item->item_of = exchange;
    exchange->call.item = NULL;
    stream->place = SA_STREAM_SENDS;
    stream->due_boot_ms = server_of(exchange)->now.boot_ms + SLOW_MS;
    TAILQ_INSERT_TAIL(&server_of(exchange)->sending, exchange, stream.queue);
    sa_conn_send_item(conn_of(exchange), stream->item);
}

/* Most wait for as long as those before them did. */
static void
wait_for_bell(struct sa_exchange *exchange)
{
    struct sa_stream_list *waiting = &server_of(exchange)->waiting;
    struct sa_exchange *before = TAILQ_LAST(waiting, sa_stream_list);

    exchange->stream.place = SA_STREAM_WAITS;
    exchange->stream.due_boot_ms = exchange->call.wait_until_boot_ms;
    while (before != NULL && before->stream.due_boot_ms > exchange->stream.due_boot_ms)
        before = TAILQ_PREV(before, sa_stream_list, stream.queue);
    if (before == NULL)
        TAILQ_INSERT_HEAD(waiting, exchange, stream.queue);
    else
        TAILQ_INSERT_AFTER(waiting, before, exchange, stream.queue);
}

void
sa_stream_take(struct sa_exchange *exchange)
{
    const struct sa_call *call = &exchange->call;
    const struct sa_server *server = server_of(exchange);

    if (server->drain_until_ms != 0)
        end(exchange, SA_SHUTTING_DOWN);
    else if (call->item != NULL)
        send_item(exchange);
    else if (sa_bell_rings(call->bell) != call->heard || call->wait_until_boot_ms <= server->now.boot_ms)
        step(exchange);
    else
        wait_for_bell(exchange);
}

void
sa_stream_sent(struct sa_exchange *exchange)
{
    TAILQ_REMOVE(&server_of(exchange)->sending, exchange, stream.queue);
    exchange->stream.item = NULL;
    if (server_of(exchange)->drain_until_ms != 0)
        end(exchange, SA_SHUTTING_DOWN);
    else
        step(exchange);
}

/* ---- all of them ---- */

void
sa_streams_ring(struct sa_server *server)
{
    struct sa_exchange *next;

    for (struct sa_exchange *at = TAILQ_FIRST(&server->waiting); at != NULL; at = next) {
        next = TAILQ_NEXT(at, stream.queue);
        if (sa_bell_rings(at->call.bell) == at->call.heard)
            continue;
        TAILQ_REMOVE(&server->waiting, at, stream.queue);
        step(at);
    }
}

static struct sa_exchange *
first_due(const struct sa_server *server, const struct sa_stream_list *list)
{
    struct sa_exchange *first = TAILQ_FIRST(list);

    return first != NULL && first->stream.due_boot_ms <= server->now.boot_ms ? first : NULL;
}

void
sa_streams_due(struct sa_server *server)
{
    struct sa_exchange *due;

    while ((due = first_due(server, &server->waiting)) != NULL) {
        TAILQ_REMOVE(&server->waiting, due, stream.queue);
        step(due);
    }
    while ((due = first_due(server, &server->sending)) != NULL) {
        forget_item(due);
        end(due, SA_SLOW_READER);
    }
}

int64_t
sa_streams_next_ms(const struct sa_server *server)
{
    const struct sa_exchange *waits = TAILQ_FIRST(&server->waiting);
    const struct sa_exchange *sends = TAILQ_FIRST(&server->sending);
    int64_t waits_ms = waits == NULL ? INT64_MAX : waits->stream.due_boot_ms;
    int64_t sends_ms = sends == NULL ? INT64_MAX : sends->stream.due_boot_ms;

    return waits_ms < sends_ms ? waits_ms : sends_ms;
}

void
sa_streams_drain(struct sa_server *server)
{
    struct sa_exchange *waits;

    while ((waits = TAILQ_FIRST(&server->waiting)) != NULL) {
        TAILQ_REMOVE(&server->waiting, waits, stream.queue);
        end(waits, SA_SHUTTING_DOWN);
    }
}
