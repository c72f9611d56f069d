/*
 * Small files, opened so that a host program never notices: close-on-exec, above descriptor 2, never waiting.
 */
#ifndef SA_FILE_H
#define SA_FILE_H

#include "proto/bytes.h"

/* A descriptor for reading a regular file; -1 where there is none to be had. The caller closes it. */
SA_MUST_CHECK int sa_file_open(const char *path);

/* The first bytes of a file, at most `len`. Returns their number, 0 where the file cannot be read. */
SA_MUST_CHECK size_t sa_file_read(const char *path, char *ret_data, size_t len);

/* A descriptor above the standard ones in place of `fd`, which is closed; -1 for -1 or where none is left. */
SA_MUST_CHECK int sa_file_raise(int fd);

#endif
