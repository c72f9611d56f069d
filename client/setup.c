/*
 * secauthctl-setup: the first hour on a host, step by step: configuration, user, daemon, keys, people, one
 * login, and only then the profile that lets every program of the host ask. Each step says what it did, a
 * second run changes nothing, and the first failure ends it with what to do.
 */
#include "client/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONF     "/etc/secauth/secauthd.conf"
#define SYSUSERS "/usr/lib/sysusers.d/secauth.conf"
#define TMPFILES "/usr/lib/tmpfiles.d/secauth.conf"
#define PROFILE  "/usr/share/pam-configs/secauth"

extern char **environ;

/* ---- words and programs ---- */

void
setup_say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

enum sa_ctl_exit
setup_stop(const char *what, const char *advice)
{
    fprintf(stderr, "secauthctl setup: %s\n  what to do: %s\n", what, advice);
    return SA_CTL_BROKEN;
}

char *
setup_ask(const struct setup *setup, const char *question, const char *preset)
{
    char *line = NULL;
    size_t room = 0;

    if (setup->yes)
        return strdup(preset);
    printf("%s [%s]: ", question, preset);
    fflush(stdout);
    ssize_t len = getline(&line, &room, stdin);
    if (len > 0 && line[len - 1] == '\n')
        line[--len] = '\0';
    if (len > 0)
        return line;
    free(line);
    return strdup(preset);
}

