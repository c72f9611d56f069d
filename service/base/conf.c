#include "conf.h"

#include <ctype.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf_value.h"
#include "file.h"

#define LINE_LEN_MAX 198u /* what libinih reads in one piece */
#define SETTINGS_MAX 128u
#define VARIABLE_MAX 80u
#define PREFIX       "SECAUTH_"

/* One reading. The first thing that is wrong stays in `error`. */
struct reading {
    const char *path;
    const char *rest; /* of the text, unread */
    unsigned line;
    struct sa_conf *conf;
    struct sa_conf_error *error;
    bool given[SETTINGS_MAX]; /* in the file */
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void
fail(struct reading *reading, const char *format, ...)
{
    char words[384];
    va_list arguments;

    if (reading->failed)
        return;
    reading->failed = true;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    if (reading->line > 0)
        snprintf(reading->error->text, sizeof(reading->error->text), "%.100s:%u: %s", reading->path,
                 reading->line, words);
    else
        snprintf(reading->error->text, sizeof(reading->error->text), "%s", words);
}

static bool
section_is_known(const char *name, size_t len)
{
    unsigned count;
    const struct sa_setting *settings = sa_setting_table(&count);

    for (unsigned i = 0; i < count; i++)
        if (strlen(settings[i].section) == len && memcmp(settings[i].section, name, len) == 0)
            return true;
    return false;
}

/*
 * libinih's way to get a line. Leading blanks are taken off, so that no line continues the last one; an
 * unknown section is found here, since libinih is silent on sections without a key.
 */
static char *
next_line(char *ret_line, int size, void *user)
{
    struct reading *reading = user;

    if (reading->rest[0] == '\0' || reading->failed)
        return NULL;
    reading->line++;
    size_t len = strcspn(reading->rest, "\n");
    const char *line = reading->rest;
    reading->rest += len + (line[len] == '\n' ? 1 : 0);
    for (; len > 0 && (*line == ' ' || *line == '\t'); len--)
        line++;
    len -= len > 0 && line[len - 1] == '\r' ? 1 : 0;
    if (len > LINE_LEN_MAX || (int)len + 2 > size) {
        fail(reading, "a line has more than %u bytes", LINE_LEN_MAX);
        len = 0;
    }
    for (size_t i = 0; i < len; i++)
        if (iscntrl((unsigned char)line[i]) && line[i] != '\t')
            fail(reading, "a control character");
    size_t name_len = len > 0 && line[0] == '[' ? strcspn(line + 1, "]\n") : 0;
    if (len > 0 && line[0] == '[' && !section_is_known(line + 1, name_len))
        fail(reading, "unknown section [%.*s]", (int)(name_len < 50 ? name_len : 50), line + 1);
    memcpy(ret_line, line, len);
    memcpy(ret_line + len, "\n", 2);
    return ret_line;
}

/* libinih's way to report a setting. Returns 1 for good. */
static int
take_setting(void *user, const char *section, const char *key, const char *value)
{
    struct reading *reading = user;
    unsigned count;
    const struct sa_setting *settings = sa_setting_table(&count);
    const struct sa_setting *setting = sa_setting_find(section, key);
    char rule[SA_SETTING_RULE_MAX];

    if (setting == NULL) {
        fail(reading, "unknown setting %.50s%s%.50s", section, section[0] == '\0' ? "" : ".", key);
        return 0;
    }
    if (reading->given[setting - settings]) {
        fail(reading, "%s.%s is given twice", section, key);
        return 0;
    }
    reading->given[setting - settings] = true;
    if (sa_setting_put(setting, value, reading->conf, rule) == SA_OK)
        return 1;
    fail(reading, "%s.%s %s", section, key, rule);
    return 0;
}

static void
read_text(struct reading *reading)
{
    int line = ini_parse_stream(next_line, reading, take_setting, reading);
    if (line > 0 && !reading->failed) {
        reading->line = (unsigned)line;
        fail(reading, "neither [section] nor key = value");
    }
    if (line < 0)
        fail(reading, "no memory");
    reading->line = 0;
}

static void
variable_name(const struct sa_setting *setting, char ret_name[VARIABLE_MAX])
{
    snprintf(ret_name, VARIABLE_MAX, PREFIX "%s_%s", setting->section, setting->key);
    for (char *at = ret_name; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
}

/* SECAUTH_<SECTION>_ of a section that exists; SECAUTH_SESSION and SECAUTH_AUTHN are not settings. */
static bool
names_a_section(const char *variable)
{
    char section[VARIABLE_MAX];
    size_t len = strcspn(variable + sizeof(PREFIX) - 1, "_=");

    if (len >= sizeof(section) || variable[sizeof(PREFIX) - 1 + len] != '_')
        return false;
    for (size_t i = 0; i < len; i++)
        section[i] = (char)tolower((unsigned char)variable[sizeof(PREFIX) - 1 + i]);
    return section_is_known(section, len);
}

static void
take_variable(struct reading *reading, const char *variable)
{
    unsigned count;
    const struct sa_setting *settings = sa_setting_table(&count);
    char name[VARIABLE_MAX];
    char rule[SA_SETTING_RULE_MAX];
    size_t len = strcspn(variable, "=");

    for (unsigned i = 0; i < count; i++) {
        variable_name(&settings[i], name);
        if (strlen(name) != len || memcmp(name, variable, len) != 0)
            continue;
        reading->given[i] = true;
        if (sa_setting_put(&settings[i], variable + len + (variable[len] == '=' ? 1 : 0), reading->conf,
                           rule) != SA_OK)
            fail(reading, "%s in the environment: %s.%s %s", name, settings[i].section, settings[i].key,
                 rule);
        return;
    }
    if (names_a_section(variable))
        fail(reading, "%.*s in the environment: unknown setting", (int)(len < 100 ? len : 100), variable);
}

static void
put_defaults(struct sa_conf *conf)
{
    unsigned count;
    const struct sa_setting *settings = sa_setting_table(&count);
    char rule[SA_SETTING_RULE_MAX];

    memset(conf, 0, sizeof(*conf));
    for (unsigned i = 0; i < count; i++)
        if (!sa_setting_is_required(&settings[i]) &&
            sa_setting_put(&settings[i], settings[i].def, conf, rule) != SA_OK)
            abort(); /* a row of conf.def contradicts itself; a test reads them all */
}

/* What only the whole can break. */
static void
check_whole(struct reading *reading)
{
    unsigned count;
    const struct sa_setting *settings = sa_setting_table(&count);
    const struct sa_conf *conf = reading->conf;

    for (unsigned i = 0; i < count; i++)
        if (sa_setting_is_required(&settings[i]) && !reading->given[i])
            fail(reading, "%.100s: %s.%s is required: %s", reading->path, settings[i].section,
                 settings[i].key, settings[i].sentence);
    if (conf->token_key_life < 4 * conf->token_key_max_age)
        fail(reading, "%.100s: token.key_life must be at least four times token.key_max_age", reading->path);
    for (unsigned i = 0; i < conf->gateway_local.count; i++)
        if (sa_conf_has_word(&conf->gateway_network, sa_bytes_of(conf->gateway_local.word[i])))
            fail(reading, "%.100s: gateway.network names %s, which gateway.local has", reading->path,
                 conf->gateway_local.word[i]);
}

enum sa_status
sa_conf_parse(const char *text, const char *name, char *const *environ_, struct sa_conf *ret_conf,
              struct sa_conf_error *ret_error)
{
    struct sa_conf conf;
    struct reading reading = {.path = name, .rest = text, .conf = &conf, .error = ret_error};

    ret_error->text[0] = '\0';
    put_defaults(&conf);
    read_text(&reading);
    for (; environ_ != NULL && *environ_ != NULL; environ_++)
        if (strncmp(*environ_, PREFIX, sizeof(PREFIX) - 1) == 0)
            take_variable(&reading, *environ_);
    check_whole(&reading);
    if (reading.failed)
        return SA_INVALID_ARGUMENT;
    *ret_conf = conf;
    return SA_OK;
}

enum sa_status
sa_conf_read(const char *path, char *const *environ_, struct sa_conf *ret_conf,
             struct sa_conf_error *ret_error)
{
    SA_OWN(sa_file_text) text = NULL;

    enum sa_status status =
        sa_file_read(path, 0, SA_CONF_BYTES_MAX, &text, ret_error->text, sizeof(ret_error->text));
    if (status != SA_OK)
        return status == SA_NO_MEMORY ? status : SA_INVALID_ARGUMENT;
    return sa_conf_parse((const char *)text->data, path, environ_, ret_conf, ret_error);
}
