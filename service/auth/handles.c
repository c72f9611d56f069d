#include "service/auth/handles.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/base/secret.h"

struct slot {
    int64_t made_boot_ms; /* 0: free */
    char handle[SA_ID_LEN + 1];
    uint8_t bound_to[SA_SHA256_LEN]; /* user and source */
    struct sa_proof proof;
};

struct sa_handles {
    pthread_mutex_t lock;
    struct slot slots[SA_HANDLES_MAX];
};

struct sa_handles *
sa_handles_new(void)
{
    struct sa_handles *handles = calloc(1, sizeof(*handles));

    if (handles != NULL)
        pthread_mutex_init(&handles->lock, NULL);
    return handles;
}

void
sa_handles_free(struct sa_handles *handles)
{
    if (handles == NULL)
        return;
    pthread_mutex_destroy(&handles->lock);
    sa_wipe(handles->slots, sizeof(handles->slots));
    free(handles);
}

/* Subjects are base64url, so the line feed parts the two without doubt. */
static void
bind_to(const char *subject, const struct sa_source *source, uint8_t ret_digest[SA_SHA256_LEN])
{
    char text[SA_ID_LEN + SA_SOURCE_TEXT_MAX + 3];

    snprintf(text, sizeof(text), "%.*s\n%s", (int)SA_ID_LEN, subject, source->text);
    sa_sha256(sa_bytes_of(text), ret_digest);
}

static bool
is_dead(const struct slot *slot, int64_t boot_ms)
{
    return slot->made_boot_ms == 0 || boot_ms - slot->made_boot_ms >= SA_HANDLE_LIFE_MS;
}

/* Where the next handle goes: in the place of this pair's oldest, a dead one, or the oldest of all. */
static struct slot *
room(struct sa_handles *handles, const uint8_t bound_to[SA_SHA256_LEN], int64_t boot_ms)
{
    struct slot *oldest = &handles->slots[0];
    struct slot *oldest_of_pair = NULL;
    unsigned of_pair = 0;

    for (size_t i = 0; i < SA_HANDLES_MAX; i++) {
        struct slot *slot = &handles->slots[i];
        if (is_dead(slot, boot_ms))
            sa_wipe(slot, sizeof(*slot));
        if (slot->made_boot_ms < oldest->made_boot_ms)
            oldest = slot;
        if (slot->made_boot_ms == 0 || memcmp(slot->bound_to, bound_to, SA_SHA256_LEN) != 0)
            continue;
        of_pair++;
        if (oldest_of_pair == NULL || slot->made_boot_ms < oldest_of_pair->made_boot_ms)
            oldest_of_pair = slot;
    }
    return of_pair >= SA_HANDLES_PER_USER ? oldest_of_pair : oldest;
}

void
sa_handles_issue(struct sa_handles *handles, const char *subject, const struct sa_source *source,
                 const struct sa_proof *proof, int64_t boot_ms, char ret_handle[SA_ID_LEN + 1])
{
    uint8_t bound_to[SA_SHA256_LEN];

    bind_to(subject, source, bound_to);
    sa_random_id(ret_handle);
    pthread_mutex_lock(&handles->lock);
    struct slot *slot = room(handles, bound_to, boot_ms);
    *slot = (struct slot){.made_boot_ms = boot_ms, .proof = *proof};
    memcpy(slot->handle, ret_handle, sizeof(slot->handle));
    memcpy(slot->bound_to, bound_to, sizeof(slot->bound_to));
    pthread_mutex_unlock(&handles->lock);
}

bool
sa_handles_redeem(struct sa_handles *handles, struct sa_bytes handle, const char *subject,
                  const struct sa_source *source, int64_t boot_ms, struct sa_proof *ret_proof)
{
    uint8_t bound_to[SA_SHA256_LEN];
    bool redeemed = false;

    if (handle.len != SA_ID_LEN)
        return false;
    bind_to(subject, source, bound_to);
    pthread_mutex_lock(&handles->lock);
    for (size_t i = 0; i < SA_HANDLES_MAX; i++) {
        struct slot *slot = &handles->slots[i];
        if (slot->made_boot_ms == 0 || !sa_secret_equal(handle, sa_bytes(slot->handle, SA_ID_LEN)))
            continue;
        redeemed = !is_dead(slot, boot_ms) && memcmp(slot->bound_to, bound_to, SA_SHA256_LEN) == 0;
        if (redeemed)
            *ret_proof = slot->proof;
        sa_wipe(slot, sizeof(*slot));
        break;
    }
    pthread_mutex_unlock(&handles->lock);
    return redeemed;
}
