/* What libpwquality says of a new password: words of a dictionary, what resembles the name or the old
 * password. */
#ifndef SA_PASSWORD_QUALITY_H
#define SA_PASSWORD_QUALITY_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_PASSWORD_RULE_MAX 255u

/*
 *   password    1 to SA_PASSWORD_MAX bytes without a NUL.
 *   current     the one before, of the same form; absent where it is not known.
 *   name        whose it is.
 *   min_length  characters, as configured.
 *   ret_rule    on SA_PASSWORD_REFUSED the reason in words for the person, terminated.
 *
 * Returns SA_OK, SA_PASSWORD_REFUSED, SA_NO_MEMORY. Lane: hash; one at a time, since cracklib below it keeps
 * state in static variables. Where no dictionary can be opened the rest is judged, and that is logged once.
 */
SA_MUST_CHECK enum sa_status sa_password_quality(struct sa_bytes password, struct sa_bytes current,
                                                 const char *name, int64_t min_length,
                                                 char ret_rule[SA_PASSWORD_RULE_MAX + 1]);

#endif
