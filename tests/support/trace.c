/*
 * Preloaded into a program by the cases: a line in the file that SA_TRACE names for every socket, connection
 * and name lookup, "lookup getpwnam_r alice" or "connect /run/secauth/user.sock", and "low 0" where what is
 * connected or read is one of the descriptors 0 to 2. What the C library does in their place is then done.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
note(const void *caller, const char *what, const char *detail)
{
    char line[400];
    Dl_info info = {.dli_fname = "?"};
    const char *path = getenv("SA_TRACE");
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    dladdr(caller, &info);
    int len = snprintf(line, sizeof(line), "%.80s %s %.200s\n", basename(info.dli_fname), what,
                       detail == NULL ? "(null)" : detail);
    if (fd >= 0 && write(fd, line, (size_t)len) < 0)
        abort();
    if (fd >= 0)
        close(fd);
}

static void
note_address(const void *caller, const struct sockaddr *address, socklen_t len)
{
    const struct sockaddr_un *named = (const struct sockaddr_un *)address;
    char text[sizeof(named->sun_path) + 16];

    if (address->sa_family != AF_UNIX)
        snprintf(text, sizeof(text), "family %d", address->sa_family);
    else if (len > sizeof(named->sun_family) && named->sun_path[0] == '\0')
        snprintf(text, sizeof(text), "abstract");
    else
        snprintf(text, sizeof(text), "%.*s", (int)sizeof(named->sun_path), named->sun_path);
    note(caller, "connect", text);
}

static void
note_low(const void *caller, int fd)
{
    if (fd >= 0 && fd <= STDERR_FILENO)
        note(caller, "low", (const char *[]){"0", "1", "2"}[fd]);
}

#define CALLER         __builtin_return_address(0)
#define REAL(function) ((__typeof__(&(function)))dlsym(RTLD_NEXT, #function))

int
socket(int domain, int type, int protocol)
{
    note(CALLER, "socket", domain == AF_UNIX ? "unix" : "other");
    return REAL(socket)(domain, type, protocol);
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
    note_address(CALLER, address, len);
    note_low(CALLER, fd);
    return REAL(connect)(fd, address, len);
}

ssize_t
read(int fd, void *data, size_t len)
{
    note_low(CALLER, fd);
    return REAL(read)(fd, data, len);
}

#define LOOKUP(type, function, parameters, arguments, detail)                                                \
    type function parameters                                                                                 \
    {                                                                                                        \
        note(CALLER, "lookup " #function, detail);                                                           \
        return REAL(function) arguments;                                                                     \
    }

LOOKUP(int, getaddrinfo,
       (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result),
       (node, service, hints, result), node)
LOOKUP(int, getnameinfo,
       (const struct sockaddr *address, socklen_t len, char *host, socklen_t host_len, char *service,
        socklen_t service_len, int flags),
       (address, len, host, host_len, service, service_len, flags), "")
LOOKUP(struct hostent *, gethostbyname, (const char *name), (name), name)
LOOKUP(struct hostent *, gethostbyname2, (const char *name, int family), (name, family), name)
LOOKUP(int, gethostbyname_r,
       (const char *name, struct hostent *entry, char *buffer, size_t size, struct hostent **result,
        int *error),
       (name, entry, buffer, size, result, error), name)
LOOKUP(struct hostent *, gethostbyaddr, (const void *address, socklen_t len, int type), (address, len, type),
       "")
LOOKUP(struct passwd *, getpwnam, (const char *name), (name), name)
LOOKUP(int, getpwnam_r,
       (const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **result),
       (name, entry, buffer, size, result), name)
LOOKUP(struct passwd *, getpwuid, (uid_t uid), (uid), "")
LOOKUP(int, getpwuid_r, (uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **result),
       (uid, entry, buffer, size, result), "")
LOOKUP(struct passwd *, getpwent, (void), (), "")
LOOKUP(struct group *, getgrnam, (const char *name), (name), name)
LOOKUP(int, getgrnam_r,
       (const char *name, struct group *entry, char *buffer, size_t size, struct group **result),
       (name, entry, buffer, size, result), name)
LOOKUP(struct group *, getgrgid, (gid_t gid), (gid), "")
LOOKUP(int, getgrgid_r, (gid_t gid, struct group *entry, char *buffer, size_t size, struct group **result),
       (gid, entry, buffer, size, result), "")
LOOKUP(int, initgroups, (const char *name, gid_t gid), (name, gid), name)
LOOKUP(int, getgrouplist, (const char *name, gid_t gid, gid_t *groups, int *count),
       (name, gid, groups, count), name)
