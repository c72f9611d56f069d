/* links: sa_auth */
/* Sources: every form of an address, seats, clients; and the buckets that are charged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "service/auth/source.h"

#define LIMIT     5u
#define WINDOW_MS 60000
#define START_MS  7000000

static const struct sa_conf_words console = {.count = 2, .word = {"login", "gdm-password"}};

static const char *
source_of(const char *service, const char *rhost, const char *tty, uint32_t acting_uid)
{
    static struct sa_source source;
    struct sa_origin origin = {sa_bytes_of(service), sa_bytes_of(rhost), sa_bytes_of(tty), acting_uid};

    sa_source_pam(&origin, &console, &source);
    return source.text;
}

static void
addresses_are_read_and_never_looked_up(void **state)
{
    static const struct {
        const char *rhost;
        const char *source;
    } cases[] = {
        {"203.0.113.5", "addr:203.0.113.5"},
        {"::ffff:203.0.113.5", "addr:203.0.113.5"},
        {"::FFFF:CB00:7105", "addr:203.0.113.5"},
        {"2001:db8::1", "net64:2001:db8::"},
        {"2001:db8:0:0:9::2", "net64:2001:db8::"},
        {"2001:db8:0:1::2", "net64:2001:db8:0:1::"},
        {"fe80::1%eth0", "net64:fe80::"},
        {"fe80::1%eth1", "net64:fe80::"},
        {"localhost", "text:localhost"},
        {"LOCAL", "text:LOCAL"},
        {"host.example", "text:host.example"},
        {"203.0.113.005", "text:203.0.113.005"},
        {"203.0.113.5:22", "text:203.0.113.5:22"},
        {"203.0.113", "text:203.0.113"},
        {" 203.0.113.5", "text:\\x20203.0.113.5"},
        {"127.0.0.1", "text:127.0.0.1"},
        {"127.9.9.9", "text:127.9.9.9"},
        {"::1", "text:::1"},
        {"::ffff:127.0.0.1", "text:::ffff:127.0.0.1"},
        {"a\nb", "text:a\\x0ab"},
    };

    (void)state;
    for (size_t i = 0; i < SA_COUNT(cases); i++)
        assert_string_equal(source_of("sshd", cases[i].rhost, "", 0), cases[i].source);
}

static void
long_text_is_cut_and_stays_text(void **state)
{
    char rhost[301];
    const char *source;

    (void)state;
    memset(rhost, 'a', 300);
    rhost[300] = '\0';
    source = source_of("sshd", rhost, "", 0);
    assert_memory_equal(source, "text:aaaa", 9);
    assert_in_range(strlen(source), 200, SA_SOURCE_TEXT_MAX);
    memset(rhost, '\n', 300);
    assert_in_range(strlen(source_of("sshd", rhost, "", 0)), 200, SA_SOURCE_TEXT_MAX);
}

static void
the_first_that_applies_is_the_source(void **state)
{
    (void)state;
    assert_string_equal(source_of("sudo", "203.0.113.5", "tty1", 1000), "addr:203.0.113.5");
    assert_string_equal(source_of("sudo", "", "tty1", 1000), "uid:1000");
    assert_string_equal(source_of("login", "", "tty1", 0), "seat:tty1");
    assert_string_equal(source_of("login", "", "/dev/tty63", 0), "seat:tty63");
    assert_string_equal(source_of("gdm-password", "", ":0", 0), "seat::0");
    assert_string_equal(source_of("cron", "", "tty1", 0), "service:cron");
    assert_string_equal(source_of("login", "", "tty64", 0), "service:login");
    assert_string_equal(source_of("login", "", "tty0", 0), "service:login");
    assert_string_equal(source_of("login", "", "tty01", 0), "service:login");
    assert_string_equal(source_of("login", "", "pts/3", 0), "service:login");
    assert_string_equal(source_of("login", "", "tty", 0), "service:login");
    assert_string_equal(source_of("login", "", ":0.0", 0), "service:login");
}

static void
a_client_is_charged_with_where_it_is(void **state)
{
    struct sa_source source;

    (void)state;
    sa_source_client("svc", "203.0.113.5", -1, &source);
    assert_string_equal(source.text, "client:svc@addr:203.0.113.5");
    sa_source_client("svc", "2001:db8::9", -1, &source);
    assert_string_equal(source.text, "client:svc@net64:2001:db8::");
    sa_source_client("svc", "", 1000, &source);
    assert_string_equal(source.text, "client:svc@uid:1000");
    sa_source_client("", "203.0.113.5", -1, &source);
    assert_string_equal(source.text, "client:@addr:203.0.113.5");
    /* What cannot be an id does not say where it is, nor is it somebody else each time. */
    sa_source_client("x@addr:10.0.0.1", "203.0.113.5", -1, &source);
    assert_string_equal(source.text, "client:?@addr:203.0.113.5");
    sa_source_client("a b\n", "", -1, &source);
    assert_string_equal(source.text, "client:?@");
    sa_source_address("::ffff:203.0.113.5", &source);
    assert_string_equal(source.text, "addr:203.0.113.5");
}

