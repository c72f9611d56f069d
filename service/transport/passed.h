/*
 * Descriptors that a local gateway passes: the end of each of its connections, from which the kernel says who
 * is at the other one. One comes with the first byte of a PEER frame; it is looked at and closed.
 */
#ifndef SA_PASSED_H
#define SA_PASSED_H

#include <sys/types.h>

#include "proto/bytes.h"
#include "proto/status.h"

/* A read may end within one PEER frame, and the next read bring the one behind it. */
#define SA_PASSED_MAX 2u

/* What has come and was not taken yet; zeroed at first. */
struct sa_passed {
    unsigned count;
    int fd[SA_PASSED_MAX]; /* oldest first */
};

/*
 * Read as recv(2) does, with at most one descriptor. Returns what recv(2) returns; or -1 with EPROTO, and
 * nothing kept, where more came than a peer that keeps to the protocol sends, or one could not be taken.
 */
ssize_t sa_passed_receive(struct sa_passed *passed, int fd, void *ret_data, size_t size);

/* The oldest, which the caller closes; -1: none. */
int sa_passed_take(struct sa_passed *passed);

/* Close what is left. */
void sa_passed_close(struct sa_passed *passed);

/* Who is at the other end, as the kernel says. */
struct sa_passed_peer {
    uint32_t uid; /* effective, at connect time */
    uint32_t pid; /* 0: it has none in our namespace */
};

/*
 * Who has connected to this descriptor's other end. SA_OK, or SA_PERMISSION_DENIED for what is no end of a
 * connection that somebody has made and still holds:
 * - no connected stream of the Unix domain, or one that was hung up;
 * - one whose other end has a name. A listener's connections have its name, so this is an end that the
 *   gateway itself has made by connecting to somebody, and the kernel would name whoever listens there.
 */
SA_MUST_CHECK enum sa_status sa_passed_identify(int fd, struct sa_passed_peer *ret_peer);

#endif
