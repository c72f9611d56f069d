/*
 * A stage for tests of client/call.h: a socket in a folder of its own, and a child that plays the daemon for
 * one connection. Needs root, since a caller believes root only.
 */
#ifndef SA_TESTS_STAGE_H
#define SA_TESTS_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/call.h"
#include "proto/frame.h"
#include "secauth/v1/token.pb-c.h"

#define NAME  "secauth.v1.TokenService/RevokeToken"
#define REPLY &secauth__v1__revoke_token_response__descriptor

/* A daemon for one test: a child that runs `play` on a connection and exits. */
struct stage {
    char dir[64];
    char path[96];
    int listener;
    pid_t child;
    struct sa_arena *arena;
};

static inline int
listen_at(const char *path, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, backlog) != 0)
        abort();
    return fd;
}

static inline void
start(struct stage *stage, void (*play)(int fd))
{
    stage->listener = listen_at(stage->path, 8);
    stage->child = fork();
    if (stage->child != 0)
        return;
    alarm(20);
    int fd = accept(stage->listener, NULL, NULL);
    play(fd);
    _exit(0);
}

static inline int
set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));

    if (stage == NULL || geteuid() != 0)
        return -1;
    snprintf(stage->dir, sizeof(stage->dir), "/tmp/secauth-call-XXXXXX");
    if (mkdtemp(stage->dir) == NULL || chmod(stage->dir, 0777) != 0)
        return -1;
    snprintf(stage->path, sizeof(stage->path), "%s/socket", stage->dir);
    stage->listener = -1;
    stage->arena = sa_arena_new(1 << 20);
    *state = stage;
    return 0;
}

static inline int
tear_down(void **state)
{
    struct stage *stage = *state;

    if (stage->child > 0) {
        kill(stage->child, SIGKILL);
        waitpid(stage->child, NULL, 0);
    }
    if (stage->listener >= 0)
        close(stage->listener);
    unlink(stage->path);
    rmdir(stage->dir);
    sa_arena_free(stage->arena);
    free(stage);
    return 0;
}

/* The daemon's side. */

static inline void
read_all(int fd, uint8_t *ret_data, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t more = read(fd, ret_data + got, len - got);
        if (more <= 0)
            _exit(1);
        got += (size_t)more;
    }
}

static inline void
write_all(int fd, const uint8_t *data, size_t len)
{
    if (send(fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        _exit(1);
}

/* Read a request; returns its call number. */
static inline uint32_t
read_request(int fd)
{
    static uint8_t rest[SA_FRAME_NAME_MAX + SA_FRAME_REQUEST_MAX];
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_frame frame;
    const char *rule;

    read_all(fd, header, sizeof(header));
    if (sa_frame_decode(header, SA_FRAME_READER_DAEMON, &frame, &rule) != SA_OK)
        _exit(1);
    read_all(fd, rest, (size_t)frame.name_len + frame.body_len);
    if (frame.name_len != strlen(NAME) || memcmp(rest, NAME, frame.name_len) != 0)
        _exit(1);
    return frame.call;
}

static inline void
write_frame(int fd, struct sa_frame frame, const void *body)
{
    uint8_t bytes[SA_FRAME_HEADER_LEN + 1024];

    sa_frame_encode(&frame, bytes);
    memcpy(bytes + SA_FRAME_HEADER_LEN, body, frame.body_len);
    write_all(fd, bytes, SA_FRAME_HEADER_LEN + frame.body_len);
}

static inline void
write_ok(int fd, uint32_t call)
{
    write_frame(fd,
                (struct sa_frame){
                    .kind = SA_FRAME_REPLY, .status = SA_OK, .call = call, .request_id = 5, .body_len = 2},
                "\x08\x01"); /* accepted */
}

static inline void
pause_millis(unsigned millis)
{
    struct timespec length = {.tv_sec = millis / 1000, .tv_nsec = (long)(millis % 1000) * 1000000};

    while (nanosleep(&length, &length) != 0)
        ;
}

/* The caller's side. */

static inline struct sa_connection *
connect_well(struct stage *stage)
{
    struct sa_connection *connection = NULL;
    struct sa_call_error error;

    assert_int_equal(sa_connect(stage->path, 2000, &connection, &error), SA_OK);
    return connection;
}

static inline enum sa_status
ask(struct stage *stage, struct sa_connection *connection, uint32_t timeout_millis,
    struct sa_call_error *ret_error)
{
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    ProtobufCMessage *reply = NULL;

    request.token = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "token"};
    enum sa_status status =
        sa_call(connection, NAME, &request.base, REPLY, timeout_millis, stage->arena, &reply, ret_error);
    assert_int_equal(status == SA_OK, reply != NULL);
    if (reply != NULL)
        assert_true(((Secauth__V1__RevokeTokenResponse *)reply)->accepted);
    return status;
}

/* What a call over a fresh connection gives, where the daemon plays so. */
static inline enum sa_status
ask_of(struct stage *stage, void (*play)(int fd), uint32_t timeout_millis, struct sa_call_error *ret_error)
{
    start(stage, play);
    SA_OWN(sa_connection) connection = connect_well(stage);
    return ask(stage, connection, timeout_millis, ret_error);
}

static inline int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
