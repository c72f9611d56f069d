/*
 * Points at which a process is killed, preloaded into secauthd and secauth-grpc. /run/t/armed holds one byte,
 * the step that is waited for; the first thread that comes to it takes it away, tells /run/t/killer.sock, and
 * waits until that connection is closed: by then somebody is dead, perhaps this process.
 *
 *   w   secauthd is about to write to the store's log
 *   c   secauthd has synced the store's log: the commit is on the disk
 *   f   secauthd has synced the store's log, and is about to send a reply
 *   h   secauth-grpc (with KILL_SHIM_HTTP=h) has a reply, and is about to send an HTTP/2 frame
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define REPLY_KIND_AT 5
#define REPLY_KIND    2

static char *armed;
static bool synced, replied; /* since a step was armed */
static bool is_gateway;
static char http_step;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void
begin(void)
{
    const char *step = getenv("KILL_SHIM_HTTP");
    int fd = open("/run/t/armed", O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    armed = map == MAP_FAILED ? NULL : map;
    is_gateway = step != NULL;
    http_step = step == NULL ? '\0' : step[0];
}

static bool
is_armed(char step)
{
    return armed != NULL && __atomic_load_n(armed, __ATOMIC_SEQ_CST) == step;
}

static void
reach(char step)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/t/killer.sock"};
    char byte = step;

    synced = replied = false;
    if (!__atomic_compare_exchange_n(armed, &byte, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && REAL(write)(fd, &step, 1) == 1)
        while (REAL(read)(fd, &byte, 1) < 0 && errno == EINTR)
            continue;
    close(fd);
}

static bool
is_log(int fd)
{
    char link[64], path[512];

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof(path));
    return len > 4 && memcmp(path + len - 4, "-wal", 4) == 0;
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    if (is_armed('w') && is_log(fd))
        reach('w');
    return REAL(pwrite64)(fd, data, len, at);
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t at)
{
    return pwrite64(fd, data, len, at);
}

int
fdatasync(int fd)
{
    int result = REAL(fdatasync)(fd);

    if (result == 0 && (is_armed('c') || is_armed('f')) && is_log(fd)) {
        synced = true;
        if (is_armed('c'))
            reach('c');
    }
    return result;
}

int
fsync(int fd)
{
    return fdatasync(fd);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!is_gateway && synced && is_armed('f'))
        reach('f');
    if (is_gateway && replied && is_armed(http_step))
        reach(http_step);
    return REAL(sendmsg)(fd, message, flags);
}

ssize_t
recv(int fd, void *data, size_t len, int flags)
{
    ssize_t got = REAL(recv)(fd, data, len, flags);

    if (is_gateway && is_armed(http_step) && got > REPLY_KIND_AT &&
        ((const char *)data)[REPLY_KIND_AT] == REPLY_KIND)
        replied = true;
    return got;
}
