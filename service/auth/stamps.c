#include "service/auth/stamps.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/lru.h"
#include "service/base/log.h"
#include "service/crypto/encode.h"

#define STAMPS_MAX 4096u

struct sa_stamps {
    pthread_mutex_t lock;
    struct sa_lru *logged;
};

struct sa_stamps *
sa_stamps_new(void)
{
    SA_OWN(sa_stamps) stamps = calloc(1, sizeof(*stamps));

    if (stamps == NULL)
        return NULL;
    pthread_mutex_init(&stamps->lock, NULL);
    stamps->logged = sa_lru_new(STAMPS_MAX, sizeof(struct sa_lru_item));
    return stamps->logged == NULL ? NULL : sa_stamps_take(&stamps);
}

void
sa_stamps_free(struct sa_stamps *stamps)
{
    if (stamps == NULL)
        return;
    sa_lru_free(stamps->logged);
    pthread_mutex_destroy(&stamps->lock);
    free(stamps);
}

static bool
is_new(struct sa_stamps *stamps, const uint8_t *key)
{
    pthread_mutex_lock(&stamps->lock);
    bool added = sa_lru_find(stamps->logged, key) == NULL && sa_lru_add(stamps->logged, key) != NULL;
    pthread_mutex_unlock(&stamps->lock);
    return added;
}

void
sa_stamps_look(struct sa_stamps *stamps, const char *user, const char *what, int64_t stamp_s, int64_t now_s,
               int64_t slack_s)
{
    char text[128];
    uint8_t digest[SA_SHA256_LEN];

    if (stamp_s <= now_s + slack_s)
        return;
    snprintf(text, sizeof(text), "%s %" PRId64 " %s", what, stamp_s, user);
    sa_sha256(sa_bytes_of(text), digest);
    if (is_new(stamps, digest))
        sa_log(SA_LOG_WARNING, "from the future: user=%s %s=%" PRId64 " now=%" PRId64 ", ignored", user, what,
               stamp_s, now_s);
}
