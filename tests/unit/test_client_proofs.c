/* links: sa_auth */
/* Proofs that are taken once, and keys of clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/api_key.h"
#include "service/auth/replay.h"

#define START_S INT64_C(1800000000)
#define ROOM    16u

static struct sa_keyring *keyring;

static struct sa_now
at(int64_t seconds)
{
    return (struct sa_now){.wall_ms = (START_S + seconds) * 1000, .boot_ms = (1000 + seconds) * 1000};
}

static int
set_up(void **state)
{
    static const uint8_t master[32] = "a master key for tests, 32 bytes";

    keyring = sa_keyring_new(sa_bytes(master, sizeof(master)));
    *state = sa_replay_new(ROOM, keyring, at(0));
    return *state == NULL ? -1 : 0;
}

static int
tear_down(void **state)
{
    sa_replay_free(*state);
    sa_keyring_free(keyring);
    return 0;
}

static enum sa_status
take(struct sa_replay *replay, const char *who, const char *jti, int64_t made, int64_t now)
{
    struct sa_seen_proof proof = {SA_REPLAY_DPOP, who, jti, START_S + made, NULL};

    return sa_replay_accept(replay, &proof, at(now));
}

static void
a_proof_is_taken_once(void **state)
{
    assert_int_equal(take(*state, "a", "one", 10, 10), SA_OK);
    assert_int_equal(take(*state, "a", "one", 10, 10), SA_ALREADY_EXISTS);
    assert_int_equal(take(*state, "a", "one", 12, 70), SA_ALREADY_EXISTS);
    assert_int_equal(take(*state, "b", "one", 12, 12), SA_OK);
    assert_int_equal(take(*state, "a", "two", 12, 12), SA_OK);
    struct sa_seen_proof assertion = {SA_REPLAY_ASSERTION, "a", "one", START_S + 12, NULL};
    assert_int_equal(sa_replay_accept(*state, &assertion, at(12)), SA_OK);
}

static void
one_that_was_made_before_the_start_is_refused(void **state)
{
    assert_int_equal(take(*state, "a", "one", -1, 1), SA_NOT_FOUND);
    assert_int_equal(take(*state, "a", "one", -60, 1), SA_NOT_FOUND);
}

static void
in_the_first_seconds_none_is_taken_and_the_caller_may_come_again(void **state)
{
    for (int64_t made = 0; made <= SA_PROOF_LEEWAY_S; made++)
        assert_int_equal(take(*state, "a", "one", made, made), SA_OVERLOADED);
    assert_int_equal(take(*state, "a", "one", SA_PROOF_LEEWAY_S + 1, SA_PROOF_LEEWAY_S + 1), SA_OK);
}

static enum sa_status
take_assertion(struct sa_replay *replay, const char *jti, int64_t made, int64_t now)
{
    struct sa_seen_proof proof = {SA_REPLAY_ASSERTION, "a", jti, START_S + made, NULL};

    return sa_replay_accept(replay, &proof, at(now));
}

static void
a_full_table_takes_no_other_until_one_is_old(void **state)
{
    char jti[8];

    for (unsigned i = 0; i < ROOM; i++) {
        snprintf(jti, sizeof(jti), "%u", i);
        assert_int_equal(take_assertion(*state, jti, 10 + (int64_t)i, 10 + (int64_t)i), SA_OK);
    }
    assert_int_equal(take_assertion(*state, "more", 30, 30), SA_OVERLOADED);
    assert_int_equal(take_assertion(*state, "0", 30, 30), SA_ALREADY_EXISTS);
    assert_int_equal(take_assertion(*state, "more", 78, 79), SA_OVERLOADED);
    assert_int_equal(take_assertion(*state, "more", 79, 80), SA_OK);
}

static enum sa_status
take_strange(struct sa_replay *replay, const char *source, unsigned number, int64_t now)
{
    char jti[16];
    struct sa_seen_proof proof = {SA_REPLAY_DPOP, "key", jti, START_S + now, source};

    snprintf(jti, sizeof(jti), "%u", number);
    return sa_replay_accept(replay, &proof, at(now));
}

static void
whoever_is_not_proven_keeps_nobody_out(void **state)
{
    char source[16];
    unsigned taken = 0;

    for (unsigned i = 0; i < ROOM; i++) /* one source has an eighth */
        taken += take_strange(*state, "addr:203.0.113.1", i, 10) == SA_OK;
    assert_int_equal(taken, ROOM / 8);
    for (unsigned i = 0; i < 100; i++) { /* and all of them a half */
        snprintf(source, sizeof(source), "addr:%u", i);
        taken += take_strange(*state, source, 100 + i, 10) == SA_OK;
    }
    assert_int_equal(taken, ROOM / 2);
    for (unsigned i = 0; i < ROOM / 2; i++) {
        snprintf(source, sizeof(source), "%u", i);
        assert_int_equal(take(*state, "a", source, 10, 10), SA_OK);
    }
    assert_int_equal(take_strange(*state, "addr:203.0.113.1", 1000, 90),
                     SA_OK); /* what is forgotten makes room */
}

