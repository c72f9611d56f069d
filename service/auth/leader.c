#include "service/auth/leader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define STAT_MAX  1024u
#define STEPS_MAX 64u

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
