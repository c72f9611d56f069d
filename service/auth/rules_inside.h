/* The inside of the rules: how a file is kept, for its parser and its questions. */
#ifndef SA_RULES_INSIDE_H
#define SA_RULES_INSIDE_H

#include "service/auth/rules.h"

#define SA_RULE_FROM_MAX    32u /* of one rule */
#define SA_RULE_WHEN_MAX    8u
#define SA_RULE_SHARED_MAX  256u
#define SA_RULE_V6_BITS_MAX 64u /* an IPv6 source is its /64 */

enum sa_rule_place { SA_PLACE_NET4 = 1, SA_PLACE_NET6, SA_PLACE_CONSOLE, SA_PLACE_KNOWN, SA_PLACE_UID };

struct sa_rule_from {
    enum sa_rule_place place;
    uint8_t net[16]; /* NET4 uses 4 bytes */
    unsigned bits;
    uint32_t uid;
};

struct sa_rule_when {
    uint8_t days;          /* bit tm_wday */
    uint16_t begin, until; /* minutes of the day; until <= begin: it ends on the next one */
};

/* Lists of names are slices of the text, separated by commas, checked once they are read. */
struct sa_rule {
    unsigned line;
    bool denies;
    struct sa_bytes who;
    struct sa_bytes services; /* absent: any */
    unsigned from_count;      /* 0: from anywhere */
    struct sa_rule_from from[SA_RULE_FROM_MAX];
    unsigned when_count; /* 0: at any time */
    struct sa_rule_when when[SA_RULE_WHEN_MAX];
    enum sa_factors factors;
    int64_t fresh_s;
    char name[SA_CONF_WORD_MAX + 1]; /* service_uid alone, and what follows */
    uint32_t uid;
    unsigned failures, window_s;
};

struct sa_rule_list {
    unsigned count, room;
    struct sa_rule *rules;
};

struct sa_rules {
    uint8_t *text;
    size_t text_len;
    struct sa_rule_list access, factors, service_uids;
    struct sa_conf_words session_services, console_services;
    unsigned shared_count;
    struct sa_rule_from shared[SA_RULE_SHARED_MAX];
    unsigned ambient_count;
    struct sa_bytes ambient[SA_RULES_MAX];
};

/* Readers of values. Each returns NULL, or the rule that the value breaks, a constant. */
const char *sa_rule_read_who(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_services(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_from(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_when(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_factors(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_fresh(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_uid(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_rate(struct sa_bytes value, struct sa_rule *rule);
const char *sa_rule_read_shared(struct sa_bytes word, struct sa_rule_from *ret_from);

/* NAME or @GROUP. */
const char *sa_rule_check_person(struct sa_bytes word);
const char *sa_rule_check_service(struct sa_bytes word);

/* The next of a list separated by `separator`; false at its end. An empty one between two separators is one.
 */
bool sa_rule_next(struct sa_bytes *list, char separator, struct sa_bytes *ret_word);

#endif
