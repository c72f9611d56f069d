/*
 * What waits to be sent to the daemon: a bounded buffer in front of a non-blocking socket. Nothing is copied
 * while the socket takes all. Not safe for threads by itself.
 */
#ifndef SA_GATEWAY_OUTBOX_H
#define SA_GATEWAY_OUTBOX_H

#include "proto/frame.h"

#define SA_OUTBOX_PASSED_MAX 64u

struct sa_outbox;

/* An empty box that holds at most `size` bytes; NULL for lack of memory. */
struct sa_outbox *sa_outbox_new(size_t size);
void sa_outbox_free(struct sa_outbox *box); /* wiped */
SA_DEFINE_OWN(sa_outbox, sa_outbox_free)

/* Bytes that it still takes, whatever the socket does. */
size_t sa_outbox_room(const struct sa_outbox *box);

/* Something waits: the socket is to be watched for EPOLLOUT. */
bool sa_outbox_waiting(const struct sa_outbox *box);

/* Wipe and forget everything: the connection is over. */
void sa_outbox_clear(struct sa_outbox *box);

/*
 * Send a frame, or as much as the socket takes, and keep the rest.
 *
 *   frame  its name_len and body_len are set here.
 *   name   the method, "" for none.
 *
 * Returns SA_OK; SA_OVERLOADED, with nothing sent, where the frame is larger than the room; SA_CONNECTION.
 */
SA_MUST_CHECK enum sa_status sa_outbox_send(struct sa_outbox *box, int fd, struct sa_frame *frame,
                                            const char *name, struct sa_bytes body);

/*
 * Send a frame that has no body, and with its first byte a descriptor, which stays the caller's.
 *
 * Returns as sa_outbox_send; SA_OVERLOADED also where SA_OUTBOX_PASSED_MAX descriptors wait already, or none
 * is free for a copy.
 */
SA_MUST_CHECK enum sa_status sa_outbox_pass(struct sa_outbox *box, int fd, struct sa_frame *frame,
                                            int descriptor);

/* Send what waits, as far as the socket takes it. Returns SA_OK or SA_CONNECTION. */
SA_MUST_CHECK enum sa_status sa_outbox_flush(struct sa_outbox *box, int fd);

#endif
