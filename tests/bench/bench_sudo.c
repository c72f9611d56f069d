/*
 * sudo with one set of PAM services and with another, in turns: how long until the command runs, and how much
 * memory.
 *     bench_sudo ROUNDS UID GID OURS LIMIT      OURS and LIMIT are folders of services
 *     bench_sudo stamp                          the command: writes the time to stdout
 * /etc/pam.d becomes a link, to the one and to the other (all of it, for libpam reads `other` as well); sudo
 * itself is the same, called by UID without a password (sudoers must say so). Prints "ADDED_MS LIMIT_MS
 * ADDED_KIB LIMIT_KIB": medians of what OURS adds within a turn to the time and to the largest resident size,
 * and of LIMIT itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

#define ROUNDS_MAX 1000
#define SERVICES   "/etc/pam.d"

struct run {
    double ms;
    double kib;
};

static int
stamp(void)
{
    uint64_t ns = now_ns();
    return write(STDOUT_FILENO, &ns, sizeof(ns)) == (ssize_t)sizeof(ns) ? 0 : 1;
}

static void
use_services(const char *folder)
{
    if ((unlink(SERVICES ".new") != 0 && errno != ENOENT) || symlink(folder, SERVICES ".new") != 0 ||
        rename(SERVICES ".new", SERVICES) != 0)
        give_up(SERVICES ": %s", strerror(errno));
}

static struct run
run_sudo(const char *self, uid_t uid, gid_t gid)
{
    int ends[2];
    int status;
    uint64_t ns = 0;
    struct rusage usage;

    if (pipe2(ends, O_CLOEXEC) != 0)
        give_up("no pipe");
    uint64_t start_ns = now_ns();
    pid_t child = fork();
    if (child == 0) {
        if (dup2(ends[1], STDOUT_FILENO) >= 0 && setgroups(0, NULL) == 0 && setgid(gid) == 0 &&
            setuid(uid) == 0)
            execl("/usr/bin/sudo", "sudo", "-n", self, "stamp", (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], &ns, sizeof(ns));
    close(ends[0]);
    if (child < 0 || wait4(child, &status, 0, &usage) != child || status != 0 || got != (ssize_t)sizeof(ns))
        give_up("sudo did not run the command");
    return (struct run){(double)(ns - start_ns) / 1e6, (double)usage.ru_maxrss};
}

int
main(int argc, char **argv)
{
    static double added_ms[ROUNDS_MAX], limit_ms[ROUNDS_MAX], added_kib[ROUNDS_MAX], limit_kib[ROUNDS_MAX];
    size_t rounds = argc == 6 ? (size_t)atol(argv[1]) : 0;
    char self[4096] = "";

    if (argc == 2 && strcmp(argv[1], "stamp") == 0)
        return stamp();
    if (rounds < 1 || rounds > ROUNDS_MAX || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
        give_up("usage: bench_sudo ROUNDS UID GID OURS LIMIT");
    for (size_t i = 0; i < rounds + 1; i++) { /* the first is thrown away: nothing was in memory */
        size_t at = i == 0 ? 0 : i - 1;
        use_services(argv[5]);
        struct run limit = run_sudo(self, (uid_t)atol(argv[2]), (gid_t)atol(argv[3]));
        use_services(argv[4]);
        struct run ours = run_sudo(self, (uid_t)atol(argv[2]), (gid_t)atol(argv[3]));
        limit_ms[at] = limit.ms;
        limit_kib[at] = limit.kib;
        added_ms[at] = ours.ms - limit.ms;
        added_kib[at] = ours.kib - limit.kib;
    }
    printf("%.2f %.2f %.0f %.0f\n", median(added_ms, rounds), median(limit_ms, rounds),
           median(added_kib, rounds), median(limit_kib, rounds));
    return 0;
}
