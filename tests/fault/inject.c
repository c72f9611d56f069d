#include "tests/fault/inject.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Atomic enum fault armed;
static atomic_int countdown;
static atomic_bool lasting;
static atomic_bool struck;

void
inject_arm(enum fault fault, unsigned nth, bool for_good)
{
    atomic_store(&countdown, (int)nth);
    atomic_store(&lasting, for_good);
    atomic_store(&struck, false);
    atomic_store(&armed, fault);
}

bool
inject_disarm(void)
{
    atomic_store(&armed, FAULT_NONE);
    return atomic_load(&struck);
}

static bool
strikes(enum fault fault)
{
    if (atomic_load(&armed) != fault)
        return false;
    int left = atomic_fetch_sub(&countdown, 1);
    if (left > 1 || (left < 1 && !atomic_load(&lasting)))
        return false;
    atomic_store(&struck, true);
    return true;
}

/* ---- our own calls ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
int __real_fsync(int descriptor);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
int __wrap_fsync(int descriptor);

void *
__wrap_malloc(size_t size)
{
    return strikes(FAULT_OWN_ALLOC) ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return strikes(FAULT_OWN_ALLOC) ? NULL : __real_calloc(count, size);
}

int
__wrap_fsync(int descriptor)
{
    if (!strikes(FAULT_OWN_SYNC))
        return __real_fsync(descriptor);
    errno = EIO;
    return -1;
}

/* ---- SQLite's memory ---- */

static sqlite3_mem_methods memory;

static void *
take(int size)
{
    return strikes(FAULT_SQLITE_ALLOC) ? NULL : memory.xMalloc(size);
}

static void *
take_more(void *before, int size)
{
    return strikes(FAULT_SQLITE_ALLOC) ? NULL : memory.xRealloc(before, size);
}

/* ---- SQLite's files: those of the real VFS, with three functions changed ---- */

#define TABLES 4u

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods real; /* its functions for reading and writing: the same for every kind of file */

/* The real VFS has a table for databases and another for what is not locked. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const sqlite3_io_methods *from[TABLES];
static sqlite3_io_methods to[TABLES];

static int
write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    if (strikes(FAULT_WRITE))
        return SQLITE_IOERR_WRITE;
    if (!strikes(FAULT_FULL))
        return real.xWrite(file, data, len, offset);
    real.xWrite(file, data, len / 2, offset);
    return SQLITE_FULL;
}

static int
truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    return strikes(FAULT_WRITE) ? SQLITE_IOERR_TRUNCATE : real.xTruncate(file, size);
}

static int
sync_file(sqlite3_file *file, int flags)
{
    return strikes(FAULT_SYNC) ? SQLITE_IOERR_FSYNC : real.xSync(file, flags);
}

/* Called with the lock. */
static const sqlite3_io_methods *
changed(const sqlite3_io_methods *methods)
{
    unsigned i = 0;

    while (from[i] != NULL && from[i] != methods)
        i++;
    if (from[i] == NULL) {
        from[i] = methods;
        real = to[i] = *methods;
        to[i].xWrite = write_file;
        to[i].xTruncate = truncate_file;
        to[i].xSync = sync_file;
    }
    return &to[i];
}

static int
open_file(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    int code = real_vfs->xOpen(self, name, file, flags, ret_flags);

    if (code != SQLITE_OK)
        return code;
    pthread_mutex_lock(&lock);
    file->pMethods = changed(file->pMethods);
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

void
inject_start(void)
{
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
    sqlite3_mem_methods faulty = memory;
    faulty.xMalloc = take;
    faulty.xRealloc = take_more;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &faulty) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
        abort();
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = INJECT_VFS;
    vfs.xOpen = open_file;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        abort();
}
