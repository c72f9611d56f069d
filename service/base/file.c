#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SHOWN 200
#define PATH_LEN   512u

void
sa_file_text_free(struct sa_file_text *text)
{
    free(text);
}

static enum sa_status
read_all(int fd, size_t max, struct sa_file_text *text)
{
    while (text->len <= max) {
        ssize_t got = read(fd, text->data + text->len, max + 1 - text->len);
        if (got == 0)
            return SA_OK;
        if (got > 0)
            text->len += (size_t)got;
        else if (errno != EINTR)
            return SA_INVALID_ARGUMENT;
    }
    errno = EFBIG;
    return SA_INVALID_ARGUMENT;
}

enum sa_status
sa_file_read(const char *path, int flags, size_t max, struct sa_file_text **ret_text, char *ret_why,
             size_t why_len)
{
    SA_OWN(sa_file_text) text = NULL;
    enum sa_status status = SA_INVALID_ARGUMENT;
    const char *why = NULL;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
    if (fd >= 0) {
        text = malloc(sizeof(*text) + max + 2);
        if (text != NULL) {
            text->len = 0;
            status = read_all(fd, max, text);
        } else {
            status = SA_NO_MEMORY;
            errno = ENOMEM;
        }
    } else if (errno == ENOENT) {
        status = SA_NOT_FOUND;
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (status == SA_OK && memchr(text->data, '\0', text->len) != NULL) {
        status = SA_INVALID_ARGUMENT;
        why = "holds a NUL";
    }
    if (status != SA_OK) {
        if (status == SA_INVALID_ARGUMENT && error == EFBIG)
            snprintf(ret_why, why_len, "%.*s: is over %zu KiB", PATH_SHOWN, path, max / 1024);
        else
            snprintf(ret_why, why_len, "%.*s: %s", PATH_SHOWN, path, why != NULL ? why : strerror(error));
        return status;
    }
    text->data[text->len] = '\0';
    *ret_text = sa_file_text_take(&text);
    return SA_OK;
}

static bool
write_all(int fd, struct sa_bytes text)
{
    while (text.len > 0) {
        ssize_t put = write(fd, text.data, text.len);
        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0)
            text = sa_bytes(text.data + put, text.len - (size_t)put);
    }
    return true;
}

/* The name is safe only once its directory is. */
static bool
sync_directory(const char *path)
{
    char directory[PATH_LEN];
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return true;
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path + 1), path);
    int fd = open(directory, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

enum sa_status
sa_file_replace(const char *path, mode_t mode, struct sa_bytes text)
{
    char beside[PATH_LEN];

    if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
        return SA_STORAGE;
    if (unlink(beside) != 0 && errno != ENOENT)
        return SA_STORAGE;
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return SA_STORAGE;
    bool written = write_all(fd, text) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    if (written && rename(beside, path) == 0 && sync_directory(path))
        return SA_OK;
    unlink(beside);
    return SA_STORAGE;
}
