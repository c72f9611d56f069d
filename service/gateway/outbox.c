#include "service/gateway/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "proto/decode.h" /* sa_wipe */

struct sa_outbox {
    size_t size, from, len;
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

/* How much the socket took; -1 when the connection is over. */
static ssize_t
send_some(int fd, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent;

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
        sent = send_some(fd, parts, SA_COUNT(parts));
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
sa_outbox_flush(struct sa_outbox *box, int fd)
{
    struct iovec part = {box->bytes + box->from, box->len};
    ssize_t sent = box->len == 0 ? 0 : send_some(fd, &part, 1);

    if (sent < 0)
        return SA_CONNECTION;
    sa_wipe(box->bytes + box->from, (size_t)sent);
    box->from += (size_t)sent;
    box->len -= (size_t)sent;
    if (box->len == 0)
        box->from = 0;
    return SA_OK;
}
