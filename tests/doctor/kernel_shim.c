/*
 * What the kernel says to secauthctl, as doctor.test wants it: a real host's clock is synchronised, this
 * one's need not be, and neither a clock nor a full disk can be planted for one process in any other way.
 * Preloaded. SHIM holds the words clock, entropy, disk and inodes for what shall be wrong.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

static int
wrong(const char *word)
{
    const char *words = getenv("SHIM");
    return words != NULL && strstr(words, word) != NULL;
}

int
adjtimex(struct timex *ret_clock)
{
    memset(ret_clock, 0, sizeof(*ret_clock));
    ret_clock->status = wrong("clock") ? STA_UNSYNC : STA_PLL;
    return wrong("clock") ? TIME_ERROR : TIME_OK;
}

ssize_t
getrandom(void *bytes, size_t len, unsigned flags)
{
    ssize_t (*real)(void *, size_t, unsigned) = dlsym(RTLD_NEXT, "getrandom");

    if (wrong("entropy") && (flags & GRND_NONBLOCK) != 0) {
        errno = EAGAIN;
        return -1;
    }
    return real(bytes, len, flags);
}

int
statvfs(const char *path, struct statvfs *ret_volume)
{
    int (*real)(const char *, struct statvfs *) = dlsym(RTLD_NEXT, "statvfs");
    int result = real(path, ret_volume);

    if (wrong("disk"))
        ret_volume->f_bavail = 1;
    if (wrong("inodes")) {
        ret_volume->f_files = 4096;
        ret_volume->f_favail = 7;
    }
    return result;
}
