/* Small files, whole: read with a bound, and replaced so that a reader sees the old one or the new one. */
#ifndef SA_FILE_H
#define SA_FILE_H

#include <sys/types.h>

#include "proto/bytes.h"
#include "proto/status.h"

struct sa_file_text {
    size_t len;
    uint8_t data[]; /* len bytes and a NUL */
};

void sa_file_text_free(struct sa_file_text *text);
SA_DEFINE_OWN(sa_file_text, sa_file_text_free)

/*
 * Read a file of at most `max` bytes without a NUL.
 *
 *   flags    beyond O_RDONLY: O_NOFOLLOW, or 0.
 *   ret_why  of why_len bytes; on any other status than SA_OK "PATH: reason".
 *
 * Returns SA_OK; SA_NOT_FOUND; SA_INVALID_ARGUMENT (too long, a NUL, cannot be read); SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_file_read(const char *path, int flags, size_t max,
                                          struct sa_file_text **ret_text, char *ret_why, size_t why_len);

/*
 * Replace a file through a new one beside it, synced before it takes the name. SA_OK, or SA_STORAGE: the old
 * one stands.
 */
SA_MUST_CHECK enum sa_status sa_file_replace(const char *path, mode_t mode, struct sa_bytes text);

#endif
