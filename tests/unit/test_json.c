/* links: sa_proto */
/* JSON from strangers (proto/json.h), and what comes before a key is asked (proto/compact.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>

#include "proto/compact.h"

#define ROOM 64

static struct sa_json nodes[ROOM];
static uint8_t text[8192];
static const char *reason;

static enum sa_status
read_bytes(const void *json, size_t len)
{
    memset(nodes, 0xa5, sizeof(nodes));
    memcpy(text, json, len);
    text[len] = '!'; /* is never looked at */
    reason = NULL;
    return sa_json_read(text, len, nodes, ROOM, &reason);
}

static void
good(const char *json)
{
    if (read_bytes(json, strlen(json)) != SA_OK)
        fail_msg("%s: %s", json, reason);
}

static void
bad(const char *json, const char *why)
{
    assert_int_equal(read_bytes(json, strlen(json)), SA_INVALID_ARGUMENT);
    if (strcmp(reason, why) != 0)
        fail_msg("%s: %s, not %s", json, reason, why);
}

static void
what_is_no_json_is_refused(void **state SA_UNUSED)
{
    static const char *const TEXTS[] = {
        "",
        " ",
        "{",
        "}",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1}}",
        "1 2",
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "NaN",
        "nul",
        "truE",
        "true1",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\t\"",
        "\"\\u0000\"",
        "\"\\u001f\"",
        "\"\\n\"",
        "\"\\u007f\"",
        "\"\\u0085\"",
        "\"\xc3\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\xef\xbb\xbf{}",
        "/**/1",
        "{\"a\":1 \"b\":2}",
        "{\"\\u0000\":1}",
        "{1:2}",
        "{\"a\" 1}",
        "\v1",
    };

    for (size_t i = 0; i < SA_COUNT(TEXTS); i++)
        bad(TEXTS[i], "json");
    assert_int_equal(read_bytes("1\0", 2), SA_INVALID_ARGUMENT);
    assert_int_equal(read_bytes("\"a\0b\"", 5), SA_INVALID_ARGUMENT);
}

