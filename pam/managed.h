/*
 * The list of uids that have a record, which the daemon leaves for the time when it does not run: who is on
 * it must wait for the daemon, who is not is another module's. It grants nothing.
 */
#ifndef SA_MANAGED_H
#define SA_MANAGED_H

#include "proto/bytes.h"

/*
 * Whether a person may have a record.
 *
 *   path  the list: the line "secauth managed 1", then one uid a line in decimal, ascending; every line has
 *         its line feed.
 *   uid   the person's; NULL where the name service does not know the name.
 *
 * True where the uid is on the list, and where the list cannot be read or is not what it should be.
 */
SA_MUST_CHECK bool sa_managed_may_hold(const char *path, const uint32_t *uid);

#endif
