/* links: sa_transport */
/* Whom a gateway speaks for: what a network gateway may state, and what a local one may pass. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "secauth/v1/peer.pb-c.h"
#include "service/transport/passed.h"
#include "service/transport/peers.h"

#define OVERFLOW_UID 65534u
#define ALICE        4711u

static enum sa_status
state_facts(struct sa_peers *peers, const char *address, size_t fingerprint_len, int descriptor)
{
    Secauth__V1__PeerFacts facts = SECAUTH__V1__PEER_FACTS__INIT;
    uint8_t fingerprint[64] = {1, 2, 3}, packed[256];
    char text[64];

    snprintf(text, sizeof(text), "%s", address);
    facts.address = text;
    facts.certificate = (ProtobufCBinaryData){fingerprint_len, fingerprint};
    return sa_peers_put(peers, 7, sa_bytes(packed, secauth__v1__peer_facts__pack(&facts, packed)),
                        descriptor);
}

static void
a_network_gateway_states_an_address_and_a_whole_fingerprint_or_none(void **state)
{
    SA_OWN(sa_peers) peers = sa_peers_new(true, OVERFLOW_UID);
    struct sa_caller caller = {.via = SA_VIA_NETWORK};

    (void)state;
    assert_int_equal(state_facts(peers, "192.0.2.1", 31, -1), SA_MALFORMED);
    assert_int_equal(state_facts(peers, "192.0.2.1", 33, -1), SA_MALFORMED);
    assert_int_equal(state_facts(peers, "", 32, -1), SA_MALFORMED);
    assert_int_equal(sa_peers_put(peers, 7, sa_bytes("\x0a", 1), -1), SA_MALFORMED);
    assert_int_equal(sa_peers_fill(peers, 7, &caller), SA_NOT_FOUND);
    assert_int_equal(state_facts(peers, "2001:DB8::0:1", 32, -1), SA_OK);
    assert_int_equal(sa_peers_fill(peers, 7, &caller), SA_OK);
    assert_string_equal(caller.address, "2001:db8::1");
    assert_true(caller.has_certificate && caller.certificate[2] == 3);
    assert_false(caller.has_uid);
    assert_int_equal(state_facts(peers, "192.0.2.1", 0, -1), SA_OK);
    assert_int_equal(sa_peers_fill(peers, 7, &caller), SA_OK);
    assert_false(caller.has_certificate);
    assert_int_equal(state_facts(peers, "192.0.2.1", 1, -1), SA_MALFORMED);
    assert_int_equal(sa_peers_fill(peers, 7, &caller), SA_NOT_FOUND); /* and is not who it was before */
}

/* A listener in a folder of its own. */
struct stage {
    char folder[32];
    struct sockaddr_un name;
    int listener;
    struct sa_peers *peers;
};

static int
set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    strcpy(stage->folder, "/tmp/peers.XXXXXX");
    if (getuid() != 0 || mkdtemp(stage->folder) == NULL || chmod(stage->folder, 0755) != 0)
        return -1;
    stage->name.sun_family = AF_UNIX;
    snprintf(stage->name.sun_path, sizeof(stage->name.sun_path), "%s/socket", stage->folder);
    stage->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(stage->listener, (struct sockaddr *)&stage->name, sizeof(stage->name)), 0);
    assert_int_equal(chmod(stage->name.sun_path, 0666), 0);
    assert_int_equal(listen(stage->listener, 8), 0);
    stage->peers = sa_peers_new(false, OVERFLOW_UID);
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    struct stage *stage = *state;

    sa_peers_free(stage->peers);
    close(stage->listener);
    unlink(stage->name.sun_path);
    rmdir(stage->folder);
    free(stage);
    return 0;
}

/* Connect as somebody, for as long as this test; the kernel remembers the effective uid of this moment. */
static int
connect_as(const struct stage *stage, uid_t uid)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(seteuid(uid), 0);
    int connected = connect(fd, (const struct sockaddr *)&stage->name, sizeof(stage->name));
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(connected, 0);
    return fd;
}

static enum sa_status
pass(struct stage *stage, int descriptor)
{
    return sa_peers_put(stage->peers, 7, sa_bytes(NULL, 0), descriptor);
}

static void
a_local_gateway_states_nothing_and_passes_one_descriptor(void **state)
{
    struct stage *stage = *state;
    int client = connect_as(stage, ALICE), accepted = accept(stage->listener, NULL, NULL);

    assert_int_equal(pass(stage, -1), SA_MALFORMED);
    assert_int_equal(state_facts(stage->peers, "192.0.2.1", 0, accepted), SA_MALFORMED);
    assert_int_equal(state_facts(stage->peers, "192.0.2.1", 0, -1), SA_MALFORMED);
    assert_int_equal(sa_peers_put(stage->peers, 7, sa_bytes("\x0a\x02\x08\x07", 4), accepted), SA_MALFORMED);
    close(client);
    close(accepted);
}

static void
the_kernel_says_who_has_connected(void **state)
{
    struct stage *stage = *state;
    struct sa_caller caller = {.via = SA_VIA_LOCAL};
    int client = connect_as(stage, ALICE), accepted = accept(stage->listener, NULL, NULL);

    assert_int_equal(pass(stage, accepted), SA_OK);
    assert_int_equal(sa_peers_fill(stage->peers, 7, &caller), SA_OK);
    assert_true(caller.has_uid && caller.uid == ALICE);
    assert_int_equal(caller.pid, getpid());
    assert_false(caller.administrator || caller.has_certificate || caller.address[0] != '\0');
    close(client);
    assert_int_equal(pass(stage, accepted), SA_PERMISSION_DENIED); /* hung up: nobody is connected any more */
    assert_int_equal(sa_peers_fill(stage->peers, 7, &caller), SA_NOT_FOUND);
    close(accepted);
}

