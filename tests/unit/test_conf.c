/* links: sa_base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "service/base/conf.h"
#include "service/base/conf_value.h"

#define ISSUER "[token]\nissuer = https://a.example\n"

static char path[64];

static void
write_file(const void *text, size_t len)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static enum sa_status
read_bytes(const void *text, size_t len, char *const *variables, struct sa_conf *conf,
           struct sa_conf_error *error)
{
    write_file(text, len);
    return sa_conf_read(path, variables, conf, error);
}

/* Reading must fail and say `line` (0: none) and `words`; nothing is written. */
static void
refuses(const char *text, unsigned line, const char *words)
{
    struct sa_conf conf = {.token_backdate = 4711};
    struct sa_conf_error error;
    char where[96];

    assert_int_equal(read_bytes(text, strlen(text), NULL, &conf, &error), SA_INVALID_ARGUMENT);
    snprintf(where, sizeof(where), "%s:%u: ", path, line);
    if (line > 0)
        assert_ptr_equal(strstr(error.text, where), error.text);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.text, words);
    assert_int_equal(conf.token_backdate, 4711);
}

static void
an_unknown_key_is_refused_with_its_line(SA_UNUSED void **state)
{
    refuses(ISSUER "\n# words\nisuer = x\n", 5, "unknown setting token.isuer");
    refuses("[token]\nissuer = https://a.example\n[store]\nissuer = b\n", 4, "unknown setting store.issuer");
    refuses("issuer = https://a.example\n", 1, "unknown setting issuer");
}

static void
an_unknown_section_is_refused_even_if_it_is_empty(SA_UNUSED void **state)
{
    refuses(ISSUER "[tokens]\n", 3, "unknown section [tokens]");
    refuses(ISSUER "  [tokens]\naccess_ttl = 60\n", 3, "unknown section [tokens]");
    refuses(ISSUER "[token", 3, "");
}

static void
a_key_given_twice_is_refused(SA_UNUSED void **state)
{
    refuses(ISSUER "issuer = https://b.example\n", 3, "token.issuer is given twice");
    refuses(ISSUER "[login]\ndenial_floor = 20\n[token]\nissuer = https://b.example\n", 6, "given twice");
}

static void
a_number_out_of_its_range_or_form_is_refused(SA_UNUSED void **state)
{
    static const char *const bad[] = {"29", "3601", "-30", "+60", "60s", "0x40", "", "99999999999999999999",
                                      "6 0"};
    char text[128];

    for (unsigned i = 0; i < SA_COUNT(bad); i++) {
        snprintf(text, sizeof(text), ISSUER "access_ttl = %s\n", bad[i]);
        refuses(text, 3, "token.access_ttl must be a number from 30 to 3600 (seconds)");
    }
}

static void
an_issuer_with_anything_but_host_and_port_is_refused(SA_UNUSED void **state)
{
    static const char *const bad[] = {"http://a.example",    "https://",          "https://a.example/",
                                      "https://a.example/x", "https://A.example", "https://a b",
                                      "https://a?b",         "a.example"};
    char text[128];

    for (unsigned i = 0; i < SA_COUNT(bad); i++) {
        snprintf(text, sizeof(text), "[token]\nissuer = %s\n", bad[i]);
        refuses(text, 2, "token.issuer must be https://host[:port]");
    }
}