static void
a_clock_that_goes_back_brings_nothing_back(void **state)
{
    struct sa_now back = at(20);

    assert_int_equal(take(*state, "a", "one", 20, 20), SA_OK);
    assert_int_equal(take(*state, "a", "two", 100, 100), SA_OK); /* the first is forgotten by now */
    back.boot_ms = at(101).boot_ms;
    struct sa_seen_proof proof = {SA_REPLAY_DPOP, "a", "one", START_S + 20, NULL};
    assert_int_not_equal(sa_replay_accept(*state, &proof, back), SA_OK);
}

/* ---- API keys ---- */

static void
a_key_has_one_form(void **state)
{
    char key[SA_API_KEY_LEN + 1];
    char id[SA_ID_LEN + 1];
    char made_for[SA_ID_LEN + 1];
    uint8_t mac[SA_MAC_LEN];

    (void)state;
    sa_random_id(made_for);
    sa_api_key_make(keyring, made_for, key, mac);
    assert_int_equal(strlen(key), SA_API_KEY_LEN);
    assert_int_equal(sa_api_key_parse(sa_bytes_of(key), id), SA_OK);
    assert_string_equal(id, made_for);
    assert_int_equal(sa_api_key_parse(sa_bytes(key, SA_API_KEY_LEN - 1), id), SA_INVALID_CLIENT);
    assert_int_equal(sa_api_key_parse(sa_bytes(NULL, 0), id), SA_INVALID_CLIENT);
    for (size_t i = 0; i < SA_API_KEY_LEN; i++) {
        char before = key[i];
        key[i] = before == 'x' ? 'y' : 'x';
        assert_int_equal(sa_api_key_parse(sa_bytes_of(key), id), SA_INVALID_CLIENT);
        key[i] = before;
    }
}

static void
a_key_leaves_of_its_client_what_both_may(void **state)
{
    SA_OWN(sa_client) client = sa_client_new(3);
    struct sa_api_key key = {.audience_count = 2};

    (void)state;
    assert_true(sa_client_room(client, 2));
    client->audience_count = 3;
    strcpy(client->audiences[0].audience, "a");
    strcpy(client->audiences[0].scopes, "x y z");
    strcpy(client->audiences[1].audience, "b");
    strcpy(client->audiences[1].scopes, "x");
    strcpy(client->audiences[2].audience, "c");
    client->exchange_count = 2;
    strcpy(client->exchanges[0].to, "b");
    strcpy(client->exchanges[1].to, "a");
    strcpy(client->exchanges[1].scopes, "y q");
    client->owned_count = 3;
    strcpy(client->owned[0], "mine");
    strcpy(client->owned[1], "front");
    strcpy(client->owned[2], "from");
    strcpy(client->exchanges[0].from, "front");
    strcpy(client->exchanges[1].from, "from");
    strcpy(key.audiences[0].audience, "a");
    strcpy(key.audiences[0].scopes, "z y more");
    strcpy(key.audiences[1].audience, "gone");
    sa_api_key_narrow(&key, client);
    assert_int_equal(client->audience_count, 1);
    assert_string_equal(client->audiences[0].audience, "a");
    assert_string_equal(client->audiences[0].scopes, "y z");
    assert_int_equal(client->exchange_count, 1);
    assert_string_equal(client->exchanges[0].to, "a");
    assert_string_equal(client->exchanges[0].scopes, "y");
    assert_int_equal(client->owned_count, 1);
    assert_string_equal(client->owned[0], "from");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_proof_is_taken_once),
        TEST(one_that_was_made_before_the_start_is_refused),
        TEST(in_the_first_seconds_none_is_taken_and_the_caller_may_come_again),
        TEST(a_full_table_takes_no_other_until_one_is_old),
        TEST(whoever_is_not_proven_keeps_nobody_out),
        TEST(a_clock_that_goes_back_brings_nothing_back),
        TEST(a_key_has_one_form),
        TEST(a_key_leaves_of_its_client_what_both_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
