#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t
read_ms(clockid_t clock)
{
    struct timespec time = {0};

    clock_gettime(clock, &time); /* fails for unknown clocks only */
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

struct sa_now
sa_clock_now(void)
{
    return (struct sa_now){.wall_ms = read_ms(CLOCK_REALTIME), .boot_ms = read_ms(CLOCK_BOOTTIME)};
}

int64_t
sa_clock_us(void)
{
    struct timespec time = {0};

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int64_t
sa_clock_cpu_us(void)
{
    struct timespec time = {0};

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

void
sa_clock_boot_id(uint8_t ret_id[SA_BOOT_ID_LEN])
{
    char text[64];
    unsigned digits = 0;

    memset(ret_id, 0, SA_BOOT_ID_LEN);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t len = read(fd, text, sizeof(text));
    close(fd);
    for (ssize_t i = 0; i < len && digits < 2 * SA_BOOT_ID_LEN; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            continue;
        ret_id[digits / 2] = (uint8_t)(ret_id[digits / 2] << 4 | digit);
        digits++;
    }
}
