#include "lanes.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/base/clock.h"

#define CHAINS 1024u

/* Two rings: whose turn it is among ordinary jobs, and among those that are kept a place. */
enum ring { ORDINARY, KEPT, RINGS };

struct sa_lane_queue {
    struct sa_lane_options options;
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t *threads;
    unsigned started;
    unsigned awake;  /* threads that do not wait for a job */
    unsigned called; /* and those that were woken and have not come yet */
    unsigned eager;  /* so many may be awake whatever is queued: the cores */
    unsigned queued; /* jobs */
    unsigned queued_ordinary;
    unsigned turn;
    uint64_t refused;
    bool stopping;
    struct sa_job *first[RINGS]; /* whose turn is next */
    struct sa_job *chains[CHAINS];
};

/* Where a source's oldest job stands in the table; the slot holds NULL where the source has none. */
static struct sa_job **
find_oldest(struct sa_lane_queue *lane, const char *source, bool kept)
{
    uint32_t hash = 2166136261u; /* FNV-1a: only the length of a chain depends on it */

    for (const char *at = source; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    struct sa_job **slot = &lane->chains[hash % CHAINS];
    while (*slot != NULL && ((*slot)->kept != kept || strcmp((*slot)->source, source) != 0))
        slot = &(*slot)->chain;
    return slot;
}

static void
ring_append(struct sa_job **first, struct sa_job *job)
{
    if (*first == NULL) {
        job->turn_next = job->turn_last = job;
        *first = job;
        return;
    }
    job->turn_next = *first;
    job->turn_last = (*first)->turn_last;
    job->turn_last->turn_next = job;
    job->turn_next->turn_last = job;
}

static void
ring_remove(struct sa_job **first, struct sa_job *job)
{
    job->turn_last->turn_next = job->turn_next;
    job->turn_next->turn_last = job->turn_last;
    *first = job->turn_next == job ? NULL : job->turn_next;
}

static unsigned
share_of(const struct sa_lane_queue *lane)
{
    unsigned quarter = lane->options.queue / 4;
    return quarter > SA_LANE_SHARE_MIN ? quarter : SA_LANE_SHARE_MIN;
}

static bool
has_room(const struct sa_lane_queue *lane, const struct sa_job *job, const struct sa_job *oldest)
{
    if (lane->stopping || job->settles)
        return !lane->stopping;
    if (lane->queued >= lane->options.queue)
        return false;
    if (lane->options.reserve && !job->kept &&
        lane->queued_ordinary >= lane->options.queue - lane->options.queue / 4)
        return false;
    return oldest == NULL || oldest->waiting < share_of(lane);
}

static void
put(struct sa_lane_queue *lane, struct sa_job **slot, struct sa_job *job)
{
    struct sa_job *oldest = *slot;

    job->next = NULL;
    job->chain = NULL;
    job->youngest = job;
    job->waiting = 1;
    lane->queued++;
    lane->queued_ordinary += job->kept ? 0 : 1;
    if (oldest != NULL) {
        oldest->youngest->next = job;
        oldest->youngest = job;
        oldest->waiting++;
        return;
    }
    *slot = job;
    ring_append(&lane->first[job->kept ? KEPT : ORDINARY], job);
}

/* The next in turn, or NULL. The source's following job takes its place in the table and goes to the end of
 * the ring. */
static struct sa_job *
take(struct sa_lane_queue *lane)
{
    enum ring ring = lane->turn++ % 4 == 0 ? KEPT : ORDINARY;
    if (lane->first[ring] == NULL)
        ring = ring == KEPT ? ORDINARY : KEPT;
    struct sa_job *job = lane->first[ring];
    if (job == NULL)
        return NULL;
    struct sa_job **slot = find_oldest(lane, job->source, job->kept);
    assert(*slot == job);
    ring_remove(&lane->first[ring], job);
    lane->queued--;
    lane->queued_ordinary -= job->kept ? 0 : 1;
    struct sa_job *following = job->next;
    if (following == NULL) {
        *slot = job->chain;
        return job;
    }
    following->youngest = job->youngest;
    following->waiting = job->waiting - 1;
    following->chain = job->chain;
    *slot = following;
    ring_append(&lane->first[ring], following);
    return job;
}

/* The next job, or NULL at the end: then nothing is left. */
static struct sa_job *
wait_for_job(struct sa_lane_queue *lane, bool *ret_stopping)
{
    struct sa_job *job;

    pthread_mutex_lock(&lane->lock);
    while ((job = take(lane)) == NULL && !lane->stopping) {
        lane->awake--;
        pthread_cond_wait(&lane->work, &lane->lock);
        lane->awake++;
        lane->called -= lane->called > 0;
    }
    *ret_stopping = lane->stopping;
    pthread_mutex_unlock(&lane->lock);
    return job;
}

static void *
work(void *argument)
{
    struct sa_lane_queue *lane = argument;
    struct sa_job *job;
    bool stopping;

    while ((job = wait_for_job(lane, &stopping)) != NULL)
        job->run(job, stopping || job->deadline_boot_ms <= sa_clock_now().boot_ms);
    return NULL;
}

static bool
start_threads(struct sa_lane_queue *lane)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's; threads inherit the mask */
    while (lane->started < lane->options.threads &&
           pthread_create(&lane->threads[lane->started], NULL, work, lane) == 0)
        lane->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return lane->started == lane->options.threads;
}

