/* links: sa_call */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>

#define NOBODY 65534

static void
nobody_listening_is_no_daemon(void **state)
{
    struct stage *stage = *state;
    struct sa_connection *connection = NULL;
    struct sa_call_error error;

    assert_int_equal(sa_connect(stage->path, 500, &connection, &error), SA_NO_DAEMON);
    assert_int_equal(error.os_error, ENOENT);
    close(listen_at(stage->path, 1)); /* the file stays behind */
    assert_int_equal(sa_connect(stage->path, 500, &connection, &error), SA_NO_DAEMON);
    assert_int_equal(error.os_error, ECONNREFUSED);
    assert_string_equal(error.words, "nobody listens on the socket");
    assert_null(connection);
}

static void
any_other_trouble_is_no_missing_daemon(void **state)
{
    struct stage *stage = *state;
    struct sa_connection *connection = NULL;
    struct sa_call_error error;
    char path[256];

    assert_int_equal(sa_connect("/etc/hostname/socket", 500, &connection, &error), SA_CONNECTION);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(sa_connect(path, 500, &connection, &error), SA_CONNECTION);
    assert_int_equal(error.os_error, ENAMETOOLONG);
    stage->listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, stage->path, strlen(stage->path));
    assert_int_equal(bind(stage->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(sa_connect(stage->path, 500, &connection, NULL), SA_CONNECTION); /* EPROTOTYPE */
    assert_null(connection);
}

static void
another_users_process_is_the_wrong_peer(void **state)
{
    struct stage *stage = *state;
    struct sa_connection *connection = NULL;
    struct sa_call_error error;
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    stage->child = fork();
    if (stage->child == 0) {
        if (setuid(NOBODY) != 0)
            _exit(1);
        listen_at(stage->path, 8);
        (void)!write(ready[1], "x", 1);
        pause_millis(20000);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(sa_connect(stage->path, 2000, &connection, &error), SA_WRONG_PEER);
    assert_string_equal(error.words, "the socket does not belong to root");
    assert_null(connection);
    close(ready[0]);
    close(ready[1]);
}

/* Connections to a listener that never accepts, until its backlog is full. */
static size_t
fill_backlog(const char *path, int *ret_fds, size_t count)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path));
    for (size_t i = 0; i < count; i++) {
        ret_fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(ret_fds[i], (const struct sockaddr *)&address, sizeof(address)) != 0)
            return i + 1;
    }
    abort();
}

static void
a_full_backlog_is_waited_for_until_the_deadline(void **state)
{
    struct stage *stage = *state;
    struct sa_connection *connection = NULL;
    struct sa_call_error error;
    int fds[8];

    stage->listener = listen_at(stage->path, 1);
    size_t count = fill_backlog(stage->path, fds, SA_COUNT(fds));
    int64_t before = now_ms();
    assert_int_equal(sa_connect(stage->path, 150, &connection, &error), SA_CONNECTION);
    assert_int_equal(error.os_error, ETIMEDOUT);
    assert_in_range(now_ms() - before, 149, 1000);

    stage->child = fork();
    if (stage->child == 0) {
        pause_millis(80);
        for (int i = 0; i < 3; i++)
            accept(stage->listener, NULL, NULL);
        pause_millis(20000);
    }
    assert_int_equal(sa_connect(stage->path, 5000, &connection, &error), SA_OK);
    sa_disconnect(connection);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void
descriptors_0_to_2_are_left_alone(void **state)
{
    struct stage *stage = *state;
    int saved = dup(STDIN_FILENO);

    stage->listener = listen_at(stage->path, 8);
    close(STDIN_FILENO);
    struct sa_connection *connection = connect_well(stage);
    int error = fcntl(STDIN_FILENO, F_GETFD) < 0 ? errno : 0;
    sa_disconnect(connection);
    dup2(saved, STDIN_FILENO);
    close(saved);
    assert_int_equal(error, EBADF);
}

static void
the_socket_goes_by_the_effective_uid(SA_UNUSED void **state)
{
    assert_string_equal(sa_call_socket(), SA_ROOT_SOCKET);
    assert_int_equal(seteuid(NOBODY), 0);
    const char *path = sa_call_socket();
    assert_int_equal(seteuid(0), 0);
    assert_string_equal(path, SA_USER_SOCKET);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nobody_listening_is_no_daemon),           TEST(any_other_trouble_is_no_missing_daemon),
        TEST(another_users_process_is_the_wrong_peer), TEST(a_full_backlog_is_waited_for_until_the_deadline),
        TEST(descriptors_0_to_2_are_left_alone),       TEST(the_socket_goes_by_the_effective_uid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
