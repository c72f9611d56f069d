/* links: sa_auth */
/* The rules file: what is refused and where, who a rule is about, where, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "service/auth/rules.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"

static struct sa_rules *
parsed(const char *text)
{
    struct sa_rules *rules = NULL;
    struct sa_conf_error error;

    if (sa_rules_parse(sa_bytes_of(text), "rules", &rules, &error) != SA_OK)
        fail_msg("%s", error.text);
    return rules;
}

/* ---- refusals ---- */

static void
what_is_wrong_is_refused_with_line_word_and_rule(void **state)
{
    static const struct {
        const char *text;
        const char *error; /* its beginning */
    } cases[] = {
        {"permit who=alice", "rules:1: permit: no rule begins so"},
        {"Allow who=alice", "rules:1: Allow: no rule begins so"},
        {"\n# x\n\ndeny", "rules:4: deny: needs who="},
        {"deny who=", "rules:1: who=: has no value"},
        {"deny who", "rules:1: who: has no value"},
        {"deny who=alice who=bob", "rules:1: who=bob: is given twice"},
        {"deny who=alice rate=1/1", "rules:1: rate=1/1: unknown here"},
        {"deny who=alice factors=off", "rules:1: factors=off: unknown here"},
        {"deny who=alice fro=known", "rules:1: fro=known: unknown here"},
        {"deny who=alice,", "rules:1: who=alice,: names separated"},
        {"deny who=Alice", "rules:1: who=Alice: a user, 1 to 32 bytes"},
        {"deny who=@", "rules:1: who=@: @ and a group"},
        {"deny who=@a.b", "rules:1: who=@a.b: @ and a group"},
        {"deny who=* service=a/b", "rules:1: service=a/b: a PAM service"},
        {"deny who=* service=*", "rules:1: service=*: a PAM service"},
        {"deny who=* from=host", "rules:1: from=host: not an address"},
        {"deny who=* from=10.0.0.0/", "rules:1: from=10.0.0.0/: a network"},
        {"deny who=* from=10.0.0.0/33", "rules:1: from=10.0.0.0/33: a network"},
        {"deny who=* from=10.0.0.0/08", "rules:1: from=10.0.0.0/08: a network"},
        {"deny who=* from=10.0.0.1/8", "rules:1: from=10.0.0.1/8: an address with bits behind"},
        {"deny who=* from=127.0.0.1", "rules:1: from=127.0.0.1: loopback"},
        {"deny who=* from=::1", "rules:1: from=::1: loopback"},
        {"deny who=* from=2001:db8::1", "rules:1: from=2001:db8::1: an IPv6 network of at most 64"},
        {"deny who=* from=2001:db8::/65", "rules:1: from=2001:db8::/65: an IPv6 network of at most 64"},
        {"deny who=* from=known,", "rules:1: from=known,: not an address"},
        {"deny who=* when=Mon-Fry/08:00-18:00", "rules:1: when=Mon-Fry/08:00-18:00: DAY"},
        {"deny who=* when=Mon/8:00-18:00", "rules:1: when=Mon/8:00-18:00: DAY"},
        {"deny who=* when=Mon/08:00-24:01", "rules:1: when=Mon/08:00-24:01: DAY"},
        {"deny who=* when=Mon/24:00-08:00", "rules:1: when=Mon/24:00-08:00: DAY"},
        {"deny who=* when=Mon/08:60-09:00", "rules:1: when=Mon/08:60-09:00: DAY"},
        {"deny who=* when=Mon/08:00", "rules:1: when=Mon/08:00: DAY"},
        {"deny who=* when=Mon/08:00-08:00", "rules:1: when=Mon/08:00-08:00: a time that begins and ends"},
        {"deny who=* when=08:00-09:00", "rules:1: when=08:00-09:00: DAY"},
        {"deny who=* when=Mon-Tue-Wed", "rules:1: when=Mon-Tue-Wed: DAY"},
        {"factor who=*", "rules:1: factor: needs factors="},
        {"factor who=* factors=on", "rules:1: factors=on: off, enrolled"},
        {"factor who=* factors=off fresh=1h", "rules:1: fresh: means nothing"},
        {"factor who=* factors=always fresh=0h", "rules:1: fresh=0h: a number"},
        {"factor who=* factors=always fresh=31d", "rules:1: fresh=31d: a number"},
        {"factor who=* factors=always fresh=60", "rules:1: fresh=60: a number"},
        {"service_uid", "rules:1: service_uid: needs a name"},
        {"service_uid squid uid=13", "rules:1: service_uid: needs services="},
        {"service_uid squid services=squid", "rules:1: service_uid: needs uid="},
        {"service_uid squid uid=0 services=squid", "rules:1: uid=0: a uid other than root's"},
        {"service_uid squid uid=13 services=squid rate=10", "rules:1: rate=10: FAILURES/SECONDS"},
        {"service_uid squid uid=13 services=squid rate=10/3601", "rules:1: rate=10/3601: FAILURES"},
        {"service_uid a uid=1 services=x\nservice_uid a uid=2 services=x", "rules:2: a: is given twice"},
        {"session_services sshd\nsession_services login", "rules:2: session_services: is given twice"},
        {"session_services sshd,login", "rules:1: sshd,login: a PAM service"},
        {"shared_sources uid:x", "rules:1: uid:x: uid: and a number"},
        {"shared_sources known", "rules:1: known: not an address"},
        {"ambient *", "rules:1: *: a user"},
        {"allow who=*\nallow who=\x01", "rules:2: the line: holds a byte"},
        {"allow who=\xc3\xa9", "rules:1: the line: holds a byte"},
    };

    (void)state;
    for (size_t i = 0; i < SA_COUNT(cases); i++) {
        struct sa_rules *rules = NULL;
        struct sa_conf_error error;
        if (sa_rules_parse(sa_bytes_of(cases[i].text), "rules", &rules, &error) != SA_INVALID_ARGUMENT)
            fail_msg("taken: %s", cases[i].text);
        if (strncmp(error.text, cases[i].error, strlen(cases[i].error)) != 0)
            fail_msg("%s, not: %s", error.text, cases[i].error);
        assert_null(rules);
    }
}

