/*
 * Parts of requests that dispatch reads for every method: found by name in the request's descriptor.
 */
#ifndef SA_RPC_ORIGIN_H
#define SA_RPC_ORIGIN_H

#include "secauth/v1/common.pb-c.h"
#include "service/auth/rules.h"
#include "service/rpc/table.h"

/* The request's `origin`, or NULL where it has none. */
const Secauth__V1__Origin *sa_request_origin(const struct sa_call *call);

/* The id in the request's `client`; "" where it has none. */
const char *sa_request_client_id(const struct sa_call *call);

/* Whether requests of this type have what a source of this kind is made of. */
bool sa_source_fits(enum sa_source_kind kind, const ProtobufCMessageDescriptor *type);

/* Who is charged for a call: its row's column, its caller, its request (design section 5). */
void sa_source_of(const struct sa_call *call, const struct sa_rules *rules, struct sa_source *ret_source);

#endif
