/* What an encoded hash is and what it takes to compute it, read from its parameters without computing
 * anything. */
#ifndef SA_PASSWORD_COST_H
#define SA_PASSWORD_COST_H

#include "service/crypto/password.h"

struct sa_password_cost {
    enum sa_password_kind kind;
    uint64_t memory_kib;
    uint64_t millis; /* an estimate for a present machine, for admission; rounded up */
    uint64_t work;   /* Argon2id: KiB x passes; bcrypt: rounds; else 0. Comparable within a kind. */
};

/*
 * Returns false for what is not understood: another method, a malformed or cut hash. "", "*" and anything
 * that begins with "!" is SA_PASSWORD_NONE: shadow(5) means "no password" by them.
 */
bool sa_password_cost_of(const char *encoded, struct sa_password_cost *ret_cost);

#endif
