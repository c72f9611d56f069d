/* links: sa_gateway */
/* What waits for the daemon, descriptors among it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/gateway/outbox.h"

#define ROOM (1024u * 1024u)

static unsigned
open_descriptors(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A pair whose first end takes nothing more. */
static void
make_full_pair(int ret_pair[2], struct sa_outbox *box, unsigned *ret_frames)
{
    static const uint8_t body[SA_FRAME_REQUEST_MAX];
    struct sa_frame frame = {.kind = SA_FRAME_REQUEST, .call = 1, .millis = 1};

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ret_pair), 0);
    for (*ret_frames = 0; !sa_outbox_waiting(box); ++*ret_frames)
        assert_int_equal(sa_outbox_send(box, ret_pair[0], &frame, "a/b", sa_bytes(body, sizeof(body))),
                         SA_OK);
}

static enum sa_status
pass(struct sa_outbox *box, int to, uint32_t peer, int descriptor)
{
    struct sa_frame frame = {.kind = SA_FRAME_PEER, .peer = peer};

    return sa_outbox_pass(box, to, &frame, descriptor);
}

/* Read on; *ret_fd is the descriptor that came, -1: none. */
static size_t
receive(int from, uint8_t *data, size_t size, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {data, size};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t got = recvmsg(from, &message, 0);

    *ret_fd = -1;
    if (got > 0 && message.msg_controllen > 0)
        memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(int));
    return got > 0 ? (size_t)got : 0;
}

static void
a_descriptor_too_many_is_refused_and_all_are_closed_in_the_end(void **state)
{
    struct sa_outbox *box = sa_outbox_new(ROOM);
    unsigned frames, before = open_descriptors();
    int pair[2];

    (void)state;
    make_full_pair(pair, box, &frames);
    for (unsigned i = 0; i < SA_OUTBOX_PASSED_MAX; i++)
        assert_int_equal(pass(box, pair[0], i + 1, pair[0]), SA_OK);
    assert_int_equal(pass(box, pair[0], 999, pair[0]), SA_OVERLOADED);
    assert_int_equal(open_descriptors(), before + 2 + SA_OUTBOX_PASSED_MAX);
    sa_outbox_clear(box);
    assert_int_equal(open_descriptors(), before + 2);
    assert_int_equal(pass(box, pair[0], 1, -1), SA_OVERLOADED);
    sa_outbox_free(box);
    close(pair[0]);
    close(pair[1]);
}

static void
each_descriptor_that_waited_comes_with_its_own_frame(void **state)
{
    SA_OWN(sa_outbox) box = sa_outbox_new(ROOM);
    int passed[3], pair[2], fd;
    struct stat sent[3], came;
    uint8_t *all = malloc(ROOM);
    size_t len = 0;
    unsigned frames, count = 0;
    struct sa_frame gone = {.kind = SA_FRAME_PEER_GONE, .peer = 1};

    (void)state;
    make_full_pair(pair, box, &frames);
    for (unsigned i = 0; i < 3; i++) {
        int other[2];
        assert_int_equal(pipe(other), 0);
        passed[i] = other[0];
        assert_int_equal(fstat(passed[i], &sent[i]), 0);
        assert_int_equal(pass(box, pair[0], i + 1, passed[i]), SA_OK);
        if (i == 1) /* something between two of them */
            assert_int_equal(sa_outbox_send(box, pair[0], &gone, "", sa_bytes(NULL, 0)), SA_OK);
        close(other[1]);
        close(passed[i]); /* it was copied */
    }
    while (count < 3) {
        struct sa_frame frame;
        const char *rule;
        size_t got = receive(pair[1], all + len, ROOM - len, &fd);
        len += got;
        if (fd >=
            0) { /* what it came with are the last bytes: its PEER, and what followed on the same send */
            size_t at = len - SA_FRAME_HEADER_LEN * (count == 1 ? 2 : 1);
            assert_int_equal(sa_frame_decode(all + at, SA_FRAME_READER_GATEWAY, &frame, &rule), SA_OK);
            assert_int_equal(frame.kind, SA_FRAME_PEER);
            assert_int_equal(frame.peer, ++count);
            assert_int_equal(fstat(fd, &came), 0);
            assert_int_equal(came.st_ino, sent[frame.peer - 1].st_ino);
            close(fd);
        }
        if (got == 0)
            assert_int_equal(sa_outbox_flush(box, pair[0]), SA_OK);
    }
    assert_false(sa_outbox_waiting(box));
    assert_int_equal(len,
                     frames * (SA_FRAME_HEADER_LEN + 3 + SA_FRAME_REQUEST_MAX) + 4 * SA_FRAME_HEADER_LEN);
    free(all);
    close(pair[0]);
    close(pair[1]);
}

static void
a_descriptor_goes_at_once_where_nothing_waits(void **state)
{
    SA_OWN(sa_outbox) box = sa_outbox_new(ROOM);
    unsigned before = open_descriptors();
    uint8_t header[64];
    int pair[2], fd;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pass(box, pair[0], 1, pair[0]), SA_OK);
    assert_int_equal(open_descriptors(), before + 2); /* no copy is left */
    assert_int_equal(receive(pair[1], header, sizeof(header), &fd), SA_FRAME_HEADER_LEN);
    assert_true(fd >= 0);
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_too_many_is_refused_and_all_are_closed_in_the_end),
        cmocka_unit_test(each_descriptor_that_waited_comes_with_its_own_frame),
        cmocka_unit_test(a_descriptor_goes_at_once_where_nothing_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
