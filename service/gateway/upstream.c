#include "service/gateway/upstream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/decode.h" /* sa_wipe */
#include "proto/frame.h"
#include "service/base/log.h"
#include "service/gateway/inflight.h"
#include "service/gateway/outbox.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000
#define SWEEP_MS       1000
#define READS_MAX      4 /* per event, so that connections have their turn */
#define OUTBOX_LEN     (2u * 1024u * 1024u)
#define CONTROL_ROOM   (256u * 1024u) /* of it, kept for PEER, PEER_GONE and CANCEL */
#define INBOX_LEN      (SA_FRAME_HEADER_LEN + SA_FRAME_REPLY_MAX)

struct sa_upstream {
    struct sa_loop *loop;
    const char *path;
    sa_upstream_on_state *on_state;
    void *state_user;
    struct sa_loop_timer connect_timer, sweep_timer;
    struct sa_loop_source source; /* written under the lock by the loop's thread; fd -1: not connected */
    int64_t connected_ms, backoff_ms;
    const char *last_why; /* why the last attempt failed: logged when it changes */
    uint8_t *inbox;
    size_t inbox_len;

    pthread_mutex_t lock; /* everything below, and source.fd */
    uint64_t epoch;       /* counts connections: what an earlier daemon was told, this one does not know */
    struct sa_outbox *outbox;
    struct sa_inflight *inflight;
};

/* --- sending, under the lock --- */

static void
send_frame(struct sa_upstream *upstream, struct sa_frame *frame, const char *name, struct sa_bytes body)
{
    bool waited = sa_outbox_waiting(upstream->outbox);
    enum sa_status status = sa_outbox_send(upstream->outbox, upstream->source.fd, frame, name, body);

    /* What was not sent in order cannot be mended: end the connection, and let the loop's thread find it
     * dead. */
    if (status != SA_OK)
        (void)shutdown(upstream->source.fd, SHUT_RDWR);
    else if (!waited && sa_outbox_waiting(upstream->outbox))
        sa_loop_change(upstream->loop, &upstream->source, EPOLLIN | EPOLLOUT);
}

/* Tell of a peer that the daemon does not know: who it is, or the descriptor from which the daemon sees that.
 */
static enum sa_status
announce(struct sa_upstream *upstream, struct sa_peer *peer)
{
    struct sa_frame frame = {.kind = SA_FRAME_PEER, .peer = peer->number};
    bool waited = sa_outbox_waiting(upstream->outbox);
    enum sa_status status = SA_OK;

    if (peer->announced == upstream->epoch)
        return SA_OK;
    if (peer->descriptor < 0)
        send_frame(upstream, &frame, "", sa_bytes(peer->facts, peer->facts_len));
    else
        status = sa_outbox_pass(upstream->outbox, upstream->source.fd, &frame, peer->descriptor);
    if (status == SA_CONNECTION)
        (void)shutdown(upstream->source.fd, SHUT_RDWR);
    else if (status == SA_OK && !waited && sa_outbox_waiting(upstream->outbox))
        sa_loop_change(upstream->loop, &upstream->source, EPOLLIN | EPOLLOUT);
    if (status == SA_OK)
        peer->announced = upstream->epoch;
    return status;
}

/* --- the connection, on the loop's thread --- */

/* Answer every call whose time is over; INT64_MAX: all. */
static void
answer_late(struct sa_upstream *upstream, int64_t now_ms, enum sa_status status)
{
    struct sa_upstream_reply reply = {.status = status};
    struct sa_frame frame = {.kind = SA_FRAME_CANCEL};
    struct sa_inflight_call call;
    unsigned at = 0;
    bool late;

    do {
        pthread_mutex_lock(&upstream->lock);
        late = sa_inflight_remove_late(upstream->inflight, &at, now_ms, &call);
        frame.call = late ? call.call : 0;
        if (late && upstream->source.fd >= 0)
            send_frame(upstream, &frame, "", sa_bytes(NULL, 0));
        pthread_mutex_unlock(&upstream->lock);
        if (late)
            call.on_reply(call.user, &reply);
    } while (late);
}

