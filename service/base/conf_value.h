/* Rows of conf.def and the values that they take. For conf.c and its tests. */
#ifndef SA_CONF_VALUE_H
#define SA_CONF_VALUE_H

#include "conf.h"

enum sa_setting_type { SA_SETTING_TEXT, SA_SETTING_NUMBER, SA_SETTING_WORDS, SA_SETTING_CHOICE };

struct sa_setting {
    const char *section;
    const char *key;
    enum sa_setting_type type;
    const char *def;
    int64_t min;
    int64_t max;
    const char *unit;
    const char *sentence;
    size_t offset; /* of the field in struct sa_conf */
};

#define SA_SETTING_RULE_MAX 160u

/* Every row; *ret_count of them, sections in one piece. */
const struct sa_setting *sa_setting_table(unsigned *ret_count);

/* The row, or NULL. */
const struct sa_setting *sa_setting_find(const char *section, const char *key);

/*
 * Check a text and put it into the configuration.
 *
 *   ret_rule  on SA_INVALID_ARGUMENT, the rule that the text breaks.
 */
SA_MUST_CHECK enum sa_status sa_setting_put(const struct sa_setting *setting, const char *text,
                                            struct sa_conf *conf, char ret_rule[SA_SETTING_RULE_MAX]);

/* Whether the configuration must say it: the default is no legal value. */
bool sa_setting_is_required(const struct sa_setting *setting);

#endif
