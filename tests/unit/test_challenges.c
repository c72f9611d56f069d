/* links: sa_auth */
/* Challenges that wait for their answer: single-use, bound, two minutes, few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/auth/challenges.h"

#define START_MS INT64_C(7000000)

static const struct sa_source here = {.text = "addr:203.0.113.5"};
static const struct sa_source there = {.text = "addr:203.0.113.6"};
static const struct sa_challenge asked = {.reason = "BECAUSE", .password_mac = {1}, .hash_mac = {2}};

static struct sa_challenge_owner
owner_of(const char *name, const struct sa_source *source)
{
    return (struct sa_challenge_owner){
        .name = sa_bytes_of(name), .source = source, .service = sa_bytes_of("sshd"), .via = 1};
}

static bool
redeem(struct sa_challenges *challenges, const char *state, const struct sa_challenge_owner *owner,
       int64_t boot_ms)
{
    struct sa_challenge challenge = {.reason = NULL};
    bool redeemed = sa_challenges_redeem(challenges, sa_bytes_of(state), owner, boot_ms, &challenge);

    assert_memory_equal(&challenge, redeemed ? &asked : &(struct sa_challenge){.reason = NULL},
                        sizeof(challenge));
    return redeemed;
}

static void
issue(struct sa_challenges *challenges, const char *name, const struct sa_source *source, int64_t boot_ms,
      char ret_state[SA_ID_LEN + 1])
{
    const struct sa_challenge_owner owner = owner_of(name, source);

    sa_challenges_issue(challenges, &owner, &asked, boot_ms, ret_state);
}

static void
a_state_that_was_never_given_is_none(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner owner = owner_of("ann", &here);
    char given[SA_ID_LEN + 1];

    (void)state;
    assert_false(redeem(challenges, "0000000000000000000000", &owner, START_MS));
    issue(challenges, "ann", &here, START_MS, given);
    assert_false(redeem(challenges, "0000000000000000000000", &owner, START_MS));
    assert_false(redeem(challenges, "", &owner, START_MS));
    given[SA_ID_LEN - 1] = '\0';
    assert_false(redeem(challenges, given, &owner, START_MS));
}

static void
a_strangers_try_leaves_it_where_it_is_and_the_owners_takes_it(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner owner = owner_of("ann", &here);
    struct sa_challenge_owner other_service = owner;
    struct sa_challenge_owner other_socket = owner;
    const struct sa_challenge_owner strangers[] = {owner_of("bob", &here), owner_of("ann", &there),
                                                   owner_of("an", &here), owner_of("", &here)};
    char given[SA_ID_LEN + 1];

    (void)state;
    other_service.service = sa_bytes_of("sudo");
    other_socket.via = 2;
    issue(challenges, "ann", &here, START_MS, given);
    for (size_t i = 0; i < SA_COUNT(strangers); i++)
        assert_false(redeem(challenges, given, &strangers[i], START_MS));
    assert_false(redeem(challenges, given, &other_service, START_MS));
    assert_false(redeem(challenges, given, &other_socket, START_MS));
    assert_true(redeem(challenges, given, &owner, START_MS));
    assert_false(redeem(challenges, given, &owner, START_MS));
}

static void
it_lives_for_two_minutes(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner owner = owner_of("ann", &here);
    char given[SA_ID_LEN + 1];

    (void)state;
    issue(challenges, "ann", &here, START_MS, given);
    assert_false(redeem(challenges, given, &owner, START_MS + 120000));
    issue(challenges, "ann", &here, START_MS, given);
    assert_true(redeem(challenges, given, &owner, START_MS + 119999));
}

static void
a_fifth_of_a_name_from_a_source_costs_the_first_whatever_the_service(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner owner = owner_of("ann", &here);
    const struct sa_challenge_owner bob = owner_of("bob", &here);
    struct sa_challenge_owner by_sudo = owner;
    char given[5][SA_ID_LEN + 1];
    char bobs[SA_ID_LEN + 1];

    (void)state;
    by_sudo.service = sa_bytes_of("sudo");
    issue(challenges, "bob", &here, START_MS, bobs);
    for (unsigned i = 0; i < 4; i++)
        issue(challenges, "ann", &here, START_MS, given[i]);
    sa_challenges_issue(challenges, &by_sudo, &asked, START_MS, given[4]);
    assert_false(redeem(challenges, given[0], &owner, START_MS));
    for (unsigned i = 1; i < 4; i++)
        assert_true(redeem(challenges, given[i], &owner, START_MS));
    assert_true(redeem(challenges, given[4], &by_sudo, START_MS));
    assert_true(redeem(challenges, bobs, &bob, START_MS));
}

static void
in_a_full_table_the_source_that_holds_the_most_loses_its_oldest(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner ann = owner_of("ann", &here);
    char anns[SA_ID_LEN + 1];
    char first[SA_ID_LEN + 1];
    char second[SA_ID_LEN + 1];
    char given[SA_ID_LEN + 1];
    char name[16];

    (void)state;
    issue(challenges, "ann", &here, START_MS, anns); /* the oldest of all, and not the greediest's */
    issue(challenges, "n0", &there, START_MS, first);
    issue(challenges, "n1", &there, START_MS, second);
    for (unsigned i = 2; i < SA_CHALLENGES_MAX - 1; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        issue(challenges, name, &there, START_MS, given);
    }
    issue(challenges, "bob", &here, START_MS + 1, given);
    const struct sa_challenge_owner bob = owner_of("bob", &here);
    const struct sa_challenge_owner n0 = owner_of("n0", &there);
    const struct sa_challenge_owner n1 = owner_of("n1", &there);
    assert_false(redeem(challenges, first, &n0, START_MS + 1));
    assert_true(redeem(challenges, second, &n1, START_MS + 1));
    assert_true(redeem(challenges, anns, &ann, START_MS + 1));
    assert_true(redeem(challenges, given, &bob, START_MS + 1));
}

