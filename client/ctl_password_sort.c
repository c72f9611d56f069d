#include "client/ctl_password_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define RUN_MAX  ((64u << 20) / SA_SORT_WIDTH) /* digests in memory */
#define RUNS_MAX 512u
#define WINDOW   4096u /* digests of a run in memory while merging */

typedef uint8_t digest[SA_SORT_WIDTH];

struct run {
    uint64_t next, end; /* digests in the file that were not read yet */
    unsigned at, filled;
    digest *window;
};

struct sa_sort {
    int fd;
    digest *memory;
    size_t used;
    uint64_t written;
    unsigned run_count;
    struct run runs[RUNS_MAX];
};

static int
compare(const void *a, const void *b)
{
    return memcmp(a, b, SA_SORT_WIDTH);
}

struct sa_sort *
sa_sort_new(const char *folder)
{
    struct sa_sort *sort = calloc(1, sizeof(*sort));

    if (sort == NULL)
        return NULL;
    sort->memory = calloc(RUN_MAX, sizeof(digest));
    sort->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (sort->memory != NULL && sort->fd >= 0)
        return sort;
    int error = errno;
    sa_sort_free(sort);
    errno = error;
    return NULL;
}

void
sa_sort_free(struct sa_sort *sort)
{
    if (sort == NULL)
        return;
    for (unsigned i = 0; i < sort->run_count; i++)
        free(sort->runs[i].window);
    if (sort->fd >= 0)
        close(sort->fd);
    free(sort->memory);
    free(sort);
}

static int
spill(struct sa_sort *sort)
{
    const uint8_t *data = (const uint8_t *)sort->memory;
    size_t len = sort->used * SA_SORT_WIDTH;

    if (sort->used == 0)
        return 0;
    if (sort->run_count == RUNS_MAX)
        return EFBIG;
    qsort(sort->memory, sort->used, SA_SORT_WIDTH, compare);
    for (size_t done = 0; done < len;) {
        ssize_t wrote =
            pwrite(sort->fd, data + done, len - done, (off_t)(sort->written * SA_SORT_WIDTH + done));
        if (wrote < 0)
            return errno;
        done += (size_t)wrote;
    }
    sort->runs[sort->run_count++] = (struct run){.next = sort->written, .end = sort->written + sort->used};
    sort->written += sort->used;
    sort->used = 0;
    return 0;
}

int
sa_sort_add(struct sa_sort *sort, const uint8_t added[SA_SORT_WIDTH])
{
    memcpy(sort->memory[sort->used++], added, SA_SORT_WIDTH);
    return sort->used == RUN_MAX ? spill(sort) : 0;
}

/* ---- merging ---- */

/* The next window of a run. */
static int
refill(const struct sa_sort *sort, struct run *run)
{
    uint64_t left = run->end - run->next;
    size_t wanted = (size_t)(left < WINDOW ? left : WINDOW) * SA_SORT_WIDTH;

    run->at = 0;
    run->filled = 0;
    for (size_t done = 0; done < wanted;) {
        ssize_t got = pread(sort->fd, (uint8_t *)run->window + done, wanted - done,
                            (off_t)(run->next * SA_SORT_WIDTH + done));
        if (got <= 0)
            return got == 0 ? EIO : errno;
        done += (size_t)got;
    }
    run->filled = (unsigned)(wanted / SA_SORT_WIDTH);
    run->next += run->filled;
    return 0;
}

static int
start_runs(struct sa_sort *sort)
{
    for (unsigned i = 0; i < sort->run_count; i++) {
        sort->runs[i].window = calloc(WINDOW, sizeof(digest));
        int error = sort->runs[i].window == NULL ? ENOMEM : refill(sort, &sort->runs[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Let the run at `i` of a heap sink to where it belongs: its head is the least of those below. */
static void
sink(struct run **heap, unsigned count, unsigned i)
{
    for (;;) {
        unsigned least = i;
        for (unsigned child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
            if (compare(heap[child]->window[heap[child]->at], heap[least]->window[heap[least]->at]) < 0)
                least = child;
        if (least == i)
            return;
        struct run *moved = heap[i];
        heap[i] = heap[least];
        heap[least] = moved;
        i = least;
    }
}

int
sa_sort_finish(struct sa_sort *sort, int (*take)(void *user, const uint8_t digest[SA_SORT_WIDTH]), void *user)
{
    struct run *heap[RUNS_MAX];
    digest last;
    bool has_last = false;
    int error = spill(sort);

    if (error == 0)
        error = start_runs(sort);
    unsigned count = sort->run_count;
    for (unsigned i = 0; i < count; i++)
        heap[i] = &sort->runs[i];
    for (unsigned i = count; error == 0 && i > 0; i--)
        sink(heap, count, i - 1);
    while (error == 0 && count > 0) {
        struct run *run = heap[0];
        if (!has_last || compare(last, run->window[run->at]) != 0)
            error = take(user, run->window[run->at]);
        memcpy(last, run->window[run->at], SA_SORT_WIDTH);
        has_last = true;
        if (error == 0 && ++run->at == run->filled)
            error = refill(sort, run);
        if (run->filled == 0)
            heap[0] = heap[--count];
        sink(heap, count, 0);
    }
    return error;
}
