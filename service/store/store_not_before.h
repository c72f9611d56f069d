/*
 * Not-before rules (design section 7): what was minted before a moment is void, for a gateway, a client or a
 * subject. They end tokens that have no row of their own, for whoever reads a token's `jti` and nothing else:
 * its mint time, its instance (the number of the gateway that it came through) and its client's row.
 */
#ifndef SA_STORE_NOT_BEFORE_H
#define SA_STORE_NOT_BEFORE_H

#include "service/store/store.h"

enum sa_not_before_kind { SA_NOT_BEFORE_INSTANCE = 1, SA_NOT_BEFORE_CLIENT, SA_NOT_BEFORE_SUBJECT };

/*
 * Void is what was minted from since_ms on and before not_before_ms. Of one kind and key there is one rule,
 * the latest: it takes the place of the one before.
 */
struct sa_not_before {
    enum sa_not_before_kind kind;
    /* A gateway's number or a client's row in decimal; what tokens have as `sub`, a subject id or a client's
     * id. */
    char key[SA_CLIENT_ID_MAX + 1];
    int64_t since_ms; /* 0: from the beginning */
    int64_t not_before_ms;
    int64_t until_ms; /* whatever it ends has expired by then: nobody needs the rule any more */
};

/* The longest that an access token lives, and what verifiers forgive; how long a rule is kept. */
#define SA_NOT_BEFORE_KEEP_MS INT64_C(3720000)

/* Rules as such. until_ms is now_ms + SA_NOT_BEFORE_KEEP_MS. */
struct sa_not_before sa_not_before_number(enum sa_not_before_kind kind, uint32_t number, int64_t since_ms,
                                          int64_t not_before_ms, int64_t now_ms);
struct sa_not_before sa_not_before_subject(const char *subject, int64_t not_before_ms, int64_t now_ms);

/* Put a rule; one of before is widened by it, never narrowed. SA_OK. */
SA_MUST_CHECK enum sa_status sa_store_not_before_put(struct sa_store *store, const struct sa_not_before *rule,
                                                     const struct sa_audit *audit);

/*
 * The rules that somebody needs at `now_ms`, by kind and key, after one (NULL: from the first); *ret_rules is
 * freed with free(). At most SA_PAGE_MAX.
 */
SA_MUST_CHECK enum sa_status sa_store_not_before_list(struct sa_store *store,
                                                      const struct sa_not_before *after, int64_t now_ms,
                                                      struct sa_not_before **ret_rules, unsigned *ret_count,
                                                      bool *ret_more);

/* What a rule looks at. */
struct sa_minted {
    int64_t mint_ms;
    uint16_t instance; /* 0: it came through no gateway */
    uint32_t client_row;
    const char *subject;
};

/* Whether a rule voids a token. Nothing is read while there is no rule. SA_OK. */
SA_MUST_CHECK enum sa_status sa_store_not_before_voids(struct sa_store *store, const struct sa_minted *minted,
                                                       int64_t now_ms, bool *ret_void);

#endif
