#include "client/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TIMEOUT_SECONDS_MAX 600u

/* The options that every command takes. */
struct common {
    char *output;
    char *socket;
    struct sa_ctl_number timeout;
    struct sa_ctl_option options[3];
};

static void
common_start(struct common *common)
{
    *common = (struct common){.timeout = {.max = TIMEOUT_SECONDS_MAX}};
    common->options[0] = (struct sa_ctl_option){"--output", .text = &common->output};
    common->options[1] = (struct sa_ctl_option){"--socket", .text = &common->socket};
    common->options[2] = (struct sa_ctl_option){"--timeout", .number = &common->timeout};
}

static enum sa_ctl_exit
common_finish(struct sa_ctl *ctl, const struct common *common)
{
    if (common->output != NULL) {
        ctl->json = strcmp(common->output, "json") == 0;
        if (!ctl->json && strcmp(common->output, "text") != 0) {
            sa_ctl_complain("--output takes text or json, not `%s`", common->output);
            return SA_CTL_USAGE;
        }
    }
    if (common->socket != NULL)
        ctl->socket = common->socket;
    if (common->timeout.given) {
        if (common->timeout.value == 0) {
            sa_ctl_complain("--timeout takes 1 to %u seconds", TIMEOUT_SECONDS_MAX);
            return SA_CTL_USAGE;
        }
        ctl->timeout_s = (uint32_t)common->timeout.value;
    }
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_usage(const struct sa_ctl *ctl)
{
    if (ctl->row == NULL)
        fputs("usage: secauthctl [--output text|json] [--socket PATH] [--timeout SECONDS] COMMAND ...\n",
              stderr);
    else
        fprintf(stderr, "usage: secauthctl %s%s%s\n", ctl->row->name,
                ctl->row->arguments[0] == '\0' ? "" : " ", ctl->row->arguments);
    return SA_CTL_USAGE;
}

/* Values. */

static enum sa_ctl_exit
take_number(const struct sa_ctl_option *option, const char *value)
{
    struct sa_ctl_number *number = option->number;
    uint64_t sum = 0;
    size_t len = strlen(value);

    bool fits = len > 0 && len <= 20 && strspn(value, "0123456789") == len;
    for (size_t i = 0; fits && i < len; i++)
        fits = !__builtin_mul_overflow(sum, 10u, &sum) &&
               !__builtin_add_overflow(sum, (uint64_t)(value[i] - '0'), &sum);
    if (!fits || sum > number->max) {
        sa_ctl_complain("%s takes a number from 0 to %llu, not `%s`", option->name,
                        (unsigned long long)number->max, value);
        return SA_CTL_USAGE;
    }
    number->given = true;
    number->value = sum;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
take_item(const struct sa_ctl_option *option, char *value)
{
    struct sa_ctl_list *list = option->list;

    if (list->count == SA_CTL_LIST_MAX) {
        sa_ctl_complain("%s may be given %u times at most", option->name, SA_CTL_LIST_MAX);
        return SA_CTL_USAGE;
    }
    list->items[list->count++] = value;
    return SA_CTL_OK;
}

static bool
given_before(const struct sa_ctl_option *option)
{
    return (option->flag != NULL && *option->flag) || (option->text != NULL && *option->text != NULL) ||
           (option->number != NULL && option->number->given);
}

/* The option of a word: its name is the whole word, or what stands before '='. */
static const struct sa_ctl_option *
find(const struct sa_ctl_option *options, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(options[i].name);
        if (strncmp(word, options[i].name, len) == 0 && (word[len] == '\0' || word[len] == '='))
            return &options[i];
    }
    return NULL;
}

/* Take the option that the first word names, and its value. */
static enum sa_ctl_exit
take_option(struct sa_ctl *ctl, const struct sa_ctl_option *option)
{
    char *word = ctl->words[0];
    char *value = strchr(word, '=');

    ctl->words++;
    ctl->count--;
    if (given_before(option)) {
        sa_ctl_complain("%s is given twice", option->name);
        return SA_CTL_USAGE;
    }
    if (option->flag != NULL) {
        if (value != NULL) {
            sa_ctl_complain("%s takes no value", option->name);
            return SA_CTL_USAGE;
        }
        *option->flag = true;
        return SA_CTL_OK;
    }
    if (value != NULL)
        value++;
    if (value == NULL) {
        if (ctl->count == 0) {
            sa_ctl_complain("%s needs a value", option->name);
            return SA_CTL_USAGE;
        }
        value = *ctl->words++;
        ctl->count--;
    }
    if (option->number != NULL)
        return take_number(option, value);
    if (option->list != NULL)
        return take_item(option, value);
    *option->text = value;
    return SA_CTL_OK;
}

/* Two commands look like options. */
static bool
is_command(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "--offline") == 0;
}