static void
lose(struct sa_upstream *upstream, const char *why)
{
    int fd = upstream->source.fd;

    if (why != NULL)
        sa_log(SA_LOG_WARNING, "the connection to the daemon is over: %s", why);
    sa_loop_disarm(upstream->loop, &upstream->sweep_timer);
    pthread_mutex_lock(&upstream->lock);
    sa_loop_forget(upstream->loop, &upstream->source);
    upstream->source.fd = -1;
    sa_outbox_clear(upstream->outbox);
    pthread_mutex_unlock(&upstream->lock);
    close(fd);
    sa_wipe(upstream->inbox, upstream->inbox_len);
    upstream->inbox_len = 0;
    upstream->on_state(upstream->state_user, false);
    answer_late(upstream, INT64_MAX, SA_CONNECTION);
    sa_loop_arm(upstream->loop, &upstream->connect_timer, upstream->backoff_ms);
}

static void
deliver(struct sa_upstream *upstream, const struct sa_frame *frame, const uint8_t *body)
{
    struct sa_upstream_reply reply = {
        .status = sa_status_from_wire(frame->status), .retry_ms = frame->millis, .len = frame->body_len};
    struct sa_inflight_call call;
    bool wanted;

    pthread_mutex_lock(&upstream->lock);
    wanted = sa_inflight_remove(upstream->inflight, frame->call, &call);
    pthread_mutex_unlock(&upstream->lock);
    if (!wanted)
        return; /* given up before */
    if (reply.len > 0) {
        reply.body = malloc(reply.len);
        if (reply.body == NULL)
            reply = (struct sa_upstream_reply){.status = SA_NO_MEMORY};
        else
            memcpy(reply.body, body, reply.len);
    }
    call.on_reply(call.user, &reply);
}

static void
deliver_item(struct sa_upstream *upstream, const struct sa_frame *frame, const uint8_t *body)
{
    struct sa_inflight_call call;

    pthread_mutex_lock(&upstream->lock);
    struct sa_inflight_call *open = sa_inflight_stay(upstream->inflight, frame->call);
    bool wanted = open != NULL && open->on_item != NULL;
    if (wanted) {
        call = *open;
        call.hold(call.user);
    }
    pthread_mutex_unlock(&upstream->lock);
    if (!wanted)
        return; /* given up before */
    uint8_t *copy = malloc(frame->body_len + 1u);
    if (copy != NULL)
        memcpy(copy, body, frame->body_len);
    call.on_item(call.user, copy, frame->body_len);
}

/* Deliver the whole frames of the inbox. Returns the rule that the daemon broke, or NULL. */
static const char *
take_frames(struct sa_upstream *upstream)
{
    size_t at = 0;
    const char *rule = NULL;

    while (upstream->inbox_len - at >= SA_FRAME_HEADER_LEN) {
        const uint8_t *start = upstream->inbox + at;
        struct sa_frame frame;
        if (sa_frame_decode(start, SA_FRAME_READER_CALLER, &frame, &rule) != SA_OK)
            return rule;
        if (upstream->inbox_len - at < SA_FRAME_HEADER_LEN + frame.body_len)
            break;
        if (frame.kind == SA_FRAME_ITEM)
            deliver_item(upstream, &frame, start + SA_FRAME_HEADER_LEN);
        else
            deliver(upstream, &frame, start + SA_FRAME_HEADER_LEN);
        at += SA_FRAME_HEADER_LEN + frame.body_len;
    }
    upstream->inbox_len -= at;
    memmove(upstream->inbox, upstream->inbox + at, upstream->inbox_len);
    sa_wipe(upstream->inbox + upstream->inbox_len, at);
    return NULL;
}

/* Returns why the connection is over, or NULL. */
static const char *
read_replies(struct sa_upstream *upstream)
{
    for (int i = 0; i < READS_MAX; i++) {
        size_t room = INBOX_LEN - upstream->inbox_len;
        ssize_t got = recv(upstream->source.fd, upstream->inbox + upstream->inbox_len, room, MSG_DONTWAIT);
        const char *rule;
        if (got == 0)
            return "closed by the daemon";
        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? NULL : strerror(errno);
        upstream->inbox_len += (size_t)got;
        rule = take_frames(upstream);
        if (rule != NULL)
            return rule;
        if ((size_t)got < room)
            return NULL; /* most likely that was all; epoll says otherwise if not */
    }
    return NULL;
}

