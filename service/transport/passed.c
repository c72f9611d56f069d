#include "passed.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RECEIVED_MAX                                                                                         \
    8u /* descriptors that one message is looked through for; the kernel closes what is over */

/* All that came with a message; more than one is a peer's fault, and none of them is kept. */
static unsigned
gather(struct msghdr *message, int ret_fds[RECEIVED_MAX])
{
    unsigned count = 0;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t len = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < len && count < RECEIVED_MAX; i++)
            memcpy(&ret_fds[count++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
    }
    return count;
}

ssize_t
sa_passed_receive(struct sa_passed *passed, int fd, void *ret_data, size_t size)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(RECEIVED_MAX * sizeof(int))];
    } control;
    struct iovec data = {ret_data, size};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = CMSG_LEN(RECEIVED_MAX * sizeof(int)), /* no room for one more in the padding */
    };
    int fds[RECEIVED_MAX];

    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0)
        return got;
    unsigned count = gather(&message, fds);
    bool is_fine =
        (message.msg_flags & MSG_CTRUNC) == 0 && count <= 1 && passed->count + count <= SA_PASSED_MAX;
    for (unsigned i = 0; i < count; i++)
        if (is_fine)
            passed->fd[passed->count++] = fds[i];
        else
            close(fds[i]);
    if (is_fine)
        return got;
    errno = EPROTO;
    return -1;
}

int
sa_passed_take(struct sa_passed *passed)
{
    if (passed->count == 0)
        return -1;
    int fd = passed->fd[0];
    passed->fd[0] = passed->fd[1];
    passed->count--;
    return fd;
}

void
sa_passed_close(struct sa_passed *passed)
{
    while (passed->count > 0)
        close(sa_passed_take(passed));
}

static bool
has_option(int fd, int option, int wanted)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static bool
other_end_has_a_name(int fd)
{
    struct sockaddr_un name;
    socklen_t len = sizeof(name);

    return getpeername(fd, (struct sockaddr *)&name, &len) != 0 || len != sizeof(sa_family_t);
}

static bool
is_hung_up(int fd)
{
    struct pollfd end = {.fd = fd};

    return poll(&end, 1, 0) != 0; /* POLLHUP and POLLERR are told unasked */
}

enum sa_status
sa_passed_identify(int fd, struct sa_passed_peer *ret_peer)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (!has_option(fd, SO_DOMAIN, AF_UNIX) || !has_option(fd, SO_TYPE, SOCK_STREAM) ||
        !has_option(fd, SO_ACCEPTCONN, 0) || other_end_has_a_name(fd) || is_hung_up(fd))
        return SA_PERMISSION_DENIED;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer) ||
        peer.uid == (uid_t)-1)
        return SA_PERMISSION_DENIED;
    *ret_peer = (struct sa_passed_peer){peer.uid, (uint32_t)peer.pid};
    return SA_OK;
}
