/* Which uids have a record: in memory for every connection that is accepted, in a file for when nobody
 * listens. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/store/inside.h"

#define HEADER   "secauth managed 1\n"
#define ROOM_MIN 64u

/* Where a uid is, or where it belongs. */
static size_t
place_of(const struct sa_managed *managed, uint32_t uid)
{
    size_t low = 0;
    size_t high = managed->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (managed->uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_at(const struct sa_managed *managed, size_t place, uint32_t uid)
{
    return place < managed->count && managed->uids[place] == uid;
}

bool
sa_managed_has(struct sa_managed *managed, uint32_t uid)
{
    pthread_rwlock_rdlock(&managed->lock);
    bool found = is_at(managed, place_of(managed, uid), uid);
    pthread_rwlock_unlock(&managed->lock);
    return found;
}

static enum sa_status
make_room(struct sa_managed *managed, size_t more)
{
    size_t room = managed->room == 0 ? ROOM_MIN : managed->room;

    while (room < managed->count + more)
        room *= 2;
    if (room == managed->room)
        return SA_OK;
    uint32_t *uids = malloc(room * sizeof(*uids));
    if (uids == NULL)
        return SA_NO_MEMORY;
    if (managed->count > 0)
        memcpy(uids, managed->uids, managed->count * sizeof(*uids));
    pthread_rwlock_wrlock(&managed->lock);
    uint32_t *before = managed->uids;
    managed->uids = uids;
    managed->room = room;
    pthread_rwlock_unlock(&managed->lock);
    free(before);
    return SA_OK;
}

static void
insert(struct sa_managed *managed, uint32_t uid)
{
    size_t place = place_of(managed, uid);

    if (is_at(managed, place, uid))
        return;
    memmove(managed->uids + place + 1, managed->uids + place, (managed->count - place) * sizeof(uid));
    managed->uids[place] = uid;
    managed->count++;
}

static void
drop(struct sa_managed *managed, uint32_t uid)
{
    size_t place = place_of(managed, uid);

    if (!is_at(managed, place, uid))
        return;
    managed->count--;
    memmove(managed->uids + place, managed->uids + place + 1, (managed->count - place) * sizeof(uid));
}

/* ---- the file ---- */

static void
print_uids(FILE *file, const struct sa_managed *managed)
{
    fputs(HEADER, file);
    for (size_t i = 0; i < managed->count; i++)
        fprintf(file, "%u\n", managed->uids[i]);
}

/* Written beside, synced, renamed: a reader sees one whole list or the other. */
static enum sa_status
write_file(const struct sa_managed *managed)
{
    char beside[PATH_MAX];

    if (managed->path == NULL)
        return SA_OK;
    if (snprintf(beside, sizeof(beside), "%s.new", managed->path) >= (int)sizeof(beside))
        return SA_STORAGE;
    int descriptor = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (descriptor < 0)
        return SA_STORAGE;
    FILE *file = fdopen(descriptor, "w");
    if (file == NULL) {
        close(descriptor);
        return SA_NO_MEMORY;
    }
    print_uids(file, managed);
    /* Whatever the umask says: who reads it is another user's process. */
    bool whole =
        fflush(file) == 0 && !ferror(file) && fchmod(descriptor, 0644) == 0 && fsync(descriptor) == 0;
    if (fclose(file) != 0 || !whole || rename(beside, managed->path) != 0) {
        unlink(beside);
        return SA_STORAGE;
    }
    return SA_OK;
}

bool
sa_managed_names_people(const struct sa_managed *managed)
{
    struct stat stat_;

    return managed->path != NULL && stat(managed->path, &stat_) == 0 &&
           stat_.st_size > (off_t)sizeof(HEADER) - 1;
}

/* ---- with the commits; the writer alone changes memory, so it reads it without the lock ---- */

static size_t
count_added(const struct sa_work *batch)
{
    size_t count = 0;

    for (const struct sa_work *work = batch; work != NULL; work = work->next)
        count += work->status == SA_OK && work->uid_added >= 0;
    return count;
}

enum sa_status
sa_managed_prepare(struct sa_managed *managed, const struct sa_work *batch)
{
    size_t added = count_added(batch);

    if (added == 0)
        return SA_OK;
    enum sa_status status = make_room(managed, added);
    if (status != SA_OK || managed->path == NULL)
        return status;

    /* The file before memory: nobody is to find a uid managed here that the file does not name. */
    struct sa_managed next = {.path = managed->path, .count = managed->count, .room = managed->room};
    next.uids = malloc(managed->room * sizeof(*next.uids));
    if (next.uids == NULL)
        return SA_NO_MEMORY;
    memcpy(next.uids, managed->uids, managed->count * sizeof(*next.uids));
    for (const struct sa_work *work = batch; work != NULL; work = work->next) {
        if (work->status == SA_OK && work->uid_added >= 0)
            insert(&next, (uint32_t)work->uid_added);
    }
    status = write_file(&next);
    free(next.uids);
    return status;
}

void
sa_managed_commit(struct sa_managed *managed, const struct sa_work *batch)
{
    bool removed = false;

    for (const struct sa_work *work = batch; work != NULL; work = work->next) {
        if (work->status != SA_OK || (work->uid_added < 0 && work->uid_removed < 0))
            continue;
        pthread_rwlock_wrlock(&managed->lock);
        if (work->uid_removed >= 0)
            drop(managed, (uint32_t)work->uid_removed);
        if (work->uid_added >= 0)
            insert(managed, (uint32_t)work->uid_added);
        pthread_rwlock_unlock(&managed->lock);
        removed |= work->uid_removed >= 0;
    }
    /* A uid too many denies nobody who could be let in otherwise: the next rewriting mends it. */
    if (removed)
        write_file(managed);
}

void
sa_managed_undo(struct sa_managed *managed, const struct sa_work *batch)
{
    if (count_added(batch) > 0)
        write_file(managed);
}

enum sa_status
sa_managed_load(struct sa_managed *managed, struct sa_sql *sql, const char **ret_why)
{
    static const char ALL[] = "SELECT uid FROM users ORDER BY uid";
    enum sa_status status;

    *ret_why = "the users in the store cannot be read" SA_STORE_ADVICE;
    SA_QUERY(query, sql, ALL);
    while ((status = sa_query_step(&query)) == SA_OK) {
        status = make_room(managed, 1);
        if (status != SA_OK)
            return status;
        insert(managed, (uint32_t)sa_get_int(&query));
    }
    if (status != SA_NOT_FOUND)
        return status == SA_STORAGE ? SA_INTERNAL : status;
    *ret_why = "the list of managed uids cannot be written";
    return write_file(managed);
}