static void
socket_ready(struct sa_loop_source *source, uint32_t events)
{
    struct sa_upstream *upstream =
        (struct sa_upstream *)((char *)source - offsetof(struct sa_upstream, source));
    const char *why = NULL;

    if (source->fd < 0)
        return;
    if ((events & EPOLLOUT) != 0) {
        pthread_mutex_lock(&upstream->lock);
        if (sa_outbox_flush(upstream->outbox, source->fd) != SA_OK)
            why = "nothing can be sent";
        else if (!sa_outbox_waiting(upstream->outbox))
            sa_loop_change(upstream->loop, source, EPOLLIN);
        pthread_mutex_unlock(&upstream->lock);
    }
    if (why == NULL && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        why = read_replies(upstream);
    if (why != NULL)
        lose(upstream, why);
}

static void
sweep(struct sa_loop_timer *timer)
{
    struct sa_upstream *upstream =
        (struct sa_upstream *)((char *)timer - offsetof(struct sa_upstream, sweep_timer));
    int64_t now_ms = sa_loop_now_ms();

    if (now_ms - upstream->connected_ms >= BACKOFF_MAX_MS)
        upstream->backoff_ms = BACKOFF_MIN_MS;
    sa_loop_arm(upstream->loop, timer, SWEEP_MS);
    answer_late(upstream, now_ms, SA_DEADLINE);
}

/* A connected descriptor whose listener was root's; -1 with *ret_why. */
static int
connect_to_root(const char *path, const char **ret_why)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (strlen(path) < sizeof(name.sun_path))
        memcpy(name.sun_path, path, strlen(path) + 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
        *ret_why = strerror(errno);
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.uid != 0)
        *ret_why = sa_status_row(SA_WRONG_PEER)->words;
    else
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static void
try_to_connect(struct sa_loop_timer *timer)
{
    struct sa_upstream *upstream =
        (struct sa_upstream *)((char *)timer - offsetof(struct sa_upstream, connect_timer));
    const char *why;
    struct sa_loop_source next = {socket_ready, connect_to_root(upstream->path, &why)};
    bool watched;

    upstream->backoff_ms =
        upstream->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : upstream->backoff_ms * 2;
    if (next.fd < 0) {
        if (upstream->last_why == NULL || strcmp(upstream->last_why, why) != 0)
            sa_log(SA_LOG_WARNING, "no connection to the daemon at %s: %s", upstream->path, why);
        upstream->last_why = why;
        sa_loop_arm(upstream->loop, timer, upstream->backoff_ms);
        return;
    }
    pthread_mutex_lock(&upstream->lock);
    upstream->source = next;
    upstream->epoch++;
    watched = sa_loop_watch(upstream->loop, &upstream->source, EPOLLIN) == SA_OK;
    pthread_mutex_unlock(&upstream->lock);
    if (!watched) {
        lose(upstream, "it cannot be watched");
        return;
    }
    sa_log(SA_LOG_INFO, "connected to the daemon at %s", upstream->path);
    upstream->last_why = NULL;
    upstream->connected_ms = sa_loop_now_ms();
    sa_loop_arm(upstream->loop, &upstream->sweep_timer, SWEEP_MS);
    upstream->on_state(upstream->state_user, true);
}

/* --- what others call --- */

bool
sa_upstream_name_legal(const char *name)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    size_t service = strspn(name, legal);
    size_t method = name[service] == '/' ? strspn(name + service + 1, legal) : 0;

    return service > 0 && method > 0 && name[service + 1 + method] == '\0' &&
           service + 1 + method <= SA_FRAME_NAME_MAX;
}

