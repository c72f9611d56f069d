#include "service/auth/secret_uses.h"

#include <pthread.h>
#include <stdlib.h>

#include "service/auth/lru.h"

#define MINUTE_MS   INT64_C(60000)
#define SECRET_KIND 4u /* of a tag: beside those of service/auth/replay.c */

struct item {
    struct sa_lru_item head;
    struct sa_secret_use use;
};

struct sa_secret_uses {
    const struct sa_keyring *keyring;
    pthread_mutex_t lock;
    struct sa_lru *noted;    /* not written yet */
    int64_t written_boot_ms; /* the last time */
};

struct sa_secret_uses *
sa_secret_uses_new(const struct sa_keyring *keyring)
{
    SA_OWN(sa_secret_uses) uses = calloc(1, sizeof(*uses));

    if (uses == NULL)
        return NULL;
    pthread_mutex_init(&uses->lock, NULL);
    uses->keyring = keyring;
    uses->noted = sa_lru_new(SA_SECRET_USES, sizeof(struct item));
    return uses->noted == NULL ? NULL : sa_secret_uses_take(&uses);
}

void
sa_secret_uses_free(struct sa_secret_uses *uses)
{
    if (uses == NULL)
        return;
    sa_lru_free(uses->noted);
    pthread_mutex_destroy(&uses->lock);
    free(uses);
}

static void
note(struct sa_secret_uses *uses, const struct sa_secret_use *use)
{
    uint8_t key[SA_TAG_LEN];
    struct sa_bytes part = sa_bytes(&use->number, sizeof(use->number));

    sa_keyring_tag(uses->keyring, SA_KEY_MEMORY, SECRET_KIND, &part, 1, key);
    struct item *item = sa_lru_find(uses->noted, key);
    if (item == NULL)
        item = sa_lru_add(uses->noted, key);
    if (item->use.used_ms < use->used_ms)
        item->use = *use;
}

void
sa_secret_uses_note(struct sa_secret_uses *uses, int64_t number, struct sa_now now)
{
    struct sa_secret_use use = {.number = number, .used_ms = now.wall_ms - now.wall_ms % MINUTE_MS};

    pthread_mutex_lock(&uses->lock);
    note(uses, &use);
    pthread_mutex_unlock(&uses->lock);
}

/* All that is noted, taken out of the table; NULL where there is nothing, or no memory. */
static struct sa_secret_use *
take_out(struct sa_secret_uses *uses, unsigned *ret_count)
{
    unsigned count = sa_lru_count(uses->noted);
    struct sa_secret_use *list = count == 0 ? NULL : calloc(count, sizeof(*list));
    struct item *item;

    if (list == NULL)
        return NULL;
    for (unsigned i = 0; i < count && (item = sa_lru_next(uses->noted, NULL)) != NULL; i++) {
        list[i] = item->use;
        sa_lru_remove(uses->noted, item);
    }
    *ret_count = count;
    return list;
}

static void
put_back(struct sa_secret_uses *uses, const struct sa_secret_use *list, unsigned count)
{
    pthread_mutex_lock(&uses->lock);
    for (unsigned i = 0; i < count; i++)
        note(uses, &list[i]);
    pthread_mutex_unlock(&uses->lock);
}

void
sa_secret_uses_write(struct sa_secret_uses *uses, struct sa_store *store, struct sa_now now, bool at_once)
{
    struct sa_secret_use *list = NULL;
    unsigned count = 0;

    pthread_mutex_lock(&uses->lock);
    if (at_once || now.boot_ms - uses->written_boot_ms >= MINUTE_MS) {
        list = take_out(uses, &count);
        uses->written_boot_ms = now.boot_ms;
    }
    pthread_mutex_unlock(&uses->lock);
    if (list != NULL && sa_store_secrets_used(store, list, count) != SA_OK)
        put_back(uses, list, count);
    free(list);
}
