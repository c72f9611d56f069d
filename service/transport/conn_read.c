#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inside.h"
#include "service/auth/switches.h"
#include "service/base/log.h"

/* What a peer broke ends its connection without a word to it; the log has one. */
static void
refuse(struct sa_conn *conn, const char *rule)
{
    sa_log(SA_LOG_WARNING, "connection closed: via=%s%s uid=%u pid=%u: %s",
           conn->door->via == SA_VIA_ROOT   ? "root"
           : conn->door->via == SA_VIA_USER ? "user"
                                            : "gateway:",
           conn->caller.gateway, conn->caller.uid, conn->caller.pid, rule);
    sa_conn_close(conn);
}

/* ---- frames ---- */

/* The caller of a request; false for a peer that was never told. */
static bool
fill_caller(const struct sa_conn *conn, uint32_t peer, struct sa_caller *ret_caller)
{
    struct sa_server *server = conn->door->server;

    *ret_caller = conn->caller;
    if (ret_caller->standing == SA_CALLER_STRANGER &&
        server->options.uid_is_known(server->options.user, ret_caller->uid))
        ret_caller->standing = SA_CALLER_ANY; /* asked for every call: a record may come and go */
    if (conn->peers == NULL || peer == 0)
        return true;
    ret_caller->standing = SA_CALLER_ANY;
    return sa_peers_fill(conn->peers, peer, ret_caller) == SA_OK;
}

/*
 * Whether a connection makes more calls than anybody needs; the log hears of it once a second. Each has its
 * own ceiling, so that nobody uses up another's.
 */
static bool
is_over_ceiling(struct sa_conn *conn)
{
    const struct sa_door *door = conn->door;
    int64_t second = door->server->now.boot_ms / 1000;

    if (door->calls_max == 0 || !sa_switch_is_on(SA_SWITCH_call_ceiling))
        return false;
    if (conn->second != second) {
        conn->second = second;
        conn->in_second = 0;
    }
    if (conn->in_second++ < door->calls_max)
        return false;
    if (conn->in_second == door->calls_max + 1)
        sa_log(SA_LOG_WARNING, "more than %u calls in a second: gateway=%s uid=%u", door->calls_max,
               conn->caller.gateway, conn->caller.uid);
    return true;
}

static void
take_request(struct sa_conn *conn, const struct sa_frame *frame, const uint8_t *rest)
{
    struct sa_server *server = conn->door->server;
    struct sa_caller caller;

    if (*sa_conn_find(conn, frame->call) != NULL) {
        refuse(conn, "a call number that is in use");
        return;
    }
    if (conn->streams > 0 && conn->peers == NULL) {
        refuse(conn, "a call beside a stream");
        return;
    }
    struct sa_exchange *exchange = sa_exchange_new(server->options.dispatch);
    if (exchange == NULL) {
        refuse(conn, "no memory");
        return;
    }
    struct sa_incoming incoming = {
        .caller = fill_caller(conn, frame->peer, &caller) ? &caller : NULL,
        .frame = frame,
        .name = sa_bytes(rest, frame->name_len),
        .body = sa_bytes(rest + frame->name_len, frame->body_len),
        .over_ceiling = is_over_ceiling(conn),
    };
    exchange->answer.owner = conn;
    exchange->answer.number = frame->call;
    *sa_conn_find(conn, frame->call) = &exchange->answer;
    conn->open++;
    conn->calls++;
    server->calls++;
    sa_dispatch_call(exchange, &incoming); /* its answer comes through sa_server_done, whatever it is */
}

static void
take_cancel(struct sa_conn *conn, uint32_t number)
{
    struct sa_answer **slot = sa_conn_find(conn, number);
    struct sa_answer *answer = *slot;

    if (answer == NULL)
        return; /* its answer is on its way */
    *slot = answer->chain;
    answer->cancelled = true;
    if (answer->exchange != NULL && answer->exchange->stream.place != SA_STREAM_NONE)
        sa_stream_cancel(answer->exchange);
    else
        conn->open--;
}

static void
take_peer(struct sa_conn *conn, uint32_t number, struct sa_bytes body)
{
    int descriptor = sa_passed_take(&conn->passed);
    enum sa_status status = sa_peers_put(conn->peers, number, body, descriptor);

    if (descriptor >= 0)
        close(descriptor);
    if (status == SA_MALFORMED)
        refuse(conn, "PEER: not what this kind of gateway tells");
    else if (status != SA_OK)
        sa_log(SA_LOG_WARNING, "gateway %s: a peer is not taken: %s", conn->caller.gateway,
               sa_status_row(status)->name);
}

static void
take_frame(struct sa_conn *conn, const struct sa_frame *frame, const uint8_t *rest)
{
    switch (frame->kind) {
    case SA_FRAME_REQUEST:
        take_request(conn, frame, rest);
        return;
    case SA_FRAME_CANCEL:
        take_cancel(conn, frame->call);
        return;
    case SA_FRAME_PEER:
        take_peer(conn, frame->peer, sa_bytes(rest, frame->body_len));
        return;
    case SA_FRAME_PEER_GONE:
        sa_peers_remove(conn->peers, frame->peer);
        return;
    case SA_FRAME_REPLY:
    case SA_FRAME_ITEM:
    case SA_FRAME_END:
        break; /* refused with the header */
    }
}

