/* links: sa_ctl */
/* What secauthctl shows (client/ctl.h): text that does nothing to a terminal, JSON named as the contract is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "client/ctl.h"
#include "secauth/v1/audit.pb-c.h"
#include "secauth/v1/client.pb-c.h"
#include "secauth/v1/signing_key.pb-c.h"

#define BYTES(literal) ((ProtobufCBinaryData){sizeof(literal) - 1, (uint8_t *)(uintptr_t)(literal)})
#define TEXT(literal)  ((char *)(uintptr_t)(literal))

#define ASSERT_ESCAPED(from, to)                                                                             \
    do {                                                                                                     \
        char escaped[256];                                                                                   \
        sa_ctl_escape(from, sizeof(from) - 1, escaped, sizeof(escaped));                                     \
        assert_string_equal(escaped, to);                                                                    \
    } while (0)

static void
what_a_terminal_would_obey_is_escaped(SA_UNUSED void **state)
{
    ASSERT_ESCAPED("\033[31mred", "\\x1b[31mred");
    ASSERT_ESCAPED("a\nb\tc\rd\0e\177", "a\\x0ab\\x09c\\x0dd\\x00e\\x7f");
    ASSERT_ESCAPED("\xc2\x9b"
                   "31m",
                   "\\u{9b}31m"); /* CSI as one character */
    ASSERT_ESCAPED("\xe2\x80\xae"
                   "txt",
                   "\\u{202e}txt");                                               /* right to left */
    ASSERT_ESCAPED("\xe2\x80\xa8", "\\u{2028}");                                  /* a line separator */
    ASSERT_ESCAPED("\xff\xc0\xaf\xed\xa0\x80", "\\xff\\xc0\\xaf\\xed\\xa0\\x80"); /* not UTF-8 */
    ASSERT_ESCAPED("\xf4\x90\x80\x80\xe2\x82", "\\xf4\\x90\\x80\\x80\\xe2\\x82");
    ASSERT_ESCAPED("\\x1b", "\\\\x1b"); /* so that nothing else reads like an escape */
}

static void
ordinary_text_stays_as_it_is(SA_UNUSED void **state)
{
    ASSERT_ESCAPED("", "");
    ASSERT_ESCAPED("Ålice Müller, 東京 🔑 ~", "Ålice Müller, 東京 🔑 ~");
}

static void
text_that_is_too_long_is_cut_at_a_character(SA_UNUSED void **state)
{
    char escaped[6];

    sa_ctl_escape("abcdé", 6, escaped, sizeof(escaped));
    assert_string_equal(escaped, "abcd");
    sa_ctl_escape("abc\n", 4, escaped, sizeof(escaped));
    assert_string_equal(escaped, "abc");
}

static void
a_time_is_utc_and_none_is_a_dash(SA_UNUSED void **state)
{
    char text[SA_CTL_TIME_LEN + 1];

    sa_ctl_time(0, text);
    assert_string_equal(text, "-");
    sa_ctl_time(1798675200, text);
    assert_string_equal(text, "2026-12-31T00:00:00Z");
    sa_ctl_time(INT64_MAX, text);
    assert_string_equal(text, "-");
}

/* What a function prints, in a buffer that the caller frees. */
static char *
captured(enum sa_ctl_exit (*print)(const struct sa_ctl *), const struct sa_ctl *ctl)
{
    char *text = NULL;
    size_t len;
    FILE *terminal = stdout;

    stdout = open_memstream(&text, &len);
    assert_non_null(stdout);
    enum sa_ctl_exit result = print(ctl);
    fclose(stdout);
    stdout = terminal;
    assert_int_equal(result, SA_CTL_OK);
    return text;
}

static const struct sa_ctl_column columns[] = {{"NAME", "name", SA_CTL_PLAIN},
                                               {"ON", "on", SA_CTL_PLAIN},
                                               {"WHEN", "when", SA_CTL_TIME_MS},
                                               {"MAY", "may", SA_CTL_MEMBERS},
                                               {"END", "end", SA_CTL_PLAIN}};

static json_t *
two_rows(void)
{
    return json_pack("[{s:s, s:b, s:I, s:[{s:s, s:[s, s], s:s}, {s:s, s:[], s:s}], s:i},"
                     " {s:s, s:b, s:I, s:[], s:n}]",
                     "name", "\xc3\xa9\xc3\xa9", "on", 1, "when", (json_int_t)1798675200999, "may", "a",
                     "demo", "s", "read", "wr\\ite", "g", "", "a", "x", "s", "g", "staff", "end", 7, "name",
                     "longer\033[m", "on", 0, "when", (json_int_t)0, "may", "end");
}

static enum sa_ctl_exit
print_two_rows(const struct sa_ctl *ctl)
{
    json_auto_t *rows = two_rows();
    return sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns));
}

static void
rows_stand_in_columns(SA_UNUSED void **state)
{
    char *text = captured(print_two_rows, &(struct sa_ctl){0});

    assert_string_equal(text, "NAME          ON   WHEN                  MAY                         END\n"
                              "éé            yes  2026-12-31T00:00:00Z  demo read,wr\\\\ite; x staff  7\n"
                              "longer\\x1b[m  no   -                     -                           -\n");
    free(text);
}

