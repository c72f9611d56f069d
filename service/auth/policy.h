/*
 * The two files that the daemon goes by, read together: the configuration, and the rules that it names. What
 * was in force last is kept beside the store, so that a typing error does not lock a host.
 */
#ifndef SA_POLICY_H
#define SA_POLICY_H

#include "service/auth/rules.h"

/* Readable like the files themselves: root may have no CAP_DAC_READ_SEARCH when it starts the daemon. */
#define SA_LAST_GOOD_CONF  "/var/lib/secauth/last-good/secauthd.conf"
#define SA_LAST_GOOD_RULES "/var/lib/secauth/last-good/rules"

struct sa_file_text;

struct sa_policy {
    struct sa_policy *older; /* the reader's, for keeping them */
    struct sa_conf conf;
    struct sa_rules *rules;
    struct sa_file_text *conf_text;
    struct sa_conf_error last_good; /* why a copy stands in for a file; "" where none does */
};

void sa_policy_free(struct sa_policy *policy); /* not the older ones */
SA_DEFINE_OWN(sa_policy, sa_policy_free)

/*
 * Read both, or neither.
 *   copies  at a start: a file that is refused is replaced by its last good copy, where that one passes.
 * Returns SA_OK; SA_INVALID_ARGUMENT or SA_NO_MEMORY with *ret_error filled in.
 */
SA_MUST_CHECK enum sa_status sa_policy_read(const char *conf_path, char *const *environ_, bool copies,
                                            struct sa_policy **ret_policy, struct sa_conf_error *ret_error);

/* Keep copies of what is in force; not of what is a copy. SA_OK, or SA_STORAGE: the old ones stand. */
SA_MUST_CHECK enum sa_status sa_policy_keep(const struct sa_policy *policy);

#endif
