/* links: sa_auth */
/* A key as authenticators read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/auth/otpauth.h"
#include "service/crypto/encode.h"

static const char *
uri_of(const struct sa_totp *totp, const char *issuer, const char *user)
{
    static char uri[SA_OTPAUTH_MAX + 1];

    sa_otpauth_uri(totp, issuer, user, uri);
    return uri;
}

static struct sa_totp
key_of(enum sa_totp_algorithm algorithm, unsigned digits, const char *key)
{
    struct sa_totp totp = {.algorithm = algorithm, .digits = digits, .key_len = strlen(key)};

    memcpy(totp.key, key, totp.key_len);
    return totp;
}

static void
base32_is_that_of_rfc_4648_section_10_without_its_padding(void **state)
{
    static const char *const ROWS[][2] = {{"", ""},
                                          {"f", "MY"},
                                          {"fo", "MZXQ"},
                                          {"foo", "MZXW6"},
                                          {"foob", "MZXW6YQ"},
                                          {"fooba", "MZXW6YTB"},
                                          {"foobar", "MZXW6YTBOI"}};
    char text[32];

    (void)state;
    for (size_t i = 0; i < SA_COUNT(ROWS); i++) {
        sa_base32(sa_bytes_of(ROWS[i][0]), text);
        assert_string_equal(text, ROWS[i][1]);
        assert_int_equal(strlen(text), SA_BASE32_LEN(strlen(ROWS[i][0])));
    }
}

static void
what_would_end_a_part_of_the_uri_is_escaped(void **state)
{
    const struct sa_totp totp = key_of(SA_TOTP_SHA1, 6, "12345678901234567890");

    (void)state;
    assert_string_equal(uri_of(&totp, "https://a&b=c#d", "we?ird:na/me@host $"),
                        "otpauth://totp/a%26b%3Dc%23d:we%3Fird%3Ana%2Fme%40host%20%24"
                        "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=a%26b%3Dc%23d"
                        "&algorithm=SHA1&digits=6&period=30");
}

static void
the_issuer_is_the_host_of_the_issuer_of_tokens(void **state)
{
    const struct sa_totp totp = key_of(SA_TOTP_SHA512, 8, "1234567890123456");
    static const char *const ROWS[][2] = {{"https://auth.example", "auth.example"},
                                          {"https://auth.example:8443", "auth.example"},
                                          {"https://[2001:db8::1]:8443", "%5B2001%3Adb8%3A%3A1%5D"}};
    char expected[160];

    (void)state;
    for (size_t i = 0; i < SA_COUNT(ROWS); i++) {
        snprintf(expected, sizeof(expected),
                 "otpauth://totp/%s:ann?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY&issuer=%s&algorithm=SHA512&"
                 "digits=8&period=30",
                 ROWS[i][1], ROWS[i][1]);
        assert_string_equal(uri_of(&totp, ROWS[i][0], "ann"), expected);
    }
}

static void
the_longest_names_fit(void **state)
{
    struct sa_totp totp = {.algorithm = SA_TOTP_SHA256, .digits = 8, .key_len = SA_TOTP_KEY_MAX};
    char issuer[256];
    char user[SA_USER_NAME_MAX + 1];

    (void)state;
    memset(issuer, '%', sizeof(issuer) - 1);
    memcpy(issuer, "https://", 8);
    issuer[sizeof(issuer) - 1] = '\0';
    memset(user, '$', sizeof(user) - 1);
    user[sizeof(user) - 1] = '\0';
    const char *uri = uri_of(&totp, issuer, user);
    assert_string_equal(uri + strlen(uri) - strlen("&algorithm=SHA256&digits=8&period=30"),
                        "&algorithm=SHA256&digits=8&period=30");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base32_is_that_of_rfc_4648_section_10_without_its_padding),
        cmocka_unit_test(what_would_end_a_part_of_the_uri_is_escaped),
        cmocka_unit_test(the_issuer_is_the_host_of_the_issuer_of_tokens),
        cmocka_unit_test(the_longest_names_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