static void
root_is_nobody_and_the_overflow_uid_is_refused(void **state)
{
    struct stage *stage = *state;
    struct sa_caller caller = {.via = SA_VIA_LOCAL};
    int client = connect_as(stage, 0), accepted = accept(stage->listener, NULL, NULL);

    assert_int_equal(pass(stage, accepted), SA_OK);
    assert_int_equal(sa_peers_fill(stage->peers, 7, &caller), SA_OK);
    assert_false(caller.has_uid);
    close(client);
    close(accepted);
    client = connect_as(stage, OVERFLOW_UID);
    accepted = accept(stage->listener, NULL, NULL);
    assert_int_equal(pass(stage, accepted), SA_PERMISSION_DENIED);
    close(client);
    close(accepted);
}

/* Whoever listens somewhere is who the kernel names to those who connect there. */
static void
a_gateway_that_connects_to_somebody_does_not_become_them(void **state)
{
    struct stage *stage = *state;
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    int client, accepted;

    assert_int_equal(seteuid(ALICE), 0); /* now this is alice's listener */
    assert_int_equal(listen(stage->listener, 8), 0);
    assert_int_equal(seteuid(0), 0);
    client = connect_as(stage, 33);
    accepted = accept(stage->listener, NULL, NULL);
    assert_int_equal(pass(stage, client), SA_PERMISSION_DENIED);
    close(client);
    close(accepted);

    client = socket(AF_UNIX, SOCK_STREAM, 0); /* nor with a name of its own choice */
    snprintf(own.sun_path, sizeof(own.sun_path), "%s/own", stage->folder);
    assert_int_equal(bind(client, (struct sockaddr *)&own, sizeof(own)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&stage->name, sizeof(stage->name)), 0);
    accepted = accept(stage->listener, NULL, NULL);
    assert_int_equal(pass(stage, client), SA_PERMISSION_DENIED);
    close(client);
    close(accepted);
    unlink(own.sun_path);
}

static void
what_is_no_connection_is_refused(void **state)
{
    struct stage *stage = *state;
    int pair[2], fd;

    assert_int_equal(pass(stage, stage->listener), SA_PERMISSION_DENIED);
    for (int kind = 0; kind < 3; kind++) {
        fd = kind == 0   ? socket(AF_UNIX, SOCK_STREAM, 0)
             : kind == 1 ? socket(AF_INET, SOCK_STREAM, 0)
                         : open("/dev/null", O_RDWR);
        assert_int_equal(pass(stage, fd), SA_PERMISSION_DENIED);
        close(fd);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    assert_int_equal(pass(stage, pair[0]), SA_PERMISSION_DENIED);
    close(pair[0]);
    close(pair[1]);
}

/* ---- how descriptors come ---- */

static unsigned
open_descriptors(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void
send_with(int fd, const char *text, unsigned count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(16 * sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(count * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec data = {(void *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};

    for (unsigned i = 0; i < count; i++)
        memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(int));
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &message, 0), (ssize_t)strlen(text));
}

static void
more_than_one_descriptor_is_refused_and_none_of_them_stays_open(void **state)
{
    static const unsigned too_many[] = {2, 8, 9, 16}; /* the last two: more than are looked at */
    struct sa_passed passed = {0};
    char data[64];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    unsigned before = open_descriptors();
    for (size_t i = 0; i < SA_COUNT(too_many); i++) {
        send_with(pair[0], "xyz", too_many[i]);
        errno = 0;
        assert_int_equal(sa_passed_receive(&passed, pair[1], data, sizeof(data)), -1);
        assert_int_equal(errno, EPROTO);
        assert_int_equal(passed.count, 0);
        assert_int_equal(open_descriptors(), before);
    }
    for (int i = 0; i < 3; i++)
        send_with(pair[0], "a", 1);
    assert_int_equal(sa_passed_receive(&passed, pair[1], data, sizeof(data)), 1);
    assert_int_equal(sa_passed_receive(&passed, pair[1], data, sizeof(data)), 1);
    assert_int_equal(sa_passed_receive(&passed, pair[1], data, sizeof(data)), -1); /* nobody takes them */
    assert_int_equal(open_descriptors(), before + 2);
    sa_passed_close(&passed);
    assert_int_equal(open_descriptors(), before);
    close(pair[0]);
    close(pair[1]);
}

static void
a_descriptor_comes_with_its_own_bytes_and_is_taken_once(void **state)
{
    struct sa_passed passed = {0};
    char data[64];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    send_with(pair[0], "before", 0);
    send_with(pair[0], "with", 1);
    send_with(pair[0], "after", 0);
    size_t len = 0;
    while (passed.count == 0)
        len += (size_t)sa_passed_receive(&passed, pair[1], data, sizeof(data));
    assert_true(len <= strlen("beforewith")); /* a read ends where the bytes of a descriptor end */
    int fd = sa_passed_take(&passed);
    assert_true(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(sa_passed_take(&passed), -1);
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

#define STAGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_gateway_states_an_address_and_a_whole_fingerprint_or_none),
        STAGED(a_local_gateway_states_nothing_and_passes_one_descriptor),
        STAGED(a_gateway_that_connects_to_somebody_does_not_become_them),
        STAGED(what_is_no_connection_is_refused),
        STAGED(root_is_nobody_and_the_overflow_uid_is_refused),
        STAGED(the_kernel_says_who_has_connected),
        cmocka_unit_test(more_than_one_descriptor_is_refused_and_none_of_them_stays_open),
        cmocka_unit_test(a_descriptor_comes_with_its_own_bytes_and_is_taken_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
