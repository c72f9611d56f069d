#include "conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct sa_setting table[] = {
#define SETTING(section, key, type, def, min, max, unit, sentence)                                           \
    {#section, #key,     SA_SETTING_##type,                                                                  \
     def,      min,      max,                                                                                \
     unit,     sentence, offsetof(struct sa_conf, section##_##key)},
#include "service/base/conf.def"
#undef SETTING
};

const struct sa_setting *
sa_setting_table(unsigned *ret_count)
{
    *ret_count = SA_COUNT(table);
    return table;
}

const struct sa_setting *
sa_setting_find(const char *section, const char *key)
{
    for (unsigned i = 0; i < SA_COUNT(table); i++)
        if (strcmp(table[i].section, section) == 0 && strcmp(table[i].key, key) == 0)
            return &table[i];
    return NULL;
}

/* What a text of each unit must look like, beyond its length. */

static bool
only_holds(const char *text, const char *others)
{
    for (; *text != '\0'; text++)
        if (!isdigit((unsigned char)*text) && !islower((unsigned char)*text) && strchr(others, *text) == NULL)
            return false;
    return true;
}

static bool
is_posix_name(const char *text)
{
    return (islower((unsigned char)text[0]) || text[0] == '_') && only_holds(text, "_.-");
}

static bool
is_gateway_name(const char *text)
{
    return islower((unsigned char)text[0]) && only_holds(text, "-");
}

static bool
is_gid(const char *text)
{
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    return text[strspn(text, "0123456789")] == '\0' && errno == 0 && number < UINT32_MAX;
}

static bool
is_path(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f || *at == ';')
            return false;
    return text[0] == '/' && strstr(text, "/../") == NULL;
}

/* https://host[:port]: RFC 8414 section 2, narrowed to an issuer without a path. */
static bool
is_issuer(const char *text)
{
    static const char scheme[] = "https://";

    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0)
        return false;
    text += sizeof(scheme) - 1;
    return (isalnum((unsigned char)text[0]) || text[0] == '[') && only_holds(text, ".-:[]");
}

static const struct form {
    const char *unit;
    bool (*holds)(const char *text);
    const char *rule;
} forms[] = {
    {"name", is_posix_name, "a name of [a-z_][a-z0-9_.-]*"},
    {"group", is_posix_name, "a name of [a-z_][a-z0-9_.-]*"},
    {"names", is_gateway_name, "names of [a-z][a-z0-9-]*"},
    {"gid", is_gid, "a number below 4294967295, or nothing"},
    {"path", is_path, "an absolute path without spaces, `;` and `..`"},
    {"URL", is_issuer, "https://host[:port] in small letters, without a path"},
};

static const struct form *
form_of(const struct sa_setting *setting)
{
    for (unsigned i = 0; i < SA_COUNT(forms); i++)
        if (strcmp(forms[i].unit, setting->unit) == 0)
            return &forms[i];
    return NULL;
}

static bool
has_form(const struct sa_setting *setting, const char *text)
{
    const struct form *form = form_of(setting);
    return form == NULL || text[0] == '\0' || form->holds(text);
}

/* The four types; each writes its field on success only. */

static bool
put_text(const struct sa_setting *setting, const char *text, char *ret_field)
{
    size_t len = strlen(text);

    if (len < (size_t)setting->min || len > (size_t)setting->max || !has_form(setting, text))
        return false;
    memcpy(ret_field, text, len + 1);
    return true;
}

static bool
put_number(const struct sa_setting *setting, const char *text, int64_t *ret_field)
{
    char *end;

    if (!isdigit((unsigned char)text[0])) /* no sign, no space */
        return false;
    errno = 0;
    int64_t number = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < setting->min || number > setting->max)
        return false;
    *ret_field = number;
    return true;
}

static bool
put_words(const struct sa_setting *setting, const char *text, struct sa_conf_words *ret_field)
{
    struct sa_conf_words words = {0};

    for (;;) {
        text += strspn(text, " \t");
        size_t len = strcspn(text, " \t");
        if (len == 0)
            break;
        if (len > SA_CONF_WORD_MAX || words.count == (unsigned)setting->max)
            return false;
        char *word = words.word[words.count];
        memcpy(word, text, len);
        if (!has_form(setting, word) || sa_conf_has_word(&words, sa_bytes_of(word)))
            return false;
        words.count++;
        text += len;
    }
    *ret_field = words;
    return true;
}

