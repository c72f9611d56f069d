/*
 * `token --file`: a token in a file, for programs that must have one. The directory is opened once and held,
 * so that what is renamed above it afterwards changes nothing; a new token is written beside the file and
 * renamed over it, so that nobody ever reads half of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/ctl.h"
#include "secauth/v1/token.pb-c.h"

#define FILE_NAME_MAX    200u /* leaves room for the temporary name beside it */
#define CALL_SECONDS_MAX 5u   /* a daemon that takes longer is away */
#define BACKOFF_MAX_S    30u

struct kept {
    const char *path; /* as it was typed, for messages */
    const char *name; /* its last part */
    char temporary[FILE_NAME_MAX + 32];
    int directory;
    int signals;
    int timer;
    struct stat written; /* what we wrote last; st_nlink 0: nothing yet */
};

static void
kept_close(struct kept *kept)
{
    const int files[] = {kept->directory, kept->signals, kept->timer};

    for (size_t i = 0; i < SA_COUNT(files); i++)
        if (files[i] >= 0)
            close(files[i]);
}

#define KEPT(variable) __attribute__((cleanup(kept_close))) struct kept variable

/* ---- the file ---- */

static enum sa_ctl_exit
unfit(const struct kept *kept, const char *why)
{
    sa_ctl_complain("token: %s: %s", kept->path, why);
    return SA_CTL_BROKEN;
}

