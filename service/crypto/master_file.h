/*
 * The file that holds the master key, and the one beside it (`PATH.next`) that holds the next one while a
 * rotation is under way. Both have 32 bytes and mode 0600 and are made whole or not at all; a directory is
 * synced before anything relies upon what stands in it.
 */
#ifndef SA_MASTER_FILE_H
#define SA_MASTER_FILE_H

#include "proto/status.h"
#include "service/base/secret.h"

#define SA_MASTER_LEN 32u

/* Read the key, or make it where `may_create`: as sa_keyring_open describes it. */
SA_MUST_CHECK enum sa_status sa_master_file_open(const char *path, uint32_t owner, bool may_create,
                                                 uint8_t ret_master[SA_MASTER_LEN], const char **ret_why);

/* Read the next one. SA_NOT_FOUND: there is none, or none that may be trusted. */
SA_MUST_CHECK enum sa_status sa_master_file_read_next(const char *path, uint32_t owner,
                                                      uint8_t ret_master[SA_MASTER_LEN]);

/* Make a next one, in the place of any that nothing was sealed with. SA_OK, SA_STORAGE. */
SA_MUST_CHECK enum sa_status sa_master_file_make_next(const char *path, uint8_t ret_master[SA_MASTER_LEN]);

/* Let the next one take the place of the present one. SA_OK, SA_STORAGE. */
SA_MUST_CHECK enum sa_status sa_master_file_adopt_next(const char *path);

#endif
