#include "service/gateway/front_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/decode.h" /* sa_wipe */

#define ROUNDS_MAX 8 /* pieces one connection may move before the others have their turn */

enum step { STUCK, MOVED, BROKEN };

static struct sa_front_conn *
conn_of_net(struct sa_loop_source *source)
{
    return (struct sa_front_conn *)((char *)source - offsetof(struct sa_front_conn, net));
}

static struct sa_front_conn *
conn_of_plain(struct sa_loop_source *source)
{
    return (struct sa_front_conn *)((char *)source - offsetof(struct sa_front_conn, plain));
}

static void
free_conn(struct sa_loop_garbage *garbage)
{
    struct sa_front_conn *conn =
        (struct sa_front_conn *)((char *)garbage - offsetof(struct sa_front_conn, garbage));

    sa_wipe(conn, sizeof(*conn)); /* pieces hold what clients sent: passwords and tokens among it */
    free(conn);
}

static void
close_source(struct sa_front_conn *conn, struct sa_loop_source *source)
{
    if (source->fd < 0)
        return;
    sa_loop_forget(conn->loop, source);
    close(source->fd);
    source->fd = -1;
}

void
sa_front_conn_end(struct sa_front_conn *conn)
{
    if (conn->over)
        return;
    conn->over = true;
    if (conn->ssl != NULL) {
        /* One close_notify, if the socket takes it; a peer that hangs is not waited for. */
        ERR_clear_error();
        if (SSL_is_init_finished(conn->ssl))
            (void)SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
        conn->ssl = NULL;
    }
    conn->events->over(conn); /* whoever may still look at the descriptor is told first */
    close_source(conn, &conn->net);
    close_source(conn, &conn->plain);
    conn->garbage.free = free_conn;
    sa_loop_discard(conn->loop, &conn->garbage);
}

/* What an SSL call that did nothing waits for. */
static enum step
tls_waits(struct sa_front_conn *conn, int result, bool *ret_other_direction, int other_direction)
{
    int error = SSL_get_error(conn->ssl, result);

    *ret_other_direction = error == other_direction;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? STUCK : BROKEN;
}

static enum step
read_net(struct sa_front_conn *conn)
{
    struct sa_front_piece *piece = &conn->to_plain;
    int got;

    if (piece->len > 0)
        return STUCK;
    ERR_clear_error();
    got = SSL_read(conn->ssl, piece->bytes, sizeof(piece->bytes));
    conn->read_wants_out = false;
    if (got <= 0)
        return tls_waits(conn, got, &conn->read_wants_out, SSL_ERROR_WANT_WRITE);
    piece->from = 0;
    piece->len = (size_t)got;
    conn->broken_rule = sa_front_h2_look(&conn->h2, piece->bytes, piece->len, sa_loop_now_ms());
    return conn->broken_rule == NULL ? MOVED : BROKEN;
}

/* Some of a piece has left; what has left is wiped, since it may be a password. */
static void
piece_left(struct sa_front_piece *piece, size_t len)
{
    sa_wipe(piece->bytes + piece->from, len);
    piece->from += len;
    piece->len -= len;
}