/* The directory must be this user's and nobody else may write to it; no part of the way is a link. */
static enum sa_ctl_exit
open_directory(struct kept *kept)
{
    size_t len = (size_t)(kept->name - kept->path);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    char *parent = len == 0 ? strdup(".") : strndup(kept->path, len);
    struct stat found;

    if (parent == NULL)
        return sa_ctl_no_memory();
    kept->directory = (int)syscall(SYS_openat2, AT_FDCWD, parent, &how, sizeof(how));
    int error = errno;
    free(parent);
    if (kept->directory < 0)
        return unfit(kept, error == ELOOP ? "a symbolic link leads there: name the directory itself"
                                          : strerror(error));
    if (fstat(kept->directory, &found) != 0)
        return unfit(kept, strerror(errno));
    if (found.st_uid != geteuid() || (found.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return unfit(kept, "its directory must be yours, and nobody else may write to it");
    return SA_CTL_OK;
}

/* What stands there already must be a file of this user's. */
static enum sa_ctl_exit
check_place(const struct kept *kept)
{
    struct stat found;

    if (fstatat(kept->directory, kept->name, &found, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? SA_CTL_OK : unfit(kept, strerror(errno));
    if (!S_ISREG(found.st_mode) || found.st_uid != geteuid())
        return unfit(kept, "there is something else than a file of yours");
    return SA_CTL_OK;
}

static bool
write_whole(int file, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t done = write(file, text, len);
        if (done < 0 && errno != EINTR)
            return false;
        text += done > 0 ? done : 0;
        len -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

/* The token and nothing else, no line feed either: there are programs that would pass it on. */
static enum sa_ctl_exit
replace(struct kept *kept, const char *token, size_t len)
{
    struct stat written;

    (void)unlinkat(kept->directory, kept->temporary, 0); /* of a process that was killed and had our pid */
    int file =
        openat(kept->directory, kept->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return unfit(kept, strerror(errno));
    bool done = write_whole(file, token, len) && fsync(file) == 0 && fstat(file, &written) == 0 &&
                renameat(kept->directory, kept->temporary, kept->directory, kept->name) == 0;
    int error = errno;
    close(file);
    if (!done) {
        (void)unlinkat(kept->directory, kept->temporary, 0);
        return unfit(kept, strerror(error));
    }
    kept->written = written;
    return SA_CTL_OK;
}

/* Take the file away, where it is still the one that we wrote. */
static void
withdraw(const struct kept *kept)
{
    struct stat found;

    if (kept->written.st_nlink != 0 &&
        fstatat(kept->directory, kept->name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
        found.st_dev == kept->written.st_dev && found.st_ino == kept->written.st_ino)
        (void)unlinkat(kept->directory, kept->name, 0);
}

/* ---- waiting ---- */

static enum sa_ctl_exit
open_clocks(struct kept *kept)
{
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0)
        return unfit(kept, strerror(errno));
    kept->signals = signalfd(-1, &ends, SFD_CLOEXEC);
    /* Time asleep counts: a token ends during it. */
    kept->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
    return kept->signals >= 0 && kept->timer >= 0 ? SA_CTL_OK : unfit(kept, strerror(errno));
}

/* Wait that long. *ret_stopped: a signal asked us to end. */
static enum sa_ctl_exit
wait_for(const struct kept *kept, int64_t seconds, bool *ret_stopped)
{
    struct itimerspec when = {.it_value.tv_sec = seconds};
    struct pollfd ready[] = {{.fd = kept->signals, .events = POLLIN}, {.fd = kept->timer, .events = POLLIN}};

    if (timerfd_settime(kept->timer, 0, &when, NULL) != 0)
        return unfit(kept, strerror(errno));
    while (poll(ready, SA_COUNT(ready), -1) < 0)
        if (errno != EINTR)
            return unfit(kept, strerror(errno));
    *ret_stopped = ready[0].revents != 0;
    return SA_CTL_OK;
}

/* ---- the token ---- */

/* Ask for a token and write it. *ret_seconds: how long it lives. */
static enum sa_ctl_exit
renew(struct sa_ctl *ctl, struct kept *kept, const ProtobufCMessage *request, bool quiet,
      int64_t *ret_seconds)
{
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_try(ctl, &secauth__v1__token_service__descriptor, "IssueAttestedToken",
                                         request, quiet, &reply);
    sa_disconnect(ctl->connection); /* not held from one token to the next */
    ctl->connection = NULL;
    if (result != SA_CTL_OK)
        return result;
    const json_t *grant = json_object_get(reply, "grant");
    const json_t *token = json_object_get(grant, "access_token");
    int64_t seconds = json_integer_value(json_object_get(grant, "expires_in_seconds"));
    if (json_string_length(token) == 0 || seconds <= 0) {
        sa_ctl_complain("token: the daemon's answer holds no token");
        return SA_CTL_BROKEN;
    }
    result = replace(kept, json_string_value(token), json_string_length(token));
    if (result == SA_CTL_OK)
        *ret_seconds = seconds;
    return result;
}

/* A disk that is full now may have room again while the last token still lives. */
static bool
is_passing(const struct kept *kept, enum sa_ctl_exit result)
{
    return result == SA_CTL_UNAVAILABLE || (result == SA_CTL_BROKEN && kept->written.st_nlink != 0);
}

/* Until a signal (SA_CTL_OK) or an answer that waiting does not mend. */
static enum sa_ctl_exit
keep(struct sa_ctl *ctl, struct kept *kept, const ProtobufCMessage *request)
{
    int64_t backoff_s = 0;
    int64_t life_s = 0;
    bool stopped = false;

    while (!stopped) {
        enum sa_ctl_exit result = renew(ctl, kept, request, backoff_s > 0, &life_s);
        if (result != SA_CTL_OK && !is_passing(kept, result))
            return result;
        if (result == SA_CTL_OK && backoff_s > 0)
            sa_ctl_complain("token: %s is fresh again", kept->path);
        if (result == SA_CTL_OK)
            backoff_s = 0;
        else
            backoff_s = backoff_s == 0 ? 1 : backoff_s * 2 < BACKOFF_MAX_S ? backoff_s * 2 : BACKOFF_MAX_S;
        /* A third of its life: what is left is for a daemon that is away. */
        int64_t pause_s = backoff_s > 0 ? backoff_s : life_s < 6 ? 1 : life_s / 3;
        result = wait_for(kept, pause_s, &stopped);
        if (result != SA_CTL_OK)
            return result;
    }
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_token_keep(struct sa_ctl *ctl, const ProtobufCMessage *request, const char *path)
{
    const char *slash = strrchr(path, '/');
    KEPT(kept) = {
        .path = path, .name = slash == NULL ? path : slash + 1, .directory = -1, .signals = -1, .timer = -1};

    if (kept.name[0] == '\0' || strlen(kept.name) > FILE_NAME_MAX) {
        sa_ctl_complain("--file: the name of a file, at most %u bytes", FILE_NAME_MAX);
        return sa_ctl_usage(ctl);
    }
    snprintf(kept.temporary, sizeof(kept.temporary), ".%s.%ld", kept.name, (long)getpid());
    if (ctl->timeout_s > CALL_SECONDS_MAX)
        ctl->timeout_s = CALL_SECONDS_MAX;
    enum sa_ctl_exit result = open_directory(&kept);
    if (result == SA_CTL_OK)
        result = check_place(&kept);
    if (result == SA_CTL_OK)
        result = open_clocks(&kept);
    if (result == SA_CTL_OK)
        result = keep(ctl, &kept, request);
    withdraw(&kept);
    if (result != SA_CTL_OK && kept.written.st_nlink != 0)
        sa_ctl_complain("token: %s is removed: it would not be kept fresh any more", kept.path);
    return result;
}
