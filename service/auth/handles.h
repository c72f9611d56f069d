/*
 * Handles that join a session to the proof that came before it (design section 6): single-use, two minutes,
 * bound to user and source, in memory only.
 */
#ifndef SA_HANDLES_H
#define SA_HANDLES_H

#include "proto/bytes.h"
#include "service/auth/source.h"
#include "service/crypto/encode.h"

#define SA_HANDLES_MAX      4096u
#define SA_HANDLES_PER_USER 4u /* from one source; the oldest goes */
#define SA_HANDLE_LIFE_MS   120000
#define SA_PROOF_AMR_MAX    64u
#define SA_ACR_NOTHING      "0"
#define SA_ACR_PASSWORD     "1"
#define SA_ACR_FACTORS      "2"
#define SA_AMR_PASSWORD     "pwd" /* RFC 8176 */
#define SA_AMR_FACTORS      "pwd otp"

/* What was proven, and when. */
struct sa_proof {
    int64_t auth_time_s; /* 0: nothing was proven */
    char amr[SA_PROOF_AMR_MAX + 1];
    char acr[9];
};

struct sa_handles; /* thread-safe */

/* NULL for lack of memory. */
struct sa_handles *sa_handles_new(void);
void sa_handles_free(struct sa_handles *handles);
SA_DEFINE_OWN(sa_handles, sa_handles_free)

/* A handle for a proof. Where there is no room left, the oldest goes. */
void sa_handles_issue(struct sa_handles *handles, const char *subject, const struct sa_source *source,
                      const struct sa_proof *proof, int64_t boot_ms, char ret_handle[SA_ID_LEN + 1]);

/*
 * Redeem a handle; it is gone, whoever presented it. False for an unknown or old one, and for another user's
 * or source's.
 */
SA_MUST_CHECK bool sa_handles_redeem(struct sa_handles *handles, struct sa_bytes handle, const char *subject,
                                     const struct sa_source *source, int64_t boot_ms,
                                     struct sa_proof *ret_proof);

#endif
