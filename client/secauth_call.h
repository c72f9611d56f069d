/* What the files of libsecauth share. */
#ifndef SA_SECAUTH_CALL_H
#define SA_SECAUTH_CALL_H

#include "client/call.h"
#include "client/secauth.h"
#include "secauth/v1/common.pb-c.h"

struct secauth {
    struct sa_connection *connection;
    char path[]; /* of the socket, to connect once more */
};

/* What is only read on its way out: the messages of protobuf-c know no const. */
char *sa_secauth_borrow(const char *text);
ProtobufCBinaryData sa_secauth_borrow_bytes(const char *text);

/* The client as it proves itself; false where its id is missing. As long as the client. */
bool sa_secauth_fill_client(const struct secauth_client *client, Secauth__V1__ClientAuth *ret_auth);

/* A failure on this side: fills in `ret_error`, which may be NULL. Returns the status. */
enum secauth_status sa_secauth_fail(enum sa_status status, const char *message,
                                    struct secauth_error *ret_error);

/*
 * Call `rpc` of a service.
 *
 *   arena      where the reply is built, at most SA_SECAUTH_ARENA_MAX bytes; the caller frees it.
 *   ret_reply  written only on SECAUTH_OK; lives as long as the arena.
 */
#define SA_SECAUTH_ARENA_MAX (8u * 1024u * 1024u)
SA_MUST_CHECK enum secauth_status sa_secauth_call(struct secauth *handle,
                                                  const ProtobufCServiceDescriptor *service, const char *rpc,
                                                  const ProtobufCMessage *request, uint32_t timeout_millis,
                                                  struct sa_arena *arena, ProtobufCMessage **ret_reply,
                                                  struct secauth_error *ret_error);

/*
 * The same, once more on a new connection where the answer was lost (SECAUTH_CONNECTION, SECAUTH_DEADLINE):
 * for calls that may be carried out twice.
 */
SA_MUST_CHECK enum secauth_status
sa_secauth_call_again(struct secauth *handle, const ProtobufCServiceDescriptor *service, const char *rpc,
                      const ProtobufCMessage *request, uint32_t timeout_millis, struct sa_arena *arena,
                      ProtobufCMessage **ret_reply, struct secauth_error *ret_error);

/* A failure as the call below tells it; `ret_error` may be NULL. Returns the status. */
enum secauth_status sa_secauth_report(enum sa_status status, const struct sa_call_error *from,
                                      struct secauth_error *ret_error);

/* Bytes of a reply as terminated text in the arena; NULL where a NUL is among them or memory is short. */
const char *sa_secauth_text(struct sa_arena *arena, const ProtobufCBinaryData *bytes);

#endif
