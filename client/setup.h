/* secauthctl-setup: what its files share. */
#ifndef SA_SETUP_H
#define SA_SETUP_H

#include "client/ctl.h"

struct setup {
    bool yes;        /* nothing is asked: what was not given is taken as shipped */
    char *issuer;    /* of a configuration that is not there yet */
    char *daemon;    /* start it so, where there is no systemd */
    char *import;    /* "all", "none" or names with commas */
    char *test_user; /* whose login is tried; else the first imported one that is asked for */
    bool skip_test;  /* the test login */
    char *profile;   /* "yes" or "no"; else asked */
    char first[64];  /* the first user with a record here */
};

/* A line on stdout: what a step did. */
void setup_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say what is wrong and what to do. Returns SA_CTL_BROKEN. */
enum sa_ctl_exit setup_stop(const char *what, const char *advice);

/* Ask for a line; `preset` where it is empty or nothing is asked. The text lives as long as the program. */
char *setup_ask(const struct setup *setup, const char *question, const char *preset);

/* Run a program. `input` goes to its stdin (NULL: none), its output nowhere with `quiet`. Returns its exit
 * status; 127. */
int setup_run(const char *const argv[], const char *input, bool quiet);

/* See to it that the daemon serves (setup_daemon.c). */
SA_MUST_CHECK enum sa_ctl_exit setup_daemon(const struct setup *setup);

/* Import from /etc/shadow (setup_import.c). */
SA_MUST_CHECK enum sa_ctl_exit setup_import(struct setup *setup);

/* One login through a PAM service of its own (setup_login.c). */
SA_MUST_CHECK enum sa_ctl_exit setup_login(const struct setup *setup);

#endif
