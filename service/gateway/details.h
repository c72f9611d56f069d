/* The google.rpc.Status of an error that the gateway itself makes, in the form that the daemon's have. */
#ifndef SA_GATEWAY_DETAILS_H
#define SA_GATEWAY_DETAILS_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_DETAILS_MAX 1024u

/*
 * Pack a google.rpc.Status: ErrorInfo with the status's reason, RetryInfo and BadRequest where they apply.
 *
 *   retry_ms     try again after so long; 0: no RetryInfo.
 *   field, rule  what is wrong with the request; NULL: no BadRequest.
 *
 * Returns its length, at most SA_DETAILS_MAX.
 */
size_t sa_details_pack(enum sa_status status, uint32_t retry_ms, const char *field, const char *rule,
                       uint8_t ret_details[SA_DETAILS_MAX]);

#endif
