/*
 * Clocks that a test may step: preloaded into the daemon. The file that CLOCK_SHIM names holds two numbers of
 * milliseconds, 64 bits each, which are added to CLOCK_REALTIME and CLOCK_BOOTTIME. The monotonic clock, by
 * which threads wait, goes on as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offsets_ms;
static int (*real_gettime)(clockid_t clock, struct timespec *ret_time);

__attribute__((constructor)) static void
open_offsets(void)
{
    const char *path = getenv("CLOCK_SHIM");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);

    *(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    if (fd < 0)
        return;
    void *map = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        offsets_ms = map;
}

int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    int result = real_gettime(clock, ret_time);

    if (result != 0 || offsets_ms == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
        return result;
    int64_t ms = offsets_ms[clock == CLOCK_BOOTTIME];
    int64_t nanoseconds = (int64_t)ret_time->tv_nsec + ms % 1000 * 1000000 + 1000000000;
    ret_time->tv_sec += (time_t)(ms / 1000 + nanoseconds / 1000000000 - 1);
    ret_time->tv_nsec = (long)(nanoseconds % 1000000000);
    return 0;
}
