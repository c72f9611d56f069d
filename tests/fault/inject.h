/*
 * Faults on demand: the n-th allocation, write, sync fails. The program is linked with --wrap for malloc,
 * calloc and fsync, so that our own code meets them; SQLite meets them through its allocator and a VFS.
 */
#ifndef SA_TESTS_INJECT_H
#define SA_TESTS_INJECT_H

#include <stdbool.h>

#define INJECT_VFS "faulty"

/* Every allocation is failed; with a sanitizer, which is ten times slower, every fifth. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INJECT_EVERY 5u
#else
#define INJECT_EVERY 1u
#endif

enum fault {
    FAULT_NONE,
    FAULT_SQLITE_ALLOC,
    FAULT_OWN_ALLOC,
    FAULT_WRITE, /* EIO */
    FAULT_FULL,  /* half of it is written, then the disk is full */
    FAULT_SYNC,
    FAULT_OWN_SYNC, /* of the list of managed uids */
};

/* Before the first use of SQLite in this process. */
void inject_start(void);

/* The n-th event of this kind from now on fails, from 1; with `for_good` all after it too. */
void inject_arm(enum fault fault, unsigned nth, bool for_good);

/* No more faults. Returns whether there was one. */
bool inject_disarm(void);

#endif
