#include "pam/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
sa_file_raise(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(fd);
    return raised;
}

int
sa_file_open(const char *path)
{
    struct stat about;
    int fd = sa_file_raise(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));

    if (fd < 0)
        return -1;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(fd);
        return -1;
    }
    return fd;
}

size_t
sa_file_read(const char *path, char *ret_data, size_t len)
{
    int fd = sa_file_open(path);
    if (fd < 0)
        return 0;
    ssize_t got;
    do
        got = read(fd, ret_data, len);
    while (got < 0 && errno == EINTR);
    close(fd);
    return got > 0 ? (size_t)got : 0;
}
