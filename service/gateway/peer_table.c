#include "service/gateway/peer_table.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "secauth/v1/peer.pb-c.h"

struct sa_peer_table {
    pthread_mutex_t lock;
    size_t size;
    struct sa_peer *by_fd[];
};

static atomic_uint last_number;

struct sa_peer *
sa_peer_new(const struct sa_front_peer *facts)
{
    Secauth__V1__PeerFacts message = SECAUTH__V1__PEER_FACTS__INIT;
    struct sa_peer *peer = calloc(1, sizeof(*peer));
    union {
        const char *in;
        char *out;
    } address = {.in = facts->address};
    union {
        const uint8_t *in;
        uint8_t *out;
    } fingerprint = {.in =
                         facts->certificate}; /* protobuf-c packs from them and writes nothing through them */

    if (peer == NULL)
        return NULL;
    peer->descriptor = facts->descriptor;
    memcpy(peer->key, facts->key, sizeof(peer->key));
    if (!facts->local) {
        message.address = address.out;
        if (facts->has_certificate)
            message.certificate = (ProtobufCBinaryData){sizeof(facts->certificate), fingerprint.out};
    }
    atomic_init(&peer->refs, 1);
    do
        peer->number = atomic_fetch_add(&last_number, 1) + 1;
    while (peer->number == 0);
    assert(secauth__v1__peer_facts__get_packed_size(&message) <= sizeof(peer->facts));
    peer->facts_len = secauth__v1__peer_facts__pack(&message, peer->facts);
    return peer;
}

struct sa_peer *
sa_peer_ref(struct sa_peer *peer)
{
    atomic_fetch_add_explicit(&peer->refs, 1, memory_order_relaxed);
    return peer;
}

void
sa_peer_unref(struct sa_peer *peer)
{
    if (peer != NULL && atomic_fetch_sub_explicit(&peer->refs, 1, memory_order_acq_rel) == 1)
        free(peer);
}

struct sa_peer_table *
sa_peer_table_new(size_t size)
{
    struct sa_peer_table *peers = calloc(1, sizeof(*peers) + size * sizeof(peers->by_fd[0]));

    if (peers == NULL)
        return NULL;
    peers->size = size;
    pthread_mutex_init(&peers->lock, NULL);
    return peers;
}

void
sa_peer_table_free(struct sa_peer_table *peers)
{
    if (peers == NULL)
        return;
    for (size_t i = 0; i < peers->size; i++)
        sa_peer_unref(peers->by_fd[i]);
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

bool
sa_peer_table_put(struct sa_peer_table *peers, int fd, struct sa_peer *peer)
{
    struct sa_peer *earlier;

    if (fd < 0 || (size_t)fd >= peers->size)
        return false;
    pthread_mutex_lock(&peers->lock);
    earlier = peers->by_fd[fd];
    peers->by_fd[fd] = sa_peer_ref(peer);
    pthread_mutex_unlock(&peers->lock);
    sa_peer_unref(earlier);
    return true;
}

struct sa_peer *
sa_peer_table_get(struct sa_peer_table *peers, const char *name)
{
    struct sa_peer *peer = NULL;
    unsigned long fd;
    char *end;

    if (strncmp(name, "fd:", 3) != 0 || name[3] < '0' || name[3] > '9')
        return NULL;
    fd = strtoul(name + 3, &end, 10);
    if (*end != '\0' || fd >= peers->size)
        return NULL;
    pthread_mutex_lock(&peers->lock);
    if (peers->by_fd[fd] != NULL)
        peer = sa_peer_ref(peers->by_fd[fd]);
    pthread_mutex_unlock(&peers->lock);
    return peer;
}
