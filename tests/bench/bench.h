/* What the benchmarks share: time, and the middle of what was measured. */
#ifndef SA_BENCH_H
#define SA_BENCH_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t
now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Say why there is nothing to measure, and end. */
__attribute__((noreturn, format(printf, 1, 2))) static inline void
give_up(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static inline int
compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static inline double
median(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), compare_doubles);
    return numbers[count / 2];
}

/* What this process has cost so far. */
static inline double
cpu_us(void)
{
    return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000;
}

/* How long each call took, in microseconds; beyond the room the rest is counted and not kept. */
struct samples {
    size_t count;
    size_t room;
    uint32_t *micros;
};

static inline struct samples
samples_new(size_t room)
{
    struct samples samples = {.room = room, .micros = malloc(room * sizeof(uint32_t))};

    if (samples.micros == NULL)
        give_up("out of memory");
    return samples;
}

static inline void
samples_add(struct samples *samples, uint64_t from_ns, uint64_t to_ns)
{
    if (samples->count < samples->room)
        samples->micros[samples->count] = (uint32_t)((to_ns - from_ns) / 1000);
    samples->count++;
}

static inline int
compare_micros(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/*
 * "RATE P50 P99 CALLS CPU": calls a second, microseconds; every call that was answered, warming up or not,
 * and the microseconds of a core that they have cost this process.
 */
static inline void
samples_print(struct samples *samples, uint64_t elapsed_ns, uint64_t calls)
{
    size_t kept = samples->count < samples->room ? samples->count : samples->room;

    if (kept == 0)
        give_up("no call was answered");
    qsort(samples->micros, kept, sizeof(uint32_t), compare_micros);
    printf("%.0f %u %u %llu %.0f\n", (double)samples->count * 1e9 / (double)elapsed_ns,
           samples->micros[kept / 2], samples->micros[kept * 99 / 100], (unsigned long long)calls, cpu_us());
    free(samples->micros);
}

#endif
