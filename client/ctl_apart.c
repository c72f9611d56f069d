/*
 * Commands that are programs of their own, so that secauthctl, which everybody runs, links neither the store
 * nor PAM.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/ctl.h"

#define HOME "/usr/libexec/secauth/"

/* Become the program, with the words that stand after the command. */
static enum sa_ctl_exit
become(struct sa_ctl *ctl, char *path)
{
    char **argv = calloc((size_t)ctl->count + 2, sizeof(*argv));

    if (argv == NULL)
        return sa_ctl_no_memory();
    argv[0] = path;
    memcpy(argv + 1, ctl->words, (size_t)ctl->count * sizeof(*argv));
    execv(path, argv);
    sa_ctl_complain("%s: %s", path, strerror(errno));
    free(argv);
    return SA_CTL_BROKEN;
}

enum sa_ctl_exit
sa_ctl_offline(struct sa_ctl *ctl)
{
    static char path[] = HOME "secauthctl-offline";
    return become(ctl, path);
}

enum sa_ctl_exit
sa_ctl_setup(struct sa_ctl *ctl)
{
    static char path[] = HOME "secauthctl-setup";
    return become(ctl, path);
}