enum sa_ctl_exit
sa_ctl_parse_first(struct sa_ctl *ctl)
{
    struct common common;

    common_start(&common);
    while (ctl->count > 0 && ctl->words[0][0] == '-' && !is_command(ctl->words[0])) {
        const struct sa_ctl_option *option = find(common.options, SA_COUNT(common.options), ctl->words[0]);
        if (option == NULL) {
            sa_ctl_complain("there is no option `%s`", ctl->words[0]);
            return sa_ctl_usage(ctl);
        }
        enum sa_ctl_exit result = take_option(ctl, option);
        if (result != SA_CTL_OK)
            return result;
    }
    return common_finish(ctl, &common);
}

/* At most `name_max` other words; *ret_count says how many. */
static enum sa_ctl_exit
parse(struct sa_ctl *ctl, const struct sa_ctl_option *options, size_t option_count, char **ret_names,
      size_t name_max, size_t *ret_count)
{
    struct common common;
    size_t names = 0;
    bool only_names = false;

    common_start(&common);
    while (ctl->count > 0) {
        char *word = ctl->words[0];
        if (!only_names && word[0] == '-' && word[1] != '\0') {
            if (strcmp(word, "--") == 0) {
                only_names = true;
                ctl->words++;
                ctl->count--;
                continue;
            }
            const struct sa_ctl_option *option = find(options, option_count, word);
            if (option == NULL)
                option = find(common.options, SA_COUNT(common.options), word);
            if (option == NULL) {
                sa_ctl_complain("`%s` has no option `%s`", ctl->row->name, word);
                return sa_ctl_usage(ctl);
            }
            enum sa_ctl_exit result = take_option(ctl, option);
            if (result != SA_CTL_OK)
                return sa_ctl_usage(ctl);
            continue;
        }
        if (names == name_max) {
            sa_ctl_complain("`%s` is one word too many", word);
            return sa_ctl_usage(ctl);
        }
        ret_names[names++] = word;
        ctl->words++;
        ctl->count--;
    }
    *ret_count = names;
    return common_finish(ctl, &common);
}

enum sa_ctl_exit
sa_ctl_parse(struct sa_ctl *ctl, const struct sa_ctl_option *options, size_t option_count, char **ret_names,
             size_t name_count)
{
    size_t count;
    enum sa_ctl_exit result = parse(ctl, options, option_count, ret_names, name_count, &count);

    return result == SA_CTL_OK && count < name_count ? sa_ctl_usage(ctl) : result;
}

enum sa_ctl_exit
sa_ctl_parse_names(struct sa_ctl *ctl, const struct sa_ctl_option *options, size_t option_count,
                   struct sa_ctl_list *ret_names)
{
    return parse(ctl, options, option_count, ret_names->items, SA_CTL_LIST_MAX, &ret_names->count);
}

/* Dates and lists. */

enum sa_ctl_exit
sa_ctl_parse_date(const char *text, int64_t *ret_seconds)
{
    static const char *const forms[] = {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"};
    static const size_t lengths[] = {sizeof("2026-12-31") - 1, sizeof("2026-12-31T18:00:00Z") - 1};

    for (size_t i = 0; i < SA_COUNT(forms); i++) {
        struct tm tm = {0};
        char again[32];
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || *end != '\0' || strlen(text) != lengths[i])
            continue;
        /* Written again it must read the same: 30 February would become a day in March. */
        time_t seconds = timegm(&tm);
        if (gmtime_r(&seconds, &tm) != NULL &&
            strftime(again, sizeof(again), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0 &&
            strncmp(again, text, lengths[i]) == 0 && seconds >= 0) {
            *ret_seconds = seconds;
            return SA_CTL_OK;
        }
    }
    sa_ctl_complain("`%s` is no date: write 2026-12-31 or 2026-12-31T18:00:00Z (UTC)", text);
    return SA_CTL_USAGE;
}

enum sa_ctl_exit
sa_ctl_split(char *text, struct sa_ctl_list *ret_words)
{
    size_t count = 0;

    for (char *word = text; word != NULL;) {
        char *comma = strchr(word, ',');
        if (comma != NULL)
            *comma = '\0';
        if (*word == '\0' || count == SA_CTL_LIST_MAX) {
            sa_ctl_complain("a list is 1 to %u words with single commas between them", SA_CTL_LIST_MAX);
            return SA_CTL_USAGE;
        }
        ret_words->items[count++] = word;
        word = comma == NULL ? NULL : comma + 1;
    }
    ret_words->count = count;
    return SA_CTL_OK;
}
