/*
 * The smallest words everything else is written in: bytes that somebody else owns, ownership that a
 * declaration shows, results that must be looked at.
 */
#ifndef SA_BYTES_H
#define SA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A result that may not be dropped. */
#define SA_MUST_CHECK __attribute__((warn_unused_result))

/* A parameter that an interface demands and this function does not need. */
#define SA_UNUSED __attribute__((unused))

/*
 * SA_OWN(sa_thing) name = ...: a pointer to struct sa_thing that is freed, and wiped where it holds a secret,
 * when it goes out of scope. SA_DEFINE_OWN(sa_thing, sa_thing_free) beside the type makes it possible; the
 * free function takes NULL. sa_thing_take(&name) gives the pointer away.
 */
#define SA_OWN(type) __attribute__((cleanup(type##_own_cleanup))) struct type *
#define SA_DEFINE_OWN(type, free_function)                                                                   \
    static inline void type##_own_cleanup(struct type **owned)                                               \
    {                                                                                                        \
        free_function(*owned);                                                                               \
    }                                                                                                        \
    static inline struct type *type##_take(struct type **owned)                                              \
    {                                                                                                        \
        struct type *taken = *owned;                                                                         \
        *owned = NULL;                                                                                       \
        return taken;                                                                                        \
    }

#define SA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that somebody else owns; not terminated. {NULL, 0} is absent, and so is {x, 0}. */
struct sa_bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct sa_bytes
sa_bytes(const void *data, size_t len)
{
    return (struct sa_bytes){data, len};
}

/* The bytes of a terminated string, NULL taken as "". */
static inline struct sa_bytes
sa_bytes_of(const char *text)
{
    return (struct sa_bytes){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

/* An unsigned number as `len` bytes, most significant first, and back. */
static inline void
sa_put_number(uint8_t *ret_at, uint64_t number, unsigned len)
{
    while (len-- > 0) {
        ret_at[len] = (uint8_t)number;
        number >>= 8;
    }
}

static inline uint64_t
sa_get_number(const uint8_t *at, unsigned len)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < len; i++)
        number = number << 8 | at[i];
    return number;
}

/* Equality of public data. Secrets are compared with sa_secret_equal (service/base/secret.h) in constant
 * time. */
static inline bool
sa_bytes_equal(struct sa_bytes a, struct sa_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#endif
