/*
 * Second factors (design section 6): TOTP (RFC 6238) and recovery codes. Functions of their arguments.
 */
#ifndef SA_FACTOR_H
#define SA_FACTOR_H

#include "service/auth/authority.h"
#include "service/store/store_factor.h"
#include "service/store/store_login.h"

#define SA_TOTP_PERIOD_S     30
#define SA_TOTP_SKEW         1 /* steps, either way */
#define SA_ANSWER_MAX        128u
#define SA_RECOVERY_TEXT_LEN 13u /* with its dash */

/*
 * Judge an answer against what a user has: a TOTP code of this moment, one step early or late, later than the
 * last one accepted, unless `failures` have shut TOTP; or a recovery code. Blanks around it fall away.
 *
 *   ret_use  written on SA_OK: what to spend with the grant (its subject and mac live as long as `state` and
 * `mac`).
 *
 * Returns SA_OK, or SA_INVALID_CREDENTIALS. SA_OK for a recovery code says that it has the form of one:
 * whether it is one of this user's, the commit finds out (SA_NOT_FOUND).  Source: RFC 6238 section 5.2, RFC
 * 4226 section 5.3.
 */
SA_MUST_CHECK enum sa_status sa_factor_judge(const struct sa_authority *authority, const char *subject,
                                             const struct sa_factors_state *state, struct sa_bytes answer,
                                             int64_t wall_ms, uint8_t mac[SA_MAC_LEN],
                                             struct sa_factor_use *ret_use);

/* What is left of an answer without the blanks around it. */
struct sa_bytes sa_factor_strip(struct sa_bytes answer);

/* Whether codes are taken at all: there is a key, and wrong ones have not shut it. */
bool sa_factor_totp_is_open(const struct sa_authority *authority, const struct sa_factors_state *state);

/* Whether a password ends like one with a code behind it; if not, nobody need be asked for a key. */
bool sa_factor_may_be_appended(struct sa_bytes password);

/*
 * A code appended to the password, for programs that ask once: where the password ends in a code that is good
 * at this moment, how long the password before it is, and *ret_use to be spent with the grant (`subject`
 * lives as long); else 0. So one attempt costs one hash.
 */
size_t sa_factor_appended(const struct sa_authority *authority, const char *subject,
                          const struct sa_factors_state *state, struct sa_bytes password, int64_t wall_ms,
                          struct sa_factor_use *ret_use);

/* Whether a code is one of this moment that was not used; for enrolment, too. */
SA_MUST_CHECK bool sa_factor_step(const struct sa_totp *totp, struct sa_bytes code, int64_t wall_ms,
                                  int64_t *ret_step);

/* Make a recovery code of 60 bits, and what the store keeps of it. The caller wipes the code. */
void sa_factor_make_recovery(const struct sa_authority *authority, const char *subject,
                             char ret_code[SA_RECOVERY_TEXT_LEN + 1], uint8_t ret_mac[SA_MAC_LEN]);

#endif
