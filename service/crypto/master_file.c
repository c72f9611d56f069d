#include "service/crypto/master_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/sockets.h"
#include "service/crypto/encode.h"

/* The directory of a path, in a buffer of PATH_MAX. */
static const char *
directory_of(const char *path, char *buffer)
{
    snprintf(buffer, PATH_MAX, "%s", path);
    return dirname(buffer);
}

static enum sa_status
check_directory(const char *path, uint32_t owner, const char **ret_why)
{
    char buffer[PATH_MAX];
    struct stat st;

    if (stat(directory_of(path, buffer), &st) != 0) {
        *ret_why = "the master key's directory cannot be read";
        return SA_STORAGE;
    }
    if ((st.st_uid != owner && st.st_uid != 0) || (st.st_mode & 022) != 0) {
        *ret_why = "the master key's directory can be written by others";
        return SA_PERMISSION_DENIED;
    }
    return SA_OK;
}

static enum sa_status
read_file(int descriptor, uint32_t owner, uint8_t *ret_master, const char **ret_why)
{
    struct stat st;

    if (fstat(descriptor, &st) != 0) {
        *ret_why = "the master key cannot be read";
        return SA_STORAGE;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != owner || (st.st_mode & 077) != 0) {
        *ret_why =
            "the master key can be read by others, or is not the daemon's: it must be a file of mode 0600";
        return SA_PERMISSION_DENIED;
    }
    if (st.st_size != SA_MASTER_LEN || read(descriptor, ret_master, SA_MASTER_LEN) != SA_MASTER_LEN) {
        *ret_why = "the master key does not have 32 bytes";
        return SA_INVALID_ARGUMENT;
    }
    return SA_OK;
}

/*
 * Make the file whole or not at all: written beside, synced, linked under its name (never over another), the
 * directory synced. Not O_TMPFILE: overlay file systems of Debian 12's kernel have none.
 */
static enum sa_status
create_file(const char *path, uint8_t *ret_master)
{
    char buffer[PATH_MAX];
    char beside[PATH_MAX];
    bool made = false;

    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return SA_STORAGE;
    sa_random(ret_master, SA_MASTER_LEN);
    unlink(beside); /* what a crash left; nobody else can write here */
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int directory = open(directory_of(path, buffer), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file >= 0 && directory >= 0)
        made = write(file, ret_master, SA_MASTER_LEN) == SA_MASTER_LEN && fsync(file) == 0 &&
               link(beside, path) == 0 && unlink(beside) == 0 && fsync(directory) == 0;
    if (file >= 0)
        close(file);
    if (directory >= 0)
        close(directory);
    return made ? SA_OK : SA_STORAGE;
}

enum sa_status
sa_master_file_open(const char *path, uint32_t owner, bool may_create, uint8_t ret_master[SA_MASTER_LEN],
                    const char **ret_why)
{
    enum sa_status status = check_directory(path, owner, ret_why);

    if (status != SA_OK)
        return status;
    int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= 0) {
        status = read_file(descriptor, owner, ret_master, ret_why);
        close(descriptor);
        return status;
    }
    if (errno != ENOENT) {
        *ret_why = "the master key cannot be read";
        return SA_STORAGE;
    }
    if (!may_create) {
        *ret_why = "there is a store and no master key" SA_STORE_ADVICE;
        return SA_INVALID_ARGUMENT;
    }
    status = create_file(path, ret_master);
    if (status != SA_OK)
        *ret_why = "the master key cannot be made";
    return status;
}

/* ---- the next one ---- */

static bool
next_path(const char *path, char ret_path[PATH_MAX])
{
    return (size_t)snprintf(ret_path, PATH_MAX, "%s.next", path) < PATH_MAX;
}

enum sa_status
sa_master_file_read_next(const char *path, uint32_t owner, uint8_t ret_master[SA_MASTER_LEN])
{
    char next[PATH_MAX];
    const char *why;

    if (!next_path(path, next))
        return SA_NOT_FOUND;
    int descriptor = open(next, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor < 0)
        return SA_NOT_FOUND;
    enum sa_status status = read_file(descriptor, owner, ret_master, &why);
    close(descriptor);
    return status == SA_OK ? SA_OK : SA_NOT_FOUND;
}

enum sa_status
sa_master_file_make_next(const char *path, uint8_t ret_master[SA_MASTER_LEN])
{
    char next[PATH_MAX];

    if (!next_path(path, next) || (unlink(next) != 0 && errno != ENOENT))
        return SA_STORAGE;
    return create_file(next, ret_master);
}

enum sa_status
sa_master_file_adopt_next(const char *path)
{
    char buffer[PATH_MAX];
    char next[PATH_MAX];

    if (!next_path(path, next) || rename(next, path) != 0)
        return SA_STORAGE;
    int directory = open(directory_of(path, buffer), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return SA_STORAGE;
    bool synced = fsync(directory) == 0;
    close(directory);
    return synced ? SA_OK : SA_STORAGE;
}
