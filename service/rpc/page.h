/*
 * How much a list may hold: what fits into a reply and what its reader takes. A page that is full ends
 * early.
 */
#ifndef SA_RPC_PAGE_H
#define SA_RPC_PAGE_H

#include "service/rpc/shared.h"

#define RPC_PAGE_BYTES  (900u * 1024) /* of SA_FRAME_REPLY_MAX */
#define RPC_PAGE_FIELDS 7900u         /* of SA_DECODE_REPLY_FIELDS_MAX */

struct rpc_page {
    size_t bytes;
    unsigned fields;
};

/* A page's size as it was asked for: 0 is 100. */
static inline unsigned
rpc_page_size(uint32_t asked)
{
    return asked == 0 ? 100 : asked;
}

/* Whether one more row fits; then its room is taken. The first always fits: a row has bounds of its own. */
SA_MUST_CHECK bool rpc_page_take(struct rpc_page *page, const ProtobufCMessage *row);

#endif
