/*
 * secauth-grpc: gRPC on one side, the daemon's frames on the other. It holds no secret but a TLS key, parses
 * no message of secauth's, and runs as a user of its own from the start.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/gateway/front.h"
#include "service/gateway/options.h"
#include "service/gateway/grpc.h"

#define PEERS_MAX     16384 /* the daemon knows no more of one gateway */
#define DRAIN_STEP_MS 100
#define QUIET_MS      1000 /* with no call running, peers have so long to acknowledge the end: some never do */
#define LINGER_MS     1000 /* after the last call: for the last bytes of connections that are still open */

struct program {
    struct sa_gateway_options options;
    struct sa_gateway gateway;
    struct sa_front *front;
    struct sa_loop_timer drain_timer;
    int64_t stopping_ms; /* since when; 0: it runs */
    bool cancelled;
    atomic_bool drained;
    bool lingering;
};

static volatile sig_atomic_t asked_to_stop, asked_to_reload;
static struct sa_loop *loop_of_signals;

static void
on_signal(int number)
{
    if (number == SIGHUP)
        asked_to_reload = 1;
    else
        asked_to_stop = 1;
    sa_loop_wake(loop_of_signals);
}

/* --- connections --- */

static void *
connection_ready(void *user, int fd, const struct sa_front_peer *facts)
{
    struct program *program = user;
    SA_OWN(sa_peer) peer = sa_peer_new(facts);

    if (peer == NULL || !sa_peer_table_put(program->gateway.peers, fd, peer)) {
        close(fd);
        return NULL;
    }
    sa_upstream_peer_here(program->gateway.upstream, peer);
    sa_grpc_add(&program->gateway, fd);
    return sa_peer_take(&peer);
}

static void
connection_gone(void *user, void *handle)
{
    struct program *program = user;
    struct sa_peer *peer = handle;

    sa_upstream_peer_gone(program->gateway.upstream, peer);
    sa_peer_unref(peer);
    if (program->lingering && sa_front_connections(program->front) == 0)
        sa_loop_stop(program->gateway.loop);
}

static void
daemon_state(void *user, bool connected)
{
    struct program *program = user;

    sa_streams_set_serving(&program->gateway.streams, connected);
}

/* --- stopping --- */

/* Running calls end by themselves, or after their time. */
static void
drain_due(struct sa_loop_timer *timer)
{
    struct program *program = (struct program *)((char *)timer - offsetof(struct program, drain_timer));
    unsigned calls = atomic_load(&program->gateway.open_calls);
    int64_t elapsed_ms = sa_loop_now_ms() - program->stopping_ms;
    bool late = elapsed_ms >= (int64_t)program->options.drain_seconds * 1000;

    if (program->cancelled || program->lingering) {
        sa_loop_stop(program->gateway.loop);
    } else if (late || (calls == 0 && elapsed_ms >= QUIET_MS)) {
        if (calls > 0)
            sa_log(SA_LOG_WARNING, "%u calls still run after %u s: cancelled", calls,
                   program->options.drain_seconds);
        program->cancelled = true;
        sa_grpc_cancel(&program->gateway);
        sa_loop_arm(program->gateway.loop, timer, LINGER_MS);
    } else {
        sa_loop_arm(program->gateway.loop, timer, DRAIN_STEP_MS);
    }
}

static void
begin_to_stop(struct program *program)
{
    if (program->stopping_ms != 0)
        return;
    program->stopping_ms = sa_loop_now_ms();
    sa_log(SA_LOG_INFO, "stopping: no new calls, running ones end within %u s",
           program->options.drain_seconds);
    sa_front_stop(program->front);
    sa_streams_stop(&program->gateway.streams);
    sa_grpc_drain(&program->gateway);
    sa_loop_arm(program->gateway.loop, &program->drain_timer, DRAIN_STEP_MS);
}

/* The last call has ended; its last bytes may still be on their way through the front. */
static void
begin_to_linger(struct program *program)
{
    program->lingering = true;
    if (sa_front_connections(program->front) == 0)
        sa_loop_stop(program->gateway.loop);
    else
        sa_loop_arm(program->gateway.loop, &program->drain_timer, LINGER_MS);
}

static void
on_drained(void *user)
{
    struct program *program = user;

    atomic_store(&program->drained, true);
    sa_loop_wake(program->gateway.loop);
}

static void
reload(struct program *program)
{
    struct sa_front_fault fault;

    if (sa_front_reload(program->front, &fault) == SA_OK)
        sa_log(SA_LOG_INFO, "reloaded: new connections use the files as they are now");
    else
        sa_log(SA_LOG_ERROR, "not reloaded, what was read before stays: %s: %s",
               fault.file == NULL ? "TLS" : fault.file, fault.why);
}

static void
on_wake(void *user)
{
    struct program *program = user;

    if (asked_to_reload) {
        asked_to_reload = 0;
        reload(program);
    }
    if (asked_to_stop)
        begin_to_stop(program);
    if (atomic_load(&program->drained) && !program->lingering)
        begin_to_linger(program);
}

