#include "sockets.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/store/store_gateway.h"

/* How one socket shall be. */
struct plan {
    char path[108];
    mode_t mode;
    gid_t gid;
    int backlog;
};

static enum sa_status
fail(char *ret_why, const char *path, const char *what)
{
    snprintf(ret_why, SA_SOCKET_WHY_MAX, "%.120s: %s: %s", path, what, strerror(errno));
    return SA_PERMISSION_DENIED;
}

/* A directory of root's with exactly this mode: who can write in it can put a socket of their own there. */
static enum sa_status
make_directory(const char *path, mode_t mode, char *ret_why)
{
    struct stat stat;

    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return fail(ret_why, path, "mkdir");
    if (lstat(path, &stat) != 0)
        return fail(ret_why, path, "stat");
    if (S_ISDIR(stat.st_mode) && stat.st_uid == geteuid() && chmod(path, mode) == 0)
        return SA_OK;
    snprintf(ret_why, SA_SOCKET_WHY_MAX, "%.120s: must be a directory of root's", path);
    return SA_PERMISSION_DENIED;
}

/* Whether somebody answers on the path: a full backlog counts, a stale file does not. */
static bool
somebody_listens(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool listens = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN;
    close(fd);
    return listens;
}

static enum sa_status
bind_plan(int fd, const struct plan *plan, char *ret_why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, plan->path, strlen(plan->path));
    if (somebody_listens(&address)) {
        snprintf(ret_why, SA_SOCKET_WHY_MAX, "%.100s: another daemon listens there", plan->path);
        return SA_ALREADY_EXISTS;
    }
    if (unlink(plan->path) != 0 && errno != ENOENT)
        return fail(ret_why, plan->path, "unlink");
    mode_t before = umask(0177); /* nobody but root, until it has its owner */
    int bound = bind(fd, (struct sockaddr *)&address, sizeof(address));
    umask(before);
    if (bound != 0)
        return fail(ret_why, plan->path, "bind");
    if (plan->gid != getegid() && chown(plan->path, (uid_t)-1, plan->gid) != 0)
        return fail(ret_why, plan->path, "chown");
    if (chmod(plan->path, plan->mode) != 0)
        return fail(ret_why, plan->path, "chmod");
    /* Whoever calls listen() is who the other side sees in SO_PEERCRED. */
    return listen(fd, plan->backlog) == 0 ? SA_OK : fail(ret_why, plan->path, "listen");
}

static enum sa_status
open_plan(const struct plan *plan, int *ret_fd, char *ret_why)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail(ret_why, plan->path, "socket");
    enum sa_status status = bind_plan(fd, plan, ret_why);
    if (status == SA_OK)
        *ret_fd = fd;
    else
        close(fd);
    return status;
}

static enum sa_status
add(struct sa_doors *doors, enum sa_via via, const char *gateway, const struct plan *plan, char *ret_why)
{
    struct sa_door_options *door = &doors->door[doors->count];
    enum sa_status status = open_plan(plan, &door->fd, ret_why);

    if (status != SA_OK)
        return status;
    door->via = via;
    memcpy(door->gateway, gateway, strlen(gateway) + 1);
    doors->count++;
    return SA_OK;
}

static enum sa_status
add_gateways(struct sa_doors *doors, enum sa_via via, const struct sa_conf_words *names, gid_t gid,
             char *ret_why)
{
    for (unsigned i = 0; i < names->count; i++) {
        struct plan plan = {.mode = 0660, .gid = gid, .backlog = 256};
        snprintf(plan.path, sizeof(plan.path), SA_GATEWAY_DIR "/%s.sock", names->word[i]);
        enum sa_status status = add(doors, via, names->word[i], &plan, ret_why);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

static enum sa_status
open_all(const struct sa_conf *conf, const struct sa_gateway_gids *gids, struct sa_doors *doors,
         char *ret_why)
{
    struct plan root = {.path = SA_ROOT_SOCKET, .mode = 0600, .gid = getegid(), .backlog = 4096};
    struct plan user = {.path = SA_USER_SOCKET, .mode = 0666, .gid = getegid(), .backlog = 1024};

    enum sa_status status = make_directory(SA_RUN_DIR, 0755, ret_why);
    if (status == SA_OK)
        status = make_directory(SA_ROOT_DIR, 0700, ret_why);
    if (status == SA_OK)
        status = make_directory(SA_GATEWAY_DIR, 0755, ret_why);
    if (status == SA_OK)
        status = add(doors, SA_VIA_ROOT, "", &root, ret_why);
    if (status == SA_OK)
        status = add_gateways(doors, SA_VIA_LOCAL, &conf->gateway_local, gids->local, ret_why);
    if (status == SA_OK)
        status = add_gateways(doors, SA_VIA_NETWORK, &conf->gateway_network, gids->network, ret_why);
    if (status == SA_OK)
        status = add(doors, SA_VIA_USER, "", &user, ret_why);
    return status;
}

enum sa_status
sa_doors_open(const struct sa_conf *conf, const struct sa_gateway_gids *gids, struct sa_doors *ret_doors,
              char ret_why[SA_SOCKET_WHY_MAX])
{
    ret_doors->count = 0;
    enum sa_status status = open_all(conf, gids, ret_doors, ret_why);
    if (status == SA_OK)
        return SA_OK;
    while (ret_doors->count > 0)
        close(ret_doors->door[--ret_doors->count].fd);
    return status;
}

void
sa_doors_number(struct sa_doors *doors, struct sa_store *store)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < doors->count; i++) {
        struct sa_door_options *door = &doors->door[i];
        enum sa_status status = door->gateway[0] == '\0'
                                    ? SA_OK
                                    : sa_store_gateway_number(store, door->gateway, &door->gateway_number);
        if (status == SA_OK) {
            doors->door[kept++] = *door;
            continue;
        }
        sa_log(SA_LOG_ERROR, "gateway %s is not served, it has no number: %s", door->gateway,
               sa_status_row(status)->name);
        close(door->fd);
    }
    doors->count = kept;
}
