/* Whether a new password is taken: its form, libpwquality's opinion, the list of breached ones, in this
 * order. */
#ifndef SA_NEW_PASSWORD_H
#define SA_NEW_PASSWORD_H

#include "service/auth/authority.h"
#include "service/auth/password_quality.h"

/*
 *   current   the one that it replaces, where it is known; else absent.
 *   name      whose it is.
 *   ret_rule  on SA_PASSWORD_REFUSED the reason in words for the person.
 *
 * Returns SA_OK, SA_PASSWORD_REFUSED, SA_STORAGE (the list could not be read), SA_NO_MEMORY, SA_INTERNAL.
 * Lane: hash.
 */
SA_MUST_CHECK enum sa_status sa_new_password_check(struct sa_authority *authority, struct sa_bytes password,
                                                   struct sa_bytes current, const char *name,
                                                   char ret_rule[SA_PASSWORD_RULE_MAX + 1]);

#endif
