/* A rules file, read: lines, words, options. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "rules_inside.h"
#include "service/base/file.h"

#define NAME_SHOWN 200
#define WORD_SHOWN 60u

enum option {
#define RULES_OPTION(word) OPTION_##word,
#include "service/auth/rules.def"
    OPTION_COUNT
};

enum kind {
    KIND_ACCESS,
    KIND_FACTOR,
    KIND_SERVICE_UID,
    KIND_SESSION_SERVICES,
    KIND_CONSOLE_SERVICES,
    KIND_SHARED_SOURCES,
    KIND_AMBIENT,
    KIND_COUNT
};

#define HAS(word) (1u << OPTION_##word)

static const struct keyword {
    const char *word;
    enum kind kind;
    unsigned takes, needs;
} keywords[] = {
#define RULES_KEYWORD(word, kind, takes, needs) {#word, KIND_##kind, takes, needs},
#include "service/auth/rules.def"
};

static const char *const option_words[OPTION_COUNT] = {
#define RULES_OPTION(word) #word,
#include "service/auth/rules.def"
};

static const char *(*const option_readers[OPTION_COUNT])(struct sa_bytes value, struct sa_rule *rule) = {
    [OPTION_who] = sa_rule_read_who,         [OPTION_service] = sa_rule_read_services,
    [OPTION_from] = sa_rule_read_from,       [OPTION_when] = sa_rule_read_when,
    [OPTION_factors] = sa_rule_read_factors, [OPTION_fresh] = sa_rule_read_fresh,
    [OPTION_uid] = sa_rule_read_uid,         [OPTION_services] = sa_rule_read_services,
    [OPTION_rate] = sa_rule_read_rate,
};

struct parsing {
    const char *name;
    unsigned line;
    bool given[KIND_COUNT];
    struct sa_rules *rules;
    struct sa_conf_error *error;
};

/* Words are printable ASCII: lines are checked before they are taken apart. */
static enum sa_status
fail(struct parsing *parsing, struct sa_bytes word, const char *rule)
{
    snprintf(parsing->error->text, sizeof(parsing->error->text), "%.*s:%u: %.*s: %s", NAME_SHOWN,
             parsing->name, parsing->line, (int)(word.len < WORD_SHOWN ? word.len : WORD_SHOWN),
             (const char *)word.data, rule);
    return SA_INVALID_ARGUMENT;
}

static bool
is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static bool
next_word(struct sa_bytes *line, struct sa_bytes *ret_word)
{
    size_t at = 0;

    while (at < line->len && is_blank(line->data[at]))
        at++;
    size_t end = at;
    while (end < line->len && !is_blank(line->data[end]))
        end++;
    if (end == at)
        return false;
    *ret_word = sa_bytes(line->data + at, end - at);
    *line = sa_bytes(line->data + end, line->len - end);
    return true;
}

/* ---- rules with options ---- */

static enum sa_status
take_option(struct parsing *parsing, const struct keyword *keyword, struct sa_bytes word, unsigned *given,
            struct sa_rule *rule)
{
    struct sa_bytes value = word;
    struct sa_bytes name;
    unsigned option = 0;

    (void)sa_rule_next(&value, '=', &name);
    while (option < OPTION_COUNT && !sa_bytes_equal(name, sa_bytes_of(option_words[option])))
        option++;
    if (option == OPTION_COUNT || (keyword->takes & 1u << option) == 0)
        return fail(parsing, word, "unknown here");
    if (value.data == NULL || value.len == 0)
        return fail(parsing, word, "has no value");
    if ((*given & 1u << option) != 0)
        return fail(parsing, word, "is given twice");
    *given |= 1u << option;
    const char *broken = option_readers[option](value, rule);
    return broken == NULL ? SA_OK : fail(parsing, word, broken);
}

