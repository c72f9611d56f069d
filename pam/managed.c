#include "pam/managed.h"

#include <errno.h>
#include <unistd.h>

#include "pam/file.h"

#define HEADER "secauth managed 1\n"

/* A reader of the list, one byte after another. */
struct reader {
    size_t header_len;   /* bytes of the header that were seen */
    unsigned digits;     /* of the number being read */
    uint64_t number;     /* that number */
    int64_t last;        /* the number before it, -1 for none */
    const uint32_t *uid; /* whom we look for */
};

enum verdict {
    READ_ON,
    FOUND,
    NOT_LEGAL,
};

static enum verdict
end_number(struct reader *reader)
{
    if (reader->digits == 0 || (int64_t)reader->number <= reader->last || reader->number >= UINT32_MAX)
        return NOT_LEGAL;
    if (reader->uid != NULL && reader->number == *reader->uid)
        return FOUND;
    reader->last = (int64_t)reader->number;
    reader->number = 0;
    reader->digits = 0;
    return READ_ON;
}

static enum verdict
take_byte(struct reader *reader, char byte)
{
    if (reader->header_len < sizeof(HEADER) - 1)
        return byte == HEADER[reader->header_len++] ? READ_ON : NOT_LEGAL;
    if (byte == '\n')
        return end_number(reader);
    if (byte < '0' || byte > '9' || reader->digits == 10)
        return NOT_LEGAL;
    reader->number = reader->number * 10 + (uint64_t)(byte - '0');
    reader->digits++;
    return READ_ON;
}

/* The whole list was read, it is legal, and the uid is not on it. */
static bool
is_absent(int fd, const uint32_t *uid)
{
    struct reader reader = {.last = -1, .uid = uid};
    char block[4096];

    for (;;) {
        ssize_t got = read(fd, block, sizeof(block));
        if (got == 0)
            return reader.header_len == sizeof(HEADER) - 1 && reader.digits == 0;
        if (got < 0 && errno != EINTR)
            return false;
        for (ssize_t i = 0; i < got; i++) {
            if (take_byte(&reader, block[i]) != READ_ON)
                return false;
        }
    }
}

bool
sa_managed_may_hold(const char *path, const uint32_t *uid)
{
    int fd = sa_file_open(path);
    if (fd < 0)
        return true;
    bool absent = is_absent(fd, uid);
    close(fd);
    return !absent;
}
