/*
 * What several handlers do alike: texts of replies, records with an origin, the account that a PAM entry
 * names.
 */
#ifndef SA_RPC_SHARED_H
#define SA_RPC_SHARED_H

#include "service/rpc/handlers.h"

static inline struct sa_bytes
rpc_bytes(ProtobufCBinaryData data)
{
    return sa_bytes(data.data, data.len);
}

/* Copies into the call's arena; false for lack of memory, and then the field is as it was. */
SA_MUST_CHECK bool rpc_put_text(struct sa_call *call, const char *text, char **ret_field);
SA_MUST_CHECK bool rpc_put_bytes(struct sa_call *call, struct sa_bytes bytes, ProtobufCBinaryData *ret_field);

/* An id in a message of its own. */
SA_MUST_CHECK bool rpc_put_id(struct sa_call *call, int64_t id, Secauth__V1__PosixId **ret_field);

/* Text from outside, escaped for a record; "" for lack of memory. Lives as long as the call. */
const char *rpc_escaped(struct sa_call *call, struct sa_bytes text);

/* `name=value name=value` for a record's detail, cut at its limit; values are ours or escaped. */
const char *rpc_detail(struct sa_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Commit a denial's record, and note its reason for the log line. Returns `status`, or the store's where the
 * record could not be kept: nothing is decided that is not recorded.
 */
SA_MUST_CHECK enum sa_status rpc_denied(struct sa_call *call, const struct sa_audit *record,
                                        enum sa_status status);

/* ---- PAM's entries ---- */

/* Refuses an absent origin, and fields over their bounds. */
SA_MUST_CHECK enum sa_status rpc_check_origin(struct sa_call *call, const Secauth__V1__Origin *origin);

/* Say whose record it is. The user outlives it. */
void rpc_audit_user(struct sa_audit *record, const struct sa_user *user);

/* Whom a PAM entry other than `authenticate` is about. */
struct rpc_whom {
    enum sa_event event; /* of the record, where it is refused */
    struct sa_bytes name;
    const Secauth__V1__PosixId *uid;
    const Secauth__V1__Origin *origin;
};

/*
 * The account: anybody's on root.sock, the caller's own on user.sock; CheckAccount's anybody's for a
 * service's uid. SA_OK; SA_NOT_MANAGED; SA_PERMISSION_DENIED for another's, and for a uid that is not the
 * record's.
 */
SA_MUST_CHECK enum sa_status rpc_find_account(struct sa_call *call, const struct rpc_whom *whom,
                                              struct sa_user **ret_user);

/* ---- grants of tokens ---- */

struct sa_token;
struct sa_granted;
struct sa_scope_request;

/* A request of tokens, NULL taken for one that names nothing. Refuses what is over its bounds. */
SA_MUST_CHECK enum sa_status rpc_read_tokens(struct sa_call *call, const Secauth__V1__TokenRequest *tokens,
                                             struct sa_scope_request *ret_request);

/* Fill in a grant: what every one has. */
SA_MUST_CHECK enum sa_status rpc_put_grant(struct sa_call *call, const struct sa_token *token,
                                           const struct sa_granted *granted,
                                           Secauth__V1__TokenGrant **ret_grant);

/* `aud=... scope=... jti=...` */
const char *rpc_grant_detail(struct sa_call *call, const struct sa_token *token,
                             const struct sa_granted *granted);

/*
 * Authenticate the client of a request, by whatever it proves itself; a failure counts against the source and
 * is recorded.
 *
 *   ret_client   the caller owns it. Through an API key it is the client as the key has it: its audiences,
 *                scopes and exchanges are those that both allow, so that a grant looks at the client alone.
 *   ret_binding  what every token of this call is bound to, and a session that begins with it; a session that
 *                is bound goes on with the same binding only. NULL: the call hands out no token, and a DPoP
 *                proof is neither asked for nor looked at.
 *
 * SA_OK; SA_INVALID_ARGUMENT (no client, a proof over its bound); SA_INVALID_CLIENT; SA_INVALID_DPOP_PROOF;
 * SA_OVERLOADED where the proofs that were seen fill their table.
 */
SA_MUST_CHECK enum sa_status rpc_authenticate_client(struct sa_call *call,
                                                     const Secauth__V1__ClientAuth *auth,
                                                     struct sa_client **ret_client,
                                                     struct sa_binding *ret_binding);

/*
 * The same where a client must have proven itself and gets no token: one that is public is refused like a
 * wrong proof.
 */
SA_MUST_CHECK enum sa_status rpc_authenticate_confidential(struct sa_call *call,
                                                           const Secauth__V1__ClientAuth *auth,
                                                           struct sa_client **ret_client);

#endif
