/* links: sa_auth */
/* Which process is an attested client: by its uid, its unit, and being the one that connected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/auth/attest.h"
#include "service/auth/leader.h"

static const struct {
    const char *cgroup;
    bool is;
} seen[] = {
    {"", false},
    {"0::/\n", false},
    {"0::/system.slice\n", false},
    {"0::/system.slice/\n", false},
    {"0::/system.slice/backup.service", false}, /* cut off: there is always a line end */
    {"0::/system.slice/backup.service.d\n", false},
    {"0::/system.slice/backup.service (deleted)\n", false},
    {"0::/system.slice/backup.servic\n", false},
    {"0::/system.slice/xbackup.service\n", false},
    {"0::/system.slice/other.service/backup.service\n", false},
    {"0::/user.slice/user-1000.slice/system.slice/backup.service\n", false},
    {"0::/../system.slice/backup.service\n", false},
    {"0::/SYSTEM.slice/backup.service\n", false},
    {"0::system.slice/backup.service\n", false},
    {"1:name=systemd:/system.slice/backup.service\n", false},
    {"10::/system.slice/backup.service\n", false},
    {"4:memory:/x\n0::/user.slice\n", false},
    {"0::/user.slice\n0::/system.slice/backup.service\n", false},
    {"0::/system.slice/backup.service\n", true},
    {"0::/system.slice/backup.service/\n", true},
    {"0::/system.slice/backup.service/worker/1\n", true},
    {"12:pids:/a\n1:name=systemd:/b\n0::/system.slice/backup.service\n", true},
};

static void
only_the_unified_path_of_a_unit_is_the_unit(void **state SA_UNUSED)
{
    for (size_t i = 0; i < SA_COUNT(seen); i++)
        if (sa_attest_is_in_unit(seen[i].cgroup, "backup.service") != seen[i].is)
            fail_msg("\"%s\" is%s in the unit", seen[i].cgroup,
                     seen[i].is ? " not taken to be" : " taken to be");
    assert_false(sa_attest_is_in_unit("0::/system.slice/\n", ""));
    assert_false(sa_attest_is_in_unit("0::/system.slice//x\n", ""));
}

static struct sa_attested
myself(void)
{
    struct sa_process process;

    assert_true(sa_process_read((uint32_t)getpid(), &process));
    return (struct sa_attested){true, 4711, (uint32_t)getpid(), process.start};
}

static void
another_uid_process_or_unit_is_not_the_client(void **state SA_UNUSED)
{
    struct sa_client client = {.attest_uid = 4711};
    struct sa_attested process = myself();

    assert_null(sa_attest(&client, &process));
    client.attest_uid = 0;
    assert_string_equal(sa_attest(&client, &process), "NOT_ATTESTED");
    client.attest_uid = 4712;
    assert_string_equal(sa_attest(&client, &process), "OTHER_UID");
    client.attest_uid = 4711;
    process.has_uid = false;
    assert_string_equal(sa_attest(&client, &process), "OTHER_UID");
    process.has_uid = true;
    process.start++;
    assert_string_equal(sa_attest(&client, &process), "OTHER_PROCESS");
    process.start = 0;
    assert_string_equal(sa_attest(&client, &process), "OTHER_PROCESS");
    process = myself();
    strcpy(client.attest_unit, "no-such.service");
    assert_string_equal(sa_attest(&client, &process), "OTHER_UNIT");
}

static void
a_uid_of_0_is_never_attested(void **state SA_UNUSED)
{
    struct sa_client client = {.attest_uid = 0};
    struct sa_attested process = myself();

    process.uid = 0;
    assert_string_equal(sa_attest(&client, &process), "NOT_ATTESTED");
}

static void
a_process_that_has_ended_is_not_the_client(void **state SA_UNUSED)
{
    struct sa_client client = {.attest_uid = 4711};
    struct sa_attested process = {.has_uid = true, .uid = 4711};
    struct sa_process started;
    int gate[2];

    assert_int_equal(pipe(gate), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(gate[1]);
        _exit((int)read(gate[0], &byte, 1)); /* until the other end is closed */
    }
    close(gate[0]);
    assert_true(sa_process_read((uint32_t)child, &started));
    process.pid = (uint32_t)child;
    process.start = started.start;
    assert_null(sa_attest(&client, &process));
    close(gate[1]);
    siginfo_t over;
    assert_int_equal(waitid(P_PID, (id_t)child, &over, WEXITED | WNOWAIT), 0);
    assert_string_equal(sa_attest(&client, &process), "OTHER_PROCESS"); /* a zombie still has its pid */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_string_equal(sa_attest(&client, &process), "OTHER_PROCESS");
}

static void
the_process_at_the_other_end_is_known_by_its_start(void **state SA_UNUSED)
{
    struct sa_process process;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_true(sa_process_read((uint32_t)getpid(), &process));
    assert_true(sa_process_of_peer(ends[0], (uint32_t)getpid()) == process.start);
    assert_true(sa_process_of_peer(ends[0], 0) == 0);
    close(ends[0]);
    close(ends[1]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_unified_path_of_a_unit_is_the_unit),
        cmocka_unit_test(another_uid_process_or_unit_is_not_the_client),
        cmocka_unit_test(a_uid_of_0_is_never_attested),
        cmocka_unit_test(a_process_that_has_ended_is_not_the_client),
        cmocka_unit_test(the_process_at_the_other_end_is_known_by_its_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
