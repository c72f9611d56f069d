#include "client/ctl_doctor.h"

#include <errno.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "secauth/v1/host.pb-c.h"
#include "secauth/v1/user.pb-c.h"

#define DAEMON    "/usr/sbin/secauthd"
#define PAGE_SIZE 500u

extern char **environ;

#define INSTALL_PROFILE "run `pam-auth-update --enable secauth`"

/* clang-format off */
static const struct sa_doctor_row table[] = {
    {"daemon", sa_doctor_daemon, "nobody answers on the daemon's socket",
     "`systemctl start secauthd`; `journalctl -u secauthd` says why it stopped"},
    {"version", sa_doctor_version, "the daemon and secauthctl are of different versions",
     "`systemctl restart secauthd`, so that what is installed is what runs"},
    {"config", sa_doctor_conf, "the configuration or the rules are refused",
     "mend the line; `secauthd --check` says whether it is well"},
    {"last-good", sa_doctor_last_good, "the daemon runs on the last good copy of its files",
     "mend the line, then `systemctl reload secauthd`"},
    {"pam-module", sa_doctor_pam_module, "pam_secauth.so is not where libpam looks",
     "install the package libpam-secauth again"},
    {"pam-missing", sa_doctor_pam_missing, "a stack does not ask pam_secauth", INSTALL_PROFILE},
    {"pam-order", sa_doctor_pam_order, "pam_unix is asked before pam_secauth",
     "run `pam-auth-update --package`; where a local change keeps it from that, `pam-auth-update --force`"},
    {"pam-revived", sa_doctor_pam_revived, "after a denial by pam_secauth the next module is asked: an older hash is good again",
     "write default=die into the control of pam_secauth, or run `pam-auth-update --force`"},
    {"pam-cut", sa_doctor_pam_cut, "a success of pam_secauth ends the stack, so that later modules (keyrings) never run",
     "write success=N, past pam_deny, instead of `sufficient` or success=done; or run `pam-auth-update --force`"},
    {"pam-jump", sa_doctor_pam_jump, "a success of pam_secauth jumps to the wrong line",
     "run `pam-auth-update --force`, which counts the lines anew"},
    {"pam-option", sa_doctor_pam_option, "an option that pam_secauth does not know",
     "take it out; pam_secauth(8) has the options"},
    {"pam-sshd", sa_doctor_pam_sshd, "a service has a stack of its own that leaves the common one out",
     "write the @include lines into the file again"},
    {"sshd-pam", sa_doctor_sshd_pam, "sshd does not use PAM",
     "set `UsePAM yes` in sshd_config, then `systemctl reload ssh`"},
    {"sshd-kbdint", sa_doctor_sshd_kbdint, "sshd cannot ask for a second factor",
     "set `KbdInteractiveAuthentication yes` in sshd_config, then `systemctl reload ssh`"},
    {"sockets", sa_doctor_sockets, "a socket is open to the wrong people, or to too few",
     "`systemctl restart secauthd`, which makes them anew"},
    {"modes", sa_doctor_modes, "a file or directory has the wrong owner or mode",
     "chown and chmod it as said"},
    {"master-key", sa_doctor_master_key, "the master key is not kept apart",
     "give it a directory of its own (mode 0700, keys.master_key in secauthd.conf) and mode 0400"},
    {"clock", sa_doctor_clock, "the clock cannot be trusted: codes and tokens depend on it",
     "`timedatectl set-ntp true`, then look at `timedatectl`"},
    {"entropy", sa_doctor_entropy, "the kernel has no random numbers yet",
     "wait for the end of the boot; give a virtual machine a virtio-rng device"},
    {"disk", sa_doctor_disk, "the store's file system is nearly full",
     "make room on it, at least as much as the reserve has"},
    {"inodes", sa_doctor_inodes, "the store's file system is nearly out of inodes",
     "remove small files from it"},
    {"store", sa_doctor_store, "the store takes no writes, or lives from its reserve",
     "make room on its file system; leaving that state needs no restart"},
    {"swap", sa_doctor_swap, "the daemon's memory can reach a swap that is not encrypted",
     "set MemorySwapMax=0 in the unit (the shipped one has it), or encrypt the swap"},
    {"core", sa_doctor_core, "the daemon could leave a core file",
     "set LimitCORE=0 in the unit (the shipped one has it)"},
    {"syslog", sa_doctor_syslog, "nothing takes what pam_secauth logs",
     "start systemd-journald or another syslog; /dev/log is its socket"},
    {"outside", sa_doctor_outside, "people of the host log in past secauth",
     "`getent shadow NAME | secauthctl user import --uid UID`"},
    {"orphans", sa_doctor_orphans, "a record belongs to nobody on the host",
     "`secauthctl user delete NAME`, or make the account again"},
    {"ids", sa_doctor_ids, "a record and the host disagree about a uid: that person is denied",
     "delete the record and import it with the uid that the host has"},
    {"factor", sa_doctor_factor, "the rules ask for a second factor that somebody does not have: they are denied",
     "`secauthctl mfa enroll NAME`, or by the person `secauthctl mfa enroll`"},
};
/* clang-format on */

