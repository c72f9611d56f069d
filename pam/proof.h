/*
 * What joins the entries of one login: the handle from authenticate to open_session, the session's id from
 * there to close_session. sshd runs authenticate in another process, so the handle travels in PAM's data and
 * in its environment.
 */
#ifndef SA_PROOF_H
#define SA_PROOF_H

#include "pam/login.h"

#define SA_PROOF_ID_LEN 22u /* characters of a handle and of a session's id */

#define SA_PROOF_VARIABLE   "SECAUTH_AUTHN"
#define SA_SESSION_VARIABLE "SECAUTH_SESSION"

struct sa_proof_id {
    char text[SA_PROOF_ID_LEN + 1]; /* "" is none */
};

/* Whether these bytes are an id: SA_PROOF_ID_LEN of [A-Za-z0-9_-]. */
SA_MUST_CHECK bool sa_proof_is_id(struct sa_bytes text);

/* Leave a handle; anything that is no handle takes away what an earlier attempt on this PAM handle left. */
void sa_proof_leave(const struct sa_login *login, struct sa_bytes handle);

/* Take the handle, "" where there is none. It is gone afterwards, from the person's environment too. */
void sa_proof_take(const struct sa_login *login, struct sa_proof_id *ret_handle);

/* Remember a session, "" for one without an id. Returns PAM_SUCCESS or PAM_BUF_ERR. */
SA_MUST_CHECK int sa_proof_set_session(const struct sa_login *login, const char *session_id);

/* The session that this PAM handle opened; NULL where it opened none. Lives as long as the PAM handle. */
SA_MUST_CHECK const char *sa_proof_session(const struct sa_login *login);

#endif
