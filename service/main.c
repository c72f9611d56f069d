/*
 * secauthd: reads its configuration and rules, opens its sockets as root, becomes its own user for good, and
 * serves.
 *
 * Exit status: 0 stopped by a signal, or nothing to complain about (--check); 1 could not start; 2 wrong
 * usage; 3 the configuration or the rules are refused. The reason is on stderr.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/auth/breached.h"
#include "service/auth/policy.h"
#include "service/auth/signing.h"
#include "service/base/log.h"
#include "service/store/store_revocation.h"
#include "service/transport/drop.h"
#include "service/transport/sockets.h"

extern char **environ;

enum exit_status { EXIT_OK = 0, EXIT_START = 1, EXIT_USAGE = 2, EXIT_CONF = 3 };

struct daemon {
    const char *conf_path;
    struct sa_policy *policies; /* the one in force first; calls that began under an old one may look at it */
    struct sa_identity identity;
    struct sa_gateway_gids gateway_gids;
    struct sa_doors doors;
    struct sa_keyring *keyring;
    struct sa_store *store;
    struct sa_authority *authority;
    struct sa_dispatch *dispatch;
    struct sa_server *server;
    struct sa_job tick;
    atomic_bool ticking;
};

static enum exit_status
refuse(const char *what, const char *why)
{
    sa_log(SA_LOG_ERROR, "does not start: %s: %s", what, why);
    return EXIT_START;
}

/* ---- systemd ---- */

/* sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names, where there is one. */
static void
notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len) < 0)
        sa_log(SA_LOG_WARNING, "cannot notify %s: %s", path, strerror(errno));
    close(fd);
}

/* ---- configuration and rules ---- */

static enum sa_log_level
level_of(const struct sa_conf *conf)
{
    static const struct {
        const char *name;
        enum sa_log_level level;
    } levels[] = {{"error", SA_LOG_ERROR}, {"warning", SA_LOG_WARNING}, {"debug", SA_LOG_DEBUG}};

    for (unsigned i = 0; i < SA_COUNT(levels); i++)
        if (strcmp(levels[i].name, conf->secauthd_log_level) == 0)
            return levels[i].level;
    return SA_LOG_INFO;
}

static enum sa_status
read_policy(struct daemon *daemon, bool copies, struct sa_conf_error *ret_error)
{
    struct sa_policy *policy;

    enum sa_status status = sa_policy_read(daemon->conf_path, environ, copies, &policy, ret_error);
    if (status != SA_OK)
        return status;
    policy->older = daemon->policies;
    daemon->policies = policy;
    return SA_OK;
}

static void
free_policies(struct daemon *daemon)
{
    while (daemon->policies != NULL) {
        struct sa_policy *policy = daemon->policies;
        daemon->policies = policy->older;
        sa_policy_free(policy);
    }
}

static void
keep_copies(const struct daemon *daemon)
{
    if (sa_policy_keep(daemon->policies) != SA_OK)
        sa_log(SA_LOG_WARNING, "the last good copies in /var/lib/secauth/last-good cannot be replaced");
}

/* SIGHUP. What was fixed at the start (user, sockets, store, key, threads, hashes) waits for the next one. */
static void
reload(void *user)
{
    struct daemon *daemon = user;
    struct sa_conf_error error;

    if (read_policy(daemon, false, &error) != SA_OK) {
        sa_log(SA_LOG_ERROR, "reload failed, nothing has changed: %s", error.text);
        return;
    }
    const struct sa_policy *policy = daemon->policies;
    sa_log_set_level(level_of(&policy->conf));
    sa_dispatch_set_conf(daemon->dispatch, &policy->conf);
    sa_authority_set_conf(daemon->authority, &policy->conf);
    sa_authority_set_rules(daemon->authority, policy->rules);
    sa_authority_set_last_good(daemon->authority, policy->last_good.text);
    const char *why;
    if (sa_authority_load_breached(daemon->authority, policy->conf.password_breached, &why) != SA_OK)
        sa_log(SA_LOG_ERROR, "%s %s (password.breached); the list before it stays",
               policy->conf.password_breached, why);
    notify("STATUS=");
    keep_copies(daemon);
    sa_log(SA_LOG_INFO, "reloaded %s and %s", daemon->conf_path, policy->conf.secauthd_rules);
}