static void
a_file_has_at_most_1024_rules_of_a_kind_and_64_kib(void **state)
{
    static char text[SA_RULES_BYTES_MAX + 2];
    struct sa_rules *rules = NULL;
    struct sa_conf_error error;
    size_t len = 0;

    (void)state;
    for (unsigned i = 0; i <= SA_RULES_MAX; i++)
        len += (size_t)sprintf(text + len, "deny who=bob\n");
    assert_int_equal(sa_rules_parse(sa_bytes(text, len), "rules", &rules, &error), SA_INVALID_ARGUMENT);
    assert_string_equal(error.text, "rules:1025: rules: are more than 1,024 of a kind");
    len -= strlen("deny who=bob\n");
    assert_int_equal(sa_rules_parse(sa_bytes(text, len), "rules", &rules, &error), SA_OK);
    sa_rules_free(rules);
    memset(text, '\n', sizeof(text));
    assert_int_equal(sa_rules_parse(sa_bytes(text, SA_RULES_BYTES_MAX), "rules", &rules, &error), SA_OK);
    sa_rules_free(rules);
    assert_int_equal(sa_rules_parse(sa_bytes(text, SA_RULES_BYTES_MAX + 1), "rules", &rules, &error),
                     SA_INVALID_ARGUMENT);
}

/* ---- one login against one file ---- */

struct asked {
    const char *name, *group, *service, *source;
    bool known, oneself;
    int64_t wall_s;
};

static struct sa_rule_login
login_of(const struct asked *asked, struct sa_user *user, struct sa_source *source)
{
    memset(user, 0, sizeof(*user));
    snprintf(user->name, sizeof(user->name), "%s", asked->name);
    if (asked->group != NULL) {
        user->group_count = 1;
        snprintf(user->groups[0], sizeof(user->groups[0]), "%s", asked->group);
    }
    snprintf(source->text, sizeof(source->text), "%s", asked->source == NULL ? "service:x" : asked->source);
    return (struct sa_rule_login){.name = sa_bytes_of(asked->name),
                                  .user = asked->group == NULL ? NULL : user,
                                  .service = sa_bytes_of(asked->service),
                                  .source = source,
                                  .is_known = asked->known,
                                  .is_oneself = asked->oneself,
                                  .wall_ms = asked->wall_s * 1000};
}

