/* The last word on a grant of tokens: whether those behind it still stand when its record is committed. */
#ifndef SA_STORE_GRANT_H
#define SA_STORE_GRANT_H

#include "service/store/store.h"

/* Who must stand behind a token that is handed out; all of it lives in the arena. */
struct sa_grant {
    uint32_t client_row;        /* its client: there and active */
    const char *session_id;     /* whose token is exchanged: live, with its user and its client; "": none */
    const char *subject_client; /* a client that it stands for beside the first one; "": none */
    int64_t minted_ms;          /* the subject client's token: the client is older than it */
    int64_t now_ms;
};

/*
 * Commit a grant's record, as a part for sa_store_submit; NULL for lack of memory. Whoever was disabled or
 * deleted since the caller looked gets no token that outlives it: the part then ends with SA_INVALID_CLIENT
 * for the client, SA_INVALID_GRANT for the session and the subject client, and the record is a denial's.
 */
struct sa_work *sa_store_grant_work(struct sa_arena *arena, const struct sa_grant *grant,
                                    const struct sa_audit *audit);

#endif
