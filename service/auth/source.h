/*
 * Sources: who is charged for failed proofs (design section 5), and the sliding bucket of each.
 */
#ifndef SA_SOURCE_H
#define SA_SOURCE_H

#include "proto/bytes.h"
#include "proto/status.h"
#include "service/base/conf.h"

#define SA_SOURCE_TEXT_MAX 320u

/*
 * "addr:203.0.113.5", "net64:2001:db8:1:2::", "text:...", "uid:1000", "seat:tty1", "service:cron",
 * "client:svc@203.0.113.5", ...: what is logged, recorded and charged. Escaped.
 */
struct sa_source {
    char text[SA_SOURCE_TEXT_MAX + 1];
    unsigned whole_failures; /* of a service's uid, with all that it reports; 0: as of any source */
    unsigned whole_window_s;
    char gateway[SA_CONF_WORD_MAX + 1]; /* of a login by a public client: the instance, which has a ceiling of
                                           its own, since it reports the address; "" for none */
};

/* What is known of a PAM login's origin. */
struct sa_origin {
    struct sa_bytes service;
    struct sa_bytes rhost;
    struct sa_bytes tty;
    uint32_t acting_uid;
};

/*
 * The source of a login on root.sock: rhost as an address that is not loopback (IPv4 mapped in IPv6 is IPv4;
 * IPv6 as its /64, zone dropped), else rhost as opaque text, else the acting uid where it is not 0, else the
 * seat (tty `tty1`..`tty63` or `:N`, a leading `/dev/` taken off, where the service is in console_services),
 * else the service.
 */
void sa_source_pam(const struct sa_origin *origin, const struct sa_conf_words *console_services,
                   struct sa_source *ret_source);

/* A caller known by its uid. */
void sa_source_uid(uint32_t uid, struct sa_source *ret_source);

/* A service that may check other people (sa_rules_service_uid), and where it says that they are. */
void sa_source_service_uid(uint32_t uid, struct sa_bytes rhost, struct sa_source *ret_source);

/*
 * A client, with the address that a gateway reported or the uid that the kernel did; "" and -1 are absent.
 * The id is only claimed: one that breaks the rule is `?`.
 */
void sa_source_client(const char *client_id, const char *address, int64_t uid, struct sa_source *ret_source);

/* A caller through a network gateway, by its address. */
void sa_source_address(const char *address, struct sa_source *ret_source);

/* The buckets: a bounded table in memory, keyed by a keyed hash of the text. Thread-safe. */
struct sa_buckets;

/* `limit` failures within `window_ms`. NULL for lack of memory. */
struct sa_buckets *sa_buckets_new(unsigned limit, int64_t window_ms);
void sa_buckets_free(struct sa_buckets *buckets);
SA_DEFINE_OWN(sa_buckets, sa_buckets_free)

/*
 * Take a unit before a proof is evaluated, so that parallel guesses cannot outrun the count. Returns 0, or
 * how many milliseconds until there is one.
 */
uint32_t sa_buckets_charge(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms);

/* How long a unit would have to be waited for; takes none, and no place in the table. */
uint32_t sa_buckets_wait(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms);

/* Forget what a source has used, for an administrator; NULL: what all of them have. */
void sa_buckets_forget(struct sa_buckets *buckets, const char *source);

/* What a source has used, for an administrator. */
struct sa_bucket_row {
    char source[SA_SOURCE_TEXT_MAX + 1];
    uint32_t failures; /* within its window */
    uint32_t wait_ms;  /* until it has a unit again; 0: it has one */
};

/*
 * The next one that holds something, from *place (0 for the first), which moves on; false behind the last.
 * One source's: false where it holds nothing.
 */
bool sa_buckets_next(struct sa_buckets *buckets, int64_t boot_ms, unsigned *place,
                     struct sa_bucket_row *ret_row);
bool sa_buckets_find(struct sa_buckets *buckets, const char *source, int64_t boot_ms,
                     struct sa_bucket_row *ret_row);

/* Give it back after a success, or after a failure that is nobody's guess (overload, storage). */
void sa_buckets_give_back(struct sa_buckets *buckets, const struct sa_source *source, int64_t boot_ms);

#endif