void
sa_doctor_tell(struct sa_doctor *doctor, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_t *detail = json_string(text);
    if (detail == NULL)
        detail = json_string("(not UTF-8)");
    json_t *finding = json_pack("{s:s, s:s, s:o, s:s}", "check", doctor->row->name, "wrong",
                                doctor->row->wrong, "found", detail, "mend", doctor->row->mend);
    if (json_array_append_new(doctor->findings, finding) != 0)
        abort(); /* rather no answer than one that says that all is well */
}

const char *
sa_doctor_setting(const struct sa_doctor *doctor, const char *name, const char *otherwise)
{
    const char *value = json_string_value(json_object_get(doctor->settings, name));
    return value == NULL ? otherwise : value;
}

/* Everything to the end; what is beyond the room is read and dropped. */
static void
read_all(int fd, char *ret_text)
{
    char beyond[4096];
    size_t len = 0;
    ssize_t got;

    do {
        size_t room = SA_DOCTOR_OUTPUT_MAX - len;
        got = room > 0 ? read(fd, ret_text + len, room) : read(fd, beyond, sizeof(beyond));
        if (got > 0 && room > 0)
            len += (size_t)got;
    } while (got > 0 || (got < 0 && errno == EINTR));
    ret_text[len] = '\0';
}

int
sa_doctor_run(char *const *words, char **ret_output)
{
    posix_spawn_file_actions_t actions;
    int ends[2], status = -1;
    pid_t pid;
    char *text = calloc(1, SA_DOCTOR_OUTPUT_MAX + 1);

    *ret_output = NULL;
    if (text == NULL || pipe(ends) != 0) {
        free(text);
        return -1;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int failed = posix_spawn(&pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed == 0)
        read_all(ends[0], text);
    close(ends[0]);
    if (failed != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        free(text);
        return -1;
    }
    *ret_output = text;
    return WEXITSTATUS(status);
}

/* ---- what the checks look at ---- */

/* The INI file of --dump-config, into "section.key". */
static void
take_settings(struct sa_doctor *doctor, char *text)
{
    char section[64] = "", name[160];
    char *rest = text;
    char *line;

    while ((line = strsep(&rest, "\n")) != NULL) {
        char *equals = strchr(line, '=');
        if (line[0] == '[') {
            snprintf(section, sizeof(section), "%.*s", (int)strcspn(line + 1, "]"), line + 1);
        } else if (line[0] != '#' && equals != NULL) {
            size_t len = (size_t)(equals - line);
            while (len > 0 && line[len - 1] == ' ')
                len--;
            snprintf(name, sizeof(name), "%s.%.*s", section, (int)len, line);
            char *value = equals + 1 + strspn(equals + 1, " ");
            json_object_set_new(doctor->settings, name, json_string(value));
        }
    }
}

static void
gather(struct sa_doctor *doctor)
{
    char *words[] = {(char[]){DAEMON}, (char[]){"--dump-config"}, NULL};
    char *text = NULL;
    Secauth__V1__GetStatusRequest status = SECAUTH__V1__GET_STATUS_REQUEST__INIT;
    Secauth__V1__ListUsersRequest users = SECAUTH__V1__LIST_USERS_REQUEST__INIT;

    if (sa_doctor_run(words, &text) == 0)
        take_settings(doctor, text);
    free(text);
    if (sa_ctl_call(doctor->ctl, &secauth__v1__host_service__descriptor, "GetStatus", &status.base,
                    &doctor->status) != SA_CTL_OK)
        return;
    users.page_size = PAGE_SIZE;
    if (sa_ctl_list(doctor->ctl, &secauth__v1__user_service__descriptor, "ListUsers", &users.base,
                    &users.page_token, "users", &doctor->users) != SA_CTL_OK)
        doctor->users = NULL;
}

static void
print_text(const struct sa_doctor *doctor)
{
    size_t index;
    json_t *finding;
    char found[4096];

    json_array_foreach(doctor->findings, index, finding)
    {
        const char *text = json_string_value(json_object_get(finding, "found"));
        sa_ctl_escape(text, strlen(text), found, sizeof(found));
        printf("%s: %s\n    found: %s\n    mend:  %s\n", json_string_value(json_object_get(finding, "check")),
               json_string_value(json_object_get(finding, "wrong")), found,
               json_string_value(json_object_get(finding, "mend")));
    }
    if (index == 0)
        printf("%zu checks, nothing found\n", SA_COUNT(table));
    else
        printf("%zu checks, %zu findings\n", SA_COUNT(table), index);
}

enum sa_ctl_exit
sa_ctl_doctor(struct sa_ctl *ctl)
{
    json_auto_t *findings = json_array(), *settings = json_object();
    struct sa_doctor doctor = {.ctl = ctl, .findings = findings, .settings = settings};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    if (geteuid() != 0) {
        sa_ctl_complain("doctor: only root sees all that there is to see");
        return SA_CTL_USAGE;
    }
    if (findings == NULL || settings == NULL)
        return sa_ctl_no_memory();
    gather(&doctor);
    for (size_t i = 0; i < SA_COUNT(table); i++) {
        doctor.row = &table[i];
        table[i].look(&doctor);
    }
    json_decref(doctor.status);
    json_decref(doctor.users);
    if (!ctl->json) {
        print_text(&doctor);
    } else {
        result = sa_ctl_print_json(findings);
        if (result != SA_CTL_OK)
            return result;
    }
    return json_array_size(findings) == 0 ? SA_CTL_OK : SA_CTL_REFUSED;
}
