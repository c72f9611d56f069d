#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "inside.h"
#include "service/base/log.h"

#define EVENTS_MAX             512
#define TICK_MS                1000
#define DRAIN_MS               10000
#define DRAIN_QUIET_MS         500  /* of it, for calls that are on their way and will be refused */
#define DESCRIPTORS_KEPT       160u /* for the store's files and everything else that is no connection */
#define CALLS_MAX              128u /* open calls of one connection */
#define GATEWAY_CALLS_MAX      1024u
#define USER_CALLS_A_SECOND    1000u /* of one connection, as the next */
#define GATEWAY_CALLS_A_SECOND 100000u
#define ROOT_CALLS_MAX         4096u /* root may pipeline what a whole host asks */

static void
loop_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
}

void
sa_server_block_signals(void)
{
    sigset_t signals;

    loop_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- answers from other threads ---- */

void
sa_server_done(struct sa_exchange *exchange)
{
    struct sa_server *server = ((struct sa_conn *)exchange->answer.owner)->door->server;
    struct sa_answer *newest = atomic_load_explicit(&server->done, memory_order_relaxed);

    do
        exchange->answer.next = newest;
    while (!atomic_compare_exchange_weak(&server->done, &newest, &exchange->answer));
    /* Only a sleeping loop needs to be woken; it looks at `done` once more after it has said that it sleeps.
     */
    if (atomic_exchange(&server->asleep, false)) {
        uint64_t one = 1;
        if (write(server->wake, &one, sizeof(one)) < 0)
            return; /* the counter is full: it is awake */
    }
}

enum sa_status
sa_server_admit_stream(struct sa_exchange *exchange)
{
    return sa_stream_admit(exchange);
}

int
sa_server_bell(const struct sa_server *server)
{
    return server->bell;
}

static void
take_answers(struct sa_server *server)
{
    struct sa_answer *newest = atomic_exchange(&server->done, NULL);
    struct sa_answer *oldest = NULL;

    while (newest != NULL) {
        struct sa_answer *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct sa_answer *next = oldest->next;
        sa_conn_answer(oldest);
        oldest = next;
    }
}

static void
flush_all(struct sa_server *server)
{
    struct sa_conn *conn;

    while ((conn = TAILQ_FIRST(&server->flush)) != NULL)
        sa_conn_flush(conn);
}

/* ---- time ---- */

static void
earlier(int64_t *next_ms, int64_t ms)
{
    if (ms < *next_ms)
        *next_ms = ms;
}

static int
wait_millis(const struct sa_server *server)
{
    int64_t next_ms = server->next_tick_ms;

    earlier(&next_ms, sa_held_next_ms(&server->held));
    earlier(&next_ms, sa_streams_next_ms(server));
    if (!TAILQ_EMPTY(&server->reading))
        earlier(&next_ms, TAILQ_FIRST(&server->reading)->frame_until_ms);
    if (!TAILQ_EMPTY(&server->stuck))
        earlier(&next_ms, TAILQ_FIRST(&server->stuck)->stuck_until_ms);
    for (unsigned i = 0; i < server->door_count; i++)
        if (server->doors[i].paused_until_ms != 0)
            earlier(&next_ms, server->doors[i].paused_until_ms);
    int64_t millis = next_ms - sa_clock_now().boot_ms;
    return millis < 0 ? 0 : (int)millis;
}

static void
run_timers(struct sa_server *server)
{
    int64_t now_ms = server->now.boot_ms;
    struct sa_answer *answer;

    while ((answer = sa_held_due(&server->held, now_ms)) != NULL)
        sa_conn_due(answer);
    sa_streams_due(server);
    while (!TAILQ_EMPTY(&server->reading) && TAILQ_FIRST(&server->reading)->frame_until_ms <= now_ms)
        sa_conn_close(TAILQ_FIRST(&server->reading));
    while (!TAILQ_EMPTY(&server->stuck) && TAILQ_FIRST(&server->stuck)->stuck_until_ms <= now_ms)
        sa_conn_close(TAILQ_FIRST(&server->stuck));
    for (unsigned i = 0; i < server->door_count; i++)
        sa_door_resume(&server->doors[i]);
    if (server->next_tick_ms > now_ms)
        return;
    server->next_tick_ms = now_ms + TICK_MS;
    server->options.tick(server->options.user);
}

/* ---- the loop ---- */

static void
begin_drain(struct sa_server *server)
{
    if (server->drain_until_ms != 0)
        return;
    sa_log(SA_LOG_INFO, "stopping: %u calls are open", server->calls);
    server->drain_until_ms = server->now.boot_ms + DRAIN_MS;
    sa_dispatch_close(server->options.dispatch);
    sa_streams_drain(server);
    for (unsigned i = 0; i < server->door_count; i++) {
        sa_door_accept(&server->doors[i]); /* whoever has connected is told, not cut off */
        sa_door_close(&server->doors[i]);
    }
}

static void
take_signals(struct sa_server *server)
{
    struct signalfd_siginfo info;

    while (read(server->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            server->options.reload(server->options.user);
        else
            begin_drain(server);
    }
}

static unsigned
rank_of(const struct epoll_event *event)
{
    const enum sa_watch *watch = event->data.ptr;

    if (*watch == SA_WATCH_DOOR)
        return ((const struct sa_door *)event->data.ptr)->rank;
    if (*watch == SA_WATCH_CONN)
        return ((const struct sa_conn *)event->data.ptr)->door->rank;
    return 0;
}

static void
take_event(struct sa_server *server, const struct epoll_event *event)
{
    const enum sa_watch *watch = event->data.ptr;
    uint64_t count;

    switch (*watch) {
    case SA_WATCH_DOOR:
        sa_door_accept(event->data.ptr);
        return;
    case SA_WATCH_CONN:
        sa_conn_ready(event->data.ptr, event->events);
        return;
    case SA_WATCH_WAKE:
        if (read(server->wake, &count, sizeof(count)) < 0)
            return; /* woken by somebody who was slower */
        return;
    case SA_WATCH_BELL:
        if (read(server->bell, &count, sizeof(count)) > 0)
            sa_streams_ring(server);
        return;
    case SA_WATCH_SIGNAL:
        take_signals(server);
        return;
    }
}

/* Root's socket, the gateways', the users': in this order in every turn, whoever made how much noise. */
static void
take_events(struct sa_server *server, const struct epoll_event *events, int count)
{
    for (unsigned rank = 0; rank <= 2; rank++)
        for (int i = 0; i < count; i++)
            if (rank_of(&events[i]) == rank)
                take_event(server, &events[i]);
}

static int
sleep_until_event(struct sa_server *server, struct epoll_event *events)
{
    int millis = wait_millis(server);

    atomic_store(&server->asleep, true);
    if (atomic_load(&server->done) != NULL || (server->drain_until_ms != 0 && server->calls == 0))
        millis = 0;
    int count = epoll_wait(server->epoll, events, EVENTS_MAX, millis);
    atomic_store(&server->asleep, false);
    return count;
}

/* Nothing is open and nothing comes any more, or the time is up. */
static bool
is_over(const struct sa_server *server, int events)
{
    if (server->drain_until_ms == 0)
        return false;
    int64_t left_ms = server->drain_until_ms - server->now.boot_ms;
    return left_ms <= 0 || (server->calls == 0 && (events <= 0 || left_ms <= DRAIN_MS - DRAIN_QUIET_MS));
}

void
sa_server_run(struct sa_server *server)
{
    struct epoll_event events[EVENTS_MAX];
    int count = 0;

    while (!is_over(server, count)) {
        count = sleep_until_event(server, events);
        server->now = sa_clock_now();
        take_events(server, events, count);
        take_answers(server);
        run_timers(server);
        flush_all(server);
        sa_conn_bury(server);
    }
}

/* ---- beginning and end ---- */

/* What the kernel shows for uids that a namespace does not map. */
static uint32_t
read_overflow_uid(void)
{
    unsigned uid = 65534;
    FILE *file = fopen("/proc/sys/kernel/overflowuid", "re");

    if (file != NULL && fscanf(file, "%u", &uid) != 1)
        uid = 65534;
    if (file != NULL)
        fclose(file);
    return uid;
}

/* So many that all doors together never use up the descriptors, and a flood at one leaves the others theirs.
 */
static unsigned
connections_max(const struct sa_server_options *options)
{
    struct rlimit limit = {.rlim_cur = 1024};
    unsigned configured = (unsigned)options->conf->secauthd_connections;

    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t left =
        limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? limit.rlim_cur - DESCRIPTORS_KEPT : limit.rlim_cur / 2;
    rlim_t each = left / options->door_count;
    return each < configured ? (unsigned)each : configured;
}

static enum sa_status
open_door(struct sa_server *server, const struct sa_door_options *options)
{
    struct sa_door *door = &server->doors[server->door_count];
    bool gateway = options->via == SA_VIA_LOCAL || options->via == SA_VIA_NETWORK;

    *door = (struct sa_door){
        .watch = SA_WATCH_DOOR,
        .server = server,
        .via = options->via,
        .gateway = options->gateway,
        .gateway_number = options->gateway_number,
        .fd = options->fd,
        .rank = options->via == SA_VIA_ROOT   ? 0
                : options->via == SA_VIA_USER ? 2
                                              : 1,
        .count_max = connections_max(&server->options),
        .open_max = gateway                       ? GATEWAY_CALLS_MAX
                    : options->via == SA_VIA_ROOT ? ROOT_CALLS_MAX
                                                  : CALLS_MAX,
    };
    if (options->via != SA_VIA_ROOT)
        door->calls_max = gateway ? GATEWAY_CALLS_A_SECOND : USER_CALLS_A_SECOND;
    for (unsigned i = 0; i < SA_UID_CHAINS; i++)
        TAILQ_INIT(&door->uids[i]);
    server->door_count++;
    return sa_door_open(door);
}

static bool
watch(struct sa_server *server, int fd, enum sa_watch *kind)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = kind};
    return fd >= 0 && epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum sa_status
open_descriptors(struct sa_server *server)
{
    sigset_t signals;

    loop_signals(&signals);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    server->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    server->wake_watch = SA_WATCH_WAKE;
    server->bell_watch = SA_WATCH_BELL;
    server->signal_watch = SA_WATCH_SIGNAL;
    if (server->epoll < 0 || !watch(server, server->wake, &server->wake_watch) ||
        !watch(server, server->bell, &server->bell_watch) ||
        !watch(server, server->signals, &server->signal_watch))
        return SA_INTERNAL;
    for (unsigned i = 0; i < server->options.door_count; i++)
        if (open_door(server, &server->options.doors[i]) != SA_OK)
            return SA_INTERNAL;
    return SA_OK;
}

enum sa_status
sa_server_new(const struct sa_server_options *options, struct sa_server **ret_server, const char **ret_why)
{
    SA_OWN(sa_server) server = calloc(1, sizeof(*server));
    const char *group = options->conf->secauthd_admin_group;

    *ret_why = "no memory";
    if (server == NULL)
        return SA_NO_MEMORY;
    server->options = *options;
    server->epoll = server->wake = server->bell = server->signals = -1;
    server->overflow_uid = read_overflow_uid();
    server->admin_gid = group[0] == '\0' ? -1 : strtoll(group, NULL, 10);
    server->now = sa_clock_now();
    server->next_tick_ms = server->now.boot_ms + TICK_MS;
    TAILQ_INIT(&server->all);
    TAILQ_INIT(&server->reading);
    TAILQ_INIT(&server->stuck);
    TAILQ_INIT(&server->flush);
    TAILQ_INIT(&server->over);
    TAILQ_INIT(&server->streams);
    TAILQ_INIT(&server->waiting);
    TAILQ_INIT(&server->sending);
    *ret_why = "the kernel refuses epoll, eventfd or signalfd";
    if (open_descriptors(server) != SA_OK)
        return SA_INTERNAL;
    *ret_server = sa_server_take(&server);
    return SA_OK;
}

static void
close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void
sa_server_free(struct sa_server *server)
{
    struct sa_answer *held;

    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->door_count; i++)
        sa_door_close(&server->doors[i]);
    while (!TAILQ_EMPTY(&server->all))
        sa_conn_close(TAILQ_FIRST(&server->all));
    while ((held = sa_held_due(&server->held, INT64_MAX)) != NULL)
        sa_conn_release(held);
    while (atomic_load(&server->done) != NULL)
        take_answers(server); /* to nobody */
    sa_conn_bury(server);
    free(server->held.heap);
    close_if_open(server->epoll);
    close_if_open(server->wake);
    close_if_open(server->bell);
    close_if_open(server->signals);
    sa_wipe(server->scratch, sizeof(server->scratch));
    free(server);
}
