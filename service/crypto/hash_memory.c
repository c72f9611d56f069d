#include "service/crypto/hash_memory.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t given;
    uint64_t limit_kib;
    uint64_t taken_kib;
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER};

void
sa_hash_memory_limit(uint64_t kib)
{
    pthread_mutex_lock(&memory.lock);
    memory.limit_kib = kib;
    pthread_mutex_unlock(&memory.lock);
}

void
sa_hash_memory_take(uint32_t kib)
{
    pthread_mutex_lock(&memory.lock);
    while (memory.limit_kib > 0 && memory.taken_kib > 0 && memory.taken_kib + kib > memory.limit_kib)
        pthread_cond_wait(&memory.given, &memory.lock);
    memory.taken_kib += kib;
    pthread_mutex_unlock(&memory.lock);
}

void
sa_hash_memory_give(uint32_t kib)
{
    pthread_mutex_lock(&memory.lock);
    memory.taken_kib -= kib;
    pthread_cond_broadcast(&memory.given);
    pthread_mutex_unlock(&memory.lock);
}
