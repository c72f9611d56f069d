/* Sessions: of logins and behind refresh tokens (design sections 7 and 8). */
#ifndef SA_SESSION_H
#define SA_SESSION_H

#include "service/auth/authority.h"
#include "service/auth/handles.h"
#include "service/auth/scope.h"

/* A session that begins now; everything but what follows is zero. It is for its caller to store. */
void sa_session_begin(const struct sa_authority *authority, enum sa_session_kind kind,
                      const struct sa_user *user, const struct sa_client *client,
                      const struct sa_source *source, const struct sa_proof *proof, int64_t now_ms,
                      struct sa_session *ret_session);

/* Name the process that a login session lives and dies with. */
void sa_session_lead(struct sa_session *session, uint32_t pid);

/*
 * Give a token session what its tokens may hold. Without the refresh grant it lives as long as its one
 * token.
 */
void sa_session_hold(const struct sa_authority *authority, const struct sa_client *client,
                     const struct sa_granted *granted, struct sa_session *session);

/* Whether logins through a PAM service get a session. */
bool sa_session_is_for(const struct sa_authority *authority, struct sa_bytes service);

/*
 * Whether a process may ask for tokens in a session's name: a login session of its uid, of this boot, whose
 * leader lives, or whose user the rules let go on without it (`ambient`).
 */
bool sa_session_admits(const struct sa_authority *authority, const struct sa_session *session,
                       const struct sa_user *user, uint32_t uid);

/*
 * Whether a login session goes on without its login: the rules name its user (`ambient`), and it is of this
 * boot. False where the store cannot say.
 */
bool sa_session_is_ambient(const struct sa_authority *authority, const struct sa_session *session);

/*
 * The login session that a process of a person belongs to: a leader of theirs is above it, or the kernel's
 * audit session is the same. "" where there is none. SA_OK; SA_STORAGE, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_session_of_process(struct sa_authority *authority, const char *subject,
                                                   uint32_t pid, int64_t audit_session, int64_t now_ms,
                                                   char ret_id[SA_ID_LEN + 1]);

#endif
