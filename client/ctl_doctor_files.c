/* Files, sockets, and what programs say of their own configuration. */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl_doctor.h"
#include "proto/sockets.h"

#define CONF  "/etc/secauth/secauthd.conf"
#define RULES "/etc/secauth/rules"
#define STORE "/var/lib/secauth/store/secauth.db"
#define KEY   "/var/lib/secauth-key/master.key"

/* The directory of a file, in `ret_dir`. */
static void
parent(const char *path, char *ret_dir, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(ret_dir, size, "%.*s", slash == NULL || slash == path ? 1 : (int)(slash - path), path);
}

/* Say where a path is not of this owner, or has a bit of `forbidden`, or lacks one of `needed`. What is not
 * there is no finding here: `needed` or the daemon's own start says so. */
static void
look_at(struct sa_doctor *doctor, const char *path, const char *owner, mode_t forbidden, mode_t needed)
{
    struct stat status;
    const struct passwd *person = getpwnam(owner);

    if (lstat(path, &status) != 0) {
        if (needed != 0)
            sa_doctor_tell(doctor, "%s is missing", path);
        return;
    }
    if (person != NULL && status.st_uid != person->pw_uid)
        sa_doctor_tell(doctor, "%s belongs to uid %u, not to %s", path, status.st_uid, owner);
    mode_t mode = status.st_mode & 07777;
    if ((mode & forbidden) != 0 || (mode & needed) != needed)
        sa_doctor_tell(doctor, "%s has mode %04o, not %04o", path, mode, (mode & ~forbidden) | needed);
}

void
sa_doctor_sockets(struct sa_doctor *doctor)
{
    if (doctor->status == NULL)
        return; /* nobody has made them */
    look_at(doctor, SA_ROOT_DIR, "root", 0077, 0700);
    look_at(doctor, SA_ROOT_SOCKET, "root", 0177, 0600);
    look_at(doctor, SA_USER_SOCKET, "root", 0111, 0666);
}

void
sa_doctor_modes(struct sa_doctor *doctor)
{
    const char *store = sa_doctor_setting(doctor, "store.path", STORE);
    const char *user = sa_doctor_setting(doctor, "secauthd.user", "secauth");
    char dir[512];

    look_at(doctor, "/etc/secauth", "root", 0022, 0);
    look_at(doctor, CONF, "root", 0022, 0);
    look_at(doctor, sa_doctor_setting(doctor, "secauthd.rules", RULES), "root", 0022, 0);
    parent(store, dir, sizeof(dir));
    look_at(doctor, dir, user, 0077, 0);
    look_at(doctor, store, user, 0077, 0);
    look_at(doctor, SA_MANAGED_FILE, user, 0133, 0444);
}

void
sa_doctor_master_key(struct sa_doctor *doctor)
{
    const char *key = sa_doctor_setting(doctor, "keys.master_key", KEY);
    const char *user = sa_doctor_setting(doctor, "secauthd.user", "secauth");
    char key_dir[512], store_dir[512];

    parent(key, key_dir, sizeof(key_dir));
    parent(sa_doctor_setting(doctor, "store.path", STORE), store_dir, sizeof(store_dir));
    look_at(doctor, key_dir, user, 0077, 0);
    look_at(doctor, key, user, 0177, 0);
    if (strcmp(key_dir, store_dir) == 0)
        sa_doctor_tell(doctor, "%s lies beside the store: a backup of the one takes the other along", key);
}

/* ---- what programs say ---- */

void
sa_doctor_conf(struct sa_doctor *doctor)
{
    char *words[] = {(char[]){"/usr/sbin/secauthd"}, (char[]){"--check"}, NULL};
    char *text = NULL;
    int status = sa_doctor_run(words, &text);

    if (status < 0)
        sa_doctor_tell(doctor, "/usr/sbin/secauthd cannot be run");
    else if (status != 0)
        sa_doctor_tell(doctor, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

void
sa_doctor_last_good(struct sa_doctor *doctor)
{
    const char *why = json_string_value(json_object_get(doctor->status, "last_good"));

    if (why != NULL && why[0] != '\0')
        sa_doctor_tell(doctor, "%s", why);
}

/* Whether `sshd -T` has this line; true as well where there is no sshd, or it says nothing. */
static bool
sshd_says(const char *line)
{
    char *words[] = {(char[]){"/usr/sbin/sshd"}, (char[]){"-T"}, NULL};
    char *text = NULL;
    bool found = true;

    if (access(words[0], X_OK) == 0 && sa_doctor_run(words, &text) == 0)
        found = strstr(text, line) != NULL;
    free(text);
    return found;
}

void
sa_doctor_sshd_pam(struct sa_doctor *doctor)
{
    if (!sshd_says("usepam yes\n"))
        sa_doctor_tell(doctor, "sshd -T: usepam no");
}

void
sa_doctor_sshd_kbdint(struct sa_doctor *doctor)
{
    if (!sshd_says("kbdinteractiveauthentication yes\n") && sa_doctor_asks_factors(doctor))
        sa_doctor_tell(doctor, "sshd -T: kbdinteractiveauthentication no");
}
