/* The daemon: it serves already, or it is started, or its own words say why it does not. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/setup.h"

#define START_TENTHS 100
#define WORDS_MAX    8192

static bool
serves(void)
{
    return setup_run((const char *const[]){"secauthctl", "status", NULL}, NULL, true) == 0;
}

/* Memory that takes what a daemon says at its start and no more, for it may write there for years. */
static int
open_words(void)
{
    int words = memfd_create("secauthd", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (words >= 0 && (ftruncate(words, WORDS_MAX) != 0 || fcntl(words, F_ADD_SEALS, F_SEAL_GROW) != 0)) {
        close(words);
        words = -1;
    }
    return words;
}

/* In the background, away from this terminal. */
static pid_t
start_by_itself(const char *path, int words)
{
    pid_t child = fork();

    if (child == 0) {
        int nothing = open("/dev/null", O_RDWR);
        setsid();
        if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDOUT_FILENO) >= 0 &&
            dup2(words >= 0 ? words : nothing, STDERR_FILENO) >= 0)
            execl(path, path, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* Until it answers, or is gone, or the time is over. `child` is -1 where it is another's. */
static bool
wait_for(pid_t child)
{
    static const struct timespec tenth = {.tv_nsec = 100000000};

    for (int i = 0; i < START_TENTHS; i++) {
        if (serves())
            return true;
        if (child > 0 && waitpid(child, NULL, WNOHANG) == child)
            return false;
        nanosleep(&tenth, NULL);
    }
    return serves();
}

static enum sa_ctl_exit
start_by_path(const char *path)
{
    char text[WORDS_MAX + 1] = "";
    int words = open_words();
    pid_t child = start_by_itself(path, words);
    bool started = child > 0 && wait_for(child);

    if (!started && words >= 0 && pread(words, text, WORDS_MAX, 0) > 0)
        fputs(text, stderr);
    if (words >= 0)
        close(words);
    return started ? SA_CTL_OK
                   : setup_stop("daemon: it does not serve", "what it says above; then run setup again");
}

static enum sa_ctl_exit
start_by_systemd(void)
{
    if (setup_run((const char *const[]){"systemctl", "enable", "--now", "secauthd", NULL}, NULL, false) ==
            0 &&
        wait_for(-1))
        return SA_CTL_OK;
    setup_run(
        (const char *const[]){"journalctl", "-u", "secauthd", "-n", "5", "-o", "cat", "--no-pager", NULL},
        NULL, false);
    return setup_stop("daemon: it does not serve",
                      "what its log says (journalctl -u secauthd); then run setup again");
}

enum sa_ctl_exit
setup_daemon(const struct setup *setup)
{
    enum sa_ctl_exit result;

    if (serves()) {
        setup_say("daemon: it serves");
        return SA_CTL_OK;
    }
    if (setup->daemon != NULL)
        result = start_by_path(setup->daemon);
    else if (access("/run/systemd/system", F_OK) == 0)
        result = start_by_systemd();
    else
        return setup_stop("daemon: it does not run, and there is no systemd to start it",
                          "start /usr/sbin/secauthd by your supervisor, or give --daemon /usr/sbin/secauthd");
    if (result == SA_CTL_OK)
        setup_say("daemon: started, it serves");
    return result;
}
