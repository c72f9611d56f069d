#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "inside.h"

#define PIECES_MAX 128 /* of one sendmsg: two a reply */

struct sa_answer **
sa_conn_find(struct sa_conn *conn, uint32_t number)
{
    struct sa_answer **slot = &conn->chains[number % SA_OPEN_CHAINS];

    while (*slot != NULL && (*slot)->number != number)
        slot = &(*slot)->chain;
    return slot;
}

static size_t
frame_len(const struct sa_answer *answer)
{
    return SA_FRAME_HEADER_LEN + answer->body.len;
}

/* Look at it at the end of this turn: something is to be sent, or there is room to read on. */
static void
mark(struct sa_conn *conn)
{
    if (conn->dirty || conn->fd < 0)
        return;
    conn->dirty = true;
    TAILQ_INSERT_TAIL(&conn->door->server->flush, conn, flush);
}

/* An answer that nobody waits for. */
static void
discard(struct sa_answer *answer)
{
    mark(answer->owner);
    sa_conn_release(answer);
}

/* Let go of the call and keep what is to be sent; what may run after the answer needs it whole. */
static struct sa_answer *
shrink(struct sa_answer *answer)
{
    struct sa_exchange *exchange = answer->exchange;
    struct sa_answer *alone = exchange->call.after_step != NULL ? NULL : sa_answer_alone(answer);

    if (alone == NULL)
        return answer;
    *sa_conn_find(answer->owner, answer->number) = alone; /* at the same place of the chain */
    sa_exchange_end(exchange);
    return alone;
}

/* It comes back to sa_conn_answer. One that cannot be put off is carried on at once. */
static void
carry_on(struct sa_answer *answer)
{
    const struct sa_conn *conn = answer->owner;
    struct sa_server *server = conn->door->server;

    answer->due_boot_ms = answer->exchange->call.again_boot_ms;
    if (answer->due_boot_ms <= server->now.boot_ms || sa_held_add(&server->held, answer) != SA_OK)
        sa_dispatch_resume(answer->exchange);
}

void
sa_conn_due(struct sa_answer *answer)
{
    if (answer->exchange != NULL && !answer->exchange->answered)
        sa_dispatch_resume(answer->exchange);
    else
        sa_conn_queue(answer);
}

void
sa_conn_answer(struct sa_answer *answer)
{
    struct sa_conn *conn = answer->owner;
    struct sa_server *server = conn->door->server;

    if (!answer->exchange->answered && !answer->exchange->call.paused) {
        carry_on(answer);
        return;
    }
    if (conn->fd < 0 || answer->cancelled) {
        discard(answer);
        return;
    }
    if (!answer->exchange->answered) {
        sa_stream_take(answer->exchange);
        return;
    }
    answer->due_boot_ms = answer->exchange->call.hold_until_boot_ms;
    if (answer->due_boot_ms <= server->now.boot_ms) {
        sa_conn_queue(answer);
        return;
    }
    answer = shrink(answer);
    if (sa_held_add(&server->held, answer) == SA_OK)
        return;
    sa_conn_close(conn); /* rather no answer than one that tells by its time */
    sa_conn_release(answer);
}

static void
put(struct sa_conn *conn, struct sa_answer *answer)
{
    answer->next = NULL;
    *conn->last_out = answer;
    conn->last_out = &answer->next;
    conn->unsent += frame_len(answer);
    mark(conn);
}

void
sa_conn_queue(struct sa_answer *answer)
{
    struct sa_conn *conn = answer->owner;

    if (conn->fd < 0 || answer->cancelled) {
        discard(answer);
        return;
    }
    *sa_conn_find(conn, answer->number) = answer->chain; /* its number may be used again */
    if (answer->exchange != NULL)
        sa_stream_ends(answer->exchange);
    put(conn, answer);
}

void
sa_conn_send_item(struct sa_conn *conn, struct sa_answer *item)
{
    put(conn, item);
}