static void
other_texts_that_lack_their_form_are_refused(SA_UNUSED void **state)
{
    refuses(ISSUER "[store]\npath = var/secauth.db\n", 4, "store.path must be an absolute path");
    refuses(ISSUER "[store]\npath = /var/../etc/x\n", 4, "store.path must be an absolute path");
    refuses(ISSUER "[secauthd]\nuser = -x\n", 4, "secauthd.user must be a name");
    refuses(ISSUER "[secauthd]\nadmin_group = wheel\n", 4, "secauthd.admin_group must be a number");
    refuses(ISSUER "[secauthd]\nadmin_group = 4294967295\n", 4, "secauthd.admin_group must be a number");
    refuses(ISSUER "[secauthd]\nlog_level = loud\n", 4, "must be one of error|warning|info|debug");
    refuses(ISSUER "[secauthd]\nlog_level =\n", 4, "must be one of error|warning|info|debug");
    refuses(ISSUER "[gateway]\nlocal = ../x\n", 4, "gateway.local must be at most 8 names");
    refuses(ISSUER "[gateway]\nlocal = a a\n", 4, "each once");
    refuses(ISSUER "[gateway]\nlocal = a b c d e f g h i\n", 4, "at most 8");
    refuses(ISSUER "[gateway]\nlocal = a\nnetwork = b a\n", 0, "gateway.network names a");
}

static void
what_is_required_must_be_there(SA_UNUSED void **state)
{
    refuses("", 0, "token.issuer is required");
    refuses("[token]\naccess_ttl = 60\n", 0, "token.issuer is required");
}

static void
lines_that_are_no_settings_are_refused(SA_UNUSED void **state)
{
    char text[512] = ISSUER "[store]\npath = /";
    size_t len = strlen(text);

    refuses(ISSUER "hello\n", 3, "neither [section] nor key = value");
    refuses(ISSUER "access_ttl = 60\n  and more\n", 4, "neither [section] nor key = value");
    refuses(ISSUER "access_ttl\x01 = 60\n", 3, "control character");
    memset(text + len, 'a', 200);
    text[len + 200] = '\0';
    refuses(text, 4, "a line has more than 198 bytes");
}

static void
a_file_that_is_missing_or_too_large_or_holds_a_nul_is_refused(SA_UNUSED void **state)
{
    static char large[64 * 1024 + 1];
    struct sa_conf conf;
    struct sa_conf_error error;

    unlink(path);
    assert_int_equal(sa_conf_read(path, NULL, &conf, &error), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "No such file"));
    assert_int_equal(sa_conf_read("/tmp", NULL, &conf, &error), SA_INVALID_ARGUMENT);
    memset(large, '\n', sizeof(large));
    assert_int_equal(read_bytes(large, sizeof(large), NULL, &conf, &error), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "is over 64 KiB"));
    memcpy(large, ISSUER, strlen(ISSUER));
    assert_int_equal(read_bytes(large, sizeof(large) - 1, NULL, &conf, &error), SA_OK);
    assert_int_equal(read_bytes(ISSUER "\0", sizeof(ISSUER), NULL, &conf, &error), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "holds a NUL"));
}

static void
a_bad_value_in_the_environment_is_refused_by_its_name(SA_UNUSED void **state)
{
    char *const range[] = {(char[]){"SECAUTH_TOKEN_ACCESS_TTL=1"}, NULL};
    char *const unknown[] = {(char[]){"SECAUTH_TOKEN_ACCES_TTL=60"}, NULL};
    struct sa_conf conf;
    struct sa_conf_error error;

    assert_int_equal(read_bytes(ISSUER, strlen(ISSUER), range, &conf, &error), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "SECAUTH_TOKEN_ACCESS_TTL in the environment"));
    assert_int_equal(read_bytes(ISSUER, strlen(ISSUER), unknown, &conf, &error), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "SECAUTH_TOKEN_ACCES_TTL in the environment: unknown setting"));
}

static void
the_environment_wins_over_the_file(SA_UNUSED void **state)
{
    char *const variables[] = {(char[]){"HOME=/"}, (char[]){"SECAUTH_SESSION=x"},
                               (char[]){"SECAUTH_TOKEN_ISSUER=https://b.example:8443"},
                               (char[]){"SECAUTH_GATEWAY_LOCAL=one cron"}, NULL};
    struct sa_conf conf;
    struct sa_conf_error error;

    assert_int_equal(read_bytes("", 0, variables, &conf, &error), SA_OK);
    assert_int_equal(read_bytes(ISSUER, strlen(ISSUER), variables, &conf, &error), SA_OK);
    assert_string_equal(conf.token_issuer, "https://b.example:8443");
    assert_int_equal(conf.gateway_local.count, 2);
    assert_true(sa_conf_has_word(&conf.gateway_local, sa_bytes_of("cron")));
    assert_false(sa_conf_has_word(&conf.gateway_local, sa_bytes_of("login")));
}

