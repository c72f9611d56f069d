/* links: sa_gateway */
/* The gateway's small parts: its command line, its table of peers, what it says of errors, what it describes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "secauth/v1/peer.pb-c.h"
#include "service/gateway/descriptors.h"
#include "service/gateway/details.h"
#include "service/gateway/options.h"
#include "service/gateway/pace.h"
#include "service/gateway/peer_table.h"
#include "service/gateway/upstream.h"

/* Read a command line, words separated by spaces. */
static enum sa_status
read_options(struct sa_gateway_options *ret_options, const char *line)
{
    static char words[256]; /* the options point into it */
    char program[] = "secauth-grpc", why[128] = "", *argv[16] = {program}, *rest = words;
    int argc = 1;
    enum sa_status status;

    snprintf(words, sizeof(words), "%s", line);
    while ((argv[argc] = strtok_r(rest, " ", &rest)) != NULL)
        argc++;
    status = sa_gateway_options_read(argc, argv, ret_options, why, sizeof(why));
    assert_int_equal(status != SA_OK, why[0] != '\0');
    return status;
}

static void
a_command_line_that_names_no_door_or_two_is_refused(void **state)
{
    struct sa_gateway_options options;

    (void)state;
    assert_int_equal(read_options(&options, "--upstream x"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--upstream x --local /x --listen 127.0.0.1:1 --cert c --key k"),
                     SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--upstream x --listen 127.0.0.1:1"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--upstream x --local /x --cert c"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--upstream x --local /x more"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--upstream x --local /x --client-ca c"), SA_INVALID_ARGUMENT);
    assert_int_equal(
        read_options(&options, "--upstream x --listen :1 --cert c --key k --client-certificates requested"),
        SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--upstream x --listen :1 --cert c --key k --client-ca a "
                                            "--client-certificates off"),
                     SA_INVALID_ARGUMENT);
}

static void
a_name_that_leaves_the_folder_of_gateways_is_refused(void **state)
{
    struct sa_gateway_options options;

    (void)state;
    assert_int_equal(read_options(&options, "--local /x --upstream ../root/root"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x --upstream="), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x --upstream a234567890123456789012345678901234"),
                     SA_INVALID_ARGUMENT);
}

