/* Processes, as the kernel shows them: whether a session's leader still lives, and who descends from whom. */
#ifndef SA_LEADER_H
#define SA_LEADER_H

#include "proto/bytes.h"

struct sa_process {
    uint32_t parent;
    uint64_t start; /* clock ticks since boot: with the pid and the boot id it names a process for good */
};

/* Read /proc/PID/stat. False for a process that is gone, a zombie, or pid 0. */
SA_MUST_CHECK bool sa_process_read(uint32_t pid, struct sa_process *ret_process);

/* Whether the process of that pid is the one that started then. */
bool sa_process_lives(uint32_t pid, uint64_t start);

/* Whether `ancestor` is `pid` or above it, at most 64 steps up. */
bool sa_process_descends(uint32_t pid, uint32_t ancestor);

/*
 * Whether a process lives in our own pid namespace. One of another (a container's) has no pid here, or has
 * pids in more namespaces than we have.
 */
bool sa_process_is_here(uint32_t pid);

#endif
