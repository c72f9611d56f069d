#include "service/gateway/front.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/gateway/front_accept.h"
#include "service/gateway/front_expiry.h"
#include "service/gateway/front_pump.h"

#define ACCEPTS_PER_EVENT     32
#define DESCRIPTORS_ELSEWHERE 64
#define DESCRIPTORS_PER_CONN  3
#define PAUSE_MS              100 /* without a free descriptor: closing takes time, accepting again at once spins */
#define SAME_LOGGED_EACH_MS   10000 /* of refusals for one reason, */
#define OTHER_LOGGED_EACH_MS  1000  /* and for another than the last */

TAILQ_HEAD(conn_list, sa_front_conn);

struct sa_front {
    struct sa_loop *loop;
    struct sa_front_options options;
    struct sa_front_user user;
    struct sa_loop_source listener; /* fd -1: none, or stopped */
    SSL_CTX *tls;                   /* NULL: local */
    struct sa_front_files files;    /* the strings are ours */
    struct sa_front_expiry expiry;
    char *path; /* of the Unix socket, removed at the end */
    int spare_fd;
    unsigned count;
    struct conn_list shaking; /* oldest first: all have the same time, so the first is the first to be late */
    struct conn_list open;
    struct sa_loop_timer handshake_timer, pause_timer;
    unsigned refusals;
    int64_t refusals_logged_ms;
    const char *refused_why; /* what the log said last */
};

static int
open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* --- what connections report --- */

/* One line for many: whoever floods the front shall not flood the log too. */
static void
note_refusal(struct sa_front *front, const char *why)
{
    int64_t now_ms = sa_loop_now_ms();

    front->refusals++;
    if (front->refusals_logged_ms != 0 &&
        now_ms - front->refusals_logged_ms <
            (why == front->refused_why ? SAME_LOGGED_EACH_MS : OTHER_LOGGED_EACH_MS))
        return;
    sa_log(SA_LOG_WARNING, "%u connections refused or cut off since the last such line; now: %s",
           front->refusals, why);
    front->refusals = 0;
    front->refused_why = why;
    front->refusals_logged_ms = now_ms;
}

static void *
conn_ready(struct sa_front_conn *conn, int fd)
{
    struct sa_front *front = conn->front;

    TAILQ_REMOVE(&front->shaking, conn, link);
    TAILQ_INSERT_TAIL(&front->open, conn, link);
    conn->handshake_by_ms = 0;
    return front->user.ready(front->user.user, fd, &conn->peer);
}

static void
conn_over(struct sa_front_conn *conn)
{
    struct sa_front *front = conn->front;

    if (conn->handshake_by_ms != 0)
        TAILQ_REMOVE(&front->shaking, conn, link);
    else
        TAILQ_REMOVE(&front->open, conn, link);
    front->count--;
    if (conn->broken_rule != NULL)
        note_refusal(front, conn->broken_rule);
    if (conn->handle != NULL)
        front->user.gone(front->user.user, conn->handle);
}

static const struct sa_front_conn_events conn_events = {conn_ready, conn_over};

static void
handshake_due(struct sa_loop_timer *timer)
{
    struct sa_front *front = (struct sa_front *)((char *)timer - offsetof(struct sa_front, handshake_timer));
    struct sa_front_conn *first;
    int64_t now_ms = sa_loop_now_ms();

    while ((first = TAILQ_FIRST(&front->shaking)) != NULL && first->handshake_by_ms <= now_ms)
        sa_front_conn_end(first);
    if (first != NULL)
        sa_loop_arm(front->loop, timer, first->handshake_by_ms - now_ms);
}

/* --- accepting --- */

static unsigned
count_key(const struct conn_list *list, const uint8_t key[SA_FRONT_KEY_LEN])
{
    const struct sa_front_conn *conn;
    unsigned count = 0;

    TAILQ_FOREACH(conn, list, link)
    count += memcmp(conn->peer.key, key, SA_FRONT_KEY_LEN) == 0;
    return count;
}