static void
json_says_the_same_and_is_valid(SA_UNUSED void **state)
{
    char *text = captured(print_two_rows, &(struct sa_ctl){.json = true});
    json_auto_t *read = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_auto_t *rows = two_rows();

    assert_non_null(read);
    assert_true(json_equal(read, rows));
    assert_null(strchr(text, '\033'));
    free(text);
}

static void
a_message_keeps_the_names_of_the_contract(SA_UNUSED void **state)
{
    Secauth__V1__Seconds grace = SECAUTH__V1__SECONDS__INIT;
    Secauth__V1__ClientAudience audience = SECAUTH__V1__CLIENT_AUDIENCE__INIT;
    Secauth__V1__Client client = SECAUTH__V1__CLIENT__INIT;
    Secauth__V1__CreateClientResponse reply = SECAUTH__V1__CREATE_CLIENT_RESPONSE__INIT;
    Secauth__V1__ClientGrant grants[] = {SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_CLIENT_CREDENTIALS,
                                         SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_REFRESH_TOKEN};
    char *scopes[] = {TEXT("read"), TEXT("write")};
    Secauth__V1__ClientAudience *audiences[] = {&audience};

    audience.audience = TEXT("demo");
    audience.n_scopes = 2;
    audience.scopes = scopes;
    client.client_id = TEXT("svc");
    client.kind = SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL;
    client.n_grants = 2;
    client.grants = grants;
    client.n_audiences = 1;
    client.audiences = audiences;
    client.grace = &grace;
    client.created_ms = 1798675200123;
    client.active = true;
    reply.client = &client;
    reply.secret = BYTES("sac1_x");
    json_auto_t *made = sa_ctl_json(&reply.base);
    json_auto_t *wanted = json_loads(
        "{\"client\": {\"client_id\": \"svc\", \"kind\": \"confidential\", \"grants\": "
        "[\"client_credentials\","
        "\"refresh_token\"], \"login\": false, \"audiences_owned\": [], \"audiences\": [{\"audience\": "
        "\"demo\","
        "\"scopes\": [\"read\", \"write\"], \"group\": \"\", \"plain_typ\": false}], "
        "\"access_ttl_seconds\": 0, \"grace\": 0, \"created_ms\": 1798675200123, \"active\": true, "
        "\"attestation\": null, \"exchanges\": [], \"certificates\": [], \"jwks\": \"\", "
        "\"groups\": false, \"dpop_bound\": false, \"secrets\": []}, \"secret\": \"sac1_x\"}",
        0, NULL);
    assert_non_null(wanted);
    assert_true(json_equal(made, wanted));
}

static void
absent_ids_are_null_and_hashes_are_hexadecimal(SA_UNUSED void **state)
{
    Secauth__V1__AuditRecord record = SECAUTH__V1__AUDIT_RECORD__INIT;
    Secauth__V1__PosixId root = SECAUTH__V1__POSIX_ID__INIT;

    record.actor_uid = &root;
    record.leaf_hash = BYTES("\x00\xab");
    json_auto_t *made = sa_ctl_json(&record.base);
    assert_true(json_is_integer(json_object_get(made, "actor_uid")));
    assert_true(json_is_null(json_object_get(made, "login_uid")));
    assert_string_equal(json_string_value(json_object_get(made, "leaf_hash")), "00ab");
}

static void
bytes_that_are_no_text_are_hexadecimal(SA_UNUSED void **state)
{
    Secauth__V1__SigningKey key = SECAUTH__V1__SIGNING_KEY__INIT;

    key.state = SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_ACTIVE;
    key.public_pem = BYTES("\xff\x01");
    json_auto_t *made = sa_ctl_json(&key.base);
    assert_string_equal(json_string_value(json_object_get(made, "public_pem")), "ff01");
    assert_string_equal(json_string_value(json_object_get(made, "state")), "active");
}

static void
what_is_no_jwt_has_no_claims(SA_UNUSED void **state)
{
    static const char *const wrong[] = {"",         "a",     "a.b",    "a.!!!!.c",
                                        "a.e30=.c", "a.e.c", "a.e3.c", "sar1_abc"};

    for (size_t i = 0; i < SA_COUNT(wrong); i++)
        assert_null(sa_ctl_claims(wrong[i], strlen(wrong[i])));
}

static void
claims_are_read_from_the_second_part(SA_UNUSED void **state)
{
    static const char token[] = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ-YT8ifQ.c2ln";
    json_auto_t *claims = sa_ctl_claims(token, strlen(token));

    assert_non_null(claims);
    assert_string_equal(json_string_value(json_object_get(claims, "sub")), "~a?");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(ordinary_text_stays_as_it_is),
        cmocka_unit_test(text_that_is_too_long_is_cut_at_a_character),
        cmocka_unit_test(a_time_is_utc_and_none_is_a_dash),
        cmocka_unit_test(rows_stand_in_columns),
        cmocka_unit_test(json_says_the_same_and_is_valid),
        cmocka_unit_test(a_message_keeps_the_names_of_the_contract),
        cmocka_unit_test(absent_ids_are_null_and_hashes_are_hexadecimal),
        cmocka_unit_test(bytes_that_are_no_text_are_hexadecimal),
        cmocka_unit_test(what_is_no_jwt_has_no_claims),
        cmocka_unit_test(claims_are_read_from_the_second_part),
    };
    sa_ctl_json_start();
    return cmocka_run_group_tests_name("secauthctl's output", tests, NULL, NULL);
}
