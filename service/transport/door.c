#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inside.h"
#include "service/auth/leader.h"
#include "service/base/log.h"

#define ACCEPTS_MAX      32 /* in one turn */
#define PAUSE_MS         100
#define STRANGERS_MAX    64u /* on user.sock in all */
#define STRANGER_UID_MAX 2u  /* and of one uid */
#define KNOWN_UID_SHARE  8u  /* one known uid has at most such a part of user.sock */
#define GROUPS_MAX       65536u

static enum sa_status
watch(struct sa_door *door, uint32_t interest, int operation)
{
    struct epoll_event event = {.events = interest, .data.ptr = door};

    return epoll_ctl(door->server->epoll, operation, door->fd, &event) == 0 ? SA_OK : SA_INTERNAL;
}

enum sa_status
sa_door_open(struct sa_door *door)
{
    return watch(door, EPOLLIN, EPOLL_CTL_ADD);
}

void
sa_door_close(struct sa_door *door)
{
    if (door->fd >= 0)
        close(door->fd);
    door->fd = -1;
    door->paused_until_ms = 0;
}

/* No descriptor or memory is left: waiting costs nothing, spinning would cost everybody. */
static void
pause_door(struct sa_door *door, int error)
{
    sa_log(SA_LOG_WARNING, "cannot accept connections: %s", strerror(error));
    door->paused_until_ms = door->server->now.boot_ms + PAUSE_MS;
    (void)watch(door, 0, EPOLL_CTL_MOD);
}

void
sa_door_resume(struct sa_door *door)
{
    if (door->paused_until_ms == 0 || door->paused_until_ms > door->server->now.boot_ms)
        return;
    door->paused_until_ms = 0;
    (void)watch(door, EPOLLIN, EPOLL_CTL_MOD);
}

/* ---- who is there ---- */

/* The peer's groups at connect time; false where they cannot be had, which is no right. */
static bool
has_group(int fd, gid_t primary, int64_t wanted)
{
    gid_t few[64];
    gid_t *groups = few;
    socklen_t len = sizeof(few);
    bool found = false;

    if (wanted < 0)
        return false;
    if (primary == (gid_t)wanted)
        return true;
    int error = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0 ? 0 : errno;
    if (error == ERANGE && len <= GROUPS_MAX * sizeof(gid_t)) {
        groups = malloc(len);
        error = groups != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0 ? 0 : ENOMEM;
    }
    for (size_t i = 0; error == 0 && i < len / sizeof(gid_t); i++)
        found = found || groups[i] == (gid_t)wanted;
    if (groups != few)
        free(groups);
    return found;
}

static bool
learn_caller(const struct sa_door *door, int fd, struct sa_caller *ret_caller)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer))
        return false;
    *ret_caller = (struct sa_caller){
        .via = door->via,
        .has_uid = true,
        .uid = peer.uid,
        .pid = (uint32_t)peer.pid,
    };
    switch (door->via) {
    case SA_VIA_ROOT: /* the socket's mode lets root in and nobody else; this is the second lock */
        ret_caller->standing = SA_CALLER_ROOT;
        ret_caller->administrator = true;
        return peer.uid == 0;
    case SA_VIA_USER:
        ret_caller->administrator = has_group(fd, peer.gid, door->server->admin_gid);
        ret_caller->standing = ret_caller->administrator ? SA_CALLER_ADMIN : SA_CALLER_STRANGER;
        return peer.uid != 0 && peer.uid != door->server->overflow_uid;
    case SA_VIA_LOCAL:
    case SA_VIA_NETWORK:
        ret_caller->standing = SA_CALLER_GATEWAY;
        ret_caller->has_uid = false; /* a gateway is nobody; it speaks for its peers */
        memcpy(ret_caller->gateway, door->gateway, strlen(door->gateway) + 1);
        ret_caller->gateway_number = door->gateway_number;
        return true;
    }
    return false;
}

/* ---- caps ---- */

static unsigned
count_uid(struct sa_door *door, uint32_t uid)
{
    const struct sa_conn *conn;
    unsigned count = 0;

    TAILQ_FOREACH(conn, &door->uids[uid % SA_UID_CHAINS], by_uid)
    count += conn->caller.uid == uid ? 1 : 0;
    return count;
}

static bool
has_room(struct sa_door *door, const struct sa_caller *caller, bool stranger)
{
    if (door->count >= door->count_max)
        return false;
    if (door->via != SA_VIA_USER)
        return true;
    if (stranger && door->strangers >= STRANGERS_MAX)
        return false;
    unsigned uid_max = stranger ? STRANGER_UID_MAX : door->count_max / KNOWN_UID_SHARE;
    return count_uid(door, caller->uid) < uid_max;
}

static void
take(struct sa_door *door, int fd)
{
    struct sa_server *server = door->server;
    struct sa_caller caller;

    if (!learn_caller(door, fd, &caller)) {
        close(fd);
        return;
    }
    bool stranger = caller.standing == SA_CALLER_STRANGER &&
                    !server->options.uid_is_known(server->options.user, caller.uid);
    if (!has_room(door, &caller, stranger)) {
        close(fd);
        return;
    }
    if (door->via == SA_VIA_USER && !stranger)
        caller.pid_start = sa_process_of_peer(fd, caller.pid);
    sa_conn_new(door, fd, &caller, stranger);
}

void
sa_door_accept(struct sa_door *door)
{
    for (int i = 0; i < ACCEPTS_MAX && door->fd >= 0; i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(door, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_door(door, errno);
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}