static void
what_is_not_said_has_its_default(SA_UNUSED void **state)
{
    struct sa_conf conf;
    struct sa_conf_error error;

    assert_int_equal(read_bytes(ISSUER, strlen(ISSUER), NULL, &conf, &error), SA_OK);
    assert_string_equal(conf.secauthd_user, "secauth");
    assert_int_equal(conf.token_access_ttl, 600);
    assert_string_equal(conf.login_unmanaged, "ask");
    assert_int_equal(conf.gateway_local.count, 0);
}

static void
comments_spaces_and_line_ends_of_others_are_taken(SA_UNUSED void **state)
{
    static const char text[] = "\xef\xbb\xbf; first\r\n[token]\r\n\tissuer=https://a.example\r\n"
                               "  access_ttl   :  77   ; seconds\r\n[gateway]\nlocal =\n# end";
    struct sa_conf conf;
    struct sa_conf_error error;

    assert_int_equal(read_bytes(text, strlen(text), NULL, &conf, &error), SA_OK);
    assert_string_equal(conf.token_issuer, "https://a.example");
    assert_int_equal(conf.token_access_ttl, 77);
    assert_int_equal(conf.gateway_local.count, 0);
}

static void
what_is_dumped_reads_as_the_same(SA_UNUSED void **state)
{
    char *const variables[] = {(char[]){"SECAUTH_GATEWAY_LOCAL=one two"},
                               (char[]){"SECAUTH_SECAUTHD_ADMIN_GROUP=27"}, NULL};
    struct sa_conf conf;
    struct sa_conf again;
    struct sa_conf_error error;

    assert_int_equal(read_bytes(ISSUER, strlen(ISSUER), variables, &conf, &error), SA_OK);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    sa_conf_dump(&conf, fileno(file));
    fclose(file);
    assert_int_equal(sa_conf_read(path, NULL, &again, &error), SA_OK);
    assert_memory_equal(&conf, &again, sizeof(conf));
}

static void
every_row_of_the_table_takes_its_default(SA_UNUSED void **state)
{
    unsigned count;
    const struct sa_setting *settings = sa_setting_table(&count);
    static struct sa_conf conf;
    char rule[SA_SETTING_RULE_MAX];

    assert_true(count > 20);
    for (unsigned i = 0; i < count; i++) {
        bool taken = sa_setting_put(&settings[i], settings[i].def, &conf, rule) == SA_OK;
        assert_true(taken != sa_setting_is_required(&settings[i]));
        assert_ptr_equal(sa_setting_find(settings[i].section, settings[i].key), &settings[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_key_is_refused_with_its_line),
        cmocka_unit_test(an_unknown_section_is_refused_even_if_it_is_empty),
        cmocka_unit_test(a_key_given_twice_is_refused),
        cmocka_unit_test(a_number_out_of_its_range_or_form_is_refused),
        cmocka_unit_test(an_issuer_with_anything_but_host_and_port_is_refused),
        cmocka_unit_test(other_texts_that_lack_their_form_are_refused),
        cmocka_unit_test(what_is_required_must_be_there),
        cmocka_unit_test(lines_that_are_no_settings_are_refused),
        cmocka_unit_test(a_file_that_is_missing_or_too_large_or_holds_a_nul_is_refused),
        cmocka_unit_test(a_bad_value_in_the_environment_is_refused_by_its_name),
        cmocka_unit_test(the_environment_wins_over_the_file),
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(comments_spaces_and_line_ends_of_others_are_taken),
        cmocka_unit_test(what_is_dumped_reads_as_the_same),
        cmocka_unit_test(every_row_of_the_table_takes_its_default),
    };
    snprintf(path, sizeof(path), "/tmp/secauth-test-conf.XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
