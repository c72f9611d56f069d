/* Sorting more digests than memory holds: runs of 64 MiB in a nameless file, merged. For the breached list.
 */
#ifndef SA_CTL_PASSWORD_SORT_H
#define SA_CTL_PASSWORD_SORT_H

#include "client/ctl.h"

#define SA_SORT_WIDTH                                                                                        \
    10u /* bytes of a digest that are kept: by chance one password in 10^15 is taken for listed */

struct sa_sort;

struct sa_sort *sa_sort_new(const char *folder); /* of the nameless file; NULL: errno says why */
void sa_sort_free(struct sa_sort *sort);

/* 0, or an errno; EFBIG past 512 runs (32 GiB). */
SA_MUST_CHECK int sa_sort_add(struct sa_sort *sort, const uint8_t digest[SA_SORT_WIDTH]);

/* Hand out all that was added, ascending, each once. 0, an errno, or what `take` returned. */
SA_MUST_CHECK int sa_sort_finish(struct sa_sort *sort,
                                 int (*take)(void *user, const uint8_t digest[SA_SORT_WIDTH]), void *user);

#endif
