#include "service/gateway/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_ROUND 64

struct sa_loop {
    int epoll_fd;
    atomic_bool stopping;
    struct sa_loop_source wake;
    void (*woken)(void *user);
    void *woken_user;
    struct sa_loop_timer *timers; /* a handful: one per part of the gateway, none per connection */
    struct sa_loop_garbage *garbage;
};

static struct sa_loop *
loop_of_wake(struct sa_loop_source *source)
{
    return (struct sa_loop *)((char *)source - offsetof(struct sa_loop, wake));
}

static void
on_wake(struct sa_loop_source *source, SA_UNUSED uint32_t events)
{
    struct sa_loop *loop = loop_of_wake(source);
    uint64_t count;

    if (read(source->fd, &count, sizeof(count)) == sizeof(count) && loop->woken != NULL)
        loop->woken(loop->woken_user);
}

int64_t
sa_loop_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct sa_loop *
sa_loop_new(void)
{
    SA_OWN(sa_loop) loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return NULL;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = (struct sa_loop_source){on_wake, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (loop->epoll_fd < 0 || loop->wake.fd < 0 || sa_loop_watch(loop, &loop->wake, EPOLLIN) != SA_OK)
        return NULL;
    return sa_loop_take(&loop);
}

static void
collect_garbage(struct sa_loop *loop)
{
    while (loop->garbage != NULL) {
        struct sa_loop_garbage *garbage = loop->garbage;
        loop->garbage = garbage->next;
        garbage->free(garbage);
    }
}

void
sa_loop_free(struct sa_loop *loop)
{
    if (loop == NULL)
        return;
    collect_garbage(loop);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    free(loop);
}

enum sa_status
sa_loop_watch(struct sa_loop *loop, struct sa_loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) == 0 ? SA_OK : SA_NO_MEMORY;
}

void
sa_loop_change(struct sa_loop *loop, struct sa_loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    int result = epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event);

    assert(result == 0); /* changing a watch that exists takes no memory */
    (void)result;
}

void
sa_loop_forget(struct sa_loop *loop, struct sa_loop_source *source)
{
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
}

void
sa_loop_disarm(struct sa_loop *loop, struct sa_loop_timer *timer)
{
    for (struct sa_loop_timer **at = &loop->timers; *at != NULL; at = &(*at)->next)
        if (*at == timer) {
            *at = timer->next;
            break;
        }
    timer->armed = false;
}

void
sa_loop_arm(struct sa_loop *loop, struct sa_loop_timer *timer, int64_t after_ms)
{
    sa_loop_disarm(loop, timer);
    timer->at_ms = sa_loop_now_ms() + after_ms;
    timer->armed = true;
    timer->next = loop->timers;
    loop->timers = timer;
}

void
sa_loop_discard(struct sa_loop *loop, struct sa_loop_garbage *garbage)
{
    garbage->next = loop->garbage;
    loop->garbage = garbage;
}

void
sa_loop_on_wake(struct sa_loop *loop, void (*woken)(void *user), void *user)
{
    loop->woken = woken;
    loop->woken_user = user;
}

void
sa_loop_wake(struct sa_loop *loop)
{
    uint64_t one = 1;
    int saved = errno;

    if (write(loop->wake.fd, &one, sizeof(one)) < 0) {
        /* The counter is full: the loop is awake anyway. */
    }
    errno = saved;
}

/* How long epoll may sleep: until the next timer, for ever without one. */
static int
wait_millis(const struct sa_loop *loop)
{
    int64_t soonest = INT64_MAX;

    for (const struct sa_loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
        if (timer->at_ms < soonest)
            soonest = timer->at_ms;
    if (soonest == INT64_MAX)
        return -1;
    soonest -= sa_loop_now_ms();
    return soonest < 0 ? 0 : soonest > 60000 ? 60000 : (int)soonest;
}

static struct sa_loop_timer *
next_due(const struct sa_loop *loop, int64_t now_ms)
{
    for (struct sa_loop_timer *timer = loop->timers; timer != NULL; timer = timer->next)
        if (timer->at_ms <= now_ms)
            return timer;
    return NULL;
}

static void
run_timers(struct sa_loop *loop)
{
    struct sa_loop_timer *timer;
    int64_t now_ms = loop->timers == NULL ? 0 : sa_loop_now_ms();

    /* A callback may arm itself again: at a later moment than this `now_ms`, so that this ends. */
    while ((timer = next_due(loop, now_ms)) != NULL) {
        sa_loop_disarm(loop, timer);
        timer->due(timer);
    }
}

void
sa_loop_run(struct sa_loop *loop)
{
    struct epoll_event events[EVENTS_PER_ROUND];

    while (!atomic_load(&loop->stopping)) {
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_PER_ROUND, wait_millis(loop));
        for (int i = 0; i < count; i++) {
            struct sa_loop_source *source = events[i].data.ptr;
            source->ready(source, events[i].events);
        }
        run_timers(loop);
        collect_garbage(loop);
    }
    atomic_store(&loop->stopping, false);
}

void
sa_loop_stop(struct sa_loop *loop)
{
    atomic_store(&loop->stopping, true);
    sa_loop_wake(loop);
}
