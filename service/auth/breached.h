/*
 * A list of breached passwords (docs/decisions/0080): 32 bytes of header, then `count` digests of `width`
 * bytes, ascending. `secauthctl password-list build` makes it.
 *
 *   0  "SABREACH"   8  version, 1   9  kind of digest, 1: SHA-1, cut to the width   10  width, 8 to 20
 *  11  five bytes of zero          16  count, big-endian 64 bits                    24  eight bytes of zero
 *
 * It is read with pread(2) and never mapped: a page that vanishes under a map (a file cut short, a failing
 * disk) would kill the daemon, while a read says so.
 */
#ifndef SA_BREACHED_H
#define SA_BREACHED_H

#include "proto/bytes.h"
#include "proto/status.h"

struct sa_breached;

struct sa_breached *sa_breached_new(void); /* without a list; NULL for lack of memory */
void sa_breached_free(struct sa_breached *breached);

/*
 * Read a list from now on, instead of the one before. Looks at the header, the file's length, and some 2,000
 * digests, which must ascend. Any thread; the old list stays where this fails.
 *
 *   path     "" for none.
 *   ret_why  on any other status than SA_OK the reason in plain words, a constant.
 *
 * Returns SA_OK, SA_INVALID_ARGUMENT (no such list), SA_STORAGE (it cannot be read).
 */
SA_MUST_CHECK enum sa_status sa_breached_load(struct sa_breached *breached, const char *path,
                                              const char **ret_why);

/*
 * Whether a password is on the list: about 30 reads of a few bytes for a thousand million of them. Any
 * thread. ret_listed  written on SA_OK; false where there is no list. Returns SA_OK, SA_STORAGE, SA_INTERNAL
 * (no SHA-1).
 */
SA_MUST_CHECK enum sa_status sa_breached_has(struct sa_breached *breached, struct sa_bytes password,
                                             bool *ret_listed);

#endif
