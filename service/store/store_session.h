/*
 * The store's sessions: of logins and behind refresh tokens, how they begin, are used and end, and access
 * tokens that were revoked. What store.h says of every function holds here.
 */
#ifndef SA_STORE_SESSION_H
#define SA_STORE_SESSION_H

#include "service/store/store.h"

/* ---- sessions ---- */

#define SA_OVER_LIMIT_MAX 8u

enum sa_session_kind { SA_SESSION_LOGIN = 1, SA_SESSION_TOKEN = 2 };

struct sa_session {
    char id[SA_ID_LEN + 1]; /* made by the caller with sa_random_id */
    enum sa_session_kind kind;
    char subject[SA_ID_LEN + 1];
    char user[SA_USER_NAME_MAX + 1];
    uint32_t uid;
    char client_id[SA_CLIENT_ID_MAX + 1];
    uint32_t client_row;
    char service[65];
    char source[321];
    char tty[65];
    uint32_t leader_pid;   /* login sessions: the process that opened it; 0: none */
    uint64_t leader_start; /* its start time, clock ticks since boot (/proc/PID/stat) */
    uint8_t boot_id[SA_BOOT_ID_LEN];
    int64_t audit_session; /* -1: none */
    int64_t created_ms;
    int64_t last_used_ms;
    int64_t idle_ms;     /* ends after so long without use; 0: never */
    int64_t expires_ms;  /* ends then whatever happens */
    int64_t auth_time_s; /* 0: nothing was proven */
    char amr[65];
    char acr[9];
    /* token sessions */
    unsigned aud_count;
    char aud[SA_JWT_AUDIENCES][SA_JWT_AUDIENCE_MAX + 1];
    char scope[SA_SCOPE_LIST_MAX + 1];
    bool rotates;
    uint32_t grace_s;
    uint32_t generation;       /* 1 for the first token */
    struct sa_binding binding; /* its refresh token needs a proof by the same key; "": none */
    uint16_t gateway;          /* the number of the gateway that it came through; 0: none */
    /* When it begins: how many live ones its user may have, itself among them; 0: any number. Not kept. */
    uint32_t user_limit;
};

/*
 * Begin a login session (no handle) or a token session (its handle's SA_KEY_REFRESH_LOOKUP mac). Where its
 * user has too many then, those end that were not used for longest, each with a record of its own
 * (SESSION_LIMIT), at most SA_OVER_LIMIT_MAX at once: after a limit was lowered the rest goes at the next
 * ones.
 * SA_OK; SA_NOT_FOUND where its user (subject) or its client (client_row, also that of `host`) is not there
 * or not active at the moment of the commit; SA_ALREADY_EXISTS for an id or a handle that is in use.
 */
SA_MUST_CHECK enum sa_status sa_store_session_open(struct sa_store *store, const struct sa_session *session,
                                                   const uint8_t handle_mac[SA_MAC_LEN],
                                                   const struct sa_audit *audit);

/* A session that is live at `now_ms`: not ended, not expired, its user and its client there and active.
 * SA_NOT_FOUND. */
SA_MUST_CHECK enum sa_status sa_store_session_live(struct sa_store *store, const char *id, int64_t now_ms,
                                                   struct sa_session *ret_session);

/* The same; of *ret_owner, its user, only what says whether the account may be used is filled in. */
SA_MUST_CHECK enum sa_status sa_store_session_owned(struct sa_store *store, const char *id, int64_t now_ms,
                                                    struct sa_session *ret_session,
                                                    struct sa_user *ret_owner);

/* Likewise the live session that a refresh token's handle belongs to; `ret_owner` NULL: is not asked for. */
SA_MUST_CHECK enum sa_status sa_store_session_by_handle(struct sa_store *store,
                                                        const uint8_t handle_mac[SA_MAC_LEN], int64_t now_ms,
                                                        struct sa_session *ret_session,
                                                        struct sa_user *ret_owner);

/*
 * End a session. Ending one that has ended is SA_OK and leaves no second record; SA_NOT_FOUND for one that
 * never was.
 */
SA_MUST_CHECK enum sa_status sa_store_session_end(struct sa_store *store, const char *id, int64_t now_ms,
                                                  const struct sa_audit *audit);

/*
 * End every live session of a subject, but `spare` ("" or NULL: none is spared). The record's detail says how
 * many. SA_OK; SA_NOT_FOUND where the one to spare is no live session of the subject: nothing has ended then.
 */
SA_MUST_CHECK enum sa_status sa_store_session_end_all(struct sa_store *store, const char *subject,
                                                      const char *spare, int64_t now_ms,
                                                      const struct sa_audit *audit, unsigned *ret_ended);

/*
 * A session was used, as the record says: its idle life begins anew. SA_OK, or SA_NOT_FOUND where it has
 * ended meanwhile.
 */
SA_MUST_CHECK enum sa_status sa_store_session_use(struct sa_store *store, const char *id, int64_t now_ms,
                                                  const struct sa_audit *audit);

/* Which sessions; "" or NULL, and 0: any. */
struct sa_session_query {
    const char *subject;
    const char *client_id;
    const char *source;     /* as it stands in the session */
    int64_t used_before_ms; /* not used since */
    const char *after;      /* where the last page ended */
    unsigned limit;         /* 1 to SA_PAGE_MAX */
    int64_t now_ms;
};

