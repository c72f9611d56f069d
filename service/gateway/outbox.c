#include "service/gateway/outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/decode.h" /* sa_wipe */

/* A descriptor that waits to be passed with a certain byte. */
struct passed {
    int fd;    /* a copy */
    size_t at; /* how many bytes that wait go before that byte */
};

struct sa_outbox {
    size_t size, from, len;
    unsigned passed_count;
    struct passed passed[SA_OUTBOX_PASSED_MAX]; /* in their order */
    uint8_t bytes[];
};

struct sa_outbox *
sa_outbox_new(size_t size)
{
    struct sa_outbox *box = calloc(1, sizeof(*box) + size);

    if (box != NULL)
        box->size = size;
    return box;
}

void
sa_outbox_free(struct sa_outbox *box)
{
    if (box == NULL)
        return;
    sa_outbox_clear(box);
    free(box);
}

size_t
sa_outbox_room(const struct sa_outbox *box)
{
    return box->size - box->len;
}

bool
sa_outbox_waiting(const struct sa_outbox *box)
{
    return box->len > 0;
}

void
sa_outbox_clear(struct sa_outbox *box)
{
    sa_wipe(box->bytes + box->from, box->len);
    box->from = box->len = 0;
    while (box->passed_count > 0)
        close(box->passed[--box->passed_count].fd);
}

static void
keep(struct sa_outbox *box, const uint8_t *data, size_t len)
{
    if (box->from + box->len + len > box->size) {
        memmove(box->bytes, box->bytes + box->from, box->len);
        sa_wipe(box->bytes + box->len, box->from);
        box->from = 0;
    }
    memcpy(box->bytes + box->from + box->len, data, len);
    box->len += len;
}

/* How much the socket took; -1 when the connection is over. The descriptor, where there is one, goes with the
 * first byte. */
static ssize_t
send_some(int fd, struct iovec *parts, size_t count, const struct passed *passed)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {
        .header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent;

    if (passed != NULL) {
        memcpy(CMSG_DATA(&control.header), &passed->fd, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof(control.bytes);
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

enum sa_status
sa_outbox_send(struct sa_outbox *box, int fd, struct sa_frame *frame, const char *name, struct sa_bytes body)
{
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct iovec parts[] = {
        {header, sizeof(header)},
        {(void *)(uintptr_t)name, strlen(name)},
        {(void *)(uintptr_t)body.data, body.len},
    };
    ssize_t sent = 0;

    frame->name_len = (uint16_t)strlen(name);
    frame->body_len = (uint32_t)body.len;
    if (sizeof(header) + frame->name_len + body.len > sa_outbox_room(box))
        return SA_OVERLOADED;
    sa_frame_encode(frame, header);
    if (box->len == 0)
        sent = send_some(fd, parts, SA_COUNT(parts), NULL);
    if (sent < 0)
        return SA_CONNECTION;
    for (size_t i = 0; i < SA_COUNT(parts); i++) {
        size_t gone = (size_t)sent < parts[i].iov_len ? (size_t)sent : parts[i].iov_len;
        sent -= (ssize_t)gone;
        if (gone < parts[i].iov_len)
            keep(box, (const uint8_t *)parts[i].iov_base + gone, parts[i].iov_len - gone);
    }
    return SA_OK;
}

enum sa_status
sa_outbox_pass(struct sa_outbox *box, int fd, struct sa_frame *frame, int descriptor)
{
    uint8_t header[SA_FRAME_HEADER_LEN];
    bool waited = sa_outbox_waiting(box);
    int copy;

    frame->name_len = 0;
    frame->body_len = 0;
    if (sizeof(header) > sa_outbox_room(box) || box->passed_count == SA_OUTBOX_PASSED_MAX)
        return SA_OVERLOADED;
    copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return SA_OVERLOADED;
    box->passed[box->passed_count++] = (struct passed){copy, box->len};
    sa_frame_encode(frame, header);
    keep(box, header, sizeof(header));
    return waited ? SA_OK : sa_outbox_flush(box, fd);
}

/* What has left takes its descriptor along. */
static void
forget_sent(struct sa_outbox *box, size_t len)
{
    sa_wipe(box->bytes + box->from, len);
    box->from += len;
    box->len -= len;
    if (box->len == 0)
        box->from = 0;
    if (box->passed_count > 0 && box->passed[0].at == 0) {
        close(box->passed[0].fd);
        box->passed_count--;
        memmove(box->passed, box->passed + 1, box->passed_count * sizeof(box->passed[0]));
    }
    for (unsigned i = 0; i < box->passed_count; i++)
        box->passed[i].at -= len;
}

/* Up to the next byte that brings a descriptor, so that each is the first of what is sent. */
static size_t
next_len(const struct sa_outbox *box)
{
    for (unsigned i = 0; i < box->passed_count; i++)
        if (box->passed[i].at > 0)
            return box->passed[i].at;
    return box->len;
}

enum sa_status
sa_outbox_flush(struct sa_outbox *box, int fd)
{
    while (box->len > 0) {
        struct iovec part = {box->bytes + box->from, next_len(box)};
        bool passes = box->passed_count > 0 && box->passed[0].at == 0;
        ssize_t sent = send_some(fd, &part, 1, passes ? box->passed : NULL);

        if (sent < 0)
            return SA_CONNECTION;
        if (sent == 0)
            return SA_OK;
        forget_sent(box, (size_t)sent);
    }
    return SA_OK;
}
