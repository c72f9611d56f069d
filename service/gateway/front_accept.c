#include "service/gateway/front_accept.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG               512
#define UNACKNOWLEDGED_MAX_MS 30000 /* a peer that takes no bytes for so long is gone */

static enum sa_status
refuse(int fd, const char *why, const char **ret_why)
{
    if (fd >= 0)
        close(fd);
    *ret_why = why;
    return SA_INVALID_ARGUMENT;
}

/* "ADDRESS:PORT" in two; brackets taken off. */
static bool
split_address(const char *address, char *ret_host, size_t size, const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - address);

    if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    if (len == 0 || len >= size || colon[1] == '\0')
        return false;
    memcpy(ret_host, address, len);
    ret_host[len] = '\0';
    *ret_port = colon + 1;
    return true;
}

enum sa_status
sa_front_bind_tcp(const char *address, int *ret_fd, const char **ret_why)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char host[SA_FRONT_ADDRESS_MAX];
    const char *port;
    int on = 1, unacknowledged_ms = UNACKNOWLEDGED_MAX_MS, fd, bound;

    if (!split_address(address, host, sizeof(host), &port) || getaddrinfo(host, port, &hints, &found) != 0)
        return refuse(-1, "the address is not numeric ADDRESS:PORT", ret_why);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        /* Both are inherited by what is accepted. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms, sizeof(unacknowledged_ms));
    }
    bound = fd < 0 ? -1 : bind(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (bound != 0 || listen(fd, BACKLOG) != 0)
        return refuse(fd, "the address cannot be bound", ret_why);
    *ret_fd = fd;
    return SA_OK;
}

enum sa_status
sa_front_bind_unix(const char *path, int *ret_fd, const char **ret_why)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    struct stat info;
    int fd;

    if (strlen(path) >= sizeof(name.sun_path))
        return refuse(-1, "the path is longer than a Unix socket's may be", ret_why);
    memcpy(name.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return refuse(-1, "no socket can be made", ret_why);
    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) {
        if (connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0 || errno != ECONNREFUSED)
            return refuse(fd, "somebody listens on the path already", ret_why);
        (void)unlink(path);
    }
    if (bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
        return refuse(fd, "the path cannot be bound", ret_why);
    if (chmod(path, 0666) != 0 || listen(fd, BACKLOG) != 0)
        return refuse(fd, "the path cannot be listened on", ret_why);
    *ret_fd = fd;
    return SA_OK;
}

static enum sa_status
identify_local(int fd, struct sa_front_peer *ret_peer)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.uid == (uid_t)-1)
        return SA_INVALID_ARGUMENT;
    *ret_peer = (struct sa_front_peer){.local = true, .descriptor = fd};
    memcpy(ret_peer->key, &peer.uid, sizeof(peer.uid));
    return SA_OK;
}

enum sa_status
sa_front_identify(int fd, const struct sockaddr_storage *name, struct sa_front_peer *ret_peer)
{
    struct sa_front_peer peer = {.descriptor = -1};
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)name;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)name;
    const void *address;
    int family = name->ss_family;

    if (family == AF_UNIX)
        return identify_local(fd, ret_peer);
    if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        family = AF_INET;
        address = v6->sin6_addr.s6_addr + 12;
    } else {
        address = family == AF_INET ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr;
    }
    if ((family != AF_INET && family != AF_INET6) ||
        inet_ntop(family, address, peer.address, sizeof(peer.address)) == NULL)
        return SA_INVALID_ARGUMENT;
    /* A /64 is one customer; an IPv4 address is told from a /64 by where it stands. */
    if (family == AF_INET)
        memcpy(peer.key + 12, address, 4);
    else
        memcpy(peer.key, address, 8);
    *ret_peer = peer;
    return SA_OK;
}
