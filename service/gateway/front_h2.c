#include "service/gateway/front_h2.h"

#define PREFACE_LEN    24u
#define FRAME_HEAD_LEN 9u

enum kind {
    DATA = 0,
    HEADERS = 1,
    PRIORITY = 2,
    RST_STREAM = 3,
    SETTINGS = 4,
    PING = 6,
    WINDOW_UPDATE = 8,
    CONTINUATION = 9
};
enum flag { ACK = 1, END_STREAM = 1, END_HEADERS = 4 };

struct frame {
    uint32_t len;
    uint8_t kind, flags;
    uint32_t stream;
};

/* A part of a header block. Within one, no other frame is legal (section 6.10), so nothing else is counted.
 */
static const char *
take_block(struct sa_front_h2 *h2, const struct frame *frame)
{
    h2->block_len += frame->len;
    h2->block_frames++;
    if (h2->block_len > SA_H2_HEADERS_MAX)
        return "a header block over 32 KiB";
    if (h2->block_frames > SA_H2_CONTINUATION_MAX)
        return "a header block in too many pieces";
    if ((frame->flags & END_HEADERS) != 0)
        h2->block_len = h2->block_frames = 0;
    return NULL;
}

static const char *
take_headers(struct sa_front_h2 *h2, const struct frame *frame)
{
    unsigned slot = (frame->stream >> 1) % SA_H2_SLOTS;

    if (frame->kind == HEADERS && h2->slots[slot].stream < frame->stream) { /* else trailers */
        h2->slots[slot].stream = frame->stream;
        h2->slots[slot].bytes = 0;
        if (!h2->acknowledged && ++h2->streams > SA_H2_STREAMS_MAX)
            return "more than 100 streams, and the settings are not acknowledged";
    }
    return take_block(h2, frame);
}

static const char *
take_data(struct sa_front_h2 *h2, const struct frame *frame)
{
    unsigned slot = (frame->stream >> 1) % SA_H2_SLOTS;
    uint32_t *bytes = h2->slots[slot].stream == frame->stream ? &h2->slots[slot].bytes : &h2->stray_bytes;

    *bytes += frame->len;
    return *bytes > SA_H2_STREAM_BYTES_MAX ? "over 1 MiB of requests on one stream" : NULL;
}

/* Frames that cost the library work and bring no call: so many at once, and so many in the long run. */
static const char *
take_noise(struct sa_front_h2 *h2, int64_t now_ms)
{
    int64_t paid = (now_ms - h2->noise_ms) * SA_H2_NOISE_PER_SECOND / 1000;

    if (paid > 0) {
        h2->noise = paid < h2->noise ? h2->noise - (uint32_t)paid : 0;
        h2->noise_ms = now_ms;
    }
    return ++h2->noise > SA_H2_NOISE_MAX ? "too many resets, pings, settings or empty frames" : NULL;
}

static const char *
take_frame(struct sa_front_h2 *h2, const struct frame *frame, int64_t now_ms)
{
    if (frame->len > SA_H2_FRAME_MAX)
        return "a frame over 16 KiB";
    if (frame->kind == HEADERS || frame->kind == CONTINUATION)
        return take_headers(h2, frame);
    if (frame->kind == DATA && frame->len > 0)
        return take_data(h2, frame);
    /* As many as there are replies, or calls: some clients end each with an empty frame. */
    if (frame->kind == WINDOW_UPDATE || (frame->kind == DATA && (frame->flags & END_STREAM) != 0))
        return NULL;
    if (frame->kind == SETTINGS && (frame->flags & ACK) != 0)
        h2->acknowledged = true;
    return take_noise(h2, now_ms);
}

const char *
sa_front_h2_look(struct sa_front_h2 *h2, const uint8_t *bytes, size_t len, int64_t now_ms)
{
    if (!h2->greeted) {
        h2->greeted = true;
        h2->skip = PREFACE_LEN; /* another one means nothing to the library, which ends the connection */
    }
    while (len > 0) {
        size_t part = h2->skip < len ? h2->skip : len;
        h2->skip -= (uint32_t)part;
        bytes += part;
        len -= part;
        part = FRAME_HEAD_LEN - h2->header_len < len ? FRAME_HEAD_LEN - h2->header_len : len;
        memcpy(h2->header + h2->header_len, bytes, part);
        h2->header_len = (uint8_t)(h2->header_len + part);
        bytes += part;
        len -= part;
        if (h2->header_len < FRAME_HEAD_LEN)
            break;
        struct frame frame = {
            .len = (uint32_t)sa_get_number(h2->header, 3),
            .kind = h2->header[3],
            .flags = h2->header[4],
            .stream = (uint32_t)sa_get_number(h2->header + 5, 4) & 0x7fffffff,
        };
        const char *rule = take_frame(h2, &frame, now_ms);
        if (rule != NULL)
            return rule;
        h2->skip = frame.len;
        h2->header_len = 0;
    }
    return NULL;
}