/* ---- bytes ---- */

static void
end_frame(struct sa_conn *conn)
{
    if (conn->rest != NULL)
        sa_wipe(conn->rest, conn->rest_size);
    free(conn->rest);
    conn->rest = NULL;
    conn->rest_len = conn->rest_size = conn->header_len = 0;
    sa_wipe(conn->header, sizeof(conn->header));
}

/* Bytes towards the header; 0 where it is not whole yet, or the connection ended. */
static size_t
feed_header(struct sa_conn *conn, const uint8_t *data, size_t len)
{
    bool gateway = conn->peers != NULL;
    size_t want = SA_FRAME_HEADER_LEN - conn->header_len;
    size_t take = len < want ? len : want;
    const char *rule;

    memcpy(conn->header + conn->header_len, data, take);
    conn->header_len += take;
    if (conn->header_len == SA_FRAME_HEADER_LEN &&
        sa_frame_decode(conn->header, gateway ? SA_FRAME_READER_GATEWAY : SA_FRAME_READER_DAEMON,
                        &conn->frame, &rule) != SA_OK)
        refuse(conn, rule);
    return take;
}

/* Bytes towards the rest. What is whole in `data` already is taken from there, without a copy. */
static size_t
feed_rest(struct sa_conn *conn, const uint8_t *data, size_t len)
{
    size_t size = (size_t)conn->frame.name_len + conn->frame.body_len;

    if (conn->rest == NULL && len >= size) {
        take_frame(conn, &conn->frame, data);
        end_frame(conn);
        return size;
    }
    if (conn->rest == NULL) {
        conn->rest = malloc(size); /* the header has been checked: within its bounds */
        conn->rest_size = size;
    }
    if (conn->rest == NULL) {
        refuse(conn, "no memory");
        return len;
    }
    size_t take = len < size - conn->rest_len ? len : size - conn->rest_len;
    memcpy(conn->rest + conn->rest_len, data, take);
    conn->rest_len += take;
    if (conn->rest_len == size) {
        take_frame(conn, &conn->frame, conn->rest);
        end_frame(conn);
    }
    return take;
}

/* A frame that is under way has its time from its first byte. */
static void
set_timer(struct sa_conn *conn, bool began_now)
{
    struct sa_server *server = conn->door->server;

    if (conn->frame_until_ms != 0 && (began_now || conn->header_len == 0)) {
        TAILQ_REMOVE(&server->reading, conn, reading);
        conn->frame_until_ms = 0;
    }
    if (conn->header_len > 0 && conn->frame_until_ms == 0) {
        conn->frame_until_ms = server->now.boot_ms + SA_FRAME_MS;
        TAILQ_INSERT_TAIL(&server->reading, conn, reading);
    }
}

static void
feed(struct sa_conn *conn, const uint8_t *data, size_t len)
{
    bool began_now = false;

    while (len > 0 && conn->fd >= 0) {
        began_now = began_now || conn->header_len == 0;
        size_t taken = conn->header_len < SA_FRAME_HEADER_LEN ? feed_header(conn, data, len) : 0;
        data += taken;
        len -= taken;
        if (conn->fd < 0 || conn->header_len < SA_FRAME_HEADER_LEN)
            break;
        taken = feed_rest(conn, data, len);
        data += taken;
        len -= taken;
    }
    if (conn->fd >= 0)
        set_timer(conn, began_now);
}

void
sa_conn_read(struct sa_conn *conn)
{
    struct sa_server *server = conn->door->server;
    ssize_t got = conn->door->via == SA_VIA_LOCAL
                      ? sa_passed_receive(&conn->passed, conn->fd, server->scratch, sizeof(server->scratch))
                      : recv(conn->fd, server->scratch, sizeof(server->scratch), 0);

    if (got < 0 && errno == EPROTO) {
        sa_wipe(server->scratch, sizeof(server->scratch)); /* its bytes have been read */
        refuse(conn, "more than one descriptor with a frame");
        return;
    }
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            sa_conn_close(conn);
        return;
    }
    if (got == 0 && conn->header_len > 0) {
        sa_conn_close(conn); /* a frame cut off */
        return;
    }
    if (got == 0)
        conn->at_end = true;
    feed(conn, server->scratch, (size_t)got);
    sa_wipe(server->scratch, (size_t)got); /* requests hold passwords */
    if (conn->fd >= 0 && conn->passed.count > 0 && conn->header_len == 0)
        refuse(conn, "a descriptor without its PEER");
    if (conn->fd >= 0 && conn->at_end && conn->open + conn->streams == 0)
        sa_conn_close(conn);
    sa_conn_watch(conn);
}