static void
a_number_is_in_its_range_or_refused(void **state)
{
    struct sa_gateway_options options;

    (void)state;
    assert_int_equal(read_options(&options, "--local /x --upstream x --calls 0"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x --upstream x --calls 65537"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x --upstream x --calls 1x"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x --upstream x --calls -1"), SA_INVALID_ARGUMENT);
    assert_int_equal(read_options(&options, "--local /x --upstream x --calls 65536"), SA_OK);
    assert_int_equal(options.calls, 65536);
    assert_int_equal(options.drain_seconds, 10);
    assert_string_equal(options.upstream, "/run/secauth/gateway/x.sock");
}

static void
only_names_that_a_frame_can_carry_are_legal(void **state)
{
    static const char *const illegal[] = {"",      "a",   "/a",     "a/",    "a//b", "a/b/c", "a b/c",
                                          "a/b\n", "a-b", "a/\xc3", "a/b?c", "/a/b", "a\\b/c"};
    char longest[140];

    (void)state;
    for (size_t i = 0; i < SA_COUNT(illegal); i++)
        assert_false(sa_upstream_name_legal(illegal[i]));
    memset(longest, 'x', sizeof(longest));
    longest[64] = '/';
    longest[128] = '\0';
    assert_true(sa_upstream_name_legal(longest));
    longest[128] = 'x';
    longest[129] = '\0';
    assert_false(sa_upstream_name_legal(longest));
    assert_true(sa_upstream_name_legal("secauth.v1.TokenService/IssueToken"));
}

static void
a_peer_is_found_by_its_descriptor_alone(void **state)
{
    SA_OWN(sa_peer_table) peers = sa_peer_table_new(16);
    struct sa_front_peer facts = {.descriptor = -1, .address = "192.0.2.1"};
    SA_OWN(sa_peer) first = sa_peer_new(&facts);
    SA_OWN(sa_peer) second = sa_peer_new(&facts);
    static const char *const wrong[] = {"",
                                        "fd:",
                                        "fd:4",
                                        "fd:16",
                                        "fd:-1",
                                        "fd: 5",
                                        "fd:5x",
                                        "unix:",
                                        "FD:5",
                                        "5",
                                        "fd:18446744073709551621"};

    (void)state;
    assert_false(sa_peer_table_put(peers, 16, first));
    assert_false(sa_peer_table_put(peers, -1, first));
    assert_true(sa_peer_table_put(peers, 5, first));
    for (size_t i = 0; i < SA_COUNT(wrong); i++)
        assert_null(sa_peer_table_get(peers, wrong[i]));
    assert_true(sa_peer_table_put(peers, 5, second)); /* the descriptor was closed and is used again */
    assert_int_not_equal(first->number, second->number);
    sa_peer_unref(first);
    first = sa_peer_table_get(peers, "fd:5");
    assert_ptr_equal(first, second);
}

static void
a_local_gateway_states_nothing_and_has_a_descriptor_to_pass(void **state)
{
    struct sa_front_peer facts = {.local = true, .descriptor = 7};
    SA_OWN(sa_peer) peer = sa_peer_new(&facts);

    (void)state;
    assert_int_equal(peer->facts_len, 0);
    assert_int_equal(peer->descriptor, 7);
}

static void
the_longest_address_and_a_fingerprint_fit_into_the_facts(void **state)
{
    struct sa_front_peer facts = {.descriptor = -1,
                                  .address = "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
                                  .has_certificate = true,
                                  .certificate = {0xab}};
    SA_OWN(sa_peer) peer = sa_peer_new(&facts);
    Secauth__V1__PeerFacts *told = secauth__v1__peer_facts__unpack(NULL, peer->facts_len, peer->facts);

    (void)state;
    assert_int_equal(strlen(facts.address), SA_FRONT_ADDRESS_MAX - 1);
    assert_true(peer->facts_len <= SA_PEER_FACTS_MAX);
    assert_string_equal(told->address, facts.address);
    assert_int_equal(told->certificate.len, 32);
    assert_memory_equal(told->certificate.data, facts.certificate, 32);
    secauth__v1__peer_facts__free_unpacked(told, NULL);
}

static void
an_error_of_the_gateway_reads_like_one_of_the_daemon(void **state)
{
    uint8_t bytes[SA_DETAILS_MAX];
    size_t len = sa_details_pack(SA_OVERLOADED, 1500, "a.b", "a rule", bytes);
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, len, bytes);
    Google__Rpc__RetryInfo *retry;

    (void)state;
    assert_non_null(status);
    assert_int_equal(status->code, 14);
    assert_int_equal(status->n_details, 3);
    assert_string_equal(status->details[1]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    retry =
        google__rpc__retry_info__unpack(NULL, status->details[1]->value.len, status->details[1]->value.data);
    assert_non_null(retry);
    assert_int_equal(retry->retry_delay->seconds, 1);
    assert_int_equal(retry->retry_delay->nanos, 500000000);
    google__rpc__retry_info__free_unpacked(retry, NULL);
    google__rpc__status__free_unpacked(status, NULL);
    status =
        google__rpc__status__unpack(NULL, sa_details_pack(SA_UNIMPLEMENTED, 0, NULL, NULL, bytes), bytes);
    assert_int_equal(status->n_details, 1);
    google__rpc__status__free_unpacked(status, NULL);
}

static void
every_listed_service_is_described(void **state)
{
    SA_OWN(sa_descriptors) descriptors = sa_descriptors_new();
    struct sa_bytes files[SA_DESCRIPTORS_FILES_MAX];
    size_t count;
    const char *const *services = sa_descriptors_services(descriptors, &count);

    (void)state;
    assert_true(count >= 12);
    for (size_t i = 0; i < count; i++) {
        assert_true(sa_descriptors_has_service(descriptors, services[i]));
        assert_true(sa_descriptors_by_symbol(descriptors, services[i], files) > 0);
    }
    assert_false(sa_descriptors_has_service(descriptors, "secauth.v1"));
    assert_int_equal(sa_descriptors_by_symbol(descriptors, "secauth.v1.", files), 0);
    assert_int_equal(sa_descriptors_by_filename(descriptors, "", files), 0);
}

static void
an_address_that_calls_more_often_waits_and_no_other_does(void **state)
{
    SA_OWN(sa_pace) pace = sa_pace_new(100);
    uint8_t mine[SA_PACE_KEY_LEN] = {1}, other[SA_PACE_KEY_LEN] = {2};
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(sa_pace_spend(pace, mine, 5000), 0);
    assert_int_equal(sa_pace_spend(pace, mine, 5000), 600);
    assert_int_equal(sa_pace_spend(pace, mine, 5599), 1);
    assert_int_equal(sa_pace_spend(pace, mine, 5600), 0);
    assert_int_equal(sa_pace_spend(pace, mine, 5601), 599);
    assert_int_equal(sa_pace_spend(pace, other, 5601), 0);
    for (int64_t now_ms = 1000000; now_ms < 1600000; now_ms += 100) /* ten minutes of ten a second */
        taken += sa_pace_spend(pace, mine, now_ms) == 0;
    assert_in_range(taken, 1095, 1101);
    while (sa_pace_spend(pace, mine, 1600000) == 0)
        continue;
    for (unsigned i = 0; i < 10000; i++) { /* strangers, more than half of the table */
        memcpy(other, &i, sizeof(i));
        other[15] = 7;
        assert_int_equal(sa_pace_spend(pace, other, 1600000), 0);
    }
    assert_int_not_equal(sa_pace_spend(pace, mine, 1600000), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_line_that_names_no_door_or_two_is_refused),
        cmocka_unit_test(a_name_that_leaves_the_folder_of_gateways_is_refused),
        cmocka_unit_test(a_number_is_in_its_range_or_refused),
        cmocka_unit_test(only_names_that_a_frame_can_carry_are_legal),
        cmocka_unit_test(a_peer_is_found_by_its_descriptor_alone),
        cmocka_unit_test(a_local_gateway_states_nothing_and_has_a_descriptor_to_pass),
        cmocka_unit_test(the_longest_address_and_a_fingerprint_fit_into_the_facts),
        cmocka_unit_test(an_error_of_the_gateway_reads_like_one_of_the_daemon),
        cmocka_unit_test(every_listed_service_is_described),
        cmocka_unit_test(an_address_that_calls_more_often_waits_and_no_other_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
