/*
 * Two name services for a test, built from this file as libnss_slow.so.2 and libnss_ask.so.2 (-DSERVICE=...):
 * the first blocks for SECONDS for every name but root's, the second opens a socket of the daemon's and waits
 * for an answer. Neither knows anybody. Each lookup is a line of /run/t/lookups: "slow PID PROGRAM NAME".
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_(word)        #word
#define TEXT(word)         TEXT_(word)
#define NAME_(service, do) _nss_##service##_##do
#define NAME(service, do)  NAME_(service, do)
#define METHOD             "secauth.v1.KeyService/GetKeySet"

static void
note(const char *name)
{
    char line[200];
    int fd = open("/run/t/lookups", O_WRONLY | O_APPEND | O_CLOEXEC);
    int len = snprintf(line, sizeof(line), TEXT(SERVICE) " %d %s %.60s\n", getpid(),
                       program_invocation_short_name, name);

    if (fd >= 0 && write(fd, line, (size_t)len) < 0)
        abort();
    if (fd >= 0)
        close(fd);
}

/* A call of the contract (docs/protocol.md), and the first byte of its answer. */
static void
ask_the_daemon(void)
{
    unsigned char frame[32] = {
        0,
        0,
        0,
        28 + sizeof(METHOD) - 1,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        100,
        0,
        0,
        0,
        0,
        0,
        0,
        sizeof(METHOD) - 1
    };
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, geteuid() == 0 ? "/run/secauth/root/root.sock" : "/run/secauth/user.sock");
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        send(fd, frame, sizeof(frame), MSG_NOSIGNAL) == sizeof(frame) &&
        send(fd, METHOD, sizeof(METHOD) - 1, MSG_NOSIGNAL) > 0 && read(fd, &answer, 1) == 1)
        note("was-answered");
    close(fd);
}

static enum nss_status
look_up(const char *name, int *error)
{
    note(name);
    if (SECONDS > 0 && strcmp(name, "root") != 0)
        sleep(SECONDS);
    if (SECONDS == 0)
        ask_the_daemon();
    *error = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

enum nss_status
NAME(SERVICE, getpwnam_r)(const char *name, struct passwd *entry, char *buffer, size_t size, int *error)
{
    (void)entry, (void)buffer, (void)size;
    return look_up(name, error);
}

enum nss_status
NAME(SERVICE, getpwuid_r)(uid_t uid, struct passwd *entry, char *buffer, size_t size, int *error)
{
    (void)entry, (void)buffer, (void)size;
    return look_up(uid == 0 ? "root" : "(by uid)", error);
}

enum nss_status
NAME(SERVICE, getgrnam_r)(const char *name, struct group *entry, char *buffer, size_t size, int *error)
{
    (void)entry, (void)buffer, (void)size;
    return look_up(name, error);
}

enum nss_status
NAME(SERVICE, getgrgid_r)(gid_t gid, struct group *entry, char *buffer, size_t size, int *error)
{
    (void)entry, (void)buffer, (void)size;
    return look_up(gid == 0 ? "root" : "(by gid)", error);
}
