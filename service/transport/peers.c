#include "peers.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "passed.h"
#include "secauth/v1/peer.pb-c.h"
#include "service/auth/leader.h"

#define CHAINS          1024u
#define FACTS_ARENA_MAX (16u * 1024u)

struct peer {
    struct peer *next;
    uint32_t number;
    bool has_uid; /* of a local gateway; the kernel's word */
    uint32_t uid;
    uint32_t pid;
    uint64_t pid_start;
    char address[INET6_ADDRSTRLEN];
    bool has_certificate;
    uint8_t certificate[SA_SHA256_LEN];
};

struct sa_peers {
    bool network;
    uint32_t overflow_uid;
    unsigned count;
    struct peer *chains[CHAINS];
};

struct sa_peers *
sa_peers_new(bool network, uint32_t overflow_uid)
{
    struct sa_peers *peers = calloc(1, sizeof(*peers));
    if (peers == NULL)
        return NULL;
    peers->network = network;
    peers->overflow_uid = overflow_uid;
    return peers;
}

void
sa_peers_free(struct sa_peers *peers)
{
    if (peers == NULL)
        return;
    for (unsigned i = 0; i < CHAINS; i++)
        while (peers->chains[i] != NULL) {
            struct peer *peer = peers->chains[i];
            peers->chains[i] = peer->next;
            free(peer);
        }
    free(peers);
}

/* An address in its one canonical form, so that nobody is two sources. */
static bool
take_address(const char *text, char ret_address[INET6_ADDRSTRLEN])
{
    struct in6_addr address;
    int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

    return inet_pton(family, text, &address) == 1 &&
           inet_ntop(family, &address, ret_address, INET6_ADDRSTRLEN) != NULL;
}

/* The fingerprint of a certificate: whole, or none. */
static bool
take_certificate(const ProtobufCBinaryData *fingerprint, struct peer *ret_peer)
{
    ret_peer->has_certificate = fingerprint->len == SA_SHA256_LEN;
    if (ret_peer->has_certificate)
        memcpy(ret_peer->certificate, fingerprint->data, SA_SHA256_LEN);
    return ret_peer->has_certificate || fingerprint->len == 0;
}

/* What a network gateway says. */
static enum sa_status
read_facts(struct sa_bytes body, struct peer *ret_peer)
{
    SA_OWN(sa_arena) arena = sa_arena_new(FACTS_ARENA_MAX);
    ProtobufCMessage *message;
    struct sa_problem problem;

    if (arena == NULL)
        return SA_NO_MEMORY;
    enum sa_status status =
        sa_decode(&secauth__v1__peer_facts__descriptor, body, SA_DECODE_REQUEST, arena, &message, &problem);
    if (status == SA_NO_MEMORY)
        return SA_NO_MEMORY;
    const Secauth__V1__PeerFacts *facts = (const Secauth__V1__PeerFacts *)message;
    if (status != SA_OK || !take_address(facts->address, ret_peer->address) ||
        !take_certificate(&facts->certificate, ret_peer))
        return SA_MALFORMED;
    return SA_OK;
}

/* What the kernel says of the descriptor that a local gateway passes; its own word is not asked for. */
static enum sa_status
ask_kernel(const struct sa_peers *peers, struct sa_bytes body, int descriptor, struct peer *ret_peer)
{
    struct sa_passed_peer peer;

    if (body.len > 0 || descriptor < 0)
        return SA_MALFORMED;
    if (sa_passed_identify(descriptor, &peer) != SA_OK || peer.uid == peers->overflow_uid)
        return SA_PERMISSION_DENIED;
    ret_peer->has_uid = peer.uid != 0;
    ret_peer->uid = peer.uid;
    ret_peer->pid = peer.pid;
    ret_peer->pid_start = sa_process_of_peer(descriptor, peer.pid);
    return SA_OK;
}

static struct peer **
find(const struct sa_peers *peers, uint32_t number)
{
    struct peer *const *slot = &peers->chains[number % CHAINS];

    while (*slot != NULL && (*slot)->number != number)
        slot = &(*slot)->next;
    return (struct peer **)(uintptr_t)slot;
}

enum sa_status
sa_peers_put(struct sa_peers *peers, uint32_t number, struct sa_bytes body, int descriptor)
{
    struct peer told = {.number = number};
    enum sa_status status =
        peers->network ? read_facts(body, &told) : ask_kernel(peers, body, descriptor, &told);
    struct peer **slot;

    if (status != SA_OK) {
        sa_peers_remove(peers, number); /* a number that is told anew is never who it was before */
        return status;
    }
    slot = find(peers, number);
    if (*slot == NULL) {
        if (peers->count == SA_PEERS_MAX)
            return SA_OVERLOADED;
        *slot = calloc(1, sizeof(**slot));
        if (*slot == NULL)
            return SA_NO_MEMORY;
        peers->count++;
    }
    told.next = (*slot)->next;
    **slot = told;
    return SA_OK;
}

void
sa_peers_remove(struct sa_peers *peers, uint32_t number)
{
    struct peer **slot = find(peers, number);
    struct peer *peer = *slot;

    if (peer == NULL)
        return;
    *slot = peer->next;
    free(peer);
    peers->count--;
}

enum sa_status
sa_peers_fill(const struct sa_peers *peers, uint32_t number, struct sa_caller *caller)
{
    const struct peer *peer = *find(peers, number);

    if (peer == NULL)
        return SA_NOT_FOUND;
    caller->has_uid = peer->has_uid;
    caller->uid = peer->uid;
    caller->pid = peer->pid;
    caller->pid_start = peer->pid_start;
    memcpy(caller->address, peer->address, sizeof(peer->address));
    caller->has_certificate = peer->has_certificate;
    memcpy(caller->certificate, peer->certificate, sizeof(peer->certificate));
    return SA_OK;
}
