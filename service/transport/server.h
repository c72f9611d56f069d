/*
 * The sockets' side of the daemon: one thread, one epoll loop. It accepts, learns who is there, reads frames,
 * hands calls to dispatch, and sends what dispatch has made of them. Nothing that a client sends may block or
 * end it.
 */
#ifndef SA_SERVER_H
#define SA_SERVER_H

#include "service/rpc/dispatch.h"

#define SA_DOORS_MAX 18u /* root, user, and as many gateways as conf.def allows */

/* A socket that listens. */
struct sa_door_options {
    enum sa_via via;
    char gateway[SA_CONF_WORD_MAX + 1]; /* "" for none */
    uint16_t gateway_number;            /* 0 for none */
    int fd;                             /* non-blocking; the server closes it */
};

struct sa_server_options {
    struct sa_dispatch *dispatch;
    const struct sa_conf *conf;          /* read in sa_server_new only */
    const struct sa_door_options *doors; /* in the order in which they are served in every turn */
    unsigned door_count;
    bool (*uid_is_known)(void *user, uint32_t uid); /* has a record; never waits */
    void (*reload)(void *user);                     /* SIGHUP */
    void (*tick)(void *user);                       /* about once a second */
    void *user;
};

struct sa_server;

/* Block SIGTERM, SIGINT and SIGHUP, which only the loop takes, and ignore SIGPIPE. Before there are threads.
 */
void sa_server_block_signals(void);

/*
 * Make it. Returns SA_OK, SA_NO_MEMORY, or SA_INTERNAL where the kernel refuses; *ret_why is then a constant.
 */
SA_MUST_CHECK enum sa_status sa_server_new(const struct sa_server_options *options,
                                           struct sa_server **ret_server, const char **ret_why);

/*
 * Serve until SIGTERM or SIGINT: then nothing is accepted any more, new calls are SHUTTING_DOWN, and what was
 * accepted is answered, for at most 10 s.
 */
void sa_server_run(struct sa_server *server);

/* Close everything; the dispatch's lanes have been stopped. NULL is taken. */
void sa_server_free(struct sa_server *server);
SA_DEFINE_OWN(sa_server, sa_server_free)

/* sa_dispatch_options.done and .resume */
void sa_server_done(struct sa_exchange *exchange);

/* sa_dispatch_options.admit_stream */
SA_MUST_CHECK enum sa_status sa_server_admit_stream(struct sa_exchange *exchange);

/* The eventfd for the bells that streams wait for (sa_bell_hang). Closed with the server. */
int sa_server_bell(const struct sa_server *server);

#endif
