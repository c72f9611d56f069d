/*
 * The method table: who may call what, where, and what happens before a handler runs. One row a method
 * (table.def), joined by name and types to the descriptors of protoc-c and to the descriptor set of protoc at
 * start: a row without an rpc, or an rpc without a row, refuses to start.
 */
#ifndef SA_RPC_TABLE_H
#define SA_RPC_TABLE_H

#include "service/rpc/call.h"

enum sa_source_kind {
    SA_SOURCE_PEER, /* the uid at the other end, or the gateway's reported address */
    SA_SOURCE_PAM, /* what the PAM application said (the request's `origin`), by the rules of design section 5
                    */
    SA_SOURCE_CLIENT, /* the client named by the request's `client` and the reported address or uid */
};

/* Whether a handler decides and records, or only reads: then success is logged for debugging only. */
enum sa_audit_kind { SA_AUDIT_HANDLER, SA_AUDIT_NEVER };

struct sa_method {
    const char *name; /* "secauth.v1.TokenService/RefreshToken" */
    enum sa_standing who;
    unsigned where; /* bits of enum sa_via */
    enum sa_source_kind source;
    enum sa_lane lane; /* of the first step */
    enum sa_audit_kind audit;
    uint32_t max_request;                           /* bytes */
    bool streams;                                   /* the answer is a stream */
    const ProtobufCMessageDescriptor *request_type; /* this and the next: set by sa_table_join */
    const ProtobufCMessageDescriptor *response_type;
    sa_step handler;
};

/* Every row; *ret_count of them. */
const struct sa_method *sa_table(unsigned *ret_count);

/* The row of a name, or NULL. */
const struct sa_method *sa_table_find(struct sa_bytes name);

/*
 * Join the rows to the descriptor set that the program was built with. Returns SA_OK, or SA_INTERNAL with the
 * first thing that does not fit in ret_why.
 */
SA_MUST_CHECK enum sa_status sa_table_join(char *ret_why, size_t size);

#endif
