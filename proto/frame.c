#include "frame.h"

#include <assert.h>

/* Offsets in the header; docs/protocol.md has the same table. */
enum {
    AT_LENGTH = 0,
    AT_VERSION = 4,
    AT_KIND = 5,
    AT_STATUS = 6,
    AT_CALL = 8,
    AT_MILLIS = 12,
    AT_PEER = 16,
    AT_NAME_LEN = 20,
    AT_FLAGS = 22,
    AT_REQUEST_ID = 24,
};

static bool
is_reply(enum sa_frame_kind kind)
{
    return kind == SA_FRAME_REPLY || kind == SA_FRAME_ITEM || kind == SA_FRAME_END;
}

static bool
is_peer(enum sa_frame_kind kind)
{
    return kind == SA_FRAME_PEER || kind == SA_FRAME_PEER_GONE;
}

/* The rule that a frame breaks, whoever made it; NULL for none. */
static const char *
broken_rule(const struct sa_frame *frame, enum sa_frame_reader reader)
{
    bool gateway = reader == SA_FRAME_READER_GATEWAY;

    if (is_reply(frame->kind) != (reader == SA_FRAME_READER_CALLER))
        return "kind is not one that this side reads";
    if (is_peer(frame->kind) && !gateway)
        return "PEER outside a gateway's socket";
    if ((frame->kind == SA_FRAME_REQUEST) != (frame->name_len > 0))
        return "name_len: a request has a name, nothing else has";
    if (frame->name_len > SA_FRAME_NAME_MAX)
        return "name_len over 128";
    if (frame->body_len > (is_reply(frame->kind) ? SA_FRAME_REPLY_MAX : SA_FRAME_REQUEST_MAX))
        return "length over the limit";
    if (is_reply(frame->kind) != (frame->status != 0))
        return "status: a reply has one, nothing else has";
    if (!is_reply(frame->kind) && frame->request_id != 0)
        return "request_id in a request";
    if (reader == SA_FRAME_READER_DAEMON && frame->peer != 0)
        return "peer outside a gateway's socket";
    if (is_peer(frame->kind) && (frame->peer == 0 || frame->call != 0))
        return "PEER frames name a peer and no call";
    if (frame->kind != SA_FRAME_REQUEST && !is_reply(frame->kind) && frame->millis != 0)
        return "millis outside a request or reply";
    if ((frame->kind == SA_FRAME_CANCEL || frame->kind == SA_FRAME_PEER_GONE) && frame->body_len != 0)
        return "a body where there is none";
    return NULL;
}

void
sa_frame_encode(const struct sa_frame *frame, uint8_t ret_header[SA_FRAME_HEADER_LEN])
{
    assert(broken_rule(frame, is_reply(frame->kind) ? SA_FRAME_READER_CALLER : SA_FRAME_READER_GATEWAY) ==
           NULL);
    sa_put_number(ret_header + AT_LENGTH, SA_FRAME_LENGTH_MIN + frame->name_len + frame->body_len, 4);
    sa_put_number(ret_header + AT_VERSION, SA_FRAME_VERSION, 1);
    sa_put_number(ret_header + AT_KIND, frame->kind, 1);
    sa_put_number(ret_header + AT_STATUS, frame->status, 2);
    sa_put_number(ret_header + AT_CALL, frame->call, 4);
    sa_put_number(ret_header + AT_MILLIS, frame->millis, 4);
    sa_put_number(ret_header + AT_PEER, frame->peer, 4);
    sa_put_number(ret_header + AT_NAME_LEN, frame->name_len, 2);
    sa_put_number(ret_header + AT_FLAGS, 0, 2);
    sa_put_number(ret_header + AT_REQUEST_ID, frame->request_id, 8);
}

enum sa_status
sa_frame_decode(const uint8_t header[SA_FRAME_HEADER_LEN], enum sa_frame_reader reader,
                struct sa_frame *ret_frame, const char **ret_rule)
{
    uint64_t length = sa_get_number(header + AT_LENGTH, 4);
    uint64_t kind = sa_get_number(header + AT_KIND, 1);
    struct sa_frame frame = {
        .kind = (enum sa_frame_kind)kind,
        .status = (uint16_t)sa_get_number(header + AT_STATUS, 2),
        .call = (uint32_t)sa_get_number(header + AT_CALL, 4),
        .millis = (uint32_t)sa_get_number(header + AT_MILLIS, 4),
        .peer = (uint32_t)sa_get_number(header + AT_PEER, 4),
        .name_len = (uint16_t)sa_get_number(header + AT_NAME_LEN, 2),
        .request_id = sa_get_number(header + AT_REQUEST_ID, 8),
    };

    *ret_rule = NULL;
    if (sa_get_number(header + AT_VERSION, 1) != SA_FRAME_VERSION)
        *ret_rule = "version is not 1";
    else if (kind < SA_FRAME_REQUEST || kind > SA_FRAME_PEER_GONE)
        *ret_rule = "kind is unknown";
    else if (sa_get_number(header + AT_FLAGS, 2) != 0)
        *ret_rule = "flags are not 0";
    else if (length < SA_FRAME_LENGTH_MIN + frame.name_len)
        *ret_rule = "length is less than what it holds";
    if (*ret_rule != NULL)
        return SA_MALFORMED;
    frame.body_len = (uint32_t)(length - SA_FRAME_LENGTH_MIN - frame.name_len);
    *ret_rule = broken_rule(&frame, reader);
    if (*ret_rule != NULL)
        return SA_MALFORMED;
    *ret_frame = frame;
    return SA_OK;
}