enum sa_status
sa_upstream_start(struct sa_upstream *upstream, const struct sa_upstream_request *request, uint32_t *ret_call)
{
    struct sa_frame frame = {
        .kind = SA_FRAME_REQUEST, .millis = request->millis, .peer = request->peer->number};
    enum sa_status status = SA_OK;

    pthread_mutex_lock(&upstream->lock);
    if (upstream->source.fd < 0)
        status = SA_NO_DAEMON;
    else if (request->peer->gone)
        status = SA_CANCELLED;
    else if (sa_inflight_full(upstream->inflight) ||
             sa_outbox_room(upstream->outbox) < CONTROL_ROOM + SA_FRAME_HEADER_LEN + SA_FRAME_REQUEST_MAX)
        status = SA_OVERLOADED;
    else
        status = announce(upstream, request->peer);
    if (status == SA_OK) {
        struct sa_inflight_call call = {.until_ms = sa_loop_now_ms() + request->millis,
                                        .on_reply = request->on_reply,
                                        .on_item = request->on_item,
                                        .hold = request->hold,
                                        .user = request->user};
        frame.call = *ret_call = sa_inflight_add(upstream->inflight, call);
        send_frame(upstream, &frame, request->name, request->body);
    }
    pthread_mutex_unlock(&upstream->lock);
    return status;
}

bool
sa_upstream_cancel(struct sa_upstream *upstream, uint32_t call)
{
    struct sa_frame frame = {.kind = SA_FRAME_CANCEL, .call = call};
    struct sa_inflight_call taken;
    bool open;

    pthread_mutex_lock(&upstream->lock);
    open = sa_inflight_remove(upstream->inflight, call, &taken);
    if (open && upstream->source.fd >= 0)
        send_frame(upstream, &frame, "", sa_bytes(NULL, 0));
    pthread_mutex_unlock(&upstream->lock);
    return open;
}

void
sa_upstream_peer_here(struct sa_upstream *upstream, struct sa_peer *peer)
{
    pthread_mutex_lock(&upstream->lock);
    if (upstream->source.fd >= 0)
        (void)announce(upstream, peer); /* else with its first call */
    pthread_mutex_unlock(&upstream->lock);
}

void
sa_upstream_peer_gone(struct sa_upstream *upstream, struct sa_peer *peer)
{
    struct sa_frame frame = {.kind = SA_FRAME_PEER_GONE, .peer = peer->number};

    pthread_mutex_lock(&upstream->lock);
    peer->gone = true;
    if (upstream->source.fd >= 0 && peer->announced == upstream->epoch)
        send_frame(upstream, &frame, "", sa_bytes(NULL, 0));
    pthread_mutex_unlock(&upstream->lock);
}

struct sa_upstream *
sa_upstream_new(struct sa_loop *loop, const char *path, unsigned calls_max, sa_upstream_on_state *on_state,
                void *user)
{
    SA_OWN(sa_upstream) upstream = calloc(1, sizeof(*upstream));

    if (upstream == NULL)
        return NULL;
    pthread_mutex_init(&upstream->lock, NULL);
    upstream->loop = loop;
    upstream->path = path;
    upstream->on_state = on_state;
    upstream->state_user = user;
    upstream->backoff_ms = BACKOFF_MIN_MS / 2;
    upstream->connect_timer.due = try_to_connect;
    upstream->sweep_timer.due = sweep;
    upstream->source.fd = -1;
    upstream->inbox = malloc(INBOX_LEN);
    upstream->outbox = sa_outbox_new(OUTBOX_LEN);
    upstream->inflight = sa_inflight_new(calls_max);
    if (upstream->inbox == NULL || upstream->outbox == NULL || upstream->inflight == NULL)
        return NULL;
    sa_loop_arm(loop, &upstream->connect_timer, 1);
    return sa_upstream_take(&upstream);
}

void
sa_upstream_free(struct sa_upstream *upstream)
{
    if (upstream == NULL)
        return;
    if (upstream->source.fd >= 0)
        lose(upstream, NULL);
    sa_loop_disarm(upstream->loop, &upstream->connect_timer);
    free(upstream->inbox);
    sa_outbox_free(upstream->outbox);
    sa_inflight_free(upstream->inflight);
    pthread_mutex_destroy(&upstream->lock);
    free(upstream);
}