/*
 * Live sessions, newest first; *ret_sessions is freed with free(). *ret_more: there are more behind the last
 * one, whose id is the next page's `after`. SA_OK, or SA_NOT_FOUND for an `after` that names no session.
 */
SA_MUST_CHECK enum sa_status sa_store_session_list(struct sa_store *store,
                                                   const struct sa_session_query *query,
                                                   struct sa_session **ret_sessions, unsigned *ret_count,
                                                   bool *ret_more);

/* Live login sessions with a leader, for the reaper; *ret_sessions is freed with free(). At most SA_PAGE_MAX,
 * after an id. */
SA_MUST_CHECK enum sa_status sa_store_session_leaders(struct sa_store *store, const char *after_id,
                                                      int64_t now_ms, struct sa_session **ret_sessions,
                                                      unsigned *ret_count);

#define SA_EXPIRE_MAX 64u

/*
 * End sessions whose time is over, by age or by disuse, at most `limit` of them (SA_EXPIRE_MAX), each with a
 * record of its own (SESSION_EXPIRE) in the same commit, so each once. Those of age are found at once; for
 * disuse every call looks at some more rows, and begins anew at the end of the table. One caller at a time.
 *   ret_ended  how many; `limit`: there may be more.
 */
SA_MUST_CHECK enum sa_status sa_store_session_expire(struct sa_store *store, int64_t now_ms, unsigned limit,
                                                     unsigned *ret_ended);

/* ---- refresh (design section 7, the table) ---- */

enum sa_refresh_result {
    SA_REFRESH_SAME = 1, /* no rotation: the same token stays good */
    SA_REFRESH_ROTATED,  /* g = G; the row is at G + 1 now */
    SA_REFRESH_REPLAYED, /* g = G - 1 within the grace: the same successor again */
    SA_REFRESH_STALE,    /* g = G - 2 within the grace: refused, nothing revoked */
    SA_REFRESH_REUSED,   /* older: refused, the session is revoked */
    SA_REFRESH_ROLLBACK, /* g > G: refused; the database is older than its tokens */
};

struct sa_refresh {
    uint8_t handle_mac[SA_MAC_LEN];
    uint32_t generation; /* presented */
    uint32_t client_row; /* who presents it */
    struct sa_now now;
    uint8_t boot_id[SA_BOOT_ID_LEN];
};

/*
 * Present a refresh token. Checks client, state and expiry, then generation; the record says what happened:
 * event, outcome, reason and, where there is a row, user, subject and session are filled in by the store.
 * TOKEN_REFRESH granted (SAME, ROTATED, REPLAYED) or denied (UNKNOWN_TOKEN, OTHER_CLIENT, SESSION_ENDED,
 * SESSION_EXPIRED, USER_INACTIVE, STALE), TOKEN_REUSE, TOKEN_ROLLBACK; `detail` stays with a grant only.
 *
 * The grace is measured on CLOCK_BOOTTIME. Where the machine was booted since, the wall clock decides, and a
 * replacement that it puts into the future counts as long past.
 *
 *   ret_result   what became of it; 0 where the generation was not looked at. Also with SA_INVALID_GRANT.
 *   ret_session  the session, with `generation` the one of the token to hand out.
 *
 * Returns SA_OK with SAME, ROTATED or REPLAYED; SA_INVALID_GRANT for the rest, for an unknown handle, another
 * client's, an ended or expired session, a user that is not active. A denial's record is committed as well.
 */
SA_MUST_CHECK enum sa_status sa_store_refresh(struct sa_store *store, const struct sa_refresh *refresh,
                                              const struct sa_audit *audit,
                                              enum sa_refresh_result *ret_result,
                                              struct sa_session *ret_session);

/* What a granted refresh needs to know. */
struct sa_refreshed {
    enum sa_refresh_result result;
    uint32_t generation; /* of the token to hand out */
};

/*
 * The same as a part for sa_store_submit; NULL for lack of memory. `refresh` and `refreshed` live in the
 * arena, too; `refreshed` may be read once the part has finished with SA_OK or
 * SA_INVALID_GRANT.
 */
struct sa_work *sa_store_refresh_work(struct sa_arena *arena, const struct sa_refresh *refresh,
                                      const struct sa_audit *audit, struct sa_refreshed *refreshed);

/* ---- revoked access tokens ---- */

struct sa_revoked_token {
    const char *jti;
    int64_t exp_s;       /* when it dies by itself */
    uint32_t client_row; /* whom it was issued to, and whom it is meant for: who hears of it */
    unsigned aud_count;
    const char (*aud)[SA_JWT_AUDIENCE_MAX + 1];
};

/* Tokens of one client that are revoked and not expired: whoever follows keeps each of them in memory. */
#define SA_REVOKED_MAX 4096u

/* Doing so twice is SA_OK. SA_TOO_LARGE past SA_REVOKED_MAX. */
SA_MUST_CHECK enum sa_status sa_store_token_revoke(struct sa_store *store,
                                                   const struct sa_revoked_token *token,
                                                   const struct sa_audit *audit);
SA_MUST_CHECK enum sa_status sa_store_token_is_revoked(struct sa_store *store, const char *jti,
                                                       bool *ret_revoked);

#endif
