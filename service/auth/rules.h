/*
 * The host's policy: /etc/secauth/rules, secauth-rules(5). Read whole, checked whole, never changed once it
 * is read; the daemon swaps one for another at a reload. Questions are answered from memory, by functions of
 * their arguments.
 *
 * One rule a line, `#` begins a comment, the first match of its kind wins:
 *   allow|deny who=NAME|@GROUP|*[,...] [service=NAME[,...]] [from=CIDR|console|known[,...]]
 * [when=Mon-Fri/08:00-18:00[,...]] factor ... factors=off|enrolled|after_password|always [fresh=1h]
 *   session_services NAME...   console_services NAME...   shared_sources CIDR|uid:N...
 *   service_uid NAME uid=N services=NAME[,...] [rate=N/SECONDS]      ambient NAME|@GROUP...
 * Groups are secauth's own (of the user's record). Times are the host's local time. Without a match a login
 * is allowed, and a second factor is asked of those who have one (`enrolled`), but of nobody who checks
 * themselves on the user socket.
 */
#ifndef SA_RULES_H
#define SA_RULES_H

#include "service/auth/source.h"
#include "service/base/conf.h"
#include "service/store/store.h"

#define SA_RULES_PATH      "/etc/secauth/rules"
#define SA_RULES_BYTES_MAX (64u * 1024u)
#define SA_RULES_MAX       1024u /* of each kind */

struct sa_rules;

/*
 * Read a file. One that is not there is an empty one: the defaults.
 *
 *   ret_error  on SA_INVALID_ARGUMENT "/etc/secauth/rules:12: when: ...": file, line, word and rule.
 *
 * Returns SA_OK, SA_INVALID_ARGUMENT, SA_NO_MEMORY.
 */
SA_MUST_CHECK enum sa_status sa_rules_read(const char *path, struct sa_rules **ret_rules,
                                           struct sa_conf_error *ret_error);
/* The same from memory; `name` stands for the file in an error. */
SA_MUST_CHECK enum sa_status sa_rules_parse(struct sa_bytes text, const char *name,
                                            struct sa_rules **ret_rules, struct sa_conf_error *ret_error);
void sa_rules_free(struct sa_rules *rules);
SA_DEFINE_OWN(sa_rules, sa_rules_free)

/* The text that it was read from. */
struct sa_bytes sa_rules_text(const struct sa_rules *rules);

/* What an empty file says; a constant. */
const struct sa_rules *sa_rules_default(void);

/* What a login is, to a rule. */
struct sa_rule_login {
    struct sa_bytes name;           /* as it was typed */
    const struct sa_user *user;     /* NULL for a name without a record, which only `*` and its name match */
    struct sa_bytes service;        /* PAM's, empty through a gateway */
    const struct sa_source *source; /* whom it is charged to */
    bool is_known;                  /* the source is known to the user */
    bool is_oneself;                /* checked on the user socket by the person's own uid */
    int64_t wall_ms;
};

struct sa_rule_verdict {
    bool denied;
    unsigned line; /* of the rule that decided; 0: none did */
};

/* allow and deny. */
struct sa_rule_verdict sa_rules_access(const struct sa_rules *rules, const struct sa_rule_login *login);

enum sa_factors {
    SA_FACTORS_OFF = 1,
    SA_FACTORS_ENROLLED,       /* after the password, of those who have one */
    SA_FACTORS_AFTER_PASSWORD, /* after the password, and nobody without one gets in */
    SA_FACTORS_ALWAYS,         /* asked for every name, so that the prompt confirms nothing */
};

struct sa_factor_verdict {
    enum sa_factors factors;
    int64_t fresh_s; /* a grant from the same known source with every factor asked, so recent, stands for it;
                        0: none does */
    unsigned line;
};

struct sa_factor_verdict sa_rules_factors(const struct sa_rules *rules, const struct sa_rule_login *login);

/* Whether logins through a PAM service get a session; whether it is used at the console. */
bool sa_rules_gives_session(const struct sa_rules *rules, struct sa_bytes service);
const struct sa_conf_words *sa_rules_console_services(const struct sa_rules *rules);

/* Whether a source is shared by strangers, so that it never becomes known to anybody. */
bool sa_rules_is_shared(const struct sa_rules *rules, const struct sa_source *source);

/* A uid that may check other people, `authenticate` and `account` only. */
struct sa_service_uid {
    const char *name;
    unsigned
        failures; /* failed proofs within the window, with all the addresses that it reports; 0: as any uid */
    unsigned window_s;
};

/* Whether a uid has such a rule for a service; an empty service: for any. */
bool sa_rules_service_uid(const struct sa_rules *rules, uint32_t uid, struct sa_bytes service,
                          struct sa_service_uid *ret_rule);

/* Whether what outlives a session's leader may still ask for tokens in its name. */
bool sa_rules_is_ambient(const struct sa_rules *rules, const struct sa_user *user);

#endif