static bool
put_choice(const struct sa_setting *setting, const char *text, char *ret_field)
{
    size_t len = strlen(text);

    for (const char *at = setting->unit; len > 0;) {
        size_t word = strcspn(at, "|");
        if (word == len && memcmp(at, text, len) == 0) {
            memcpy(ret_field, text, len + 1);
            return true;
        }
        if (at[word] == '\0')
            break;
        at += word + 1;
    }
    return false;
}

static void
say_rule(const struct sa_setting *setting, char ret_rule[SA_SETTING_RULE_MAX])
{
    const struct form *form = form_of(setting);
    const char *words = form == NULL ? setting->unit : form->rule;

    switch (setting->type) {
    case SA_SETTING_TEXT:
        snprintf(ret_rule, SA_SETTING_RULE_MAX, "must be %s, of %d to %d bytes", words, (int)setting->min,
                 (int)setting->max);
        return;
    case SA_SETTING_NUMBER:
        snprintf(ret_rule, SA_SETTING_RULE_MAX, "must be a number from %lld to %lld (%s)",
                 (long long)setting->min, (long long)setting->max, setting->unit);
        return;
    case SA_SETTING_WORDS:
        snprintf(ret_rule, SA_SETTING_RULE_MAX, "must be at most %d %s, each once and of at most %u bytes",
                 (int)setting->max, words, SA_CONF_WORD_MAX);
        return;
    case SA_SETTING_CHOICE:
        snprintf(ret_rule, SA_SETTING_RULE_MAX, "must be one of %s", setting->unit);
        return;
    }
}

enum sa_status
sa_setting_put(const struct sa_setting *setting, const char *text, struct sa_conf *conf,
               char ret_rule[SA_SETTING_RULE_MAX])
{
    void *field = (uint8_t *)conf + setting->offset;
    bool taken = false;

    switch (setting->type) {
    case SA_SETTING_TEXT:
        taken = put_text(setting, text, field);
        break;
    case SA_SETTING_NUMBER:
        taken = put_number(setting, text, field);
        break;
    case SA_SETTING_WORDS:
        taken = put_words(setting, text, field);
        break;
    case SA_SETTING_CHOICE:
        taken = put_choice(setting, text, field);
        break;
    }
    if (taken)
        return SA_OK;
    say_rule(setting, ret_rule);
    return SA_INVALID_ARGUMENT;
}

bool
sa_setting_is_required(const struct sa_setting *setting)
{
    return setting->type == SA_SETTING_TEXT && strlen(setting->def) < (size_t)setting->min;
}

bool
sa_conf_has_word(const struct sa_conf_words *words, struct sa_bytes word)
{
    for (unsigned i = 0; i < words->count; i++)
        if (sa_bytes_equal(sa_bytes_of(words->word[i]), word))
            return true;
    return false;
}

static void
dump_value(const struct sa_setting *setting, const struct sa_conf *conf, int descriptor)
{
    const void *field = (const uint8_t *)conf + setting->offset;
    const struct sa_conf_words *words = field;

    switch (setting->type) {
    case SA_SETTING_TEXT:
    case SA_SETTING_CHOICE:
        dprintf(descriptor, "%s = %s\n", setting->key, (const char *)field);
        return;
    case SA_SETTING_NUMBER:
        dprintf(descriptor, "%s = %lld\n", setting->key, (long long)*(const int64_t *)field);
        return;
    case SA_SETTING_WORDS:
        dprintf(descriptor, "%s =", setting->key);
        for (unsigned i = 0; i < words->count; i++)
            dprintf(descriptor, " %s", words->word[i]);
        dprintf(descriptor, "\n");
        return;
    }
}

void
sa_conf_dump(const struct sa_conf *conf, int descriptor)
{
    const char *section = "";

    for (unsigned i = 0; i < SA_COUNT(table); i++) {
        if (strcmp(table[i].section, section) != 0)
            dprintf(descriptor, "[%s]\n", table[i].section);
        section = table[i].section;
        dprintf(descriptor, "# %s\n", table[i].sentence);
        dump_value(&table[i], conf, descriptor);
    }
}