static struct sa_rule_verdict
access_of(const char *text, struct asked asked)
{
    SA_OWN(sa_rules) rules = parsed(text);
    struct sa_user user;
    struct sa_source source;
    struct sa_rule_login login = login_of(&asked, &user, &source);

    return sa_rules_access(rules, &login);
}

static struct sa_factor_verdict
factors_of(const char *text, struct asked asked)
{
    SA_OWN(sa_rules) rules = parsed(text);
    struct sa_user user;
    struct sa_source source;
    struct sa_rule_login login = login_of(&asked, &user, &source);

    return sa_rules_factors(rules, &login);
}

static bool
is_denied_from(const char *from, const char *source)
{
    char text[128];

    snprintf(text, sizeof(text), "deny who=* from=%s", from);
    return access_of(text, (struct asked){.name = "alice", .source = source}).denied;
}

static void
without_a_match_a_login_is_allowed_and_a_factor_is_asked_of_those_who_have_one(void **state)
{
    (void)state;
    assert_false(access_of("", (struct asked){.name = "alice"}).denied);
    assert_int_equal(access_of("deny who=bob", (struct asked){.name = "alice"}).line, 0);
    assert_int_equal(factors_of("", (struct asked){.name = "alice"}).factors, SA_FACTORS_ENROLLED);
    assert_int_equal(factors_of("", (struct asked){.name = "alice", .oneself = true}).factors,
                     SA_FACTORS_OFF);
}

static void
the_first_match_of_its_kind_wins(void **state)
{
    static const char text[] =
        "factor who=alice factors=always fresh=1h\nallow who=alice service=sshd,login\n"
        "deny who=alice,@night\nfactor who=* factors=off # the rest\n";

    (void)state;
    assert_false(access_of(text, (struct asked){.name = "alice", .service = "sshd"}).denied);
    assert_int_equal(access_of(text, (struct asked){.name = "alice", .service = "login"}).line, 2);
    assert_true(access_of(text, (struct asked){.name = "alice", .service = "su"}).denied);
    assert_int_equal(access_of(text, (struct asked){.name = "alice", .service = "SSHD"}).line, 3);
    assert_true(access_of(text, (struct asked){.name = "bob", .group = "night"}).denied);
    assert_false(access_of(text, (struct asked){.name = "bob", .group = "nights"}).denied);
    assert_false(access_of(text, (struct asked){.name = "night"}).denied);
    struct sa_factor_verdict verdict = factors_of(text, (struct asked){.name = "alice"});
    assert_int_equal(verdict.factors, SA_FACTORS_ALWAYS);
    assert_int_equal(verdict.fresh_s, 3600);
    assert_int_equal(verdict.line, 1);
    assert_int_equal(factors_of(text, (struct asked){.name = "bob"}).line, 4);
}

static void
a_locker_is_asked_for_a_code_only_by_a_rule_that_names_it(void **state)
{
    struct asked locker = {.name = "alice", .service = "i3lock", .source = "uid:2001", .oneself = true};

    (void)state;
    assert_int_equal(factors_of("factor who=* factors=always", locker).factors, SA_FACTORS_OFF);
    assert_int_equal(factors_of("factor who=* service=i3lock factors=always", locker).factors,
                     SA_FACTORS_ALWAYS);
}

static void
addresses_are_compared_bit_by_bit_in_both_families(void **state)
{
    (void)state;
    assert_true(is_denied_from("203.0.113.5", "addr:203.0.113.5"));
    assert_false(is_denied_from("203.0.113.5", "addr:203.0.113.6"));
    assert_true(is_denied_from("203.0.112.0/23", "addr:203.0.113.255"));
    assert_false(is_denied_from("203.0.112.0/23", "addr:203.0.114.0"));
    assert_true(is_denied_from("0.0.0.0/0", "addr:203.0.114.0"));
    assert_false(is_denied_from("0.0.0.0/0", "net64:2001:db8::"));
    assert_false(is_denied_from("::/0", "addr:203.0.114.0"));
    assert_true(is_denied_from("::ffff:203.0.113.5", "addr:203.0.113.5"));
    assert_true(is_denied_from("::ffff:203.0.112.0/119", "addr:203.0.113.255"));
    assert_true(is_denied_from("2001:db8::/61", "net64:2001:db8:0:7::"));
    assert_false(is_denied_from("2001:db8::/61", "net64:2001:db8:0:8::"));
    assert_true(is_denied_from("10.0.0.0/8,2001:db8::/64", "net64:2001:db8::"));
    assert_false(is_denied_from("0.0.0.0/0,::/0", "text:host.example"));
    assert_false(is_denied_from("0.0.0.0/0,::/0", "service:cron"));
}

