/*
 * One blocking call to secauthd: connect, check who listens, send a frame, read a frame, within one deadline.
 * Used by the PAM module, libsecauth and secauthctl; depends on libc and proto/ only; no globals, no threads,
 * no signals (MSG_NOSIGNAL), descriptors close-on-exec and above 2.
 */
#ifndef SA_CALL_H
#define SA_CALL_H

#include "proto/decode.h"
#include "proto/sockets.h"

#define SA_CALL_WORDS_MAX 256u

/* What went wrong in a call, beyond its status. */
struct sa_call_error {
    uint64_t request_id;            /* the id in the daemon's log; 0 where there is none */
    uint32_t retry_ms;              /* try again after so long; 0: nothing said */
    int os_error;                   /* errno of a local failure, else 0 */
    char words[SA_CALL_WORDS_MAX];  /* what a person may read; never a secret */
    char field[SA_DECODE_PATH_MAX]; /* INVALID_ARGUMENT: the field; else "" */
};

/* A connection; one call at a time, or one stream. */
struct sa_connection;

/*
 * The socket for this process: root's where the effective uid is 0, the users' otherwise. A constant. A
 * caller that fails on the one never tries the other.
 */
const char *sa_call_socket(void);

/*
 * Connect.
 *
 *   path            of the socket.
 *   timeout_millis  for the connect; 1 to 600,000.
 *   ret_connection  written only on SA_OK; the caller closes it.
 *   ret_error       filled on any other status; may be NULL.
 *
 * Returns SA_OK; SA_NO_DAEMON (ENOENT, ECONNREFUSED: nobody listens); SA_CONNECTION (any other error or
 * time-out); SA_WRONG_PEER (whoever called listen() on the socket is not uid 0); SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_connect(const char *path, uint32_t timeout_millis,
                                        struct sa_connection **ret_connection,
                                        struct sa_call_error *ret_error);

/* Close; NULL is taken. */
void sa_disconnect(struct sa_connection *connection);
SA_DEFINE_OWN(sa_connection, sa_disconnect)

/*
 * Call a method.
 *
 *   name            "secauth.v1.TokenService/IssueToken".
 *   request         any message; it may hold secrets: the packed copy is wiped before this returns.
 *   reply_type      the descriptor of the response.
 *   timeout_millis  for the whole call; 1 to 600,000; also told to the daemon.
 *   arena           where the reply is built; it lives as long as the arena.
 *   ret_reply       written only on SA_OK.
 *   ret_error       filled on any other status, its request_id on SA_OK too; may be NULL.
 *
 * Returns the daemon's status, or SA_CONNECTION (broken or late), SA_MALFORMED (not a legal answer to this
 * call; the connection is of no more use), SA_NO_MEMORY, SA_TOO_LARGE (the request is over
 * SA_FRAME_REQUEST_MAX). SA_OK only where the frame says OK and the body decodes.
 */
SA_MUST_CHECK enum sa_status sa_call(struct sa_connection *connection, const char *name,
                                     const ProtobufCMessage *request,
                                     const ProtobufCMessageDescriptor *reply_type, uint32_t timeout_millis,
                                     struct sa_arena *arena, ProtobufCMessage **ret_reply,
                                     struct sa_call_error *ret_error);

/*
 * Begin a stream (docs/protocol.md). The connection is the stream's from here on, also where it is refused;
 * sa_disconnect ends it. What the daemon says to it, a refusal too, is the first that sa_call_next returns.
 *
 *   name, request   as for sa_call.
 *   timeout_millis  for sending, and for the daemon to begin; 1 to 600,000.
 *   ret_error       filled on any other status than SA_OK; may be NULL.
 *
 * Returns SA_OK, SA_CONNECTION, SA_NO_MEMORY, SA_TOO_LARGE.
 */
SA_MUST_CHECK enum sa_status sa_call_stream(struct sa_connection *connection, const char *name,
                                            const ProtobufCMessage *request, uint32_t timeout_millis,
                                            struct sa_call_error *ret_error);

/*
 * The next message of a stream.
 *
 *   item_type       the descriptor of the response.
 *   timeout_millis  to wait for it; 1 to 600,000.
 *   arena           where it is built; a new one for each message, or it grows.
 *   ret_item        written only on SA_OK.
 *   ret_error       filled on any other status; may be NULL.
 *
 * Returns SA_OK; SA_DEADLINE with os_error ETIMEDOUT: nothing has come, and one may ask again. On anything
 * else the stream is over: the daemon's status (SA_SLOW_READER, SA_SHUTTING_DOWN, SA_INVALID_CLIENT, ...),
 * SA_CONNECTION, SA_MALFORMED, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_call_next(struct sa_connection *connection,
                                          const ProtobufCMessageDescriptor *item_type,
                                          uint32_t timeout_millis, struct sa_arena *arena,
                                          ProtobufCMessage **ret_item, struct sa_call_error *ret_error);

/* The descriptor, for poll(2) beside others: readable when sa_call_next has something. The connection keeps
 * it. */
int sa_connection_fd(const struct sa_connection *connection);

#endif
