#include "service/auth/breached.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/decode.h"
#include "service/crypto/sha1.h"

#define MAGIC      "SABREACH"
#define HEADER_LEN 32u
#define VERSION    1u
#define KIND_SHA1  1u
#define WIDTH_MIN  8u
#define SAMPLES    1024u

struct list {
    int fd; /* -1: none */
    unsigned width;
    uint64_t count;
};

struct sa_breached {
    pthread_rwlock_t lock; /* of what follows */
    struct list list;
};

struct sa_breached *
sa_breached_new(void)
{
    struct sa_breached *breached = calloc(1, sizeof(*breached));

    if (breached == NULL)
        return NULL;
    pthread_rwlock_init(&breached->lock, NULL);
    breached->list.fd = -1;
    return breached;
}

static void
close_list(struct list list)
{
    if (list.fd >= 0)
        close(list.fd);
}

void
sa_breached_free(struct sa_breached *breached)
{
    if (breached == NULL)
        return;
    close_list(breached->list);
    pthread_rwlock_destroy(&breached->lock);
    free(breached);
}

/* ---- reading ---- */

/* The whole length, or false. */
static bool
read_at(int fd, uint64_t at, uint8_t *ret_data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(fd, ret_data + done, len - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool
read_digest(const struct list *list, uint64_t index, uint8_t ret_digest[SA_SHA1_LEN])
{
    return read_at(list->fd, HEADER_LEN + index * list->width, ret_digest, list->width);
}

static bool
all_zero(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != 0)
            return false;
    return true;
}

static const char *
read_header(struct list *list, uint64_t file_len)
{
    uint8_t header[HEADER_LEN];
    uint64_t expected;

    if (file_len < HEADER_LEN || !read_at(list->fd, 0, header, sizeof(header)))
        return "is shorter than its header";
    if (memcmp(header, MAGIC, sizeof(MAGIC) - 1) != 0 || header[8] != VERSION)
        return "is no list as `secauthctl password-list build` makes it";
    if (header[9] != KIND_SHA1)
        return "holds a kind of hash that is not known";
    list->width = header[10];
    if (list->width < WIDTH_MIN || list->width > SA_SHA1_LEN || !all_zero(header + 11, 5) ||
        !all_zero(header + 24, 8))
        return "has a header that is damaged";
    for (unsigned i = 16; i < 24; i++)
        list->count = list->count << 8 | header[i];
    if (list->count == 0)
        return "holds nothing";
    if (__builtin_mul_overflow(list->count, (uint64_t)list->width, &expected) ||
        __builtin_add_overflow(expected, HEADER_LEN, &expected) || expected != file_len)
        return "is not as long as its header says: it was cut short, or grew";
    return NULL;
}

/* Neighbours at even distances, and each with the one before: a list that is not sorted finds nothing. */
static const char *
check_order(const struct list *list)
{
    uint64_t step = list->count / SAMPLES + 1;
    uint8_t before[SA_SHA1_LEN], digest[SA_SHA1_LEN];
    bool has_before = false;

    for (uint64_t at = 0; at < list->count; at += step) {
        for (uint64_t i = at; i < at + 2 && i < list->count && i < at + step; i++) {
            if (!read_digest(list, i, digest))
                return "cannot be read";
            if (has_before && memcmp(before, digest, list->width) >= 0)
                return "is not sorted";
            memcpy(before, digest, sizeof(before));
            has_before = true;
        }
    }
    return NULL;
}

static enum sa_status
open_list(const char *path, struct list *ret_list, const char **ret_why)
{
    struct list list = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    struct stat status;

    if (list.fd < 0 || fstat(list.fd, &status) != 0) {
        *ret_why = errno == ENOENT   ? "is not there"
                   : errno == EACCES ? "may not be read by the daemon's user"
                                     : "cannot be opened";
        close_list(list);
        return SA_STORAGE;
    }
    const char *why =
        S_ISREG(status.st_mode) ? read_header(&list, (uint64_t)status.st_size) : "is no regular file";
    if (why == NULL)
        why = check_order(&list);
    if (why != NULL) {
        close_list(list);
        *ret_why = why;
        return SA_INVALID_ARGUMENT;
    }
    *ret_list = list;
    return SA_OK;
}

enum sa_status
sa_breached_load(struct sa_breached *breached, const char *path, const char **ret_why)
{
    struct list list = {.fd = -1};
    enum sa_status status = path[0] == '\0' ? SA_OK : open_list(path, &list, ret_why);

    if (status != SA_OK)
        return status;
    pthread_rwlock_wrlock(&breached->lock);
    struct list old = breached->list;
    breached->list = list;
    pthread_rwlock_unlock(&breached->lock);
    close_list(old);
    return SA_OK;
}

/* ---- looking up ---- */

static enum sa_status
find(const struct list *list, const uint8_t wanted[SA_SHA1_LEN], bool *ret_listed)
{
    uint64_t low = 0, high = list->fd < 0 ? 0 : list->count;
    uint8_t digest[SA_SHA1_LEN];

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (!read_digest(list, middle, digest))
            return SA_STORAGE;
        int order = memcmp(wanted, digest, list->width);
        if (order == 0) {
            *ret_listed = true;
            return SA_OK;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    *ret_listed = false;
    return SA_OK;
}

enum sa_status
sa_breached_has(struct sa_breached *breached, struct sa_bytes password, bool *ret_listed)
{
    uint8_t wanted[SA_SHA1_LEN];
    enum sa_status status = sa_sha1(password, wanted);

    if (status != SA_OK)
        return status;
    pthread_rwlock_rdlock(&breached->lock);
    status = find(&breached->list, wanted, ret_listed);
    pthread_rwlock_unlock(&breached->lock);
    sa_wipe(wanted, sizeof(wanted));
    return status;
}
