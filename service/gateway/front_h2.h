/*
 * What a client's HTTP/2 frames may cost (RFC 9113), looked at before the library sees them: the library
 * holds header blocks whole and without end, and no limit of streams to somebody who never acknowledges it.
 * Frames are counted, not understood.
 */
#ifndef SA_GATEWAY_FRONT_H2_H
#define SA_GATEWAY_FRONT_H2_H

#include "proto/bytes.h"

#define SA_H2_STREAMS_MAX      100u   /* announced to clients, and the most before they acknowledge it */
#define SA_H2_FRAME_MAX        16384u /* RFC 9113 section 4.2: nobody was allowed more */
#define SA_H2_HEADERS_MAX      (32u * 1024u) /* one block; past its own 8 KiB the library still answers */
#define SA_H2_CONTINUATION_MAX 8u            /* frames of one block */
#define SA_H2_STREAM_BYTES_MAX                                                                               \
    (1024u * 1024u)                  /* of requests on one stream; the library refuses what is over 64 KiB */
#define SA_H2_NOISE_MAX        1000u /* frames that carry no call: resets, pings, settings, ... at once, */
#define SA_H2_NOISE_PER_SECOND 100u  /* and in the long run */

#define SA_H2_SLOTS 128u

/* Of one connection; zeroed at first. */
struct sa_front_h2 {
    uint32_t skip; /* bytes of a payload that are not looked at */
    uint8_t header_len;
    uint8_t header[9];
    bool greeted;                     /* the preface has passed */
    bool acknowledged;                /* the server's settings are */
    uint32_t streams;                 /* opened before that */
    uint32_t block_len, block_frames; /* of the header block that has not ended; 0: none */
    uint32_t noise;                   /* frames that are not paid for yet */
    int64_t noise_ms;                 /* when some were */
    struct {
        uint32_t stream, bytes;
    } slots[SA_H2_SLOTS]; /* by stream; a newer one takes the place */
    uint32_t stray_bytes; /* of streams that have lost theirs */
};

/*
 * Look at the next bytes of a client. Returns NULL, or the rule that it has broken, a constant: the
 * connection is to be ended, and nothing of these bytes is to go on.
 */
const char *sa_front_h2_look(struct sa_front_h2 *h2, const uint8_t *bytes, size_t len, int64_t now_ms);

#endif
