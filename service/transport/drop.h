/* From root to the daemon's own user, for good. No name service: the files themselves are read. */
#ifndef SA_DROP_H
#define SA_DROP_H

#include <sys/types.h>

#include "service/base/conf.h"

#define SA_DROP_WHY_MAX 256u

struct sa_identity {
    uid_t uid;
    gid_t gid;
};

/* From /etc/passwd. Returns SA_OK or SA_NOT_FOUND; never finds root. */
SA_MUST_CHECK enum sa_status sa_identity_of_user(const char *name, struct sa_identity *ret_identity);

/* From /etc/group. Returns SA_OK or SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_gid_of_group(const char *name, gid_t *ret_gid);

/* Whether a name is root or in the group of that gid, by /etc/passwd and /etc/group. */
bool sa_is_member(gid_t gid, const char *name);

/*
 * Whether the kernel can name every uid to us: in a user namespace that maps a part of them, all others look
 * alike. Returns SA_OK or SA_PERMISSION_DENIED.
 */
SA_MUST_CHECK enum sa_status sa_check_uid_map(void);

/* No core dumps, no ptrace by others, no files that others can read. Before and after the drop. */
void sa_harden(void);

/*
 * Make the directories of store, master key and managed list where they are missing, owned by `identity`;
 * those that exist must be its own or root's, and writable by nobody else. Returns SA_OK, or
 * SA_PERMISSION_DENIED with ret_why.
 */
SA_MUST_CHECK enum sa_status sa_make_homes(const struct sa_conf *conf, struct sa_identity identity,
                                           char ret_why[SA_DROP_WHY_MAX]);

/*
 * Become `identity`: groups, ids, every capability, and no way to get any back; then look whether it is so.
 * Returns SA_OK, or SA_PERMISSION_DENIED with ret_why: the process must end.
 */
SA_MUST_CHECK enum sa_status sa_drop_to(struct sa_identity identity, char ret_why[SA_DROP_WHY_MAX]);

#endif
