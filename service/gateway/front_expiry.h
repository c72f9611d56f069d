/* When the certificates of a front expire: a warning in the log well before, and at the end. */
#ifndef SA_GATEWAY_FRONT_EXPIRY_H
#define SA_GATEWAY_FRONT_EXPIRY_H

#include "service/gateway/front_tls.h"

enum sa_front_expiry_stage { SA_FRONT_FRESH, SA_FRONT_AGEING, SA_FRONT_EXPIRED };

/* Embedded in a front; zeroed before the first use. */
struct sa_front_expiry {
    struct sa_loop *loop;
    struct sa_loop_timer timer;
    const SSL_CTX *ctx;
    const struct sa_front_files *files;
    enum sa_front_expiry_stage stage; /* that the log knows of */
    int64_t told_ms;
};

/*
 * Look at the server's certificate and the client CAs of a context, now and from time to time: a warning when
 * less than a third of a life is left, every day from then on, and an error once it is over.
 *
 *   ctx, files  must live until another context is given, or until sa_front_expiry_forget.
 */
void sa_front_expiry_watch(struct sa_front_expiry *expiry, struct sa_loop *loop, const SSL_CTX *ctx,
                           const struct sa_front_files *files);
void sa_front_expiry_forget(struct sa_front_expiry *expiry);

#endif
