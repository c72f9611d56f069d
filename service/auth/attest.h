/*
 * Attested clients (design section 5): what the kernel says of a local process makes it a client of ours,
 * with no secret at all. The uid is the boundary; a systemd unit narrows it among the processes of that uid.
 */
#ifndef SA_ATTEST_H
#define SA_ATTEST_H

#include "service/store/store.h"

/* A process at the other end of a socket of ours, as the kernel named it. */
struct sa_attested {
    bool has_uid;
    uint32_t uid;
    uint32_t pid;
    uint64_t start; /* sa_process_of_peer's, when it connected; 0: it was gone by then, or nobody looked */
};

/*
 * Whether a process is the client that its record describes. NULL: it is. Else why not, a constant for the
 * record: NOT_ATTESTED, OTHER_UID, OTHER_PROCESS (it is not the one that connected, or has ended),
 * OTHER_PID_NAMESPACE, OTHER_UNIT.
 */
const char *sa_attest(const struct sa_client *client, const struct sa_attested *process);

/*
 * Whether /proc/PID/cgroup names a unit of the system's manager, exactly /system.slice/UNIT or below, in the
 * unified hierarchy. A unit in a slice of its own, which those made from a template are, is not found.
 */
bool sa_attest_is_in_unit(const char *cgroup, const char *unit);

#endif
