/* Clients between message and record. */
#ifndef SA_RPC_CLIENT_MESSAGE_H
#define SA_RPC_CLIENT_MESSAGE_H

#include "service/rpc/shared.h"

/*
 * Read what an administrator may say of a client; row, secret and created_ms are not theirs to say.
 * SA_OK (the caller owns it), SA_NO_MEMORY, or SA_INVALID_ARGUMENT with the field and the rule.
 */
SA_MUST_CHECK enum sa_status rpc_read_client(struct sa_call *call, const Secauth__V1__Client *from,
                                             struct sa_client **ret_client);

/*
 * Read an audience; only the client `host` may restrict one to a group. `field` is what the message calls
 * it.
 */
SA_MUST_CHECK enum sa_status rpc_read_audience(struct sa_call *call, const Secauth__V1__ClientAudience *from,
                                               const char *field, bool is_host,
                                               struct sa_client_audience *ret_audience);

/*
 * What a client proves itself by, and what is bound to that (client_proofs.c): attestation, certificates,
 * keys, exchanges. SA_OK, SA_NO_MEMORY, or SA_INVALID_ARGUMENT with the field and the rule.
 */
SA_MUST_CHECK enum sa_status rpc_read_client_proofs(struct sa_call *call, const Secauth__V1__Client *from,
                                                    struct sa_client *client);
SA_MUST_CHECK bool rpc_put_client_proofs(struct sa_call *call, const struct sa_client *client,
                                         Secauth__V1__Client *row);

/* How long the secret of before goes on: until when. Refuses what is over its bound. */
SA_MUST_CHECK enum sa_status rpc_read_overlap(struct sa_call *call, const Secauth__V1__Seconds *overlap,
                                              int64_t *ret_until_ms);

/* When the newest of `count` secrets ends, once another has come; 0: at once, or there is none. */
int64_t rpc_end_of_old(const struct sa_client_secret *newest, unsigned count, int64_t now_ms,
                       int64_t until_ms);

/* How long it goes on, for a record. */
const char *rpc_overlap_detail(struct sa_call *call, int64_t until_ms);

/* The secrets that are good now, without what they are. */
SA_MUST_CHECK bool rpc_put_secrets(struct sa_call *call, const struct sa_client_secret *secrets,
                                   unsigned count, Secauth__V1__ClientSecret ***ret_rows, size_t *ret_count);

/*
 * A list of scopes, each once, as single-spaced text.
 *   message, scopes  what the request calls the message and the list in it.
 */
SA_MUST_CHECK enum sa_status rpc_read_scopes(struct sa_call *call, const char *message, char *const *scopes,
                                             size_t count, char ret_scopes[SA_SCOPE_LIST_MAX + 1]);
SA_MUST_CHECK bool rpc_put_scopes(struct sa_call *call, const char *scopes, char ***ret_scopes,
                                  size_t *ret_count);

/* Names a field of a message inside the request: "client.audiences" and "scopes" make
 * "client.audiences.scopes". */
enum sa_status rpc_refuse_in(struct sa_call *call, const char *message, const char *field, const char *rule);

/* Fill in a message; false for lack of memory. */
SA_MUST_CHECK bool rpc_put_client(struct sa_call *call, const struct sa_client *client,
                                  Secauth__V1__Client *row);

#endif