/* ---- as root ---- */

static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum exit_status
find_identities(struct daemon *daemon)
{
    const struct sa_conf *conf = &daemon->policies->conf;

    if (geteuid() != 0)
        return refuse("secauthd", "must be started as root; it becomes its own user by itself");
    if (sa_check_uid_map() != SA_OK)
        return refuse("/proc/self/uid_map", "does not cover all uids, so callers cannot be told apart");
    if (sa_identity_of_user(conf->secauthd_user, &daemon->identity) != SA_OK)
        return refuse(conf->secauthd_user, "no such user in /etc/passwd, or it is root (secauthd.user)");
    if (conf->gateway_network.count > 0 &&
        sa_gid_of_group(conf->gateway_group, &daemon->gateway_gids.network) != SA_OK)
        return refuse(conf->gateway_group, "no such group in /etc/group (gateway.group)");
    if (conf->gateway_local.count > 0 &&
        sa_gid_of_group(conf->gateway_local_group, &daemon->gateway_gids.local) != SA_OK)
        return refuse(conf->gateway_local_group, "no such group in /etc/group (gateway.local_group)");
    return EXIT_OK;
}

static enum exit_status
open_as_root(struct daemon *daemon)
{
    const struct sa_conf *conf = &daemon->policies->conf;
    char why[SA_SOCKET_WHY_MAX];

    sa_harden();
    signal(SIGXFSZ, SIG_IGN); /* RLIMIT_FSIZE is a write that fails, like a full disk */
    raise_descriptors();
    enum exit_status status = find_identities(daemon);
    if (status != EXIT_OK)
        return status;
    if (sa_make_homes(conf, daemon->identity, why) != SA_OK)
        return refuse("directories", why);
    if (sa_doors_open(conf, &daemon->gateway_gids, &daemon->doors, why) != SA_OK)
        return refuse("sockets", why);
    if (sa_drop_to(daemon->identity, why) != SA_OK)
        return refuse("root", why);
    return EXIT_OK;
}

/* ---- as the daemon's user ---- */

static gid_t admin_gid = (gid_t)-1; /* as at the start, like the server's */

static bool
is_administrator(const char *user)
{
    return sa_is_member(admin_gid, user);
}

static enum exit_status
open_store(struct daemon *daemon)
{
    const struct sa_conf *conf = &daemon->policies->conf;
    bool is_first_start = access(conf->store_path, F_OK) != 0 && errno == ENOENT;
    const char *why = "";

    /* Where there is a store, a missing key is a mistake: a new one would open nothing in it. */
    if (sa_keyring_open(conf->keys_master_key, daemon->identity.uid, is_first_start, &daemon->keyring,
                        &why) != SA_OK)
        return refuse(conf->keys_master_key, why);
    if (conf->secauthd_admin_group[0] != '\0')
        admin_gid = (gid_t)strtoul(conf->secauthd_admin_group, NULL, 10);
    struct sa_store_options options = {.path = conf->store_path,
                                       .managed = SA_MANAGED_FILE,
                                       .keyring = daemon->keyring,
                                       .reserve = SA_STORE_RESERVE,
                                       .is_administrator = is_administrator};
    if (sa_store_open(&options, &daemon->store, &why) != SA_OK)
        return refuse(conf->store_path, why);
    if (sa_authority_new(conf, daemon->keyring, daemon->store, sa_clock_now(), &daemon->authority, &why) !=
        SA_OK)
        return refuse("rules", why);
    sa_authority_set_rules(daemon->authority, daemon->policies->rules);
    sa_authority_set_last_good(daemon->authority, daemon->policies->last_good.text);
    return EXIT_OK;
}

/*
 * Whose connections are kept: people with a record, services that a rule lets ask about others, and processes
 * that are clients by their uid.
 */
