/*
 * What was revoked before it expired, in the order in which it was: for verifiers that follow (design section
 * 7). Rows are made by triggers, in the transaction that ends a session, revokes a token or puts a not-before
 * rule, so that no way of ending is forgotten; they go when nothing that they name can still be good.
 */
#ifndef SA_STORE_REVOCATION_H
#define SA_STORE_REVOCATION_H

#include "service/base/bell.h"
#include "service/store/store_not_before.h"

#define SA_REVOCATIONS_PAGE   128u
#define SA_INCARNATION_LEN    32u
#define SA_AUDIENCES_TEXT_LEN (SA_JWT_AUDIENCES * (SA_JWT_AUDIENCE_MAX + 1u))

enum sa_revocation_kind {
    SA_REVOKED_INSTANCE = SA_NOT_BEFORE_INSTANCE, /* this and the next two: a not-before rule */
    SA_REVOKED_CLIENT = SA_NOT_BEFORE_CLIENT,
    SA_REVOKED_SUBJECT = SA_NOT_BEFORE_SUBJECT,
    SA_REVOKED_SESSION,
    SA_REVOKED_TOKEN,
};

struct sa_revocation {
    uint64_t sequence; /* never used again, not by a later start either */
    enum sa_revocation_kind kind;
    char key[SA_JTI_LEN + 1]; /* a session's id, a token's `jti`, the key of a rule */
    int64_t since_ms;         /* of a rule */
    int64_t not_before_ms;
    int64_t until_ms;                          /* whatever it ends has expired by then */
    uint32_t client_row;                       /* whom the tokens were issued to; 0: anybody */
    char audiences[SA_AUDIENCES_TEXT_LEN + 1]; /* whom they are meant for, each on a line; "": anybody */
};

struct sa_revocations {
    uint64_t sequence; /* all up to here has been told */
    bool more;         /* there is more behind it */
    unsigned count;
    struct sa_revocation rows[SA_REVOCATIONS_PAGE];
};

/* Which history of the store the numbers count in. Lives as long as the store. */
const char *sa_store_incarnation(const struct sa_store *store);

/* Rung after each commit that has added some. */
struct sa_bell *sa_store_revocation_bell(struct sa_store *store);

/*
 * What came after a number, in order: a page of it, from memory; never waits.
 * SA_OK; SA_NOT_FOUND: memory does not reach back so far, ask sa_store_revocations.
 */
SA_MUST_CHECK enum sa_status sa_store_revocations_recent(struct sa_store *store, uint64_t after,
                                                         struct sa_revocations *ret_revocations);

/* The same from the store; 0: from the beginning. SA_OK; SA_OUT_OF_RANGE: a number that was never reached. */
SA_MUST_CHECK enum sa_status sa_store_revocations(struct sa_store *store, uint64_t after,
                                                  struct sa_revocations *ret_revocations);

#endif
