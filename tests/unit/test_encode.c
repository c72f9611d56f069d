/* links: sa_crypto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "service/crypto/encode.h"

static void
both_ways_to_base64url_say_the_same(void **state SA_UNUSED)
{
    uint8_t raw[200];
    char text[SA_BASE64URL_LEN(sizeof(raw)) + 1], open[sizeof(text)];

    for (size_t i = 0; i < sizeof(raw); i++)
        raw[i] = (uint8_t)(i * 151 + 7); /* every byte but for some */
    for (size_t len = 0; len <= sizeof(raw); len++) {
        memset(open, 'x', sizeof(open));
        sa_base64url(sa_bytes(raw, len), text);
        sa_base64url_open(sa_bytes(raw, len), open);
        assert_string_equal(open, text);
        assert_int_equal(strlen(open), SA_BASE64URL_LEN(len));
    }
}

/* FIPS 180-4's own examples, and an empty message. */
static const struct {
    const char *text;
    const char *hex;
} DIGESTS[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void *
digests_are_right(void *ret_wrong)
{
    uint8_t digest[SA_SHA256_LEN];
    char hex[2 * SA_SHA256_LEN + 1];

    for (unsigned turn = 0; turn < 300; turn++) {
        sa_sha256(sa_bytes_of(DIGESTS[turn % SA_COUNT(DIGESTS)].text), digest);
        sa_hex(sa_bytes(digest, sizeof(digest)), hex);
        *(int *)ret_wrong += strcmp(hex, DIGESTS[turn % SA_COUNT(DIGESTS)].hex) != 0;
    }
    return NULL;
}

static void
sha256_is_fips_180_in_every_thread(void **state SA_UNUSED)
{
    pthread_t threads[4];
    int wrong[4] = {0};

    for (unsigned i = 0; i < SA_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, digests_are_right, &wrong[i]), 0);
    for (unsigned i = 0; i < SA_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_to_base64url_say_the_same),
        cmocka_unit_test(sha256_is_fips_180_in_every_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