static bool
uid_is_known(void *user, uint32_t uid)
{
    const struct daemon *daemon = user;
    struct sa_service_uid rule;

    return sa_store_uid_is_managed(daemon->store, uid) || sa_store_uid_is_attested(daemon->store, uid) ||
           sa_rules_service_uid(sa_authority_rules(daemon->authority), uid, sa_bytes(NULL, 0), &rule);
}

static void
run_tick(struct sa_job *job, bool expired)
{
    struct daemon *daemon = (struct daemon *)(void *)((uint8_t *)job - offsetof(struct daemon, tick));

    if (!expired) {
        sa_store_probe(daemon->store, sa_clock_now().wall_ms);
        sa_authority_tick(daemon->authority, sa_clock_now());
        sa_authority_settle(daemon->authority, sa_clock_now(), false);
    }
    atomic_store(&daemon->ticking, false);
}

/* About once a second, on the loop: the work itself is for the store's lane, one at a time. */
static void
tick(void *user)
{
    struct daemon *daemon = user;

    if (atomic_exchange(&daemon->ticking, true))
        return;
    daemon->tick = (struct sa_job){.run = run_tick};
    if (sa_dispatch_submit(daemon->dispatch, &daemon->tick) != SA_OK)
        atomic_store(&daemon->ticking, false); /* full: the next second will do */
}

/* What streams wait for. */
static void
hang_bells(struct daemon *daemon, int eventfd)
{
    sa_bell_hang(sa_store_revocation_bell(daemon->store), eventfd);
    sa_bell_hang(sa_signing_bell(daemon->authority), eventfd);
}

static enum exit_status
open_server(struct daemon *daemon)
{
    struct sa_dispatch_options calls = {
        .authority = daemon->authority,
        .buckets = sa_authority_buckets(daemon->authority),
        .conf = &daemon->policies->conf,
        .find = sa_table_find,
        .done = sa_server_done,
        .store = daemon->store,
        .resume = sa_server_done,
        .admit_stream = sa_server_admit_stream,
    };
    struct sa_server_options sockets = {
        .conf = &daemon->policies->conf,
        .doors = daemon->doors.door,
        .door_count = daemon->doors.count,
        .uid_is_known = uid_is_known,
        .reload = reload,
        .tick = tick,
        .user = daemon,
    };
    const char *why;

    sa_authority_hash_lane(daemon->authority, &calls.hash_threads, &calls.hash_queue);
    daemon->dispatch = sa_dispatch_new(&calls);
    if (daemon->dispatch == NULL)
        return refuse("lanes", "no memory or no threads");
    sockets.dispatch = daemon->dispatch;
    if (sa_server_new(&sockets, &daemon->server, &why) != SA_OK)
        return refuse("sockets", why);
    hang_bells(daemon, sa_server_bell(daemon->server));
    return EXIT_OK;
}

/* Starting and stopping are decisions like others: each has its record. */
static enum sa_status
record(struct daemon *daemon, enum sa_event event)
{
    struct sa_audit audit = sa_audit(event);
    const char *last_good = daemon->policies->last_good.text;
    char detail[sizeof(daemon->policies->last_good.text) + 64];

    audit.outcome = SA_OUTCOME_GRANTED;
    audit.time_ms = sa_clock_now().wall_ms;
    audit.actor_uid = geteuid();
    audit.actor_pid = getpid();
    snprintf(detail, sizeof(detail), "version=" SA_VERSION "%s%s",
             event == SA_EVENT_DAEMON_START && last_good[0] != '\0' ? " last_good=" : "",
             event == SA_EVENT_DAEMON_START ? last_good : "");
    audit.detail = detail;
    return sa_store_audit(daemon->store, &audit);
}

/* On every channel: a host that runs on an old copy shall not be one that nobody knows of. */
static void
tell_last_good(const struct daemon *daemon)
{
    const char *why = daemon->policies->last_good.text;
    char status[sizeof(daemon->policies->last_good.text) + 64];

    if (why[0] == '\0')
        return;
    sa_log(SA_LOG_ERROR, "runs on the last good copy: %s", why);
    snprintf(status, sizeof(status), "STATUS=runs on the last good copy: %s", why);
    notify(status);
}