static enum sa_status
check_given(struct parsing *parsing, const struct keyword *keyword, unsigned given,
            const struct sa_rule *rule)
{
    for (unsigned option = 0; option < OPTION_COUNT; option++)
        if ((keyword->needs & ~given & 1u << option) != 0) {
            char words[32];
            snprintf(words, sizeof(words), "needs %s=", option_words[option]);
            return fail(parsing, sa_bytes_of(keyword->word), words);
        }
    if (rule->fresh_s > 0 && rule->factors == SA_FACTORS_OFF)
        return fail(parsing, sa_bytes_of("fresh"), "means nothing where no factor is asked");
    return SA_OK;
}

static enum sa_status
push(struct parsing *parsing, struct sa_rule_list *list, const struct sa_rule *rule)
{
    if (list->count == SA_RULES_MAX)
        return fail(parsing, sa_bytes_of("rules"), "are more than 1,024 of a kind");
    if (list->count == list->room) {
        unsigned room = list->room == 0 ? 8 : list->room * 2;
        struct sa_rule *grown = reallocarray(list->rules, room, sizeof(*grown));
        if (grown == NULL)
            return SA_NO_MEMORY;
        list->rules = grown;
        list->room = room;
    }
    list->rules[list->count++] = *rule;
    return SA_OK;
}

/* The name of a service_uid: for logs alone, and its own. */
static enum sa_status
take_name(struct parsing *parsing, const struct keyword *keyword, struct sa_bytes *line, struct sa_rule *rule)
{
    const struct sa_rule_list *list = &parsing->rules->service_uids;
    struct sa_bytes word;

    if (!next_word(line, &word) || sa_rule_check_service(word) != NULL)
        return fail(parsing, sa_bytes_of(keyword->word), "needs a name, 1 to 64 bytes of [A-Za-z0-9_.-]");
    memcpy(rule->name, word.data, word.len);
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(list->rules[i].name, rule->name) == 0)
            return fail(parsing, word, "is given twice");
    return SA_OK;
}

static enum sa_status
read_rule(struct parsing *parsing, const struct keyword *keyword, struct sa_bytes line)
{
    struct sa_rules *rules = parsing->rules;
    struct sa_rule rule = {.line = parsing->line, .denies = strcmp(keyword->word, "deny") == 0};
    struct sa_bytes word;
    unsigned given = 0;

    enum sa_status status =
        keyword->kind == KIND_SERVICE_UID ? take_name(parsing, keyword, &line, &rule) : SA_OK;
    while (status == SA_OK && next_word(&line, &word))
        status = take_option(parsing, keyword, word, &given, &rule);
    if (status == SA_OK)
        status = check_given(parsing, keyword, given, &rule);
    if (status != SA_OK)
        return status;
    return push(parsing,
                keyword->kind == KIND_ACCESS   ? &rules->access
                : keyword->kind == KIND_FACTOR ? &rules->factors
                                               : &rules->service_uids,
                &rule);
}

/* ---- lists ---- */

static const char *
take_service(struct sa_bytes word, struct sa_conf_words *words)
{
    const char *broken = sa_rule_check_service(word);

    if (broken != NULL)
        return broken;
    if (words->count == SA_CONF_WORDS_MAX)
        return "is one more than 32";
    memcpy(words->word[words->count], word.data, word.len);
    words->word[words->count++][word.len] = '\0';
    return NULL;
}

static const char *
take_listed(struct sa_rules *rules, enum kind kind, struct sa_bytes word)
{
    if (kind == KIND_SESSION_SERVICES)
        return take_service(word, &rules->session_services);
    if (kind == KIND_CONSOLE_SERVICES)
        return take_service(word, &rules->console_services);
    if (kind == KIND_SHARED_SOURCES)
        return rules->shared_count == SA_RULE_SHARED_MAX
                   ? "is one more than 256"
                   : sa_rule_read_shared(word, &rules->shared[rules->shared_count++]);
    if (rules->ambient_count == SA_RULES_MAX)
        return "is one more than 1,024";
    rules->ambient[rules->ambient_count++] = word;
    return sa_rule_check_person(word);
}