struct sa_lane_queue *
sa_lane_start(const struct sa_lane_options *options)
{
    assert(options->threads >= 1 && options->threads <= 256 && options->queue >= 1 &&
           options->queue <= 65536);
    struct sa_lane_queue *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return NULL;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->work, NULL);
    made->options = *options;
    made->awake = options->threads;
    made->eager = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    SA_OWN(sa_lane_queue) lane = made;
    lane->threads = calloc(options->threads, sizeof(*lane->threads));
    if (lane->threads == NULL || !start_threads(lane))
        return NULL;
    return sa_lane_queue_take(&lane);
}

void
sa_lane_stop(struct sa_lane_queue *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->stopping = true;
    pthread_cond_broadcast(&lane->work);
    pthread_mutex_unlock(&lane->lock);
    while (lane->started > 0)
        pthread_join(lane->threads[--lane->started], NULL);
}

void
sa_lane_free(struct sa_lane_queue *lane)
{
    if (lane == NULL)
        return;
    sa_lane_stop(lane);
    free(lane->threads);
    pthread_cond_destroy(&lane->work);
    pthread_mutex_destroy(&lane->lock);
    free(lane);
}

/*
 * Whether a job is worth another thread. A thread that is awake looks for the next job before it sleeps, so
 * beyond the cores one is woken only where more jobs wait than threads are awake, which may all be waiting
 * for a commit. Waking one a job cost a third of the daemon's time. One that was called counts as awake: it
 * takes a while until it runs, in which as many jobs come as callers are there.
 */
static bool
wants_thread(const struct sa_lane_queue *lane)
{
    unsigned awake = lane->awake + lane->called;

    return awake < lane->started && (awake < lane->eager || lane->queued > awake);
}

enum sa_status
sa_lane_submit(struct sa_lane_queue *lane, struct sa_job *job)
{
    pthread_mutex_lock(&lane->lock);
    struct sa_job **slot = find_oldest(lane, job->source, job->kept);
    bool taken = has_room(lane, job, *slot);
    if (taken)
        put(lane, slot, job);
    else
        lane->refused++;
    bool wake = taken && wants_thread(lane);
    lane->called += wake;
    pthread_mutex_unlock(&lane->lock);
    if (!taken)
        return SA_OVERLOADED;
    if (wake)
        pthread_cond_signal(&lane->work);
    return SA_OK;
}

void
sa_lane_status(struct sa_lane_queue *lane, struct sa_lane_status *ret_status)
{
    pthread_mutex_lock(&lane->lock);
    *ret_status = (struct sa_lane_status){
        .name = lane->options.name,
        .threads = lane->options.threads,
        .queued = lane->queued,
        .capacity = lane->options.queue,
        .refused = lane->refused,
    };
    pthread_mutex_unlock(&lane->lock);
}
