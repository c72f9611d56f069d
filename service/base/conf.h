/*
 * The configuration: /etc/secauth/secauthd.conf (INI) and SECAUTH_<SECTION>_<KEY>, every key from one table
 * (conf.def), which also makes --dump-config and is held to secauthd.conf(5) by a test.
 */
#ifndef SA_CONF_H
#define SA_CONF_H

#include "proto/bytes.h"
#include "proto/status.h"

#define SA_CONF_PATH      "/etc/secauth/secauthd.conf"
#define SA_CONF_BYTES_MAX (64u * 1024u)
#define SA_CONF_TEXT_MAX  255u
#define SA_CONF_WORDS_MAX 32u
#define SA_CONF_WORD_MAX  64u

struct sa_conf_words {
    unsigned count;
    char word[SA_CONF_WORDS_MAX][SA_CONF_WORD_MAX + 1];
};

#define SA_CONF_FIELD_TEXT(name)   char name[SA_CONF_TEXT_MAX + 1];
#define SA_CONF_FIELD_NUMBER(name) int64_t name;
#define SA_CONF_FIELD_WORDS(name)  struct sa_conf_words name;
#define SA_CONF_FIELD_CHOICE(name) char name[SA_CONF_WORD_MAX + 1];

struct sa_conf {
#define SETTING(section, key, type, def, min, max, unit, sentence) SA_CONF_FIELD_##type(section##_##key)
#include "service/base/conf.def"
#undef SETTING
};

/* Where and why a configuration is refused: "/etc/secauth/secauthd.conf:12: token.access_ttl: ..." */
struct sa_conf_error {
    char text[512];
};

/*
 * Read the file and the environment.
 *
 *   path      of the INI file, at most 64 KiB.
 *   environ_  the environment, or NULL for none.
 *   ret_conf  written only on SA_OK.
 *
 * Returns SA_OK; SA_INVALID_ARGUMENT for an unknown section or key, a key given twice, a value out of range,
 * a required one that is missing: *ret_error then says which, where and why.
 */
SA_MUST_CHECK enum sa_status sa_conf_read(const char *path, char *const *environ_, struct sa_conf *ret_conf,
                                          struct sa_conf_error *ret_error);

/* The same from a terminated text; `name` stands for the file in an error. */
SA_MUST_CHECK enum sa_status sa_conf_parse(const char *text, const char *name, char *const *environ_,
                                           struct sa_conf *ret_conf, struct sa_conf_error *ret_error);

bool sa_conf_has_word(const struct sa_conf_words *words, struct sa_bytes word);

/* Print every setting with its value, as a file that sa_conf_read would read. */
void sa_conf_dump(const struct sa_conf *conf, int descriptor);

#endif
