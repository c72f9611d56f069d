#include "client/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

void
sa_ctl_secret_wipe(struct sa_ctl_secret *secret)
{
    sa_wipe(secret, sizeof(*secret));
}

ProtobufCBinaryData
sa_ctl_secret_field(struct sa_ctl_secret *secret)
{
    return (ProtobufCBinaryData){secret->len, secret->data};
}

ProtobufCBinaryData
sa_ctl_text_field(char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/*
 * A line, byte by byte: read(2) leaves no copy in a buffer of stdio and takes nothing that belongs to the
 * next reader.
 *
 *   waiting_mask  the signals that stay blocked while it waits; NULL: whatever is blocked now.
 *
 * Returns 0 or an errno; EMSGSIZE for a line that is too long.
 */
static int
read_line(int fd, const sigset_t *waiting_mask, struct sa_ctl_secret *ret_line, bool *ret_end)
{
    size_t len = 0;

    *ret_end = false;
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        uint8_t byte;
        if (waiting_mask != NULL && ppoll(&ready, 1, NULL, waiting_mask) < 0)
            return errno;
        ssize_t got = read(fd, &byte, 1);
        if (got < 0)
            return errno;
        if (got == 0 || byte == '\n') {
            *ret_end = got == 0 && len == 0;
            break;
        }
        if (len == SA_CTL_SECRET_MAX)
            return EMSGSIZE;
        ret_line->data[len++] = byte;
    }
    ret_line->data[len] = '\0';
    ret_line->len = len;
    return 0;
}

static enum sa_ctl_exit
explain(const char *name, int error)
{
    if (error == EMSGSIZE) {
        sa_ctl_complain("%s: a line of more than %u bytes", name, SA_CTL_SECRET_MAX);
        return SA_CTL_INVALID;
    }
    sa_ctl_complain("%s: %s", name, strerror(error));
    return SA_CTL_BROKEN;
}

enum sa_ctl_exit
sa_ctl_read_line(struct sa_ctl_secret *ret_line, bool *ret_end)
{
    int error = read_line(STDIN_FILENO, NULL, ret_line, ret_end);
    return error == 0 ? SA_CTL_OK : explain("stdin", error);
}

enum sa_ctl_exit
sa_ctl_read_secret_file(const char *path, struct sa_ctl_secret *ret_secret)
{
    struct stat status;
    bool end;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return explain(path, errno);
    if (fstat(fd, &status) != 0 || (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)) {
        close(fd);
        sa_ctl_complain("%s is open to others, and so is the secret in it: `chmod 600 %s`", path, path);
        return SA_CTL_REFUSED;
    }
    int error = read_line(fd, NULL, ret_secret, &end);
    close(fd);
    return error == 0 ? SA_CTL_OK : explain(path, error);
}

/* The terminal. */

static volatile sig_atomic_t caught;

static void catch (int number)
{
    caught = number;
}

static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/*
 * With the terminal quiet; the fatal signals are blocked but while it waits, so that none comes too early or
 * too late.
 */
static int
ask_quietly(const char *prompt, const struct termios *loud, const sigset_t *waiting_mask,
            struct sa_ctl_secret *ret_secret)
{
    struct termios quiet = *loud;
    bool end = false;

    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    quiet.c_cc[VSUSP] = _POSIX_VDISABLE; /* a stopped program would leave a terminal that does not echo */
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) != 0)
        return errno;
    fputs(prompt, stderr); /* not before: what is typed at once would echo, and be flushed */
    int error = read_line(STDIN_FILENO, waiting_mask, ret_secret, &end);
    tcsetattr(STDIN_FILENO, TCSADRAIN, loud);
    fputc('\n', stderr);
    return error;
}

/* Ask once. A signal that would end the program does so once the terminal echoes again. */
static int
ask(const char *prompt, struct sa_ctl_secret *ret_secret)
{
    struct sigaction before[SA_COUNT(fatal)];
    struct sigaction action = {.sa_handler = catch};
    struct termios loud;
    sigset_t blocked, mask;

    if (tcgetattr(STDIN_FILENO, &loud) != 0)
        return errno;
    caught = 0;
    sigemptyset(&blocked);
    for (size_t i = 0; i < SA_COUNT(fatal); i++)
        sigaddset(&blocked, fatal[i]);
    sigprocmask(SIG_BLOCK, &blocked, &mask);
    for (size_t i = 0; i < SA_COUNT(fatal); i++)
        sigaction(fatal[i], &action, &before[i]);
    int error = ask_quietly(prompt, &loud, &mask, ret_secret);
    for (size_t i = 0; i < SA_COUNT(fatal); i++)
        sigaction(fatal[i], &before[i], NULL);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (caught != 0)
        raise(caught);
    return error;
}

static enum sa_ctl_exit
ask_twice(struct sa_ctl_secret *ret_secret)
{
    SA_CTL_SECRET(again);
    int error = ask("The same password again: ", &again);

    if (error != 0)
        return explain("the terminal", error);
    if (again.len == ret_secret->len && memcmp(again.data, ret_secret->data, again.len) == 0)
        return SA_CTL_OK;
    sa_ctl_complain("the two are not the same; nothing was changed");
    return SA_CTL_INVALID;
}

enum sa_ctl_exit
sa_ctl_ask_secret(const char *prompt, bool twice, struct sa_ctl_secret *ret_secret)
{
    bool end = false;

    if (!isatty(STDIN_FILENO)) {
        enum sa_ctl_exit result = sa_ctl_read_line(ret_secret, &end);
        if (result == SA_CTL_OK && end) {
            sa_ctl_complain("nothing on stdin: write one line there, or use a terminal");
            return SA_CTL_USAGE;
        }
        return result;
    }
    int error = ask(prompt, ret_secret);
    if (error != 0)
        return explain("the terminal", error);
    return twice ? ask_twice(ret_secret) : SA_CTL_OK;
}
