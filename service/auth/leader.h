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

/* A pidfd of a process, for the caller to close; -1 where it is gone. And whether its process has not ended.
 */
SA_MUST_CHECK int sa_process_open(uint32_t pid);
bool sa_process_runs(int handle);

/*
 * When the process at the other end of a Unix socket was started (as sa_process), for SO_PEERCRED's pid:
 * asked when it connects, it names the process however late a call comes. 0 for one that is gone. Before
 * Linux 6.5 the socket has no handle of its peer: a pid that was used again since it connected passes for it
 * then.
 */
uint64_t sa_process_of_peer(int socket, uint32_t pid);

/*
 * Whether a process lives in our own pid namespace. One of another (a container's) has no pid here, or has
 * pids in more namespaces than we have.
 */
bool sa_process_is_here(uint32_t pid);

#endif
