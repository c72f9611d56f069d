/*
 * The calls that wait for a reply of the daemon: a fixed number of places. A call's number holds its place
 * and how often the place was used, so that a late reply to a call that was given up finds nobody, and the
 * daemon never sees one number twice at a time. Not safe for threads by itself.
 */
#ifndef SA_GATEWAY_INFLIGHT_H
#define SA_GATEWAY_INFLIGHT_H

#include "service/gateway/upstream.h"

struct sa_inflight_call {
    uint32_t call;    /* its number; 0: none */
    int64_t until_ms; /* CLOCK_MONOTONIC: answered then, if it was not before */
    sa_upstream_on_reply *on_reply;
    sa_upstream_on_item *on_item;
    void (*hold)(void *user);
    void *user;
};

struct sa_inflight;

/* Room for `max` calls, 1 to 65,536; NULL for lack of memory. */
struct sa_inflight *sa_inflight_new(unsigned max);
void sa_inflight_free(struct sa_inflight *inflight);
SA_DEFINE_OWN(sa_inflight, sa_inflight_free)

/* Whether there is no room for one more. */
bool sa_inflight_full(const struct sa_inflight *inflight);

/* Add a call where there is room; its number is chosen here and returned. */
uint32_t sa_inflight_add(struct sa_inflight *inflight, struct sa_inflight_call call);

/* A call that stays: its time does not run any more. NULL: no such call. */
struct sa_inflight_call *sa_inflight_stay(struct sa_inflight *inflight, uint32_t number);

/* Remove a call. False: no such call. */
bool sa_inflight_remove(struct sa_inflight *inflight, uint32_t number, struct sa_inflight_call *ret_call);

/*
 * Remove the next call whose time is over at `now_ms`; INT64_MAX: every call.
 *
 *   at  0 at first; where to go on.
 *
 * False: there is none any more.
 */
bool sa_inflight_remove_late(struct sa_inflight *inflight, unsigned *at, int64_t now_ms,
                             struct sa_inflight_call *ret_call);

#endif