static void
a_name_that_comes_twice_is_refused_however_it_is_written(void **state SA_UNUSED)
{
    bad("{\"sub\":1,\"sub\":2}", "duplicate");
    bad("{\"sub\":1,\"\\u0073ub\":2}", "duplicate");
    bad("{\"a\":{\"b\":[{\"c\":1,\"d\":2,\"c\":3}]}}", "duplicate");
    bad("{\"\":1,\"\":2}", "duplicate");
    bad("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "duplicate");
    good("{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
    good("{\"a\":1,\"A\":2,\"a \":3}");
}

static void
depth_and_number_are_bounded(void **state SA_UNUSED)
{
    char many[1024] = "[";

    good("[[[[[[[[1]]]]]]]]");
    bad("[[[[[[[[[1]]]]]]]]]", "deep");
    bad("{\"a\":[[[[[[[{\"a\":1}]]]]]]]}", "deep");
    for (int i = 0; i < ROOM - 1; i++)
        strcat(many, i == 0 ? "1" : ",1");
    strcat(many, "]");
    good(many);
    many[strlen(many) - 1] = '\0';
    strcat(many, ",1]");
    bad(many, "large");
}

static void
values_are_read_as_they_are(void **state SA_UNUSED)
{
    int64_t number;

    good(" { \"s\" : \"a\\/\\\\\\\"\\u00e9\\ud83d\\ude00\xc3\xa9\" "
         ",\r\n\t\"n\":[0,-7,1.5e+3,true,false,null],\"e\":{} } ");
    assert_int_equal(nodes[0].kind, SA_JSON_OBJECT);
    assert_int_equal(nodes[0].children, 3);
    assert_int_equal(nodes[0].span, 10);
    assert_string_equal(sa_json_string(sa_json_member(nodes, "s")), "a/\\\"\xc3\xa9\xf0\x9f\x98\x80\xc3\xa9");
    const struct sa_json *list = sa_json_member(nodes, "n");
    assert_int_equal(list->children, 6);
    const struct sa_json *value = sa_json_first(list);
    assert_true(sa_json_integer(value, &number) && number == 0);
    value = sa_json_next(value);
    assert_true(sa_json_integer(value, &number) && number == -7);
    value = sa_json_next(value);
    assert_false(sa_json_integer(value, &number));
    assert_null(sa_json_string(value));
    assert_int_equal(sa_json_next(value)->kind, SA_JSON_TRUE);
    assert_int_equal(sa_json_member(nodes, "e")->children, 0);
    assert_null(sa_json_member(nodes, "x"));
    assert_null(sa_json_member(list, "n"));
    good("[9223372036854775808,1e3,99999999999999999999,2.0,\"1\",true]");
    for (int i = 1; i <= 6; i++)
        assert_false(sa_json_integer(&nodes[i], &number));
    assert_false(sa_json_integer(NULL, &number));
    good("922337203685477579");
    assert_true(sa_json_integer(nodes, &number) && number == 922337203685477579);
}

/* A key may not be asked for these, whatever else is true of them. */
static void
base64url_has_one_spelling(void **state SA_UNUSED)
{
    static const char *const TEXTS[] = {"A",    "AAAAA", "AA=",  "AA==", "AB",         "AAB", "A+AA",
                                        "A/AA", "AA A",  "AA\n", "AAA.", "\xc1\x81..", "A%AA"};
    uint8_t data[16];
    size_t len = 99;

    for (size_t i = 0; i < SA_COUNT(TEXTS); i++)
        assert_int_equal(sa_compact_decode(sa_bytes_of(TEXTS[i]), data, &len), SA_INVALID_ARGUMENT);
    assert_int_equal(sa_compact_decode(sa_bytes("AA\0A", 4), data, &len), SA_INVALID_ARGUMENT);
    assert_int_equal(len, 99);
    assert_int_equal(sa_compact_decode(sa_bytes_of(""), data, &len), SA_OK);
    assert_int_equal(len, 0);
    assert_int_equal(sa_compact_decode(sa_bytes_of("-_-_AP8"), data, &len), SA_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(data, "\xfb\xff\xbf\x00\xff", 5);
}

static void
a_compact_token_has_two_dots(void **state SA_UNUSED)
{
    static char large[SA_COMPACT_TOKEN_MAX + 2];
    struct sa_compact parts;

    assert_false(sa_compact_split(sa_bytes_of(""), &parts));
    assert_false(sa_compact_split(sa_bytes_of("a.b"), &parts));
    assert_false(sa_compact_split(sa_bytes_of("a.b.c."), &parts));
    assert_false(sa_compact_split(sa_bytes_of("a.b.c.d.e"), &parts));
    memset(large, 'a', sizeof(large) - 1);
    large[1] = large[3] = '.';
    assert_false(sa_compact_split(sa_bytes_of(large), &parts));
    large[SA_COMPACT_TOKEN_MAX] = '\0';
    assert_true(sa_compact_split(sa_bytes_of(large), &parts));
    assert_true(sa_compact_split(sa_bytes_of("ab.c.def"), &parts));
    assert_true(sa_bytes_equal(parts.signed_part, sa_bytes_of("ab.c")));
    assert_true(sa_bytes_equal(parts.signature, sa_bytes_of("def")));
    assert_true(sa_compact_split(sa_bytes_of(".."), &parts));
    assert_int_equal(parts.header.len + parts.payload.len + parts.signature.len, 0);
}

static void
encode(const char *from, char *ret_text)
{
    static const char LETTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned held = 0;

    for (; *from != '\0'; from++) {
        bits = bits << 8 | (uint8_t)*from;
        for (held += 8; held >= 6; held -= 6)
            *ret_text++ = LETTERS[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *ret_text++ = LETTERS[bits << (6 - held) & 63];
    *ret_text = '\0';
}

static const char *
header(const char *json)
{
    static struct sa_compact_header read;
    static char encoded[4096];
    const char *why = "unset";

    encode(json, encoded);
    enum sa_status status = sa_compact_read_header(sa_bytes_of(encoded), &read, &why);
    assert_int_equal(status == SA_OK, why == NULL);
    return why;
}

static void
a_header_that_is_not_ours_is_refused_with_one_word(void **state SA_UNUSED)
{
    static const char *const CASES[][2] = {
        {"[]", "json"},
        {"{}x", "json"},
        {"{}", "alg"},
        {"{\"alg\":1}", "alg"},
        {"{\"alg\":\"\"}", "alg"},
        {"{\"alg\":null}", "alg"},
        {"{\"alg\":\"none\"}", "alg"},
        {"{\"alg\":\"None\"}", "alg"},
        {"{\"alg\":\"nOnE\",\"kid\":\"k\"}", "alg"},
        {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", "duplicate"},
        {"{\"alg\":\"ES256\",\"\\u0061lg\":\"HS256\"}", "duplicate"},
        {"{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", "crit"},
        {"{\"alg\":\"ES256\",\"crit\":[]}", "crit"},
        {"{\"alg\":\"ES256\",\"crit\":\"exp\"}", "crit"},
        {"{\"alg\":\"ES256\",\"\\u0063rit\":[\"x\"],\"x\":1}", "crit"},
        {"{\"alg\":\"ES256\",\"jwk\":{}}", "jwk"},
        {"{\"alg\":\"ES256\",\"jku\":\"https://x\"}", "jku"},
        {"{\"alg\":\"ES256\",\"x5u\":\"https://x\"}", "x5u"},
        {"{\"alg\":\"ES256\",\"x5c\":[]}", "x5c"},
        {"{\"alg\":\"ES256\",\"b64\":true}", "header"},
        {"{\"alg\":\"ES256\",\"zip\":\"DEF\"}", "header"},
        {"{\"alg\":\"ES256\",\"typ\":1}", "header"},
        {"{\"alg\":\"ES256\",\"kid\":[\"k\"]}", "header"},
        {"{\"alg\":\"ES256\",\"kid\":\"\"}", "header"},
        {"{\"alg\":[[[[[[[[[[1]]]]]]]]]]}", "deep"},
    };

    for (size_t i = 0; i < SA_COUNT(CASES); i++)
        assert_string_equal(header(CASES[i][0]), CASES[i][1]);
    assert_null(header("{\"alg\":\"ES256\"}"));
    assert_null(header(" {\"kid\":\"k\", \"alg\":\"ES256\",\r\n\"typ\":\"at+jwt\"}"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(a_name_that_comes_twice_is_refused_however_it_is_written),
        cmocka_unit_test(depth_and_number_are_bounded),
        cmocka_unit_test(values_are_read_as_they_are),
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(a_compact_token_has_two_dots),
        cmocka_unit_test(a_header_that_is_not_ours_is_refused_with_one_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
