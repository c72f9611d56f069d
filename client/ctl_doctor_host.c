/* The machine and the running daemon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl_doctor.h"

#define STORE         "/var/lib/secauth/store/secauth.db"
#define RESERVE_BYTES (64ull * 1024 * 1024) /* of a large file system; a sixteenth of a small one */
#define INODES_LEAST  1024u
#define STEP_SECONDS  5
#define YEAR_SECONDS  31556952

void
sa_doctor_daemon(struct sa_doctor *doctor)
{
    if (doctor->status == NULL)
        sa_doctor_tell(doctor, "%s", doctor->ctl->socket);
}

void
sa_doctor_version(struct sa_doctor *doctor)
{
    const char *theirs = json_string_value(json_object_get(doctor->status, "version"));

    if (theirs != NULL && strcmp(theirs, SA_VERSION) != 0)
        sa_doctor_tell(doctor, "the daemon says %s, secauthctl is %s", theirs, SA_VERSION);
}

/* How old this program is on disk is the best that a host without a network knows of the date. */
void
sa_doctor_clock(struct sa_doctor *doctor)
{
    int64_t started = json_integer_value(json_object_get(doctor->status, "started_ms")) / 1000;
    int64_t now = (int64_t)time(NULL);
    struct timex kernel = {0};
    struct stat self;

    if (started > now + STEP_SECONDS)
        sa_doctor_tell(doctor, "it was stepped back: the daemon started %lld seconds from now",
                       (long long)(started - now));
    if (stat("/proc/self/exe", &self) == 0 && self.st_mtime > now + YEAR_SECONDS / 365)
        sa_doctor_tell(doctor, "it is before the day on which secauthctl was installed");
    if (adjtimex(&kernel) == TIME_ERROR || (kernel.status & STA_UNSYNC) != 0)
        sa_doctor_tell(doctor, "the kernel says that it is not synchronised");
}

void
sa_doctor_entropy(struct sa_doctor *doctor)
{
    uint8_t byte;

    if (getrandom(&byte, sizeof(byte), GRND_NONBLOCK) != (ssize_t)sizeof(byte))
        sa_doctor_tell(doctor, "getrandom: %s", strerror(errno));
}

static bool
store_volume(const struct sa_doctor *doctor, struct statvfs *ret_volume)
{
    return statvfs(sa_doctor_setting(doctor, "store.path", STORE), ret_volume) == 0;
}

void
sa_doctor_disk(struct sa_doctor *doctor)
{
    struct statvfs volume;

    if (!store_volume(doctor, &volume))
        return;
    unsigned long long size = (unsigned long long)volume.f_blocks * volume.f_frsize;
    unsigned long long left = (unsigned long long)volume.f_bavail * volume.f_frsize;
    unsigned long long least = size / 16 < RESERVE_BYTES ? size / 16 : RESERVE_BYTES;
    if (left < least)
        sa_doctor_tell(doctor, "%llu MiB are left, the reserve is %llu MiB", left >> 20, least >> 20);
}

void
sa_doctor_inodes(struct sa_doctor *doctor)
{
    struct statvfs volume;

    if (store_volume(doctor, &volume) && volume.f_files > 0 && volume.f_favail < INODES_LEAST)
        sa_doctor_tell(doctor, "%llu are left", (unsigned long long)volume.f_favail);
}

void
sa_doctor_store(struct sa_doctor *doctor)
{
    const char *disk = json_string_value(json_object_get(doctor->status, "disk"));

    if (disk != NULL && disk[0] != '\0' && strcmp(disk, "normal") != 0)
        sa_doctor_tell(doctor, "the daemon says: %s", disk);
    else if (doctor->status != NULL && !json_is_true(json_object_get(doctor->status, "writable")))
        sa_doctor_tell(doctor, "the daemon says: not writable");
}

/* ---- the daemon's process ---- */

/* Who listens, as the kernel says; 0 for nobody. */
static pid_t
daemon_pid(const struct sa_doctor *doctor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t len = sizeof(peer);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", doctor->ctl->socket);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        peer.pid = 0;
    if (fd >= 0)
        close(fd);
    return peer.pid;
}

/* Whether a file has a line that begins so, and what follows on it. */
static bool
line_of(const char *path, const char *begin, char *ret_rest, size_t size)
{
    FILE *file = fopen(path, "re");
    char line[512];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
        found = strncmp(line, begin, strlen(begin)) == 0;
    if (file != NULL)
        fclose(file);
    if (found)
        snprintf(ret_rest, size, "%.*s", (int)strcspn(line + strlen(begin), "\n"), line + strlen(begin));
    return found;
}

static bool
swap_is_forbidden(pid_t pid)
{
    char path[640], group[512], limit[64];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    if (pid == 0 || !line_of(path, "0::", group, sizeof(group)))
        return false;
    snprintf(path, sizeof(path), "/sys/fs/cgroup%.480s/memory.swap.max", group);
    return line_of(path, "", limit, sizeof(limit)) && strcmp(limit, "0") == 0;
}

/* A device of /proc/swaps that keeps what it is given: zram forgets, a dm device may be encrypted. */
void
sa_doctor_swap(struct sa_doctor *doctor)
{
    FILE *file = fopen("/proc/swaps", "re");
    char line[512], name[256];

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "%255s", name) == 1 && name[0] == '/' && strncmp(name, "/dev/zram", 9) != 0 &&
            strncmp(name, "/dev/dm-", 8) != 0 && !swap_is_forbidden(daemon_pid(doctor)))
            sa_doctor_tell(doctor, "%s", name);
    if (file != NULL)
        fclose(file);
}

void
sa_doctor_core(struct sa_doctor *doctor)
{
    char path[64], limits[256];
    pid_t pid = daemon_pid(doctor);

    snprintf(path, sizeof(path), "/proc/%d/limits", pid);
    if (pid == 0 || !line_of(path, "Max core file size", limits, sizeof(limits)))
        return;
    if (strtoull(limits, NULL, 10) != 0 || strstr(limits, "unlimited") != NULL)
        sa_doctor_tell(doctor, "%s: Max core file size is not 0", path);
}

void
sa_doctor_syslog(struct sa_doctor *doctor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        sa_doctor_tell(doctor, "/dev/log: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}