static enum exit_status
serve(struct daemon *daemon)
{
    if (record(daemon, SA_EVENT_DAEMON_START) != SA_OK && sa_disk_stage(daemon->store) != SA_DISK_READ_ONLY)
        return refuse(daemon->policies->conf.store_path, "cannot be written");
    sa_log(SA_LOG_INFO, "version %s serves", SA_VERSION);
    keep_copies(daemon);
    notify("READY=1");
    tell_last_good(daemon);
    sa_server_run(daemon->server);
    notify("STOPPING=1");
    sa_dispatch_stop(daemon->dispatch);
    sa_authority_settle(daemon->authority, sa_clock_now(), true);
    if (record(daemon, SA_EVENT_DAEMON_STOP) != SA_OK)
        sa_log(SA_LOG_WARNING, "the stop could not be recorded");
    return EXIT_OK;
}

static enum exit_status
run(struct daemon *daemon)
{
    char why[160];

    if (sa_table_join(why, sizeof(why)) != SA_OK)
        return refuse("method table", why);
    sa_server_block_signals();
    enum exit_status status = open_as_root(daemon);
    if (status == EXIT_OK)
        status = open_store(daemon);
    if (status == EXIT_OK)
        sa_doors_number(&daemon->doors, daemon->store);
    if (status == EXIT_OK)
        status = open_server(daemon);
    if (status == EXIT_OK)
        status = serve(daemon);
    if (daemon->dispatch != NULL)
        sa_dispatch_stop(daemon->dispatch); /* from here on no other thread of ours runs */
    if (daemon->server != NULL)
        hang_bells(daemon, -1);
    sa_server_free(daemon->server);
    sa_dispatch_free(daemon->dispatch);
    sa_authority_free(daemon->authority);
    sa_store_close(daemon->store);
    sa_keyring_free(daemon->keyring);
    if (status == EXIT_OK)
        sa_log(SA_LOG_INFO, "stopped");
    return status;
}

/* ---- the command line ---- */

/* --check looks at the list of breached passwords as the start would, though as whoever asks. */
static enum exit_status
check_breached(const struct sa_conf *conf)
{
    const char *why = "no memory";
    struct sa_breached *breached = sa_breached_new();
    enum exit_status status = EXIT_OK;

    if (breached == NULL || sa_breached_load(breached, conf->password_breached, &why) != SA_OK) {
        sa_log(SA_LOG_ERROR, "configuration refused: %s %s (password.breached)", conf->password_breached,
               why);
        status = EXIT_CONF;
    }
    sa_breached_free(breached);
    return status;
}

static const char usage[] =
    "usage: secauthd [--config FILE] [--check | --dump-config | --version]\n"
    "  --config FILE   read FILE instead of " SA_CONF_PATH "\n"
    "  --check         read the configuration and the rules, say what is wrong, start nothing\n"
    "  --dump-config   print every setting that is in force\n"
    "  --version       print the version\n";

int
main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"dump-config", no_argument, NULL, 'd'},  {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    struct daemon daemon = {.conf_path = SA_CONF_PATH};
    struct sa_conf_error error;
    int mode = 0;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'c')
            daemon.conf_path = optarg;
        else if (option == '?' || (mode != 0 && mode != option))
            mode = '?';
        else
            mode = mode == '?' ? '?' : option;
    }
    if (mode == '?' || optind != argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (mode == 'h' || mode == 'v') {
        fputs(mode == 'h' ? usage : "secauthd " SA_VERSION "\n", stdout);
        return EXIT_OK;
    }
    sa_log_start("secauthd", SA_LOG_INFO);
    if (read_policy(&daemon, mode == 0, &error) != SA_OK) {
        sa_log(SA_LOG_ERROR, "configuration refused: %s", error.text);
        return EXIT_CONF;
    }
    sa_log_set_level(level_of(&daemon.policies->conf));
    enum exit_status status = mode == 'k' ? check_breached(&daemon.policies->conf) : EXIT_OK;
    if (mode == 'd')
        sa_conf_dump(&daemon.policies->conf, STDOUT_FILENO);
    else if (mode == 0)
        status = run(&daemon);
    free_policies(&daemon);
    return (int)status;
}