/* ---- buckets ---- */

static struct sa_source
numbered(const char *form, unsigned number)
{
    struct sa_source source = {.text = ""};

    snprintf(source.text, sizeof(source.text), form[0] == 'u' ? "uid:%u" : "net64:2001:db8:1:%x::", number);
    return source;
}

static void
no_window_holds_more_than_the_limit(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source source = numbered("u", 1);
    int64_t taken[400];
    unsigned count = 0;

    (void)state;
    for (int64_t now = START_MS; now < START_MS + 5 * WINDOW_MS; now += 777)
        if (sa_buckets_charge(buckets, &source, now) == 0)
            taken[count++] = now;
    assert_in_range(count, 4 * LIMIT, 5 * LIMIT);
    for (unsigned i = LIMIT; i < count; i++)
        assert_true(taken[i] - taken[i - LIMIT] >= WINDOW_MS);
}

static void
the_wait_that_is_told_is_enough(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source source = numbered("u", 1);
    uint32_t wait;

    (void)state;
    for (unsigned i = 0; i < LIMIT; i++)
        assert_int_equal(sa_buckets_charge(buckets, &source, START_MS + i * 1000), 0);
    wait = sa_buckets_charge(buckets, &source, START_MS + 10000);
    assert_in_range(wait, WINDOW_MS - 10000 - 5000, WINDOW_MS);
    assert_int_equal(sa_buckets_wait(buckets, &source, START_MS + 10000), wait);
    assert_int_not_equal(sa_buckets_charge(buckets, &source, START_MS + 10000 + wait - 1), 0);
    assert_int_equal(sa_buckets_charge(buckets, &source, START_MS + 10000 + wait), 0);
}

static void
what_is_given_back_may_be_taken_again(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source source = numbered("u", 1);

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
        sa_buckets_give_back(buckets, &source, START_MS);
    }
    sa_buckets_give_back(buckets, &source, START_MS); /* more than was taken is nothing */
    for (unsigned i = 0; i < LIMIT; i++)
        assert_int_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
    assert_int_not_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
}

static void
a_call_that_was_admitted_earlier_forgives_nothing(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source source = numbered("u", 1);

    (void)state;
    for (unsigned i = 0; i < LIMIT; i++)
        assert_int_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
    assert_int_not_equal(sa_buckets_charge(buckets, &source, START_MS - 20000), 0);
    assert_int_not_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
}

static void
a_network_of_sixty_four_thousand_has_ten_allowances(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    unsigned taken = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct sa_source source = numbered("n", i);
        taken += sa_buckets_charge(buckets, &source, START_MS) == 0;
    }
    assert_int_equal(taken, 10 * LIMIT);
}

static void
many_sources_take_no_more_memory_and_busy_ones_are_kept(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source mine = numbered("u", 4000000);

    (void)state;
    for (unsigned i = 0; i < LIMIT; i++)
        assert_int_equal(sa_buckets_charge(buckets, &mine, START_MS + 10), 0);
    for (unsigned i = 0; i < 4000; i++) { /* a quarter of the table, all of them idler than mine */
        struct sa_source source = numbered("u", i);
        assert_int_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
    }
    assert_int_not_equal(sa_buckets_charge(buckets, &mine, START_MS + 20), 0);
}

static void
whoever_only_asks_pushes_nobody_out(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source mine = numbered("u", 4000000);

    (void)state;
    for (unsigned i = 0; i < LIMIT; i++)
        assert_int_equal(sa_buckets_charge(buckets, &mine, START_MS), 0);
    for (unsigned i = 0; i < 200000; i++) { /* more than the table holds, and all of them later than mine */
        struct sa_source source = numbered("u", i);
        assert_int_equal(sa_buckets_wait(buckets, &source, START_MS + 10000), 0);
        sa_buckets_give_back(buckets, &source, START_MS + 10000);
    }
    assert_int_not_equal(sa_buckets_wait(buckets, &mine, START_MS + 10000), 0);
}

/* Ids are claimed: with a new one for each guess a place has ten allowances, and no more. */
static void
a_place_with_many_clients_has_ten_allowances(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    unsigned here = 0;
    unsigned around = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct sa_source source;
        snprintf(source.text, sizeof(source.text), "client:c%u@addr:203.0.113.5", i);
        here += sa_buckets_charge(buckets, &source, START_MS) == 0;
        snprintf(source.text, sizeof(source.text), "client:c%u@net64:2001:db8:1:%x::", i, i);
        around += sa_buckets_charge(buckets, &source, START_MS) == 0;
    }
    assert_int_equal(here, 10 * LIMIT);
    assert_int_equal(around, 10 * LIMIT);
}

