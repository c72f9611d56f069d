/* The two clocks. Rules never call these: they get the time as an argument, read once a call. */
#ifndef SA_CLOCK_H
#define SA_CLOCK_H

#include <stdint.h>

#define SA_BOOT_ID_LEN 16u

struct sa_now {
    int64_t wall_ms; /* CLOCK_REALTIME, milliseconds since 1970: token times only */
    int64_t boot_ms; /* CLOCK_BOOTTIME: waits, rates, deadlines */
};

struct sa_now sa_clock_now(void);

/* Microseconds of CLOCK_MONOTONIC: how long something takes. */
int64_t sa_clock_us(void);

/* Time that this thread has had on a core, microseconds: what work costs, whoever else computes. */
int64_t sa_clock_cpu_us(void);

/* The kernel's boot id (/proc/sys/kernel/random/boot_id), read once at start; zeros where it cannot be read.
 */
void sa_clock_boot_id(uint8_t ret_id[SA_BOOT_ID_LEN]);

#endif