static enum step
write_plain(struct sa_front_conn *conn)
{
    struct sa_front_piece *piece = &conn->to_plain;
    ssize_t sent;

    if (piece->len == 0)
        return STUCK;
    sent = send(conn->plain.fd, piece->bytes + piece->from, piece->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return STUCK;
    /* The library has closed: nobody will read this, but what it said last (GOAWAY) is still to be read. */
    piece_left(piece, sent < 0 ? piece->len : (size_t)sent);
    return MOVED;
}

static enum step
read_plain(struct sa_front_conn *conn)
{
    struct sa_front_piece *piece = &conn->to_net;
    ssize_t got;

    if (piece->len > 0)
        return STUCK;
    got = recv(conn->plain.fd, piece->bytes, sizeof(piece->bytes), MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? STUCK : BROKEN;
    piece->from = 0;
    piece->len = (size_t)got;
    return MOVED;
}

static enum step
write_net(struct sa_front_conn *conn)
{
    struct sa_front_piece *piece = &conn->to_net;
    int sent;

    if (piece->len == 0)
        return STUCK;
    ERR_clear_error();
    sent = SSL_write(conn->ssl, piece->bytes + piece->from, (int)piece->len);
    conn->write_wants_in = false;
    if (sent <= 0)
        return tls_waits(conn, sent, &conn->write_wants_in, SSL_ERROR_WANT_READ);
    piece_left(piece, (size_t)sent);
    return MOVED;
}

static void
watch_for_more(struct sa_front_conn *conn)
{
    uint32_t net = 0;

    if (conn->to_plain.len == 0)
        net |= conn->read_wants_out ? EPOLLOUT : EPOLLIN;
    if (conn->to_net.len > 0 || conn->library_closed)
        net |= conn->write_wants_in ? EPOLLIN : EPOLLOUT;
    sa_loop_change(conn->loop, &conn->net, net);
    if (!conn->library_closed)
        sa_loop_change(conn->loop, &conn->plain,
                       (conn->to_net.len == 0 ? EPOLLIN : 0u) | (conn->to_plain.len > 0 ? EPOLLOUT : 0u));
}

static void
pump(struct sa_front_conn *conn)
{
    static enum step (*const steps[])(struct sa_front_conn *) = {read_plain, write_net, read_net,
                                                                 write_plain};

    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool moved = false;
        for (size_t i = 0; i < SA_COUNT(steps); i++) {
            enum step step = steps[i](conn);
            if (step == BROKEN) {
                sa_front_conn_end(conn);
                return;
            }
            moved |= step == MOVED;
        }
        if (!moved)
            break;
    }
    watch_for_more(conn);
}

static void
plain_ready(struct sa_loop_source *source, uint32_t events)
{
    struct sa_front_conn *conn = conn_of_plain(source);

    if (conn->over)
        return;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !conn->library_closed) {
        /* Its last bytes are still in the pair; from here on the network's side drives. */
        conn->library_closed = true;
        sa_loop_forget(conn->loop, &conn->plain);
    }
    pump(conn);
}

/* The handshake is done: make the pair and hand one end over. */
static void
become_ready(struct sa_front_conn *conn)
{
    int pair[2];

    if (!sa_front_tls_agreed(conn->ssl, conn->alpn) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
        sa_front_conn_end(conn);
        return;
    }
    conn->peer.has_certificate = sa_front_tls_fingerprint(conn->ssl, conn->peer.certificate);
    conn->plain = (struct sa_loop_source){plain_ready, pair[0]};
    if (sa_loop_watch(conn->loop, &conn->plain, EPOLLIN) != SA_OK) {
        close(pair[1]);
        sa_front_conn_end(conn);
        return;
    }
    conn->handle = conn->events->ready(conn, pair[1]);
    if (conn->handle == NULL)
        sa_front_conn_end(conn);
    else
        pump(conn);
}

static void
shake_hands(struct sa_front_conn *conn)
{
    bool wants_out;
    int done;

    ERR_clear_error();
    done = SSL_accept(conn->ssl);
    if (done == 1)
        become_ready(conn);
    else if (tls_waits(conn, done, &wants_out, SSL_ERROR_WANT_WRITE) == BROKEN)
        sa_front_conn_end(conn);
    else
        sa_loop_change(conn->loop, &conn->net, wants_out ? EPOLLOUT : EPOLLIN);
}

static void
net_ready(struct sa_loop_source *source, uint32_t events)
{
    struct sa_front_conn *conn = conn_of_net(source);

    if (conn->over)
        return;
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) /* both directions are dead: nobody would read what is left */
        sa_front_conn_end(conn);
    else if (conn->ssl != NULL && conn->handle == NULL)
        shake_hands(conn);
    else if (conn->ssl != NULL)
        pump(conn);
}

enum sa_status
sa_front_conn_start(struct sa_front_conn *conn, int fd, SSL_CTX *ctx)
{
    int watched = ctx != NULL ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);

    conn->net = (struct sa_loop_source){net_ready, watched};
    conn->plain.fd = -1;
    if (ctx != NULL)
        conn->ssl = SSL_new(ctx);
    if (watched < 0 || (ctx != NULL && (conn->ssl == NULL || SSL_set_fd(conn->ssl, fd) != 1)) ||
        sa_loop_watch(conn->loop, &conn->net, ctx != NULL ? EPOLLIN : 0) != SA_OK) {
        SSL_free(conn->ssl);
        conn->ssl = NULL;
        if (watched >= 0 && watched != fd)
            close(watched);
        close(fd);
        return SA_NO_MEMORY;
    }
    if (ctx != NULL)
        return SA_OK;
    conn->peer.descriptor = watched;
    conn->handle = conn->events->ready(conn, fd);
    if (conn->handle == NULL)
        sa_front_conn_end(conn);
    return SA_OK;
}
