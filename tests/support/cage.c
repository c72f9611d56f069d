/*
 * cage WHAT... CMD ARGUMENT...: run CMD under filters of system calls, as a service manager would lay them.
 *   --unix-only                 RestrictAddressFamilies=AF_UNIX: a socket of any other family is EAFNOSUPPORT
 *   --no-exec-map               MemoryDenyWriteExecute: memory writable and executable, or made executable,
 * is EPERM
 *   --no-socket, --no-connect   the call is EPERM
 * No new privileges come with each.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A call is refused where (argument & mask) is the value, or with `unless` where it is not. */
static const struct rule {
    const char *word;
    unsigned call, argument, mask, value, unless, error;
} rules[] = {
    {"--unix-only", SYS_socket, 0, ~0u, AF_UNIX, 1, EAFNOSUPPORT},
    {"--no-exec-map", SYS_mmap, 2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC, 0, EPERM},
    {"--no-exec-map", SYS_mprotect, 2, PROT_EXEC, PROT_EXEC, 0, EPERM},
    {"--no-exec-map", SYS_pkey_mprotect, 2, PROT_EXEC, PROT_EXEC, 0, EPERM},
    {"--no-socket", SYS_socket, 0, 0, 0, 0, EPERM},
    {"--no-connect", SYS_connect, 0, 0, 0, 0, EPERM},
};

static int
lay(const struct rule *rule)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * rule->argument),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, rule->value, rule->unless ? 1 : 0, rule->unless ? 0 : 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | rule->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(steps) / sizeof(*steps), steps};

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Lay every rule of a word. Returns how many there were, -1 where one could not be laid. */
static int
lay_all(const char *word)
{
    int count = 0;

    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        if (strcmp(rules[i].word, word) != 0)
            continue;
        if (lay(&rules[i]) != 0)
            return -1;
        count++;
    }
    return count;
}

int
main(int argc, char **argv)
{
    int i = 1;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 2;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (lay_all(argv[i]) < 1) {
            fprintf(stderr, "cage: %s: no such filter, or it was refused\n", argv[i]);
            return 2;
        }
    }
    if (i < argc)
        execvp(argv[i], argv + i);
    perror("cage");
    return 127;
}
