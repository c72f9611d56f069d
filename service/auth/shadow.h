/* Lines of shadow(5), read strictly: what is not understood is refused, never guessed at. */
#ifndef SA_SHADOW_H
#define SA_SHADOW_H

#include "service/store/store.h"

#define SA_SHADOW_LINE_MAX 1024u

/*
 * Read a line of nine fields into a user: name, hash, ageing, expiry.
 *
 *   policy    stored hashes over its limits are refused.
 *   ret_user  what shadow(5) does not have is zero. A locked hash ("!...") and "*" stay as they are and let
 *             nobody in; an empty field (no password needed) is refused.
 *
 * Returns SA_OK, or SA_INVALID_ARGUMENT with the rule that the line breaks, a constant.
 */
SA_MUST_CHECK enum sa_status sa_shadow_parse(struct sa_bytes line, const struct sa_password_policy *policy,
                                             struct sa_user *ret_user, const char **ret_rule);

/*
 * Write a user as such a line, without a line feed. A line that was read, and whose numbers have no needless
 * zeros, no sign and no more than 99999 days, comes out byte for byte. A user without a hash has
 * "*"; a disabled user's hash is preceded by "!".
 *
 *   ret_line  a secret, terminated.
 */
void sa_shadow_format(const struct sa_user *user, char ret_line[SA_SHADOW_LINE_MAX + 1]);

#endif
