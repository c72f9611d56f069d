#include "service/auth/attest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "service/auth/leader.h"

#define UNIFIED    "0::"
#define SLICE      "/system.slice/"
#define CGROUP_MAX 8192u /* of a line for each hierarchy; a path has at most 4,096 bytes */

bool
sa_attest_is_in_unit(const char *cgroup, const char *unit)
{
    size_t len = strlen(unit);

    while (strncmp(cgroup, UNIFIED, strlen(UNIFIED)) != 0) {
        cgroup = strchr(cgroup, '\n');
        if (cgroup == NULL)
            return false;
        cgroup++;
    }
    cgroup += strlen(UNIFIED);
    if (len == 0 || strncmp(cgroup, SLICE, strlen(SLICE)) != 0)
        return false;
    cgroup += strlen(SLICE);
    return strncmp(cgroup, unit, len) == 0 && (cgroup[len] == '\n' || cgroup[len] == '/');
}

static bool
runs_in(uint32_t pid, const char *unit)
{
    char path[32];
    char text[CGROUP_MAX + 1];
    size_t len = 0;
    ssize_t got;

    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/cgroup", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    while (len < CGROUP_MAX && (got = read(file, text + len, CGROUP_MAX - len)) > 0)
        len += (size_t)got;
    close(file);
    text[len] = '\0';
    return sa_attest_is_in_unit(text, unit);
}

/* With its pidfd open: everything that is read by its pid is read of it, if it still lives afterwards. */
static const char *
look_at(const struct sa_client *client, const struct sa_attested *process)
{
    if (!sa_process_lives(process->pid, process->start))
        return "OTHER_PROCESS";
    if (!sa_process_is_here(process->pid))
        return "OTHER_PID_NAMESPACE";
    if (client->attest_unit[0] != '\0' && !runs_in(process->pid, client->attest_unit))
        return "OTHER_UNIT";
    return NULL;
}

const char *
sa_attest(const struct sa_client *client, const struct sa_attested *process)
{
    if (client->attest_uid == 0)
        return "NOT_ATTESTED";
    if (!process->has_uid || process->uid != client->attest_uid)
        return "OTHER_UID";
    int handle = process->start == 0 ? -1 : sa_process_open(process->pid);
    if (handle < 0)
        return "OTHER_PROCESS";
    const char *obstacle = look_at(client, process);
    if (obstacle == NULL && !sa_process_runs(handle))
        obstacle = "OTHER_PROCESS";
    close(handle);
    return obstacle;
}
