/*
 * Gateways by number: what a token and a session remember of the one that they came through. A number is
 * given to a name once and to no other ever, also when the name leaves the configuration.
 */
#ifndef SA_STORE_GATEWAY_H
#define SA_STORE_GATEWAY_H

#include "service/store/store.h"

#define SA_GATEWAY_NUMBER_MAX 65535u

/*
 * The number of a gateway's name, from 1; a name that is new gets the next one. SA_OK; SA_TOO_LARGE where all
 * numbers are given.
 */
SA_MUST_CHECK enum sa_status sa_store_gateway_number(struct sa_store *store, const char *name,
                                                     uint16_t *ret_number);

#endif
