#include "service/auth/leader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAT_MAX   1024u
#define STEPS_MAX  64u
#define STATUS_MAX 4096u

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

bool
sa_process_read(uint32_t pid, struct sa_process *ret_process)
{
    char path[32];
    char text[STAT_MAX];
    char state;
    struct sa_process process;

    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
    int file = pid == 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t len = read(file, text, sizeof(text) - 1);
    close(file);
    if (len <= 0)
        return false;
    text[len] = '\0';
    /* The name in parentheses may hold anything, parentheses too: the fields begin behind the last one. */
    const char *fields = strrchr(text, ')');
    if (fields == NULL ||
        sscanf(fields + 1, " %c %" SCNu32 "%*d%*d%*d%*d%*u%*u%*u%*u%*u%*u%*u%*d%*d%*d%*d%*d%*d %" SCNu64,
               &state, &process.parent, &process.start) != 3)
        return false;
    if (state == 'Z' || state == 'X')
        return false;
    *ret_process = process;
    return true;
}

bool
sa_process_lives(uint32_t pid, uint64_t start)
{
    struct sa_process process;

    return sa_process_read(pid, &process) && process.start == start;
}

bool
sa_process_descends(uint32_t pid, uint32_t ancestor)
{
    struct sa_process process;

    if (ancestor == 0)
        return false;
    for (unsigned step = 0; step < STEPS_MAX && pid > 1; step++) {
        if (pid == ancestor)
            return true;
        if (!sa_process_read(pid, &process))
            return false;
        pid = process.parent;
    }
    return false;
}

int
sa_process_open(uint32_t pid)
{
    return pid == 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
}

bool
sa_process_runs(int handle)
{
    struct pollfd gone = {.fd = handle, .events = POLLIN}; /* readable once it has ended */

    return poll(&gone, 1, 0) == 0;
}

uint64_t
sa_process_of_peer(int socket, uint32_t pid)
{
    struct sa_process process;
    int handle = -1;
    socklen_t len = sizeof(handle);

    if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &handle, &len) != 0)
        handle = errno == ENOPROTOOPT ? sa_process_open(pid) : -1;
    if (handle < 0)
        return 0;
    bool known = sa_process_read(pid, &process) && sa_process_runs(handle);
    close(handle);
    return known ? process.start : 0;
}

/* How many pids /proc/PID/status names for a process, from the namespace of our /proc inwards; 0: gone. */
static unsigned
namespaces_of(const char *path)
{
    char text[STATUS_MAX];
    unsigned count = 0;

    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t len = read(file, text, sizeof(text) - 1);
    close(file);
    text[len > 0 ? len : 0] = '\0';
    /* The process chooses its name, but a line end in it is written escaped. */
    const char *line = strstr(text, "\nNSpid:");
    for (line = line == NULL ? "" : line + 7; *line == '\t'; line += strcspn(line + 1, "\t\n") + 1)
        count++;
    return count;
}

bool
sa_process_is_here(uint32_t pid)
{
    char path[32];
    int process = sa_process_open(pid);

    if (process < 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/status", pid);
    unsigned ours = namespaces_of("/proc/self/status");
    bool here = ours > 0 && namespaces_of(path) == ours;
    here = sa_process_runs(process) && here; /* else what was read may be its successor's */
    close(process);
    return here;
}
