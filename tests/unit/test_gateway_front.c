/* links: sa_gateway */
/* What a client's HTTP/2 frames may cost: each bound of the front, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "service/gateway/front_accept.h"
#include "service/gateway/front_h2.h"

#define START_MS INT64_C(100000)

enum {
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION
};
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* One client, whose bytes come `cut` at a time. */
struct client {
    struct sa_front_h2 h2;
    size_t cut;
    int64_t now_ms;
};

static struct client
make_client(size_t cut)
{
    struct client client = {.cut = cut, .now_ms = START_MS};
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    assert_null(sa_front_h2_look(&client.h2, (const uint8_t *)preface, 24, START_MS));
    return client;
}

static const char *
put(struct client *client, const uint8_t *bytes, size_t len)
{
    const char *rule = NULL;

    for (size_t at = 0; at < len && rule == NULL; at += client->cut) {
        size_t part = len - at < client->cut ? len - at : client->cut;
        rule = sa_front_h2_look(&client->h2, bytes + at, part, client->now_ms);
    }
    return rule;
}

/* A frame with a payload that would look like frames to whoever loses count. */
static const char *
frame(struct client *client, unsigned kind, unsigned flags, uint32_t stream, uint32_t len)
{
    uint8_t *bytes = malloc(9 + len);
    const char *rule;

    sa_put_number(bytes, len, 3);
    bytes[3] = (uint8_t)kind;
    bytes[4] = (uint8_t)flags;
    sa_put_number(bytes + 5, stream, 4);
    memset(bytes + 9, 0xff, len);
    rule = put(client, bytes, 9 + len);
    free(bytes);
    return rule;
}

static void
a_header_block_has_a_length_and_a_number_of_pieces(void **state)
{
    static const size_t cuts[] = {1, 7, 9, 10, 16384, 100000};

    (void)state;
    for (size_t i = 0; i < SA_COUNT(cuts); i++) {
        struct client client = make_client(cuts[i]);

        assert_null(frame(&client, HEADERS, 0, 1, 16384));
        assert_null(frame(&client, CONTINUATION, END_HEADERS, 1, 16384)); /* 32 KiB and no more */
        assert_null(frame(&client, HEADERS, 0, 3, 16384));                /* a new one begins anew */
        assert_null(frame(&client, CONTINUATION, 0, 3, 16384));
        assert_non_null(frame(&client, CONTINUATION, END_HEADERS, 3, 1));

        client = make_client(cuts[i]);
        assert_null(frame(&client, HEADERS, 0, 1, 10));
        for (unsigned piece = 1; piece < SA_H2_CONTINUATION_MAX; piece++)
            assert_null(frame(&client, CONTINUATION, 0, 1, 0));
        assert_non_null(frame(&client, CONTINUATION, 0, 1, 0));
    }
}

static void
no_frame_is_longer_than_the_settings_allow(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 256; kind++) {
        struct client client = make_client(4096);
        assert_null(frame(&client, kind, END_HEADERS, 1, 16384));
        assert_non_null(frame(&client, kind, END_HEADERS, 3, 16385));
    }
}

static void
who_does_not_acknowledge_the_limit_is_held_to_it_all_the_same(void **state)
{
    struct client client = make_client(5);

    (void)state;
    for (uint32_t i = 0; i < SA_H2_STREAMS_MAX; i++) {
        assert_null(frame(&client, HEADERS, END_HEADERS, 1 + 2 * i, 20));
        assert_null(
            frame(&client, HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, 20)); /* trailers: the same one */
    }
    assert_non_null(frame(&client, HEADERS, END_HEADERS, 1 + 2 * SA_H2_STREAMS_MAX, 20));

    client = make_client(5);
    assert_null(frame(&client, SETTINGS, 0, 0, 0)); /* its own, which acknowledge nothing */
    for (uint32_t i = 0; i < SA_H2_STREAMS_MAX; i++)
        assert_null(frame(&client, HEADERS, END_HEADERS, 1 + 2 * i, 20));
    assert_null(frame(&client, SETTINGS, ACK, 0, 0));
    for (uint32_t i = SA_H2_STREAMS_MAX; i < 50 * SA_H2_STREAMS_MAX; i++) /* the library counts now */
        assert_null(frame(&client, HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, 20));
}

static void
a_stream_carries_a_mebibyte_and_no_more(void **state)
{
    struct client client = make_client(16384);

    (void)state;
    assert_null(frame(&client, SETTINGS, ACK, 0, 0));
    for (uint32_t stream = 1; stream <= 3; stream += 2) {
        assert_null(frame(&client, HEADERS, END_HEADERS, stream, 20));
        for (unsigned i = 0; i < 64; i++)
            assert_null(frame(&client, DATA, 0, stream, 16384));
    }
    assert_non_null(frame(&client, DATA, 0, 3, 1));

    client = make_client(16384); /* streams that nobody has opened share one */
    for (unsigned i = 0; i < 64; i++)
        assert_null(frame(&client, DATA, 0, 2001 + 2 * i, 16384));
    assert_non_null(frame(&client, DATA, 0, 1, 1));
}