static void
console_is_a_seat_and_nothing_else(void **state)
{
    (void)state;
    assert_true(is_denied_from("console", "seat:tty1"));
    assert_true(is_denied_from("console", "seat::0"));
    assert_false(is_denied_from("console", "text:seat:tty1"));
    assert_false(is_denied_from("console", "service:login"));
    assert_false(is_denied_from("console", "uid:1000"));
}

static void
known_is_what_the_caller_says_of_the_source(void **state)
{
    struct asked asked = {.name = "alice", .source = "addr:203.0.113.5", .known = true};

    (void)state;
    assert_true(access_of("deny who=* from=known", asked).denied);
    asked.known = false;
    assert_false(access_of("deny who=* from=known", asked).denied);
}

static void
a_reported_address_limits_and_never_lifts(void **state)
{
    static const char *const sources[] = {"client:app@addr:10.1.2.3", "uid:33@addr:10.1.2.3"};
    static const char text[] = "allow who=* from=10.0.0.0/8\ndeny who=*";

    (void)state;
    for (unsigned i = 0; i < SA_COUNT(sources); i++) {
        struct asked asked = {.name = "alice", .source = sources[i], .known = true};
        assert_true(access_of(text, asked).denied);
        assert_true(is_denied_from("10.0.0.0/8", sources[i]));
        assert_true(access_of("allow who=* from=known\ndeny who=*", asked).denied);
        assert_int_equal(factors_of("factor who=* from=10.0.0.0/8 factors=off", asked).factors,
                         SA_FACTORS_ENROLLED);
        assert_int_equal(factors_of("factor who=* from=10.0.0.0/8 factors=always", asked).factors,
                         SA_FACTORS_ALWAYS);
        assert_int_equal(
            factors_of("factor who=* from=10.0.0.0/8 factors=after_password fresh=8h", asked).factors,
            SA_FACTORS_AFTER_PASSWORD);
    }
    assert_false(access_of(text, (struct asked){.name = "alice", .source = "addr:10.1.2.3"}).denied);
}

/* ---- time ---- */

static bool
is_denied_at(const char *when, const char *zone, int64_t wall_s)
{
    char text[128];

    setenv("TZ", zone, 1);
    snprintf(text, sizeof(text), "deny who=* when=%s", when);
    return access_of(text, (struct asked){.name = "alice", .wall_s = wall_s}).denied;
}

/* 2026-11-23 is a Monday. */
#define MONDAY                1795392000
#define AT(day, hour, minute) (MONDAY + ((day)*24 + (hour)) * 3600 + (minute)*60)

static void
office_hours_begin_at_the_first_minute_and_end_before_the_last(void **state)
{
    (void)state;
    assert_false(is_denied_at("Mon-Fri/08:00-18:00", "UTC", AT(0, 7, 59)));
    assert_true(is_denied_at("Mon-Fri/08:00-18:00", "UTC", AT(0, 8, 0)));
    assert_true(is_denied_at("Mon-Fri/08:00-18:00", "UTC", AT(4, 17, 59)));
    assert_false(is_denied_at("Mon-Fri/08:00-18:00", "UTC", AT(4, 18, 0)));
    assert_false(is_denied_at("Mon-Fri/08:00-18:00", "UTC", AT(5, 12, 0)));
    assert_true(is_denied_at("Sat", "UTC", AT(5, 23, 59)));
    assert_false(is_denied_at("Sat", "UTC", AT(6, 0, 0)));
    assert_true(is_denied_at("Sat/00:00-24:00", "UTC", AT(5, 23, 59)));
    assert_true(is_denied_at("Mon/08:00-09:00,Sun/10:00-11:00", "UTC", AT(6, 10, 30)));
}

