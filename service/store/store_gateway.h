/*
 * Gateways by number: what a token and a session remember of the one that they came through. A number is
 * given to a name once and to no other ever, also when the name leaves the configuration.
 */
#ifndef SA_STORE_GATEWAY_H
#define SA_STORE_GATEWAY_H

#include "service/base/conf.h"
#include "service/store/store.h"

#define SA_GATEWAY_NUMBER_MAX 65535u

/*
 * The number of a gateway's name, from 1; a name that is new gets the next one. SA_OK; SA_TOO_LARGE where all
 * numbers are given.
 */
SA_MUST_CHECK enum sa_status sa_store_gateway_number(struct sa_store *store, const char *name,
                                                     uint16_t *ret_number);

struct sa_gateway_row {
    char name[SA_CONF_WORD_MAX + 1];
    uint16_t number;
    uint64_t sessions; /* live, made through it */
};

/* All of them, at most SA_PAGE_MAX, by number; *ret_rows is freed with free(). SA_OK. */
SA_MUST_CHECK enum sa_status sa_store_gateway_list(struct sa_store *store, int64_t now_ms,
                                                   struct sa_gateway_row **ret_rows, unsigned *ret_count);

/*
 * End every session that was made through a gateway from since_ms (0: the beginning) up to now, and put a
 * not-before rule for its tokens. Fills in the record's detail. SA_OK or SA_NOT_FOUND.
 */
SA_MUST_CHECK enum sa_status sa_store_gateway_revoke(struct sa_store *store, const char *name,
                                                     int64_t since_ms, const struct sa_audit *audit,
                                                     uint64_t *ret_ended);

#endif
