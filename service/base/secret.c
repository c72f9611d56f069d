#include "secret.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#define SECRET_LEN_MAX 65536u

struct sa_secret {
    size_t len;
    uint8_t *data; /* guarded and locked; the header needs neither */
};

struct sa_secret *
sa_secret_new(size_t len)
{
    assert(len >= 1 && len <= SECRET_LEN_MAX);
    if (sodium_init() < 0)
        return NULL;
    SA_OWN(sa_secret) secret = calloc(1, sizeof(*secret));
    if (secret == NULL)
        return NULL;
    secret->len = len;
    secret->data = sodium_malloc(len);
    if (secret->data == NULL)
        return NULL;
    sodium_memzero(secret->data, len);
    return sa_secret_take(&secret);
}

struct sa_secret *
sa_secret_copy(struct sa_bytes bytes)
{
    struct sa_secret *secret = sa_secret_new(bytes.len);
    if (secret != NULL)
        memcpy(secret->data, bytes.data, bytes.len);
    return secret;
}

void
sa_secret_free(struct sa_secret *secret)
{
    if (secret == NULL)
        return;
    sodium_free(secret->data); /* wipes; takes NULL */
    free(secret);
}

uint8_t *
sa_secret_data(struct sa_secret *secret)
{
    return secret->data;
}

struct sa_bytes
sa_secret_bytes(const struct sa_secret *secret)
{
    return sa_bytes(secret->data, secret->len);
}

bool
sa_secret_equal(struct sa_bytes a, struct sa_bytes b)
{
    return a.len == b.len && (a.len == 0 || sodium_memcmp(a.data, b.data, a.len) == 0);
}
