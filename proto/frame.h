/*
 * The frame: what travels on every secauth socket (docs/protocol.md). A header of 32 bytes, integers
 * big-endian, then the method's name (requests only), then a protobuf message.
 */
#ifndef SA_FRAME_H
#define SA_FRAME_H

#include "bytes.h"
#include "status.h"

#define SA_FRAME_HEADER_LEN  32u
#define SA_FRAME_VERSION     1u
#define SA_FRAME_NAME_MAX    128u
#define SA_FRAME_REQUEST_MAX (64u * 1024u)   /* the largest body of any request */
#define SA_FRAME_REPLY_MAX   (1024u * 1024u) /* the largest body of any reply or item */

/* Bytes after `length` in a header: the least that a frame's length can be. */
#define SA_FRAME_LENGTH_MIN (SA_FRAME_HEADER_LEN - 4u)

enum sa_frame_kind {
    SA_FRAME_REQUEST = 1,
    SA_FRAME_REPLY = 2,
    SA_FRAME_ITEM = 3,
    SA_FRAME_END = 4,
    SA_FRAME_CANCEL = 5,
    SA_FRAME_PEER = 6,      /* gateway sockets: what is known about peer number `peer` */
    SA_FRAME_PEER_GONE = 7, /* gateway sockets: forget it */
};

struct sa_frame {
    enum sa_frame_kind kind;
    uint16_t status;     /* wire number of a status; 0 in what a caller sends */
    uint32_t call;       /* the caller's number, unique among its open calls */
    uint32_t millis;     /* request: time left; reply: retry delay, 0 for none */
    uint32_t peer;       /* gateway sockets: the connection it speaks for; else 0 */
    uint64_t request_id; /* replies: the id in the log; 0 in requests */
    uint16_t name_len;   /* requests: length of the name; else 0 */
    uint32_t body_len;
};

/* Who reads: decides which kinds and lengths are legal. */
enum sa_frame_reader {
    SA_FRAME_READER_CALLER,  /* reads REPLY, ITEM, END */
    SA_FRAME_READER_DAEMON,  /* reads REQUEST, CANCEL on root.sock and user.sock */
    SA_FRAME_READER_GATEWAY, /* reads REQUEST, CANCEL, PEER, PEER_GONE on a gateway's socket */
};

/* Write a header. Asserts that the frame is legal: what we send wrongly is our own bug. */
void sa_frame_encode(const struct sa_frame *frame, uint8_t ret_header[SA_FRAME_HEADER_LEN]);

/*
 * Read a header.
 *
 *   header     exactly SA_FRAME_HEADER_LEN bytes.
 *   reader     who reads.
 *   ret_frame  written only on SA_OK; name_len and body_len are within their bounds, so that a buffer of
 *              name_len + body_len may be allocated.
 *   ret_rule   on SA_MALFORMED, the rule that is broken, for the log; a constant.
 *
 * Returns SA_OK or SA_MALFORMED: the connection is then of no more use.
 */
SA_MUST_CHECK enum sa_status sa_frame_decode(const uint8_t header[SA_FRAME_HEADER_LEN],
                                             enum sa_frame_reader reader, struct sa_frame *ret_frame,
                                             const char **ret_rule);

#endif
