#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "inside.h"

static bool
is_gateway(const struct sa_door *door)
{
    return door->via == SA_VIA_LOCAL || door->via == SA_VIA_NETWORK;
}

static void
free_conn(struct sa_conn *conn)
{
    sa_peers_free(conn->peers);
    sa_passed_close(&conn->passed);
    if (conn->rest != NULL)
        sa_wipe(conn->rest, conn->rest_size);
    free(conn->rest);
    free(conn);
}

void
sa_conn_new(struct sa_door *door, int fd, const struct sa_caller *caller, bool stranger)
{
    struct sa_server *server = door->server;
    struct sa_conn *conn = calloc(1, sizeof(*conn));

    if (conn != NULL && is_gateway(door))
        conn->peers = sa_peers_new(door->via == SA_VIA_NETWORK, server->overflow_uid);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    if (conn == NULL || (is_gateway(door) && conn->peers == NULL) ||
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        if (conn != NULL)
            free_conn(conn);
        return;
    }
    conn->watch = SA_WATCH_CONN;
    conn->door = door;
    conn->fd = fd;
    conn->caller = *caller;
    conn->stranger = stranger;
    conn->interest = EPOLLIN;
    conn->last_out = &conn->first_out;
    door->count++;
    door->strangers += stranger ? 1 : 0;
    TAILQ_INSERT_TAIL(&server->all, conn, all);
    TAILQ_INSERT_TAIL(&door->uids[caller->uid % SA_UID_CHAINS], conn, by_uid);
}

void
sa_conn_close(struct sa_conn *conn)
{
    struct sa_door *door = conn->door;
    struct sa_server *server = door->server;

    if (conn->fd < 0)
        return;
    close(conn->fd); /* epoll forgets it, too: nobody else holds the descriptor */
    conn->fd = -1;
    door->count--;
    door->strangers -= conn->stranger ? 1 : 0;
    TAILQ_REMOVE(&server->all, conn, all);
    TAILQ_REMOVE(&door->uids[conn->caller.uid % SA_UID_CHAINS], conn, by_uid);
    if (conn->frame_until_ms != 0)
        TAILQ_REMOVE(&server->reading, conn, reading);
    if (conn->stuck_until_ms != 0)
        TAILQ_REMOVE(&server->stuck, conn, stuck);
    if (conn->dirty)
        TAILQ_REMOVE(&server->flush, conn, flush);
    sa_streams_close(conn);
    sa_conn_drop_queue(conn);
    TAILQ_INSERT_TAIL(&server->over, conn, flush);
}

void
sa_conn_release(struct sa_answer *answer)
{
    struct sa_conn *conn = answer->owner;

    conn->door->server->calls--;
    conn->calls--;
    if (answer->exchange != NULL)
        sa_exchange_end(answer->exchange);
    else
        sa_answer_free(answer);
    if (conn->calls == 0 && conn->buried)
        free_conn(conn);
}

void
sa_conn_bury(struct sa_server *server)
{
    struct sa_conn *conn;

    while ((conn = TAILQ_FIRST(&server->over)) != NULL) {
        TAILQ_REMOVE(&server->over, conn, flush);
        conn->buried = true;
        if (conn->calls == 0)
            free_conn(conn);
    }
}

void
sa_conn_watch(struct sa_conn *conn)
{
    uint32_t interest = 0;

    if (conn->fd < 0)
        return;
    if (!conn->at_end && conn->open < conn->door->open_max && conn->calls < 2 * conn->door->open_max &&
        conn->unsent < SA_UNSENT_MAX)
        interest |= EPOLLIN; /* `calls` as well, for whoever cancels each call and sends the next */
    if (conn->stuck_until_ms != 0)
        interest |= EPOLLOUT;
    if (interest == conn->interest)
        return;
    struct epoll_event event = {.events = interest, .data.ptr = conn};
    conn->interest = interest;
    if (epoll_ctl(conn->door->server->epoll, EPOLL_CTL_MOD, conn->fd, &event) != 0)
        sa_conn_close(conn);
}

void
sa_conn_ready(struct sa_conn *conn, uint32_t events)
{
    /*
     * Gone for good: there is nobody to answer. What it sent before and nobody has read is not looked at: a
     * login that its caller gave up, while the daemon was stopped or late, is neither granted nor counted.
     */
    if (conn->fd >= 0 && (events & (EPOLLHUP | EPOLLERR)) != 0) {
        sa_conn_close(conn);
        return;
    }
    if (conn->fd >= 0 && (events & EPOLLOUT) != 0)
        sa_conn_flush(conn);
    if (conn->fd >= 0 && (events & EPOLLIN) != 0 && (conn->interest & EPOLLIN) != 0)
        sa_conn_read(conn);
}