/* The unsent part of one reply as pieces. */
static int
put_pieces(const struct sa_answer *answer, struct iovec *ret_pieces)
{
    size_t sent = answer->sent;
    int count = 0;

    if (sent < SA_FRAME_HEADER_LEN)
        ret_pieces[count++] =
            (struct iovec){(uint8_t *)(uintptr_t)answer->header + sent, SA_FRAME_HEADER_LEN - sent};
    size_t of_body = sent > SA_FRAME_HEADER_LEN ? sent - SA_FRAME_HEADER_LEN : 0;
    if (of_body < answer->body.len)
        ret_pieces[count++] =
            (struct iovec){(uint8_t *)(uintptr_t)answer->body.data + of_body, answer->body.len - of_body};
    return count;
}

/* It has left, or there is nobody to send it to. */
static void
let_go(struct sa_answer *answer)
{
    struct sa_exchange *stream = answer->item_of;

    if (!answer->is_item) {
        sa_conn_release(answer);
        return;
    }
    sa_answer_free(answer);
    if (stream != NULL)
        sa_stream_sent(stream);
}

static void
account(struct sa_conn *conn, size_t sent)
{
    conn->unsent -= sent;
    while (conn->first_out != NULL) {
        struct sa_answer *answer = conn->first_out;
        size_t left = frame_len(answer) - answer->sent;
        if (sent < left) {
            answer->sent += sent;
            return;
        }
        sent -= left;
        conn->first_out = answer->next;
        if (conn->first_out == NULL)
            conn->last_out = &conn->first_out;
        if (!answer->is_item)
            conn->open--;
        let_go(answer); /* the connection is not over, so it stays */
    }
}

/* A reader that takes nothing is cut; one that takes a little has its time anew. */
static void
set_timer(struct sa_conn *conn)
{
    struct sa_server *server = conn->door->server;

    if (conn->stuck_until_ms != 0)
        TAILQ_REMOVE(&server->stuck, conn, stuck);
    conn->stuck_until_ms = 0;
    if (conn->first_out == NULL)
        return;
    conn->stuck_until_ms = server->now.boot_ms + SA_STUCK_MS;
    TAILQ_INSERT_TAIL(&server->stuck, conn, stuck);
}

/* One sendmsg. Returns false where there is no more to do now. */
static bool
send_some(struct sa_conn *conn)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr message = {.msg_iov = pieces};
    size_t len = 0;

    for (const struct sa_answer *at = conn->first_out; at != NULL && message.msg_iovlen + 2 <= PIECES_MAX;
         at = at->next)
        message.msg_iovlen += (size_t)put_pieces(at, pieces + message.msg_iovlen);
    for (size_t i = 0; i < message.msg_iovlen; i++)
        len += pieces[i].iov_len;
    ssize_t sent = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno == EINTR)
            return true;
        if (errno != EAGAIN)
            sa_conn_close(conn);
        return false;
    }
    account(conn, (size_t)sent);
    set_timer(conn);
    return (size_t)sent == len && conn->first_out != NULL;
}

void
sa_conn_flush(struct sa_conn *conn)
{
    if (conn->dirty)
        TAILQ_REMOVE(&conn->door->server->flush, conn, flush);
    conn->dirty = false;
    if (conn->first_out != NULL && conn->stuck_until_ms == 0)
        set_timer(conn);
    while (conn->fd >= 0 && conn->first_out != NULL && send_some(conn))
        continue;
    if (conn->fd >= 0 && conn->at_end && conn->open + conn->streams == 0)
        sa_conn_close(conn);
    sa_conn_watch(conn);
}

void
sa_conn_drop_queue(struct sa_conn *conn)
{
    while (conn->first_out != NULL) {
        struct sa_answer *answer = conn->first_out;
        conn->first_out = answer->next;
        let_go(answer);
    }
    conn->last_out = &conn->first_out;
    conn->unsent = 0;
}
