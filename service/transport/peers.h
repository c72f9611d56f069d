/* What a gateway has told about its own connections: a bounded table of one connection of the gateway's. */
#ifndef SA_PEERS_H
#define SA_PEERS_H

#include "service/rpc/call.h"

#define SA_PEERS_MAX 16384u

struct sa_peers;

/*
 * NULL for lack of memory.
 *   network       the gateway states its peers' addresses and certificates; else it passes a descriptor of
 * each. overflow_uid  what the kernel shows for uids that our namespace has no number for: nobody.
 */
struct sa_peers *sa_peers_new(bool network, uint32_t overflow_uid);
void sa_peers_free(struct sa_peers *peers);
SA_DEFINE_OWN(sa_peers, sa_peers_free)

/*
 * Take a PEER frame; a number that is in use gets new facts, or where they are refused none.
 *
 *   descriptor  that came with it, -1 for none; it stays the caller's.
 *
 * Returns SA_OK; SA_MALFORMED: the connection is of no more use: not PeerFacts, facts that this kind of
 * gateway does not state, no address, a fingerprint of another length, no descriptor; SA_PERMISSION_DENIED:
 * nobody has made the connection that was passed (sa_passed_identify), and this one stays unknown;
 * SA_NO_MEMORY; SA_OVERLOADED: there are SA_PEERS_MAX, likewise.
 */
SA_MUST_CHECK enum sa_status sa_peers_put(struct sa_peers *peers, uint32_t number, struct sa_bytes body,
                                          int descriptor);

/* Forget one; unknown numbers are ignored. */
void sa_peers_remove(struct sa_peers *peers, uint32_t number);

/*
 * Fill in uid and pid, or address and certificate, of a caller. A uid of 0 is left out: through a gateway
 * nobody is root. Returns SA_OK, or SA_NOT_FOUND for a number that was never told, or is gone.
 */
SA_MUST_CHECK enum sa_status sa_peers_fill(const struct sa_peers *peers, uint32_t number,
                                           struct sa_caller *caller);

#endif
