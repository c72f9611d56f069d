/*
 * A disk that is full or fails (design section 10), in two stages. The writer's thread alone moves from one
 * to the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/store/inside.h"

#define RESERVE_MIN (UINT64_C(1) << 20)
#define START_MIN   (UINT64_C(256) << 10) /* what a start writes, and more */
#define SHARE       16u

static const char *const names[] = {
    [SA_DISK_NORMAL] = "normal", [SA_DISK_EMERGENCY] = "emergency", [SA_DISK_READ_ONLY] = "read-only"};

const char *
sa_disk_name(enum sa_disk_stage stage)
{
    return names[stage];
}

enum sa_disk_stage
sa_disk_stage(const struct sa_store *store)
{
    return (enum sa_disk_stage)atomic_load(&store->disk.stage);
}

/* What is left for a process without privilege; none where it cannot be told. */
static uint64_t
bytes_free(const struct sa_disk *disk, uint64_t *ret_total)
{
    struct statvfs fs;

    *ret_total = 0;
    if (statvfs(disk->directory, &fs) != 0)
        return 0;
    *ret_total = (uint64_t)fs.f_blocks * fs.f_frsize;
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* ---- the reserve ---- */

/* Bytes that are taken for good: a file with holes would be no reserve. */
static bool
is_there(const struct sa_disk *disk)
{
    struct stat stat;

    return lstat(disk->reserve, &stat) == 0 && S_ISREG(stat.st_mode) &&
           (uint64_t)stat.st_blocks * 512 >= disk->bytes;
}

/*
 * With a quarter more, which is given back at once: so that what is left when an emergency ends is not the
 * reserve alone, and the next write begins another one. Asked of the file system itself, since a quota does
 * not show in what it says is free.
 */
static bool
make_reserve(const struct sa_disk *disk)
{
    const uint64_t needed = disk->bytes + disk->bytes / 4;
    uint64_t total;

    if (is_there(disk))
        return true;
    if (bytes_free(disk, &total) < needed)
        return false;
    int file = open(disk->reserve, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0)
        return false;
    bool made = posix_fallocate(file, 0, (off_t)needed) == 0 && ftruncate(file, (off_t)disk->bytes) == 0;
    close(file);
    if (!made)
        unlink(disk->reserve);
    return made;
}

/*
 * Whether a page can be written beside the database, and synced. Tried in a file that does not matter: a sync
 * that fails in the database leaves the daemon no choice but to end.
 */
static bool
can_write(const struct sa_disk *disk, bool *ret_full)
{
    static const uint8_t page[4096];
    int file = open(disk->probe, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool written = file >= 0 && write(file, page, sizeof(page)) == (ssize_t)sizeof(page) && fsync(file) == 0;

    *ret_full = !written && errno == ENOSPC;
    if (file >= 0)
        close(file);
    unlink(disk->probe);
    return written;
}

static bool
put_path(char ret_path[PATH_MAX], const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 0 : (int)(slash - path) + 1;

    return snprintf(ret_path, PATH_MAX, "%.*s%s", len, path, name) < PATH_MAX;
}

enum sa_status
sa_disk_start(struct sa_store *store, const char *path, uint64_t most)
{
    struct sa_disk *disk = &store->disk;
    uint64_t total;
    bool is_full;

    atomic_init(&disk->stage, SA_DISK_NORMAL);
    if (most == 0)
        return SA_OK;
    if (!put_path(disk->directory, path, ".") || !put_path(disk->reserve, path, "reserve") ||
        !put_path(disk->probe, path, "probe"))
        return SA_STORAGE;
    disk->staged = true;
    uint64_t left = bytes_free(disk, &total);
    disk->bytes = total / SHARE < most ? total / SHARE : most;
    if (disk->bytes < RESERVE_MIN)
        disk->bytes = total / 4 < RESERVE_MIN ? 0 : RESERVE_MIN; /* nothing, where it were most of all */
    if (disk->bytes == 0)
        sa_log(SA_LOG_WARNING, "%s is too small for a reserve: a full disk stops every change",
               disk->directory);
    else if ((is_there(disk) && left < START_MIN) || !make_reserve(disk))
        sa_disk_failed(store, true); /* full before it began */
    if (!can_write(disk, &is_full))
        sa_disk_failed(store, is_full);
    return SA_OK;
}

/* ---- from stage to stage ---- */

static void
enter(struct sa_store *store, enum sa_disk_stage stage, const char *why)
{
    atomic_store(&store->disk.stage, stage);
    store->disk.untold = true;
    sa_log(stage == SA_DISK_NORMAL ? SA_LOG_WARNING : SA_LOG_ERROR, "disk: %s: %s", sa_disk_name(stage), why);
}

void
sa_disk_failed(struct sa_store *store, bool is_full)
{
    enum sa_disk_stage stage = sa_disk_stage(store);

    if (!store->disk.staged || stage == SA_DISK_READ_ONLY)
        return;
    if (!is_full || stage == SA_DISK_EMERGENCY || store->disk.bytes == 0) {
        enter(store, SA_DISK_READ_ONLY, "nothing can be written; what only reads goes on");
        return;
    }
    unlink(store->disk.reserve);
    enter(store, SA_DISK_EMERGENCY,
          "the disk is full and the reserve is in use: free space; root and administrators only, until then");
}

/* Held back while the reserve lasts: from everybody, and from all but administrators. */
static const enum sa_event held[] = {SA_EVENT_TOKEN_ISSUE, SA_EVENT_TOKEN_ATTEST, SA_EVENT_TOKEN_REFRESH,
                                     SA_EVENT_CLIENT_AUTH, SA_EVENT_REHASH};
static const enum sa_event personal[] = {SA_EVENT_LOGIN,        SA_EVENT_ACCOUNT,
                                         SA_EVENT_SESSION_OPEN, SA_EVENT_FACTOR_ENROLL,
                                         SA_EVENT_FACTOR_ARM,   SA_EVENT_RECOVERY_CODES};

/* By what the record says is done, and about whom. The rest ends or repairs something, or only administrators
 * can ask for it. */
static bool
is_spared(struct sa_store *store, const struct sa_audit *record)
{
    for (size_t i = 0; i < SA_COUNT(held); i++)
        if (record->event == held[i])
            return false;
    for (size_t i = 0; i < SA_COUNT(personal); i++)
        if (record->event == personal[i])
            return record->user != NULL && store->is_administrator != NULL &&
                   store->is_administrator(record->user);
    return true;
}

bool
sa_disk_allows(struct sa_store *store, const struct sa_work *work)
{
    switch (sa_disk_stage(store)) {
    case SA_DISK_EMERGENCY:
        return work->is_probe || is_spared(store, &work->record);
    case SA_DISK_READ_ONLY:
        return work->is_probe;
    case SA_DISK_NORMAL:
        break;
    }
    return true;
}

/* ---- and back ---- */

/*
 * The probe is the record of the stage that it finds: small, and it leaves something behind. Its status is
 * SA_NOT_FOUND where there is nothing new to tell.
 */
static enum sa_status
probe(SA_UNUSED struct sa_sql *sql, struct sa_work *work)
{
    struct sa_store *store = work->context;
    struct sa_disk *disk = &store->disk;
    bool is_full;
    bool has_room = (disk->bytes == 0 || make_reserve(disk)) && can_write(disk, &is_full);

    work->record.detail = has_room ? "stage=normal" : "stage=emergency";
    disk->has_room = has_room;
    return has_room || (sa_disk_stage(store) == SA_DISK_EMERGENCY && disk->untold) ? SA_OK : SA_NOT_FOUND;
}

void
sa_disk_probed(struct sa_store *store, const struct sa_work *work)
{
    if (work->status != SA_OK)
        return;
    if (store->disk.has_room)
        enter(store, SA_DISK_NORMAL, "there is room again, and a reserve");
    store->disk.untold = false;
}

void
sa_store_probe(struct sa_store *store, int64_t now_ms)
{
    struct sa_audit record = sa_audit(SA_EVENT_DISK);

    if (sa_disk_stage(store) == SA_DISK_NORMAL)
        return;
    record.outcome = SA_OUTCOME_GRANTED;
    record.time_ms = now_ms;
    struct sa_work work = sa_work(probe, store, &record);
    work.is_probe = true;
    if (sa_store_write(store, &work) != SA_OK)
        sa_log(SA_LOG_DEBUG, "disk: still %s", sa_disk_name(sa_disk_stage(store)));
}
