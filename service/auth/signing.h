/* The keys that sign access tokens, and the key set that verifies them: in memory, made when keys change. */
#ifndef SA_SIGNING_H
#define SA_SIGNING_H

#include "service/auth/authority.h"

/* The key set and its strong tag; as long as the authority. */
struct sa_key_set {
    const char *jwks;
    const char *etag; /* base64url of SHA-256 */
};

struct sa_key_set sa_signing_key_set(const struct sa_authority *authority);

/* The key that signs now: the newest that is active and not retired. NULL where there is none. */
const struct sa_signing_key *sa_signing_now(const struct sa_authority *authority, int64_t now_ms);

/* One key of the list, newest first; NULL past its end. Times in *ret_times, whose private half is absent. */
const struct sa_signing_key *sa_signing_at(const struct sa_authority *authority, unsigned index,
                                           const struct sa_key_row **ret_times);

#endif