/* Else whoever can choose sources chooses whose question goes next. */
static void
where_all_hold_as_much_the_oldest_goes(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    static char states[SA_CHALLENGES_MAX + 2][SA_ID_LEN + 1];
    struct sa_source source = {.text = ""};
    unsigned left = 0;

    (void)state;
    for (unsigned i = 0; i < SA_CHALLENGES_MAX + 2; i++) {
        snprintf(source.text, sizeof(source.text), "addr:%u", i);
        issue(challenges, "ann", &source, START_MS, states[i]);
    }
    for (unsigned i = 0; i < SA_CHALLENGES_MAX + 2; i++) {
        snprintf(source.text, sizeof(source.text), "addr:%u", i);
        const struct sa_challenge_owner ann = owner_of("ann", &source);
        bool is_there = redeem(challenges, states[i], &ann, START_MS);
        left += is_there ? 1 : 0;
        assert_int_equal(is_there, i >= 2);
    }
    assert_int_equal(left, SA_CHALLENGES_MAX);
}

static void
a_rehash_of_the_same_password_voids_no_proof(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner owner = owner_of("ann", &here);
    static const uint8_t other[SA_MAC_LEN] = {9};
    static const uint8_t none[SA_MAC_LEN];
    static const uint8_t next[SA_MAC_LEN] = {3};
    static const uint8_t last[SA_MAC_LEN] = {4};
    struct sa_challenge challenge;
    char given[SA_ID_LEN + 1];

    (void)state;
    issue(challenges, "ann", &here, START_MS, given);
    sa_challenges_rehashing(challenges, other, last);
    assert_true(sa_challenges_redeem(challenges, sa_bytes_of(given), &owner, START_MS, &challenge));
    assert_memory_equal(challenge.next_mac, none, sizeof(none));
    issue(challenges, "ann", &here, START_MS, given);
    sa_challenges_rehashing(challenges, asked.hash_mac, next);
    assert_true(sa_challenges_redeem(challenges, sa_bytes_of(given), &owner, START_MS, &challenge));
    assert_memory_equal(challenge.hash_mac, asked.hash_mac, sizeof(next));
    assert_memory_equal(challenge.next_mac, next, sizeof(next));
    issue(challenges, "ann", &here, START_MS, given);
    sa_challenges_rehashing(challenges, next, last);
    assert_true(sa_challenges_redeem(challenges, sa_bytes_of(given), &owner, START_MS, &challenge));
    assert_memory_equal(challenge.next_mac, last, sizeof(last));
}

static void
a_proof_stands_whose_challenge_is_issued_just_after_the_rehash(void **state)
{
    SA_OWN(sa_challenges) challenges = sa_challenges_new();
    const struct sa_challenge_owner owner = owner_of("ann", &here);
    static const uint8_t next[SA_MAC_LEN] = {3};
    static const uint8_t last[SA_MAC_LEN] = {4};
    struct sa_challenge challenge;
    char given[SA_ID_LEN + 1];

    (void)state;
    sa_challenges_rehashing(challenges, asked.hash_mac, next);
    sa_challenges_rehashing(challenges, next, last);
    issue(challenges, "ann", &here, START_MS, given);
    assert_true(sa_challenges_redeem(challenges, sa_bytes_of(given), &owner, START_MS, &challenge));
    assert_memory_equal(challenge.next_mac, last, sizeof(last));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_that_was_never_given_is_none),
        cmocka_unit_test(a_strangers_try_leaves_it_where_it_is_and_the_owners_takes_it),
        cmocka_unit_test(it_lives_for_two_minutes),
        cmocka_unit_test(a_fifth_of_a_name_from_a_source_costs_the_first_whatever_the_service),
        cmocka_unit_test(in_a_full_table_the_source_that_holds_the_most_loses_its_oldest),
        cmocka_unit_test(where_all_hold_as_much_the_oldest_goes),
        cmocka_unit_test(a_rehash_of_the_same_password_voids_no_proof),
        cmocka_unit_test(a_proof_stands_whose_challenge_is_issued_just_after_the_rehash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