int
setup_run(const char *const argv[], const char *input, bool quiet)
{
    posix_spawn_file_actions_t actions;
    int pipe_ends[2] = {-1, -1};
    int status = 127 << 8;
    pid_t child;

    if (input != NULL && pipe2(pipe_ends, O_CLOEXEC) != 0)
        return 127;
    posix_spawn_file_actions_init(&actions);
    if (input != NULL)
        posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], STDIN_FILENO);
    else if (quiet)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (quiet)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (quiet && input == NULL)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    bool is_running =
        posix_spawnp(&child, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    if (input != NULL) {
        close(pipe_ends[0]);
        if (is_running && write(pipe_ends[1], input, strlen(input)) < 0)
            status = 127 << 8; /* it will say so itself */
        close(pipe_ends[1]);
    }
    while (is_running && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* ---- the steps ---- */

static enum sa_ctl_exit
write_conf(struct setup *setup)
{
    char host[128] = "host.example";
    char preset[160];

    if (access(CONF, F_OK) == 0) {
        setup_say("configuration: %s is there, and stays as it is", CONF);
    } else {
        gethostname(host, sizeof(host) - 1);
        snprintf(preset, sizeof(preset), "https://%s", host);
        if (setup->issuer == NULL)
            setup->issuer = setup_ask(setup, "The issuer that tokens name, a URL of yours", preset);
        mkdir("/etc/secauth", 0755);
        FILE *file = fopen(CONF, "wex");
        if (file == NULL || fprintf(file, "[token]\nissuer = %s\n", setup->issuer) < 0 || fclose(file) != 0)
            return setup_stop("configuration: " CONF " cannot be written", "look at `df /etc` and its mode");
        chmod(CONF, 0644);
        setup_say("configuration: %s is written, the issuer is %s", CONF, setup->issuer);
    }
    const char *daemon = setup->daemon == NULL ? "secauthd" : setup->daemon;
    if (setup_run((const char *const[]){daemon, "--check", NULL}, NULL, false) != 0)
        return setup_stop("configuration: refused, for the reason above",
                          "mend " CONF ", then run setup again");
    return SA_CTL_OK;
}

static enum sa_ctl_exit
make_user(void)
{
    if (getpwnam("secauth") != NULL) {
        setup_say("user: secauth is there");
    } else {
        bool made = setup_run((const char *const[]){"systemd-sysusers", SYSUSERS, NULL}, NULL, true) == 0;
        if (!made)
            made = setup_run((const char *const[]){"useradd", "--system", "--user-group", "--home-dir",
                                                   "/nonexistent", "--no-create-home", "--shell",
                                                   "/usr/sbin/nologin", "secauth", NULL},
                             NULL, false) == 0;
        if (!made)
            return setup_stop("user: secauth cannot be made", "make it by hand: useradd --system secauth");
        setup_say("user: secauth is made");
    }
    if (access(TMPFILES, F_OK) == 0 &&
        setup_run((const char *const[]){"systemd-tmpfiles", "--create", TMPFILES, NULL}, NULL, true) == 0)
        setup_say("directories: as %s says", TMPFILES);
    return SA_CTL_OK;
}

static enum sa_ctl_exit
show_keys(void)
{
    setup_say("keys: the master key and a signing key are made");
    if (setup_run((const char *const[]){"secauthctl", "key", "list", NULL}, NULL, false) != 0)
        return setup_stop("keys: they cannot be read", "`secauthctl status` and the daemon's log say why");
    return SA_CTL_OK;
}

static enum sa_ctl_exit
offer_profile(struct setup *setup)
{
    setup_say(
        "profile: pam-auth-update puts pam_secauth before pam_unix for every program of this host.\n"
        "  The way back, with or without the daemon, from any root shell: pam-auth-update --remove secauth\n"
        "  Keep this root shell open until somebody has logged in from another one.");
    if (setup->profile == NULL)
        setup->profile = setup_ask(setup, "Enable it now (yes or no)", "no");
    if (strcmp(setup->profile, "yes") != 0) {
        setup_say("profile: not enabled; later: pam-auth-update --enable secauth");
        return SA_CTL_OK;
    }
    if (access(PROFILE, F_OK) != 0)
        return setup_stop("profile: " PROFILE " is missing", "install the package whole");
    setenv("DEBIAN_FRONTEND", "noninteractive", 1);
    if (setup_run((const char *const[]){"pam-auth-update", "--enable", "secauth", NULL}, NULL, false) != 0)
        return setup_stop("profile: pam-auth-update refused", "it says why above; nothing else was changed");
    setup_say("profile: enabled");
    return SA_CTL_OK;
}

static enum sa_ctl_exit
run(struct setup *setup)
{
    if (geteuid() != 0)
        return setup_stop("root: only root may set a host up", "run it as root, or by sudo");
    enum sa_ctl_exit result = write_conf(setup);
    if (result == SA_CTL_OK)
        result = make_user();
    if (result == SA_CTL_OK)
        result = setup_daemon(setup);
    if (result == SA_CTL_OK)
        result = show_keys();
    if (result == SA_CTL_OK)
        result = setup_import(setup);
    if (result == SA_CTL_OK)
        result = setup_login(setup);
    return result == SA_CTL_OK ? offer_profile(setup) : result;
}

static const char usage[] =
    "usage: secauthctl setup [--yes] [--issuer URL] [--daemon PATH] [--import all|none|NAME,...]\n"
    "                        [--test-user NAME | --skip-test] [--profile yes|no]\n";

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"yes", no_argument, NULL, 'y'},
        {"non-interactive", no_argument, NULL, 'y'},
        {"issuer", required_argument, NULL, 'i'},
        {"daemon", required_argument, NULL, 'd'},
        {"import", required_argument, NULL, 'm'},
        {"test-user", required_argument, NULL, 't'},
        {"skip-test", no_argument, NULL, 's'},
        {"profile", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    struct setup setup = {0};
    bool is_wrong = false;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char **text = option == 'i'   ? &setup.issuer
                      : option == 'd' ? &setup.daemon
                      : option == 'm' ? &setup.import
                      : option == 't' ? &setup.test_user
                      : option == 'p' ? &setup.profile
                                      : NULL;
        if (text != NULL)
            *text = optarg;
        else if (option == 'y')
            setup.yes = true;
        else if (option == 's')
            setup.skip_test = true;
        else
            is_wrong = true;
    }
    if (optind == argc && !is_wrong)
        return (int)run(&setup);
    fputs(usage, stderr);
    return SA_CTL_USAGE;
}
