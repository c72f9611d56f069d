#include "drop.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/sockets.h"
#include "service/auth/policy.h"

/* ---- names ---- */

enum sa_status
sa_identity_of_user(const char *name, struct sa_identity *ret_identity)
{
    enum sa_status status = SA_NOT_FOUND;
    FILE *file = fopen("/etc/passwd", "re");

    for (const struct passwd *row; file != NULL && (row = fgetpwent(file)) != NULL;)
        if (strcmp(row->pw_name, name) == 0 && row->pw_uid != 0 && row->pw_gid != 0) {
            *ret_identity = (struct sa_identity){row->pw_uid, row->pw_gid};
            status = SA_OK;
            break;
        }
    if (file != NULL)
        fclose(file);
    return status;
}

enum sa_status
sa_gid_of_group(const char *name, gid_t *ret_gid)
{
    enum sa_status status = SA_NOT_FOUND;
    FILE *file = fopen("/etc/group", "re");

    for (const struct group *row; file != NULL && (row = fgetgrent(file)) != NULL;)
        if (strcmp(row->gr_name, name) == 0) {
            *ret_gid = row->gr_gid;
            status = SA_OK;
            break;
        }
    if (file != NULL)
        fclose(file);
    return status;
}

static bool
is_own_group(gid_t gid, const char *name)
{
    bool found = false;
    FILE *file = fopen("/etc/passwd", "re");

    for (const struct passwd *row; file != NULL && !found && (row = fgetpwent(file)) != NULL;)
        found = strcmp(row->pw_name, name) == 0 && row->pw_gid == gid;
    if (file != NULL)
        fclose(file);
    return found;
}

bool
sa_is_member(gid_t gid, const char *name)
{
    bool found = strcmp(name, "root") == 0 || is_own_group(gid, name);
    FILE *file = fopen("/etc/group", "re");

    for (const struct group *row; file != NULL && !found && (row = fgetgrent(file)) != NULL;)
        for (char **member = row->gr_mem; row->gr_gid == gid && *member != NULL && !found; member++)
            found = strcmp(*member, name) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

enum sa_status
sa_check_uid_map(void)
{
    unsigned long long inside;
    unsigned long long outside;
    unsigned long long length;
    unsigned long long covered = 0;
    FILE *file = fopen("/proc/self/uid_map", "re");

    while (file != NULL && fscanf(file, "%llu %llu %llu", &inside, &outside, &length) == 3)
        covered += length;
    if (file != NULL)
        fclose(file);
    return covered == UINT32_MAX ? SA_OK : SA_PERMISSION_DENIED;
}

/* ---- directories ---- */

/* The directory of a path: what stands before its last slash. */
static void
parent_of(const char *path, char ret_parent[SA_CONF_TEXT_MAX + 1])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash - path);

    memcpy(ret_parent, path, len);
    ret_parent[len] = '\0';
}

/* Give a directory that was just made its owner and mode. Its parent may be the daemon's user's, who could
 * put a link in its place meanwhile: so by descriptor, and through no link. */
static bool
give(const char *path, mode_t mode, struct sa_identity identity)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool given = fd >= 0 && fchmod(fd, mode) == 0 &&
                 fchown(fd, identity.uid, identity.gid) == 0; /* root may have no more than these */
    int error = errno;

    if (fd >= 0)
        close(fd);
    errno = error;
    return given;
}

struct home {
    char path[SA_CONF_TEXT_MAX + 1];
    mode_t mode;
    bool made; /* by us, just now */
};

static enum sa_status
make_home(struct home *home, struct sa_identity identity, char *ret_why)
{
    struct stat stat;

    home->made = mkdir(home->path, home->mode) == 0;
    if ((!home->made && errno != EEXIST) || lstat(home->path, &stat) != 0) {
        snprintf(ret_why, SA_DROP_WHY_MAX, "%.160s: cannot be made: %s", home->path, strerror(errno));
        return SA_PERMISSION_DENIED;
    }
    bool good_owner = stat.st_uid == identity.uid || stat.st_uid == 0;
    if (S_ISDIR(stat.st_mode) && good_owner && (stat.st_mode & 022) == 0)
        return SA_OK;
    snprintf(ret_why, SA_DROP_WHY_MAX,
             "%.160s: must be a directory of the daemon's user, writable by nobody else", home->path);
    return SA_PERMISSION_DENIED;
}

enum sa_status
sa_make_homes(const struct sa_conf *conf, struct sa_identity identity, char ret_why[SA_DROP_WHY_MAX])
{
    /* Everybody reads the managed list. The store's folder is in the list's by default, so it comes second.
     */
    struct home homes[] = {{.mode = 0711}, {.mode = 0700}, {.mode = 0700}, {.mode = 0711}};

    parent_of(SA_MANAGED_FILE, homes[0].path);
    parent_of(conf->store_path, homes[1].path);
    parent_of(conf->keys_master_key, homes[2].path);
    parent_of(SA_LAST_GOOD_CONF, homes[3].path);
    enum sa_status status = SA_OK;
    for (unsigned i = 0; i < SA_COUNT(homes) && status == SA_OK; i++)
        status = make_home(&homes[i], identity, ret_why);
    /*
     * Given away when all are made: a root without CAP_DAC_OVERRIDE can make nothing in another's folder.
     * After a refusal too, for the next start takes what is there as it is.
     */
    for (unsigned i = 0; i < SA_COUNT(homes); i++)
        if (homes[i].made && !give(homes[i].path, homes[i].mode, identity)) {
            snprintf(ret_why, SA_DROP_WHY_MAX, "%.160s: cannot be given to the daemon's user: %s",
                     homes[i].path, strerror(errno));
            status = SA_PERMISSION_DENIED;
        }
    return status;
}

/* ---- the drop ---- */

/* What a program that we would start could get back; it takes CAP_SETPCAP, which systemd may have taken
 * already. */
static void
drop_bounding_set(void)
{
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

void
sa_harden(void)
{
    struct rlimit none = {0, 0};

    umask(077);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static bool
drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}, {0, 0, 0}};

    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, none) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool
has_dropped(struct sa_identity identity)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    uid_t uids[3];
    gid_t gids[3];

    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 || getresgid(&gids[0], &gids[1], &gids[2]) != 0 ||
        getgroups(0, NULL) != 0 || syscall(SYS_capget, &header, caps) != 0)
        return false;
    for (unsigned i = 0; i < 3; i++)
        if (uids[i] != identity.uid || gids[i] != identity.gid)
            return false;
    for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        if ((caps[i].effective | caps[i].permitted | caps[i].inheritable) != 0)
            return false;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && setresuid(0, 0, 0) != 0;
}

enum sa_status
sa_drop_to(struct sa_identity identity, char ret_why[SA_DROP_WHY_MAX])
{
    drop_bounding_set();
    if (setgroups(0, NULL) != 0 || setresgid(identity.gid, identity.gid, identity.gid) != 0 ||
        setresuid(identity.uid, identity.uid, identity.uid) != 0 || !drop_capabilities()) {
        snprintf(ret_why, SA_DROP_WHY_MAX, "cannot become the daemon's user: %s", strerror(errno));
        return SA_PERMISSION_DENIED;
    }
    sa_harden(); /* the kernel forgets some of it when ids change */
    if (has_dropped(identity))
        return SA_OK;
    snprintf(ret_why, SA_DROP_WHY_MAX, "root's rights are not gone");
    return SA_PERMISSION_DENIED;
}