static void
take_connection(struct sa_front *front, int fd, const struct sockaddr_storage *name)
{
    struct sa_front_conn *conn = NULL;
    struct sa_front_peer peer;
    const char *why = NULL;

    if (front->count >= front->options.connections_max)
        why = "too many in all";
    else if (sa_front_identify(fd, name, &peer) != SA_OK)
        why = "the kernel does not name the peer";
    else if (count_key(&front->open, peer.key) + count_key(&front->shaking, peer.key) >=
             front->options.connections_per_peer)
        why = "too many from one peer";
    else if ((conn = calloc(1, sizeof(*conn))) == NULL)
        why = "no memory";
    if (why != NULL) {
        note_refusal(front, why);
        close(fd);
        return;
    }
    conn->events = &conn_events;
    conn->front = front;
    conn->loop = front->loop;
    conn->peer = peer;
    conn->alpn = front->options.alpn;
    conn->handshake_by_ms = sa_loop_now_ms() + front->options.handshake_ms;
    TAILQ_INSERT_TAIL(&front->shaking, conn, link);
    front->count++;
    if (sa_front_conn_start(conn, fd, front->tls) != SA_OK) {
        note_refusal(front, "no memory or descriptor");
        TAILQ_REMOVE(&front->shaking, conn, link);
        front->count--;
        free(conn);
    } else if (!front->handshake_timer.armed && front->tls != NULL) {
        sa_loop_arm(front->loop, &front->handshake_timer, front->options.handshake_ms);
    }
}

static void
pause_over(struct sa_loop_timer *timer)
{
    struct sa_front *front = (struct sa_front *)((char *)timer - offsetof(struct sa_front, pause_timer));

    if (front->spare_fd < 0)
        front->spare_fd = open_spare();
    if (front->listener.fd >= 0)
        sa_loop_change(front->loop, &front->listener, EPOLLIN);
}

/* No descriptor is free: with the spare one, take the first who waits and close it, so that it need not wait.
 */
