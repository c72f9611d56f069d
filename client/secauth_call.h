/* What the files of libsecauth share. */
#ifndef SA_SECAUTH_CALL_H
#define SA_SECAUTH_CALL_H

#include "client/call.h"
#include "client/secauth.h"

struct secauth {
    struct sa_connection *connection;
};

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

/* Bytes of a reply as terminated text in the arena; NULL where a NUL is among them or memory is short. */
const char *sa_secauth_text(struct sa_arena *arena, const ProtobufCBinaryData *bytes);

#endif