static void
days_wrap_around_the_week(void **state)
{
    (void)state;
    assert_true(is_denied_at("Fri-Mon", "UTC", AT(4, 0, 0)));
    assert_true(is_denied_at("Fri-Mon", "UTC", AT(6, 12, 0)));
    assert_true(is_denied_at("Fri-Mon", "UTC", AT(0, 23, 59)));
    assert_false(is_denied_at("Fri-Mon", "UTC", AT(1, 0, 0)));
    assert_false(is_denied_at("Fri-Mon", "UTC", AT(3, 23, 59)));
}

static void
a_night_belongs_to_the_day_on_which_it_begins(void **state)
{
    (void)state;
    assert_false(is_denied_at("Fri/22:00-06:00", "UTC", AT(4, 5, 0)));
    assert_true(is_denied_at("Fri/22:00-06:00", "UTC", AT(4, 22, 0)));
    assert_true(is_denied_at("Fri/22:00-06:00", "UTC", AT(5, 5, 59)));
    assert_false(is_denied_at("Fri/22:00-06:00", "UTC", AT(5, 6, 0)));
    assert_false(is_denied_at("Fri/22:00-06:00", "UTC", AT(5, 22, 0)));
    assert_true(is_denied_at("Sun/22:00-06:00", "UTC", AT(0, 3, 0)));
}

static void
hours_are_the_hosts_own(void **state)
{
    (void)state;
    assert_true(is_denied_at("Mon/08:00-09:00", BERLIN, AT(0, 7, 30)));
    assert_false(is_denied_at("Mon/08:00-09:00", BERLIN, AT(0, 8, 30)));
    assert_true(is_denied_at("Sun/20:00-24:00", "XYZ+12", AT(0, 9, 0)));
}

/* 2026-10-25 01:00 UTC: 03:00 becomes 02:00. 2026-03-29 01:00 UTC: 02:00 becomes 03:00. */
static void
the_hour_that_comes_twice_counts_twice_and_the_one_that_is_skipped_never(void **state)
{
    (void)state;
    assert_true(is_denied_at("Sun/02:00-03:00", BERLIN, 1792886400 + 1800));
    assert_true(is_denied_at("Sun/02:00-03:00", BERLIN, 1792890000 + 1800));
    assert_false(is_denied_at("Sun/02:00-03:00", BERLIN, 1792890000 + 3600));
    assert_false(is_denied_at("Sun/02:00-03:00", BERLIN, 1774746000 - 60));
    assert_false(is_denied_at("Sun/02:00-03:00", BERLIN, 1774746000));
    assert_true(is_denied_at("Sun/03:00-04:00", BERLIN, 1774746000));
}

/* ---- lists ---- */

static void
lists_have_defaults_and_one_that_is_given_replaces_them(void **state)
{
    SA_OWN(sa_rules) empty = parsed("# nothing\r\n");
    SA_OWN(sa_rules) given = parsed("session_services cron\nconsole_services");

    (void)state;
    assert_true(sa_rules_gives_session(empty, sa_bytes_of("sshd")));
    assert_true(sa_rules_gives_session(empty, sa_bytes_of("gdm-password")));
    assert_false(sa_rules_gives_session(empty, sa_bytes_of("sudo")));
    assert_true(sa_conf_has_word(sa_rules_console_services(empty), sa_bytes_of("login")));
    assert_false(sa_conf_has_word(sa_rules_console_services(empty), sa_bytes_of("sshd")));
    assert_true(sa_rules_gives_session(given, sa_bytes_of("cron")));
    assert_false(sa_rules_gives_session(given, sa_bytes_of("sshd")));
    assert_int_equal(sa_rules_console_services(given)->count, 0);
}