/* A list is the whole list: one that stands there replaces its default, also with nothing. */
static enum sa_status
read_list(struct parsing *parsing, const struct keyword *keyword, struct sa_bytes line)
{
    struct sa_bytes word;

    if (parsing->given[keyword->kind])
        return fail(parsing, sa_bytes_of(keyword->word), "is given twice");
    parsing->given[keyword->kind] = true;
    if (keyword->kind == KIND_SESSION_SERVICES)
        parsing->rules->session_services.count = 0;
    if (keyword->kind == KIND_CONSOLE_SERVICES)
        parsing->rules->console_services.count = 0;
    while (next_word(&line, &word)) {
        const char *broken = take_listed(parsing->rules, keyword->kind, word);
        if (broken != NULL)
            return fail(parsing, word, broken);
    }
    return SA_OK;
}

/* ---- lines ---- */

static enum sa_status
read_line(struct parsing *parsing, struct sa_bytes whole)
{
    struct sa_bytes line = {NULL, 0};
    struct sa_bytes word;

    (void)sa_rule_next(&whole, '#', &line);
    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    for (size_t i = 0; i < line.len; i++)
        if ((line.data[i] < ' ' && line.data[i] != '\t') || line.data[i] > '~')
            return fail(parsing, sa_bytes_of("the line"), "holds a byte that is no printable ASCII");
    if (!next_word(&line, &word))
        return SA_OK;
    for (unsigned i = 0; i < SA_COUNT(keywords); i++)
        if (sa_bytes_equal(word, sa_bytes_of(keywords[i].word)))
            return keywords[i].kind <= KIND_SERVICE_UID ? read_rule(parsing, &keywords[i], line)
                                                        : read_list(parsing, &keywords[i], line);
    return fail(parsing, word, "no rule begins so");
}

static enum sa_status
read_lines(struct parsing *parsing, struct sa_bytes text)
{
    struct sa_bytes line;
    enum sa_status status = SA_OK;

    while (status == SA_OK && sa_rule_next(&text, '\n', &line)) {
        parsing->line++;
        status = read_line(parsing, line);
    }
    if (status == SA_NO_MEMORY)
        snprintf(parsing->error->text, sizeof(parsing->error->text), "no memory");
    return status;
}

enum sa_status
sa_rules_parse(struct sa_bytes text, const char *name, struct sa_rules **ret_rules,
               struct sa_conf_error *ret_error)
{
    struct parsing parsing = {.name = name, .error = ret_error};
    SA_OWN(sa_rules) rules = calloc(1, sizeof(*rules));

    ret_error->text[0] = '\0';
    if (text.len > SA_RULES_BYTES_MAX) {
        snprintf(ret_error->text, sizeof(ret_error->text), "%.*s: is over 64 KiB", NAME_SHOWN, name);
        return SA_INVALID_ARGUMENT;
    }
    if (rules != NULL) {
        *rules = *sa_rules_default();
        rules->text = malloc(text.len + 1);
    }
    if (rules == NULL || rules->text == NULL) {
        snprintf(ret_error->text, sizeof(ret_error->text), "no memory");
        return SA_NO_MEMORY;
    }
    if (text.len > 0)
        memcpy(rules->text, text.data, text.len);
    rules->text_len = text.len;
    parsing.rules = rules;
    tzset(); /* `when` is the host's time: another zone counts from the next reload on */
    enum sa_status status = read_lines(&parsing, sa_bytes(rules->text, text.len));
    if (status == SA_OK)
        *ret_rules = sa_rules_take(&rules);
    return status;
}

enum sa_status
sa_rules_read(const char *path, struct sa_rules **ret_rules, struct sa_conf_error *ret_error)
{
    SA_OWN(sa_file_text) text = NULL;

    enum sa_status status =
        sa_file_read(path, 0, SA_RULES_BYTES_MAX, &text, ret_error->text, sizeof(ret_error->text));
    if (status == SA_NOT_FOUND)
        return sa_rules_parse(sa_bytes(NULL, 0), path, ret_rules, ret_error);
    if (status != SA_OK)
        return status;
    return sa_rules_parse(sa_bytes(text->data, text->len), path, ret_rules, ret_error);
}
