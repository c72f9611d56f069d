/*
 * Lanes keep slow work from starving fast work: fixed threads behind fixed queues, sources served in turn.
 *
 * A job belongs to a source. Sources take turns, each with its oldest job. No source may fill more than a
 * quarter of a queue (but always SA_LANE_SHARE_MIN of it); in a lane with a reserve every fourth turn and a
 * quarter of the queue are kept for jobs marked `kept`.
 */
#ifndef SA_LANES_H
#define SA_LANES_H

#include "service/rpc/call.h"

#define SA_LANE_SHARE_MIN 4u

/* Embedded in whatever waits. The fields below the line are the lane's. */
struct sa_job {
    const char *source; /* whose turn it takes; lives until the job has run */
    int64_t deadline_boot_ms;
    bool kept;
    bool settles; /* what was taken elsewhere waits for it: it is taken however full the lane is */
    void (*run)(struct sa_job *job,
                bool expired); /* on a thread of the lane; expired: answer it, do not work */

    /* -- */
    struct sa_job *next;      /* of the same source, younger */
    struct sa_job *youngest;  /* oldest job of a source: the last one behind it */
    struct sa_job *turn_next; /* oldest job of a source: the ring of turns */
    struct sa_job *turn_last;
    struct sa_job *chain; /* oldest job of a source: the table of sources */
    unsigned waiting;     /* oldest job of a source: how many there are */
};

struct sa_lane_options {
    const char *name;
    unsigned threads; /* 1 to 256 */
    unsigned queue;   /* 1 to 65,536 jobs that may wait */
    bool reserve;
};

struct sa_lane_queue;

/* Start the threads (all signals blocked in them). NULL where there is no memory or thread. */
struct sa_lane_queue *sa_lane_start(const struct sa_lane_options *options);

/* Take nothing more, answer whatever waits as expired, wait for what runs. Submitting is still allowed. */
void sa_lane_stop(struct sa_lane_queue *lane);

/* Stop and free. NULL is taken. */
void sa_lane_free(struct sa_lane_queue *lane);
SA_DEFINE_OWN(sa_lane_queue, sa_lane_free)

/*
 * Queue a job; it is run exactly once. Any thread, never waits for a job.
 * Returns SA_OK, or SA_OVERLOADED: the lane is stopping; or the queue or the source's share of it is full,
 * and the job settles nothing.
 */
SA_MUST_CHECK enum sa_status sa_lane_submit(struct sa_lane_queue *lane, struct sa_job *job);

void sa_lane_status(struct sa_lane_queue *lane, struct sa_lane_status *ret_status);

#endif