/* www-data names whatever address it likes. */
static void
a_services_uid_has_one_allowance_for_all_that_it_reports(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    unsigned taken = 0;
    unsigned by_rule = 0;
    unsigned later = 0;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        struct sa_source source;
        char rhost[16];
        snprintf(rhost, sizeof(rhost), "203.0.113.%u", i);
        sa_source_service_uid(33, sa_bytes_of(rhost), &source);
        taken += sa_buckets_charge(buckets, &source, START_MS) == 0;
        source.whole_failures = 3 * LIMIT;
        source.whole_window_s = 10;
        by_rule += sa_buckets_charge(buckets, &source, START_MS) == 0;
    }
    for (unsigned i = 0; i < 200; i++) {
        struct sa_source source;
        sa_source_service_uid(33, sa_bytes_of(i % 2 == 0 ? "203.0.113.200" : "a name"), &source);
        source.whole_failures = 3 * LIMIT;
        source.whole_window_s = 10;
        later += sa_buckets_charge(buckets, &source, START_MS + 11000) == 0;
    }
    assert_int_equal(taken, LIMIT);
    assert_int_equal(by_rule, 3 * LIMIT);
    assert_int_equal(later, 2 * LIMIT); /* two addresses, each with its own allowance */
}

static void
what_a_service_gives_back_it_may_take_again(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source source;

    (void)state;
    sa_source_service_uid(33, sa_bytes_of("203.0.113.1"), &source);
    for (unsigned i = 0; i < 10 * LIMIT; i++) {
        assert_int_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
        sa_buckets_give_back(buckets, &source, START_MS);
    }
}

static void
what_is_forgotten_is_one_source_or_all(void **state)
{
    static const struct sa_source here = {.text = "addr:203.0.113.5"};
    static const struct sa_source there = {.text = "addr:203.0.113.6"};
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);

    (void)state;
    for (unsigned i = 0; i < LIMIT; i++) {
        (void)sa_buckets_charge(buckets, &here, START_MS);
        (void)sa_buckets_charge(buckets, &there, START_MS);
    }
    sa_buckets_forget(buckets, here.text);
    sa_buckets_forget(buckets, "addr:203.0.113.7");
    assert_int_equal(sa_buckets_wait(buckets, &here, START_MS), 0);
    assert_int_not_equal(sa_buckets_wait(buckets, &there, START_MS), 0);
    sa_buckets_forget(buckets, NULL);
    assert_int_equal(sa_buckets_wait(buckets, &there, START_MS), 0);
}

static void
a_gateway_that_makes_addresses_up_has_a_ceiling(void **state)
{
    SA_OWN(sa_buckets) buckets = sa_buckets_new(LIMIT, WINDOW_MS);
    struct sa_source source, other;
    unsigned failures = 0;
    char address[32];

    (void)state;
    for (unsigned i = 0; i < 200 * LIMIT; i++) { /* each address fails once */
        snprintf(address, sizeof(address), "203.0.%u.%u", i / 256, i % 256);
        sa_source_client("app", address, -1, &source);
        snprintf(source.gateway, sizeof(source.gateway), "tls");
        failures += sa_buckets_charge(buckets, &source, START_MS) == 0;
    }
    assert_int_equal(failures, 100 * LIMIT);
    sa_source_client("app", "198.51.100.1", -1, &other); /* another instance, and what is no login, go on */
    assert_int_equal(sa_buckets_wait(buckets, &other, START_MS), 0);
    snprintf(other.gateway, sizeof(other.gateway), "local");
    assert_int_equal(sa_buckets_charge(buckets, &other, START_MS), 0);
    sa_source_client("app", "203.0.0.1", -1, &source);
    snprintf(source.gateway, sizeof(source.gateway), "tls");
    sa_buckets_give_back(buckets, &source, START_MS);
    assert_int_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
    assert_int_not_equal(sa_buckets_charge(buckets, &source, START_MS), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_never_looked_up),
        cmocka_unit_test(long_text_is_cut_and_stays_text),
        cmocka_unit_test(the_first_that_applies_is_the_source),
        cmocka_unit_test(a_client_is_charged_with_where_it_is),
        cmocka_unit_test(no_window_holds_more_than_the_limit),
        cmocka_unit_test(the_wait_that_is_told_is_enough),
        cmocka_unit_test(what_is_given_back_may_be_taken_again),
        cmocka_unit_test(a_call_that_was_admitted_earlier_forgives_nothing),
        cmocka_unit_test(a_network_of_sixty_four_thousand_has_ten_allowances),
        cmocka_unit_test(many_sources_take_no_more_memory_and_busy_ones_are_kept),
        cmocka_unit_test(whoever_only_asks_pushes_nobody_out),
        cmocka_unit_test(a_place_with_many_clients_has_ten_allowances),
        cmocka_unit_test(a_services_uid_has_one_allowance_for_all_that_it_reports),
        cmocka_unit_test(what_a_service_gives_back_it_may_take_again),
        cmocka_unit_test(what_is_forgotten_is_one_source_or_all),
        cmocka_unit_test(a_gateway_that_makes_addresses_up_has_a_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
