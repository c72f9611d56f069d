/*
 * The second part of an authentication: the daemon's questions, put to the person in the daemon's own words.
 */
#ifndef SA_PAM_CHALLENGE_H
#define SA_PAM_CHALLENGE_H

#include "pam/ask.h"
#include "secauth/v1/authn.pb-c.h"

#define SA_CHALLENGE_ROUNDS_MAX 4u   /* questions in one authentication; a fifth is a daemon gone wrong */
#define SA_CHALLENGE_TEXT_MAX   128u /* the contract's, as the next */
#define SA_CHALLENGE_ANSWER_MAX 128u
#define SA_CHALLENGE_STATE_LEN  22u

/*
 * Put questions until the daemon has decided.
 *
 *   first       what BeginAuthentication asked; borrowed.
 *   password    what was sent as such. An answer that equals it comes from a program that gives one answer
 *               to everything (sshd's password method), or from a mistake: it is never sent as a code.
 *   arena       replies are built here; *ret_answer and *ret_handle live as long.
 *   ret_answer  the last call's; in every case fit for the log.
 *   ret_handle  for OpenSession, maybe empty; written only on PAM_SUCCESS.
 *
 * Returns PAM_SUCCESS; PAM_AUTH_ERR (a wrong answer; one that is empty or the password, which is not sent and
 * so counts nowhere); PAM_CONV_ERR and PAM_INCOMPLETE as sa_talk_ask, nothing sent; what sa_ask returns.
 */
SA_MUST_CHECK int sa_challenge_pass(struct sa_login *login, const Secauth__V1__Challenge *first,
                                    const char *password, struct sa_arena *arena,
                                    struct sa_answer *ret_answer, struct sa_bytes *ret_handle);

#endif
