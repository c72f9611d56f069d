/* Lines of shadow(5), read strictly: what is not understood is refused, never guessed at. */
#ifndef SA_SHADOW_H
#define SA_SHADOW_H

#include "service/store/store.h"

#define SA_SHADOW_LINE_MAX 1024u

/*
 * Read a line of nine fields into a user: name, hash, ageing, expiry.
 *
 *   policy    stored hashes over its limits are refused.
 *   ret_user  what shadow(5) does not have is zero. A locked hash ("!...") and "*" become no hash; an empty
 *             field (no password needed) is refused.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT with the rule that the line breaks, a constant.
 */
SA_MUST_CHECK enum sa_status sa_shadow_parse(struct sa_bytes line, const struct sa_password_policy *policy,
                                             struct sa_user *ret_user, const char **ret_rule);

#endif
