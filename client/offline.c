/*
 * secauthctl-offline: what `secauthctl --offline` becomes. It opens the store in the daemon's place, under
 * the daemon's lock and as the daemon's user, and repairs what keeps people out: a password, a second factor,
 * counts of failures, a disabled account. Each change is recorded as one that an administrator made.
 *
 * A program of its own, so that secauthctl, which everybody runs, need not carry SQLite and the hashes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl.h"
#include "proto/sockets.h"
#include "service/auth/account.h"
#include "service/auth/authority.h"
#include "service/auth/policy.h"
#include "service/auth/shadow.h"
#include "service/store/store_factor.h"
#include "service/store/store_login.h"
#include "service/transport/drop.h"

extern char **environ;

struct offline {
    struct sa_policy *policy;
    struct sa_keyring *keyring;
    struct sa_store *store;
    struct sa_password_policy hashes;
    struct sa_now now;
    int64_t login_uid; /* whose login root's shell came from; -1: nobody's */
    const char *name;
    struct sa_user *user;
    bool must_change;
};

static enum sa_ctl_exit
fail(enum sa_ctl_exit result, const char *what, const char *why)
{
    fprintf(stderr, "secauthctl --offline: %s: %s\n", what, why);
    return result;
}

static enum sa_ctl_exit
outcome(const struct offline *offline, enum sa_status status, const char *done)
{
    if (status == SA_OK) {
        printf("%s%s%s\n", offline->name == NULL ? "" : offline->name, offline->name == NULL ? "" : ": ",
               done);
        return SA_CTL_OK;
    }
    if (status == SA_NOT_FOUND)
        return fail(SA_CTL_NOT_FOUND, offline->name, "there is no such user");
    if (status == SA_INTERNAL)
        return fail(SA_CTL_UNAVAILABLE, offline->policy->conf.keys_master_key,
                    "the store is sealed with another master key" SA_STORE_ADVICE);
    return fail(SA_CTL_UNAVAILABLE, offline->policy->conf.store_path,
                status == SA_STORAGE ? "cannot be written, nothing changed: look at the disk that holds it"
                                     : sa_status_row(status)->name);
}

static struct sa_audit
record_of(const struct offline *offline, enum sa_event event)
{
    struct sa_audit record = sa_audit(event);

    record.outcome = SA_OUTCOME_GRANTED;
    record.time_ms = offline->now.wall_ms;
    record.actor_uid = 0;
    record.actor_pid = getpid();
    record.login_uid = offline->login_uid;
    record.detail = "offline=yes";
    if (offline->user != NULL) {
        record.user = offline->user->name;
        record.subject = offline->user->subject;
    }
    return record;
}

/* ---- the commands ---- */

static enum sa_ctl_exit
user_passwd(struct offline *offline)
{
    struct sa_audit record = record_of(offline, SA_EVENT_USER_PASSWORD);
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    SA_CTL_SECRET(password);

    enum sa_ctl_exit result = sa_ctl_ask_secret("New password: ", true, &password);
    if (result != SA_CTL_OK)
        return result;
    const struct sa_bytes bytes = sa_bytes(password.data, password.len);
    const char *rule = sa_account_new_password(bytes, sa_bytes(NULL, 0),
                                               offline->policy->conf.password_min_length, &offline->hashes);
    if (rule != NULL)
        return fail(SA_CTL_INVALID, "password", rule);
    if (sa_password_make(&offline->hashes, bytes, encoded) != SA_OK)
        return sa_ctl_no_memory();
    struct sa_password_change change = {.subject = offline->user->subject,
                                        .new_hash = encoded,
                                        .must_change = offline->must_change,
                                        .changed_s = offline->now.wall_ms / 1000,
                                        .end_sessions = true};
    enum sa_status status =
        sa_store_user_set_password(offline->store, &change, offline->now.wall_ms, &record);
    sa_wipe(encoded, sizeof(encoded));
    return outcome(offline, status, "the password is set; every session of the user has ended");
}

static enum sa_ctl_exit
user_enable(struct offline *offline)
{
    struct sa_audit record = record_of(offline, SA_EVENT_USER_ENABLE);

    return outcome(
        offline, sa_store_user_set_active(offline->store, offline->name, true, offline->now.wall_ms, &record),
        "enabled");
}

/* Recorded before it is shown, as the daemon does. */
static enum sa_ctl_exit
user_export(struct offline *offline)
{
    struct sa_audit record = record_of(offline, SA_EVENT_USER_EXPORT);
    char line[SA_SHADOW_LINE_MAX + 1];

    if (sa_store_audit(offline->store, &record) != SA_OK)
        fprintf(stderr, "secauthctl --offline: the export could not be recorded\n");
    sa_shadow_format(offline->user, line);
    puts(line);
    sa_wipe(line, sizeof(line));
    return SA_CTL_OK;
}

static enum sa_ctl_exit
mfa_remove(struct offline *offline)
{
    struct sa_audit record = record_of(offline, SA_EVENT_FACTOR_REMOVE);

    return outcome(offline, sa_store_factors_remove(offline->store, offline->user->subject, &record),
                   "there is no second factor now");
}

static enum sa_ctl_exit
lockout_clear(struct offline *offline)
{
    struct sa_audit record = record_of(offline, SA_EVENT_LOCKOUT_CLEAR);
    const struct sa_lockout_clear everything = {0};
    unsigned cleared;

    return outcome(offline, sa_store_lockout_clear(offline->store, &everything, &record, &cleared),
                   "every count of failures is forgotten");
}

