/*
 * The connections that this gateway speaks for. Each has a number that is told to the daemon with its facts,
 * and is found by the descriptor that the HTTP library was given, which is all that the library says about a
 * call's peer.
 */
#ifndef SA_GATEWAY_PEER_TABLE_H
#define SA_GATEWAY_PEER_TABLE_H

#include <stdatomic.h>

#include "service/gateway/front.h"

#define SA_PEER_FACTS_MAX 96u

struct sa_peer {
    atomic_uint refs;
    uint32_t number;  /* never 0, never used again before 2^32 connections have passed */
    size_t facts_len; /* secauth.v1.PeerFacts, packed */
    uint8_t facts[SA_PEER_FACTS_MAX];
    int descriptor; /* passed in place of facts: the front's, open until the peer is gone; -1 for none */
    uint8_t key[SA_FRONT_KEY_LEN]; /* whom its calls count against */
    size_t unread;                 /* bytes of replies that it has not taken: sa_patience's, under its lock */
    /* The upstream's, under its lock. */
    uint64_t announced; /* the upstream connection that knows of it; 0: none */
    bool gone;          /* its connection is over: nobody would read a reply */
};

/* A peer with one reference; NULL for lack of memory. From any thread. */
struct sa_peer *sa_peer_new(const struct sa_front_peer *facts);
struct sa_peer *sa_peer_ref(struct sa_peer *peer);
void sa_peer_unref(struct sa_peer *peer); /* NULL is taken */
SA_DEFINE_OWN(sa_peer, sa_peer_unref)

/* Peers by descriptor, for descriptors below `size`. */
struct sa_peer_table;
struct sa_peer_table *sa_peer_table_new(size_t size);
void sa_peer_table_free(struct sa_peer_table *peers);
SA_DEFINE_OWN(sa_peer_table, sa_peer_table_free)

/*
 * Write the entry of `fd`, in place of any earlier one; takes a reference of its own. It is written before
 * the descriptor is handed over and never cleared: while a call lives its descriptor cannot be used again.
 * Returns false where fd is out of the table.
 */
SA_MUST_CHECK bool sa_peer_table_put(struct sa_peer_table *peers, int fd, struct sa_peer *peer);

/* The peer of "fd:N", with a reference for the caller; NULL for anything else. From any thread. */
struct sa_peer *sa_peer_table_get(struct sa_peer_table *peers, const char *name);

#endif