/* --- starting --- */

/* What passes through here are passwords and tokens: no core file, no debugger, no more privileges than now.
 */
static bool
harden(void)
{
    struct rlimit none = {0, 0};

    return setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static void
catch_signals(const sigset_t *signals)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
}

static enum sa_status
listen_on(struct sa_front *front, const struct sa_gateway_options *options, struct sa_front_fault *ret_fault)
{
    struct sa_front_files files = {
        .cert = options->cert,
        .key = options->key,
        .client_ca = options->client_ca,
        .client_required = options->certificates == NULL || strcmp(options->certificates, "required") == 0,
    };

    if (options->local != NULL)
        return sa_front_listen_local(front, options->local, &ret_fault->why);
    return sa_front_listen_tls(front, options->listen, &files, ret_fault);
}

static bool
listen_as_asked(struct program *program)
{
    const struct sa_gateway_options *options = &program->options;
    unsigned limit = sa_front_connections_limit() < PEERS_MAX ? sa_front_connections_limit() : PEERS_MAX;
    struct sa_front_options front = {
        .connections_max =
            options->connections == 0 || options->connections > limit ? limit : options->connections,
        .connections_per_peer = options->connections_per_peer,
        .handshake_ms = options->handshake_seconds * 1000,
        .alpn = "h2",
    };
    struct sa_front_user user = {connection_ready, connection_gone, program};
    struct sa_front_fault fault = {.why = "no memory"};
    const char *where = options->local != NULL ? options->local : options->listen;

    program->front = sa_front_new(program->gateway.loop, &front, &user);
    if (program->front == NULL || listen_on(program->front, options, &fault) != SA_OK) {
        sa_log(SA_LOG_ERROR, "not started: %s: %s", fault.file != NULL ? fault.file : where, fault.why);
        return false;
    }
    sa_log(SA_LOG_INFO, "serving on %s, at most %u connections", where, front.connections_max);
    return true;
}

/* Everything but the listener. NULL, or why not. */
static const char *
set_up(struct program *program)
{
    struct sa_gateway *gateway = &program->gateway;
    struct rlimit descriptors;

    program->drain_timer.due = drain_due;
    sa_streams_init(&gateway->streams);
    gateway->loop = sa_loop_new();
    gateway->descriptors = sa_descriptors_new();
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0)
        gateway->peers = sa_peer_table_new(descriptors.rlim_cur > 1048576 ? 1048576 : descriptors.rlim_cur);
    if (program->options.calls_per_minute > 0) {
        gateway->pace = sa_pace_new(program->options.calls_per_minute);
        if (gateway->pace == NULL)
            return "no memory";
    }
    if (gateway->loop == NULL || gateway->descriptors == NULL || gateway->peers == NULL)
        return "no memory";
    sa_loop_on_wake(gateway->loop, on_wake, program);
    loop_of_signals = gateway->loop;
    sa_patience_start(&gateway->patience, gateway->loop);
    gateway->upstream = sa_upstream_new(gateway->loop, program->options.upstream, program->options.calls,
                                        daemon_state, program);
    if (gateway->upstream == NULL || sa_grpc_start(gateway, on_drained, program) != SA_OK)
        return "no memory";
    return NULL;
}

static void
tear_down(struct program *program)
{
    struct sa_gateway *gateway = &program->gateway;

    sa_front_free(program->front);
    if (!program->lingering)
        _exit(0); /* the library still holds calls that would not end: it cannot be taken down */
    sa_grpc_stop(gateway);
    sa_upstream_free(gateway->upstream);
    sa_pace_free(gateway->pace);
    sa_peer_table_free(gateway->peers);
    sa_descriptors_free(gateway->descriptors);
    sa_loop_free(gateway->loop);
}

int
main(int argc, char **argv)
{
    static struct program program;
    sigset_t signals;
    char words[256];
    const char *why;

    if (sa_gateway_options_read(argc, argv, &program.options, words, sizeof(words)) != SA_OK) {
        fprintf(stderr, "secauth-grpc: %s\nsecauth-grpc --help says how it is called\n", words);
        return 2;
    }
    if (program.options.help || program.options.version) {
        puts(program.options.help ? sa_gateway_usage : "secauth-grpc " SA_VERSION);
        return 0;
    }
    sa_log_start("secauth-grpc", program.options.verbose ? SA_LOG_DEBUG : SA_LOG_INFO);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the library's threads shall not take them */
    why = harden() ? set_up(&program) : strerror(errno);
    if (why != NULL)
        sa_log(SA_LOG_ERROR, "not started: %s", why);
    if (why != NULL || !listen_as_asked(&program))
        _exit(1);
    catch_signals(&signals);
    sa_loop_run(program.gateway.loop);
    tear_down(&program);
    sa_log(SA_LOG_INFO, "stopped");
    return 0;
}