static void
out_of_descriptors(struct sa_front *front)
{
    int fd;

    note_refusal(front, "no free descriptor");
    if (front->spare_fd >= 0) {
        close(front->spare_fd);
        fd = accept4(front->listener.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            close(fd);
        front->spare_fd = open_spare();
    }
    sa_loop_change(front->loop, &front->listener, 0);
    sa_loop_arm(front->loop, &front->pause_timer, PAUSE_MS);
}

static void
listener_ready(struct sa_loop_source *source, SA_UNUSED uint32_t events)
{
    struct sa_front *front = (struct sa_front *)((char *)source - offsetof(struct sa_front, listener));

    for (int i = 0; i < ACCEPTS_PER_EVENT && source->fd >= 0; i++) {
        struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(name);
        int fd = accept4(source->fd, (struct sockaddr *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(front, fd, &name);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            out_of_descriptors(front);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else: that one is gone already (ECONNABORTED); the next */
    }
}

/* --- the front --- */

unsigned
sa_front_connections_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur <= DESCRIPTORS_ELSEWHERE + DESCRIPTORS_PER_CONN)
        return 1;
    if (limit.rlim_cur > 1048576)
        limit.rlim_cur = 1048576;
    return (unsigned)(limit.rlim_cur - DESCRIPTORS_ELSEWHERE) / DESCRIPTORS_PER_CONN;
}

struct sa_front *
sa_front_new(struct sa_loop *loop, const struct sa_front_options *options, const struct sa_front_user *user)
{
    struct sa_front *front = calloc(1, sizeof(*front));

    if (front == NULL)
        return NULL;
    front->loop = loop;
    front->options = *options;
    front->user = *user;
    front->listener = (struct sa_loop_source){listener_ready, -1};
    front->spare_fd = open_spare();
    front->handshake_timer.due = handshake_due;
    front->pause_timer.due = pause_over;
    TAILQ_INIT(&front->shaking);
    TAILQ_INIT(&front->open);
    return front;
}

void
sa_front_stop(struct sa_front *front)
{
    struct sa_front_conn *conn;

    if (front->listener.fd >= 0) {
        sa_loop_forget(front->loop, &front->listener);
        close(front->listener.fd);
        front->listener.fd = -1;
        if (front->path != NULL)
            (void)unlink(front->path);
    }
    sa_loop_disarm(front->loop, &front->pause_timer);
    sa_loop_disarm(front->loop, &front->handshake_timer);
    while ((conn = TAILQ_FIRST(&front->shaking)) != NULL)
        sa_front_conn_end(conn);
}

void
sa_front_free(struct sa_front *front)
{
    struct sa_front_conn *conn;

    if (front == NULL)
        return;
    sa_front_stop(front);
    while ((conn = TAILQ_FIRST(&front->open)) != NULL)
        sa_front_conn_end(conn);
    if (front->spare_fd >= 0)
        close(front->spare_fd);
    sa_front_expiry_forget(&front->expiry);
    SSL_CTX_free(front->tls);
    free((void *)(uintptr_t)front->files.cert);
    free((void *)(uintptr_t)front->files.key);
    free((void *)(uintptr_t)front->files.client_ca);
    free(front->path);
    free(front);
}

static enum sa_status
start_listening(struct sa_front *front, int fd, const char **ret_why)
{
    front->listener.fd = fd;
    if (sa_loop_watch(front->loop, &front->listener, EPOLLIN) == SA_OK)
        return SA_OK;
    *ret_why = "the listener cannot be watched";
    return SA_INVALID_ARGUMENT;
}

enum sa_status
sa_front_listen_local(struct sa_front *front, const char *path, const char **ret_why)
{
    int fd;

    if (sa_front_bind_unix(path, &fd, ret_why) != SA_OK)
        return SA_INVALID_ARGUMENT;
    front->path =
        strdup(path); /* without memory for it the socket's file stays: the next start replaces it */
    return start_listening(front, fd, ret_why);
}

static bool
copy_files(const struct sa_front_files *files, struct sa_front_files *ret_files)
{
    ret_files->client_required = files->client_required;
    ret_files->cert = strdup(files->cert);
    ret_files->key = strdup(files->key);
    if (files->client_ca != NULL)
        ret_files->client_ca = strdup(files->client_ca);
    return ret_files->cert != NULL && ret_files->key != NULL &&
           (ret_files->client_ca != NULL) == (files->client_ca != NULL);
}

enum sa_status
sa_front_listen_tls(struct sa_front *front, const char *address, const struct sa_front_files *files,
                    struct sa_front_fault *ret_fault)
{
    int fd;

    *ret_fault = (struct sa_front_fault){.why = "no memory"};
    if (!copy_files(files, &front->files) ||
        sa_front_tls_new(&front->files, front->options.alpn, &front->tls, ret_fault) != SA_OK ||
        sa_front_bind_tcp(address, &fd, &ret_fault->why) != SA_OK)
        return SA_INVALID_ARGUMENT;
    sa_front_expiry_watch(&front->expiry, front->loop, front->tls, &front->files);
    return start_listening(front, fd, &ret_fault->why);
}

enum sa_status
sa_front_reload(struct sa_front *front, struct sa_front_fault *ret_fault)
{
    SSL_CTX *next;

    if (front->tls == NULL)
        return SA_OK;
    if (sa_front_tls_new(&front->files, front->options.alpn, &next, ret_fault) != SA_OK)
        return SA_INVALID_ARGUMENT;
    sa_front_expiry_watch(&front->expiry, front->loop, next, &front->files);
    SSL_CTX_free(front->tls); /* open connections hold a reference to it */
    front->tls = next;
    return SA_OK;
}

unsigned
sa_front_connections(const struct sa_front *front)
{
    return front->count;
}