static const struct command {
    const char *noun;
    const char *verb;
    bool has_name;
    enum sa_ctl_exit (*run)(struct offline *offline);
} commands[] = {
    /* clang-format off */
    {"user", "passwd", true, user_passwd},
    {"user", "enable", true, user_enable},
    {"user", "export", true, user_export},
    {"mfa", "remove", true, mfa_remove},
    {"lockout", "clear", false, lockout_clear},
    /* clang-format on */
};

/* ---- in the daemon's place ---- */

static enum sa_ctl_exit
become_daemon(const struct sa_conf *conf)
{
    struct sa_identity identity;
    char why[SA_DROP_WHY_MAX];

    umask(0077);
    if (sa_identity_of_user(conf->secauthd_user, &identity) != SA_OK)
        return fail(SA_CTL_BROKEN, conf->secauthd_user, "no such user in /etc/passwd (secauthd.user)");
    if (sa_drop_to(identity, why) != SA_OK)
        return fail(SA_CTL_BROKEN, "root", why);
    return SA_CTL_OK;
}

static enum sa_ctl_exit
open_store(struct offline *offline)
{
    const struct sa_conf *conf = &offline->policy->conf;
    struct sa_store_options options = {
        .path = conf->store_path, .managed = SA_MANAGED_FILE, .reserve = SA_STORE_RESERVE};
    const char *why = "";

    if (access(conf->store_path, F_OK) != 0)
        return fail(SA_CTL_UNAVAILABLE, conf->store_path, "there is no store: a daemon has never run here");
    if (sa_keyring_open(conf->keys_master_key, geteuid(), false, &offline->keyring, &why) != SA_OK)
        return fail(SA_CTL_UNAVAILABLE, conf->keys_master_key, why);
    options.keyring = offline->keyring;
    enum sa_status status = sa_store_open(&options, &offline->store, &why);
    if (status == SA_ALREADY_EXISTS)
        return fail(SA_CTL_REFUSED, "the daemon runs",
                    "use secauthctl without --offline, or stop it first (systemctl stop secauthd)");
    return status == SA_OK ? SA_CTL_OK : fail(SA_CTL_UNAVAILABLE, conf->store_path, why);
}

static enum sa_ctl_exit
find_user(struct offline *offline)
{
    enum sa_status status = sa_store_user_by_name(offline->store, sa_bytes_of(offline->name), &offline->user);

    return status == SA_OK ? SA_CTL_OK : outcome(offline, status, "");
}

static int64_t
read_login_uid(void)
{
    long long uid = -1;
    FILE *file = fopen("/proc/self/loginuid", "re");

    if (file != NULL && fscanf(file, "%lld", &uid) != 1)
        uid = -1;
    if (file != NULL)
        fclose(file);
    return uid == UINT32_MAX ? -1 : uid;
}

static enum sa_ctl_exit
run(struct offline *offline, const struct command *command)
{
    struct sa_conf_error error;

    if (geteuid() != 0)
        return fail(SA_CTL_REFUSED, "root", "only root may open the store");
    sa_harden();
    if (sa_policy_read(SA_CONF_PATH, environ, true, &offline->policy, &error) != SA_OK)
        return fail(SA_CTL_INVALID, "configuration", error.text);
    const struct sa_conf *conf = &offline->policy->conf;
    offline->login_uid = read_login_uid();
    offline->now = sa_clock_now();
    offline->hashes = sa_authority_hashes(conf);
    enum sa_ctl_exit result = become_daemon(conf);
    if (result == SA_CTL_OK)
        result = open_store(offline);
    if (result == SA_CTL_OK && command->has_name)
        result = find_user(offline);
    return result == SA_CTL_OK ? command->run(offline) : result;
}

static const char usage[] =
    "usage: secauthctl --offline COMMAND      while secauthd is stopped; as root\n"
    "  user passwd NAME [--must-change]   set a password, read like that of `secauthctl user passwd`\n"
    "  user enable NAME                   enable a user\n"
    "  user export NAME                   print a line of shadow(5)\n"
    "  mfa remove NAME                    remove every second factor of a user\n"
    "  lockout clear                      forget every count of failures\n";

static const struct command *
find_command(int argc, char **argv)
{
    for (size_t i = 0; i < SA_COUNT(commands) && argc >= 3; i++)
        if (strcmp(argv[1], commands[i].noun) == 0 && strcmp(argv[2], commands[i].verb) == 0)
            return argc == 3 + (commands[i].has_name ? 1 : 0) ? &commands[i] : NULL;
    return NULL;
}

int
main(int argc, char **argv)
{
    struct offline offline = {.login_uid = -1};

    if (argc > 1 && strcmp(argv[argc - 1], "--must-change") == 0) {
        offline.must_change = true;
        argc--;
    }
    const struct command *command = find_command(argc, argv);
    if (command == NULL || (offline.must_change && command->run != user_passwd)) {
        fputs(usage, stderr);
        return SA_CTL_USAGE;
    }
    offline.name = command->has_name ? argv[3] : NULL;
    enum sa_ctl_exit result = run(&offline, command);
    sa_user_free(offline.user);
    sa_store_close(offline.store);
    sa_keyring_free(offline.keyring);
    sa_policy_free(offline.policy);
    return (int)result;
}