static void
shared_sources_are_networks_and_uids(void **state)
{
    SA_OWN(sa_rules) rules = parsed("shared_sources 10.0.0.0/8 2001:db8::/32 uid:33");
    static const struct {
        const char *source;
        bool shared;
    } cases[] = {{"addr:10.9.9.9", true}, {"addr:11.0.0.0", false}, {"net64:2001:db8:1::", true},
                 {"uid:33", true},        {"uid:3", false},         {"seat:tty1", false}};

    (void)state;
    for (unsigned i = 0; i < SA_COUNT(cases); i++) {
        struct sa_source source;
        snprintf(source.text, sizeof(source.text), "%s", cases[i].source);
        assert_int_equal(sa_rules_is_shared(rules, &source), cases[i].shared);
    }
}

static void
a_services_uid_may_what_its_lines_name(void **state)
{
    SA_OWN(sa_rules)
    rules = parsed("service_uid web uid=33 services=apache,nginx rate=200/60\n"
                   "service_uid proxy uid=33 services=squid\n");
    struct sa_service_uid found;

    (void)state;
    assert_false(sa_rules_service_uid(rules, 34, sa_bytes_of(""), &found));
    assert_false(sa_rules_service_uid(rules, 33, sa_bytes_of("sshd"), &found));
    assert_true(sa_rules_service_uid(rules, 33, sa_bytes_of(""), &found));
    assert_true(sa_rules_service_uid(rules, 33, sa_bytes_of("nginx"), &found));
    assert_string_equal(found.name, "web");
    assert_int_equal(found.failures, 200);
    assert_int_equal(found.window_s, 60);
    assert_true(sa_rules_service_uid(rules, 33, sa_bytes_of("squid"), &found));
    assert_string_equal(found.name, "proxy");
    assert_int_equal(found.failures, 0);
}

static void
ambient_names_people_and_groups(void **state)
{
    SA_OWN(sa_rules) rules = parsed("ambient alice @build");
    struct sa_user alice = {.name = "alice"};
    struct sa_user bob = {.name = "bob", .group_count = 1, .groups = {"build"}};
    struct sa_user carol = {.name = "carol", .group_count = 1, .groups = {"alice"}};

    (void)state;
    assert_true(sa_rules_is_ambient(rules, &alice));
    assert_true(sa_rules_is_ambient(rules, &bob));
    assert_false(sa_rules_is_ambient(rules, &carol));
}

static void
a_file_that_is_not_there_is_an_empty_one(void **state)
{
    struct sa_rules *rules = NULL;
    struct sa_conf_error error;

    (void)state;
    assert_int_equal(sa_rules_read("/nonexistent/rules", &rules, &error), SA_OK);
    assert_true(sa_rules_gives_session(rules, sa_bytes_of("sshd")));
    sa_rules_free(rules);
    assert_int_equal(sa_rules_read("/dev", &rules, &error), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(error.text, "/dev: "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_refused_with_line_word_and_rule),
        cmocka_unit_test(a_file_has_at_most_1024_rules_of_a_kind_and_64_kib),
        cmocka_unit_test(without_a_match_a_login_is_allowed_and_a_factor_is_asked_of_those_who_have_one),
        cmocka_unit_test(the_first_match_of_its_kind_wins),
        cmocka_unit_test(a_locker_is_asked_for_a_code_only_by_a_rule_that_names_it),
        cmocka_unit_test(addresses_are_compared_bit_by_bit_in_both_families),
        cmocka_unit_test(console_is_a_seat_and_nothing_else),
        cmocka_unit_test(known_is_what_the_caller_says_of_the_source),
        cmocka_unit_test(a_reported_address_limits_and_never_lifts),
        cmocka_unit_test(office_hours_begin_at_the_first_minute_and_end_before_the_last),
        cmocka_unit_test(days_wrap_around_the_week),
        cmocka_unit_test(a_night_belongs_to_the_day_on_which_it_begins),
        cmocka_unit_test(hours_are_the_hosts_own),
        cmocka_unit_test(the_hour_that_comes_twice_counts_twice_and_the_one_that_is_skipped_never),
        cmocka_unit_test(lists_have_defaults_and_one_that_is_given_replaces_them),
        cmocka_unit_test(shared_sources_are_networks_and_uids),
        cmocka_unit_test(a_services_uid_may_what_its_lines_name),
        cmocka_unit_test(ambient_names_people_and_groups),
        cmocka_unit_test(a_file_that_is_not_there_is_an_empty_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