static void
a_stream_whose_count_was_lost_does_not_begin_anew(void **state)
{
    struct client client = make_client(16384);

    (void)state;
    assert_null(frame(&client, SETTINGS, ACK, 0, 0));
    assert_null(frame(&client, HEADERS, END_HEADERS, 1, 20));
    for (uint32_t i = 0; i < 64; i++)
        assert_null(frame(&client, DATA, 0, 1, 16384));
    assert_null(frame(&client, HEADERS, END_HEADERS, 1 + 2 * SA_H2_SLOTS, 20)); /* takes its place */
    for (uint32_t i = 0; i < 64; i++)
        assert_null(frame(&client, DATA, 0, 1, 16384));
    assert_null(frame(&client, HEADERS, END_HEADERS, 1, 20)); /* an older one takes nobody's */
    assert_non_null(frame(&client, DATA, 0, 1, 1));
}

static void
frames_that_carry_no_call_have_a_rate(void **state)
{
    static const struct {
        unsigned kind, flags;
        uint32_t len;
    } noise[] = {{DATA, 0, 0}, {PRIORITY, 0, 5}, {RST_STREAM, 0, 4}, {SETTINGS, 0, 0}, {SETTINGS, ACK, 0},
                 {PING, 0, 8}, {PING, ACK, 8},   {GOAWAY, 0, 8},     {0x42, 0, 0},     {255, 255, 3}};

    (void)state;
    for (size_t i = 0; i < SA_COUNT(noise); i++) {
        struct client client = make_client(100000);

        for (unsigned sent = 0; sent < SA_H2_NOISE_MAX; sent++)
            assert_null(frame(&client, noise[i].kind, noise[i].flags, 1, noise[i].len));
        client.now_ms += 1000; /* a second pays for a hundred */
        for (unsigned sent = 0; sent < SA_H2_NOISE_PER_SECOND; sent++)
            assert_null(frame(&client, noise[i].kind, noise[i].flags, 1, noise[i].len));
        assert_non_null(frame(&client, noise[i].kind, noise[i].flags, 1, noise[i].len));
    }
}

static void
a_client_that_goes_on_for_long_is_not_cut_off(void **state)
{
    struct client client = make_client(3000);

    (void)state;
    assert_null(frame(&client, SETTINGS, ACK, 0, 0));
    for (uint32_t i = 0; i < 100000; i++, client.now_ms += 1 + i % 2) {
        uint32_t stream = 1 + 2 * i;
        assert_null(frame(&client, HEADERS, END_HEADERS, stream, 200));
        assert_null(frame(&client, DATA, 0, stream, 900));
        assert_null(frame(&client, DATA, END_STREAM, stream, 0)); /* as Node ends each */
        assert_null(frame(&client, WINDOW_UPDATE, 0, 0, 4));
        if (i % 20 == 0) /* one in twenty is cancelled, some 30 a second */
            assert_null(frame(&client, RST_STREAM, 0, stream, 4));
    }
}

/* ---- whom a connection counts against ---- */

static bool
counts_as_one(const char *one, const char *other)
{
    const char *text[] = {one, other};
    struct sa_front_peer peer[2];

    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_storage name = {.ss_family = AF_INET6};
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&name;
        if (inet_pton(AF_INET6, text[i], &v6->sin6_addr) != 1) {
            name.ss_family = AF_INET;
            assert_int_equal(inet_pton(AF_INET, text[i], &((struct sockaddr_in *)(void *)&name)->sin_addr),
                             1);
        }
        assert_int_equal(sa_front_identify(-1, &name, &peer[i]), SA_OK);
        assert_true(!peer[i].local && peer[i].descriptor == -1 && !peer[i].has_certificate);
    }
    return memcmp(peer[0].key, peer[1].key, SA_FRONT_KEY_LEN) == 0;
}

static void
a_cap_is_for_an_ipv4_address_or_an_ipv6_network_of_64(void **state)
{
    (void)state;
    assert_false(counts_as_one("192.0.2.1", "192.0.2.2"));
    assert_false(counts_as_one("2001:db8::1", "2001:db8:0:1::1"));
    assert_false(counts_as_one("::1", "0.0.0.1"));
    assert_false(counts_as_one("2001:db8::1", "32.1.13.184"));
    assert_true(counts_as_one("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"));
    assert_true(counts_as_one("192.0.2.1", "::ffff:192.0.2.1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_block_has_a_length_and_a_number_of_pieces),
        cmocka_unit_test(no_frame_is_longer_than_the_settings_allow),
        cmocka_unit_test(who_does_not_acknowledge_the_limit_is_held_to_it_all_the_same),
        cmocka_unit_test(a_stream_carries_a_mebibyte_and_no_more),
        cmocka_unit_test(a_stream_whose_count_was_lost_does_not_begin_anew),
        cmocka_unit_test(frames_that_carry_no_call_have_a_rate),
        cmocka_unit_test(a_client_that_goes_on_for_long_is_not_cut_off),
        cmocka_unit_test(a_cap_is_for_an_ipv4_address_or_an_ipv6_network_of_64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
