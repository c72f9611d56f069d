#include "pam/options.h"

enum option_kind {
    OPTION_FLAG,    /* the name alone */
    OPTION_SECONDS, /* the name, then a number in the option's range */
};

struct option {
    const char *name;
    enum option_kind kind;
    size_t offset; /* in struct sa_options */
    unsigned max;
};

static const struct option table[] = {
    {"debug", OPTION_FLAG, offsetof(struct sa_options, debug), 0},
    {"timeout=", OPTION_SECONDS, offsetof(struct sa_options, timeout_seconds),
     SA_OPTIONS_TIMEOUT_SECONDS_MAX},
    {"try_first_pass", OPTION_FLAG, offsetof(struct sa_options, try_first_pass), 0},
    {"use_authtok", OPTION_FLAG, offsetof(struct sa_options, use_authtok), 0},
    {"use_first_pass", OPTION_FLAG, offsetof(struct sa_options, use_first_pass), 0},
};

/* A decimal number of one or two digits, 1 to max. */
static bool
parse_seconds(const char *text, unsigned max, unsigned *ret_seconds)
{
    unsigned seconds = 0;
    size_t len = strlen(text);

    if (len < 1 || len > 2 || strspn(text, "0123456789") != len)
        return false;
    for (size_t i = 0; i < len; i++)
        seconds = seconds * 10 + (unsigned)(text[i] - '0');
    if (seconds < 1 || seconds > max)
        return false;
    *ret_seconds = seconds;
    return true;
}

static bool
apply(const struct option *option, const char *word, struct sa_options *options)
{
    size_t name_len = strlen(option->name);
    char *place = (char *)options + option->offset;
    unsigned seconds;

    switch (option->kind) {
    case OPTION_FLAG:
        if (strcmp(word, option->name) != 0)
            return false;
        memcpy(place, &(bool){true}, sizeof(bool));
        return true;
    case OPTION_SECONDS:
        if (strncmp(word, option->name, name_len) != 0 ||
            !parse_seconds(word + name_len, option->max, &seconds))
            return false;
        memcpy(place, &seconds, sizeof(seconds));
        return true;
    }
    return false;
}

void
sa_options_parse(int argc, const char **argv, struct sa_options *ret_options, const char **ret_bad)
{
    *ret_options = (struct sa_options){.timeout_seconds = SA_OPTIONS_TIMEOUT_SECONDS};
    *ret_bad = NULL;
    for (int i = 0; i < argc; i++) {
        bool known = false;
        for (size_t row = 0; row < SA_COUNT(table) && !known; row++)
            known = apply(&table[row], argv[i], ret_options);
        if (!known && *ret_bad == NULL)
            *ret_bad = argv[i];
    }
}
