/* links: sa_auth */
/* Forms: names, lines of shadow(5), refresh tokens, scopes, new passwords, accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "service/auth/account.h"
#include "service/auth/names.h"
#include "service/auth/refresh.h"
#include "service/auth/scope.h"
#include "service/auth/shadow.h"

#define DAY_S    86400
#define NOW_MS   INT64_C(1800000000000)
#define YESCRYPT "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

static const struct sa_password_policy policy = {
    .kind = SA_PASSWORD_ARGON2ID, .memory_kib = 8, .passes = 1, .max_memory_kib = 262144, .max_millis = 2000};

/* ---- names ---- */

static void
names_that_break_the_rule_are_refused(void **state)
{
    const char *users[] = {"",    "-a",  "1a",  "A", "a/b",      "a:b",
                           "a b", "a\n", "a$b", "$", "\xc3\xa4", "aaaaaaaaaabbbbbbbbbbccccccccccddd"};
    const char *emails[] = {"",     "a",    "a@",   "@b",    "a@b..c", ".a@b",
                            "a.@b", "a@-b", "a@b-", "a b@c", "a@b@c",  "a@b."};
    const char *clients[] = {"", "a.b", "a b", "a/b", "\xc3\xa4"};
    const char *audiences[] = {"", "a b", "a?b", "a\"b"};
    const char *scopes[] = {"", "a b", "a\"b", "a\\b", "\x7f", "\xc3\xa4"};
    const char *groups[] = {"", "1a", "a.b", "A", "-a"};

    (void)state;
    for (size_t i = 0; i < SA_COUNT(users); i++)
        assert_false(sa_name_is_user(sa_bytes_of(users[i])));
    assert_false(sa_name_is_user(sa_bytes("a\0b", 3)));
    for (size_t i = 0; i < SA_COUNT(emails); i++)
        assert_false(sa_name_is_email(sa_bytes_of(emails[i])));
    for (size_t i = 0; i < SA_COUNT(clients); i++)
        assert_false(sa_name_is_client_id(sa_bytes_of(clients[i])));
    for (size_t i = 0; i < SA_COUNT(audiences); i++)
        assert_false(sa_name_is_audience(sa_bytes_of(audiences[i])));
    for (size_t i = 0; i < SA_COUNT(scopes); i++)
        assert_false(sa_name_is_scope(sa_bytes_of(scopes[i])));
    for (size_t i = 0; i < SA_COUNT(groups); i++)
        assert_false(sa_name_is_group(sa_bytes_of(groups[i])));
    assert_false(sa_name_is_id(sa_bytes_of("abcdefghijklmnopqrstu=")));
}

static void
names_that_fit_are_taken(void **state)
{
    const char *users[] = {"a", "_apt", "ann.b-c_1", "host$", "aaaaaaaaaabbbbbbbbbbccccccccccdd"};
    const char *emails[] = {"a@b", "ann.o'neill+x@mail.example.org", "a@1.example"};

    (void)state;
    for (size_t i = 0; i < SA_COUNT(users); i++)
        assert_true(sa_name_is_user(sa_bytes_of(users[i])));
    for (size_t i = 0; i < SA_COUNT(emails); i++)
        assert_true(sa_name_is_email(sa_bytes_of(emails[i])));
    assert_true(sa_name_is_audience(sa_bytes_of("https://api.example:8443/v1")));
    assert_true(sa_name_is_scope(sa_bytes_of("user:read!")));
    assert_true(sa_name_is_id(sa_bytes_of("abcdefghijklmnopqrst_-")));
}

/* ---- shadow(5) ---- */

static void
lines_that_are_not_understood_are_refused(void **state)
{
    const char *lines[] = {
        "",
        "ann",
        "ann:" YESCRYPT ":19000:0:99999:7::",
        "ann:" YESCRYPT ":19000:0:99999:7::::",
        "ann:" YESCRYPT ":19000:0:99999:7:::x",
        "Ann:" YESCRYPT ":19000:0:99999:7:::",
        ":" YESCRYPT ":19000:0:99999:7:::",
        "ann::19000:0:99999:7:::",
        "ann:plaintext:19000:0:99999:7:::",
        "ann:$1$abc$0123456789012345678901:19000:0:99999:7:::",
        "ann:$y$j9T$short:19000:0:99999:7:::",
        "ann:" YESCRYPT ":x:0:99999:7:::",
        "ann:" YESCRYPT ":-2:0:99999:7:::",
        "ann:" YESCRYPT ":100000:0:99999:7:::",
        "ann:" YESCRYPT ":19000:0:99999999999999999999:7:::",
        "ann:" YESCRYPT ":19000:0:99999:7:::\n",
        "ann:" YESCRYPT ": 19000:0:99999:7:::",
    };
    SA_OWN(sa_user) user = sa_user_new();

    (void)state;
    for (size_t i = 0; i < SA_COUNT(lines); i++) {
        const char *rule = NULL;
        assert_int_equal(sa_shadow_parse(sa_bytes_of(lines[i]), &policy, user, &rule), SA_INVALID_ARGUMENT);
        assert_non_null(rule);
        assert_string_equal(user->name, "");
    }
}

static void
a_hash_over_the_limits_is_refused(void **state)
{
    struct sa_password_policy tight = policy;
    SA_OWN(sa_user) user = sa_user_new();
    const char *rule = NULL;

    (void)state;
    tight.max_memory_kib = 64;
    assert_int_equal(sa_shadow_parse(sa_bytes_of("ann:" YESCRYPT ":19000:0:99999:7:::"), &tight, user, &rule),
                     SA_INVALID_ARGUMENT);
    assert_non_null(rule);
}

static void
a_line_gives_hash_ageing_and_expiry(void **state)
{
    SA_OWN(sa_user) user = sa_user_new();
    const char *rule;

    (void)state;
    assert_int_equal(
        sa_shadow_parse(sa_bytes_of("ann:" YESCRYPT ":19000:0:90:7:30:20000:"), &policy, user, &rule), SA_OK);
    assert_string_equal(user->name, "ann");
    assert_string_equal(user->hash, YESCRYPT);
    assert_int_equal(user->changed_s, 19000 * DAY_S);
    assert_int_equal(user->max_days, 90);
    assert_int_equal(user->warn_days, 7);
    assert_int_equal(user->not_after_s, 20000 * DAY_S);
    assert_false(user->must_change);
    assert_int_equal(sa_shadow_parse(sa_bytes_of("ann:" YESCRYPT ":0:0:99999:7:::"), &policy, user, &rule),
                     SA_OK);
    assert_true(user->must_change);
    assert_int_equal(user->max_days, 0);
    assert_int_equal(user->not_after_s, 0);
}

static void
a_locked_hash_stays_as_it_is_and_matches_nothing(void **state)
{
    const char *lines[] = {"ann:!" YESCRYPT ":19000:0:99999:7:::", "ann:*:19000:0:99999:7:::",
                           "ann:!:19000::::::", "ann:!!:19000:0:99999:7:::"};
    SA_OWN(sa_user) user = sa_user_new();
    const char *rule;

    (void)state;
    for (size_t i = 0; i < SA_COUNT(lines); i++) {
        assert_int_equal(sa_shadow_parse(sa_bytes_of(lines[i]), &policy, user, &rule), SA_OK);
        enum sa_password_kind kind = SA_PASSWORD_BCRYPT;
        assert_int_equal(sa_password_inspect(&policy, user->hash, &kind, &rule), SA_OK);
        assert_int_equal(kind, SA_PASSWORD_NONE);
    }
}

static void
a_line_comes_out_as_it_went_in(void **state)
{
    const char *lines[] = {
        "ann:" YESCRYPT ":19000:0:90:7:30:20000:",
        "ann:" YESCRYPT ":0:0:99999:7:::",
        "ann:" YESCRYPT "::::::: ",
        "ann:" YESCRYPT ":::::::",
        "ann:" YESCRYPT ":19000:1:0:0:0:0:",
        "ann:!" YESCRYPT ":19000::99999:7:::",
        "ann:!:19000::::::",
        "ann:!!:19000:0:99999:7:::",
        "ann:*:19000:0:1:7:::",
        "ann:" YESCRYPT ":0:5:90:7:14::",
    };
    SA_OWN(sa_user) user = sa_user_new();
    char line[SA_SHADOW_LINE_MAX + 1];
    const char *rule;

    (void)state;
    for (size_t i = 0; i < SA_COUNT(lines); i++) {
        enum sa_status status = sa_shadow_parse(sa_bytes_of(lines[i]), &policy, user, &rule);
        if (i == 2) { /* a ninth field is reserved */
            assert_int_equal(status, SA_INVALID_ARGUMENT);
            continue;
        }
        assert_int_equal(status, SA_OK);
        user->active = true;
        sa_shadow_format(user, line);
        assert_string_equal(line, lines[i]);
    }
    user->active = false;
    sa_shadow_format(user, line);
    assert_string_equal(line, "ann:!" YESCRYPT ":0:5:90:7:14::");
}

static void
ageing_expires_refuses_early_changes_and_forgives_the_future(void **state)
{
    struct sa_user user = {.active = true, .changed_s = NOW_MS / 1000 - 100 * DAY_S, .max_days = 90};

    (void)state;
    assert_int_equal(sa_account_state(&user, NOW_MS), SA_PASSWORD_EXPIRED);
    user.has_inactive = true;
    user.inactive_days = 11;
    assert_int_equal(sa_account_state(&user, NOW_MS), SA_PASSWORD_EXPIRED);
    user.inactive_days = 10;
    assert_int_equal(sa_account_state(&user, NOW_MS), SA_ACCOUNT_EXPIRED);
    user.changed_s = 0; /* unknown: shadow(5) ages nothing then */
    assert_int_equal(sa_account_state(&user, NOW_MS), SA_OK);
    user.min_days = 5;
    assert_true(sa_account_may_change_yet(&user, NOW_MS));
    user.changed_s = NOW_MS / 1000 - 4 * DAY_S;
    assert_false(sa_account_may_change_yet(&user, NOW_MS));
    user.changed_s = NOW_MS / 1000 - 5 * DAY_S;
    assert_true(sa_account_may_change_yet(&user, NOW_MS));
    user.changed_s = NOW_MS / 1000 + 9 * DAY_S;
    assert_true(sa_account_is_from_the_future(&user, NOW_MS));
    assert_true(sa_account_may_change_yet(&user, NOW_MS));
    assert_int_equal(sa_account_state(&user, NOW_MS), SA_OK);
    user.changed_s = NOW_MS / 1000;
    user.must_change = true; /* a temporary password may be changed at once */
    assert_true(sa_account_may_change_yet(&user, NOW_MS));
}

/* ---- refresh tokens ---- */

static void
a_refresh_token_is_only_what_was_made(void **state)
{
    uint8_t master[32] = "one master key of thirty-two by";
    uint8_t other_master[32] = "another one of thirty-two bytes";
    SA_OWN(sa_keyring) keyring = sa_keyring_new(sa_bytes(master, 32));
    SA_OWN(sa_keyring) other = sa_keyring_new(sa_bytes(other_master, 32));
    struct sa_refresh_token made, read;
    char text[SA_REFRESH_LEN + 2], changed[SA_REFRESH_LEN + 1];

    (void)state;
    sa_refresh_new(&made);
    made.generation = 0x01020304;
    sa_refresh_format(keyring, &made, text);
    assert_int_equal(strlen(text), SA_REFRESH_LEN);
    assert_int_equal(sa_refresh_parse(keyring, sa_bytes_of(text), &read), SA_OK);
    assert_memory_equal(read.handle, made.handle, SA_REFRESH_HANDLE_LEN);
    assert_int_equal(read.generation, 0x01020304);
    assert_int_equal(sa_refresh_parse(other, sa_bytes_of(text), &read), SA_INVALID_GRANT);
    for (size_t i = 0; i < SA_REFRESH_LEN; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            memcpy(changed, text, sizeof(changed));
            changed[i] = (char)(changed[i] ^ (1 << bit));
            assert_int_not_equal(sa_refresh_parse(keyring, sa_bytes(changed, SA_REFRESH_LEN), &read), SA_OK);
        }
    for (size_t len = 0; len < SA_REFRESH_LEN; len++)
        assert_int_equal(sa_refresh_parse(keyring, sa_bytes(text, len), &read), SA_INVALID_ARGUMENT);
    strcat(text, "A");
    assert_int_equal(sa_refresh_parse(keyring, sa_bytes_of(text), &read), SA_INVALID_ARGUMENT);
}

static void
the_row_is_found_without_the_generation_and_holds_no_handle(void **state)
{
    uint8_t master[32] = "one master key of thirty-two by";
    SA_OWN(sa_keyring) keyring = sa_keyring_new(sa_bytes(master, 32));
    struct sa_refresh_token token, next;
    uint8_t mac[SA_MAC_LEN], again[SA_MAC_LEN];

    (void)state;
    sa_refresh_new(&token);
    next = token;
    next.generation++;
    sa_refresh_lookup(keyring, &token, mac);
    sa_refresh_lookup(keyring, &next, again);
    assert_memory_equal(mac, again, SA_MAC_LEN);
    assert_memory_not_equal(mac, token.handle, SA_REFRESH_HANDLE_LEN);
    sa_refresh_new(&next);
    assert_memory_not_equal(next.handle, token.handle, SA_REFRESH_HANDLE_LEN);
}

/* ---- scopes ---- */

static struct sa_client *
client_of_two(void)
{
    struct sa_client *client = sa_client_new(3);

    client->audience_count = 3;
    strcpy(client->audiences[0].audience, "one");
    strcpy(client->audiences[0].scopes, "c b a");
    strcpy(client->audiences[1].audience, "two");
    strcpy(client->audiences[1].scopes, "d b");
    strcpy(client->audiences[2].audience, "bare");
    return client;
}

static enum sa_status
grant(const struct sa_client *client, const char *first, const char *second, const char *scope,
      struct sa_granted *ret_granted)
{
    const char *audiences[] = {first, second};
    struct sa_scope_request request = {audiences, first == NULL ? 0 : second == NULL ? 1 : 2, scope};

    return sa_scope_grant(client, NULL, &request, ret_granted);
}

static void
a_request_narrows_and_never_widens(void **state)
{
    SA_OWN(sa_client) client = client_of_two();
    struct sa_granted granted;

    (void)state;
    assert_int_equal(grant(client, NULL, NULL, "", &granted), SA_INVALID_TARGET);
    assert_int_equal(grant(client, "three", NULL, "", &granted), SA_INVALID_TARGET);
    assert_int_equal(grant(client, "one", "three", "", &granted), SA_INVALID_TARGET);
    assert_int_equal(grant(client, "one", NULL, "d", &granted), SA_INVALID_SCOPE);
    assert_int_equal(grant(client, "one", NULL, "a d", &granted), SA_INVALID_SCOPE);
    assert_int_equal(grant(client, "one", NULL, "B", &granted), SA_INVALID_SCOPE);
    assert_int_equal(grant(client, "bare", NULL, "a", &granted), SA_INVALID_SCOPE);
    assert_int_equal(grant(client, "one", NULL, "ab", &granted), SA_INVALID_SCOPE);
}

static void
scopes_come_once_in_their_registered_order(void **state)
{
    SA_OWN(sa_client) client = client_of_two();
    struct sa_granted granted;

    (void)state;
    assert_int_equal(grant(client, "one", NULL, "", &granted), SA_OK);
    assert_string_equal(granted.scope, "c b a");
    assert_int_equal(grant(client, "one", NULL, " a  b a ", &granted), SA_OK);
    assert_string_equal(granted.scope, "b a");
    assert_int_equal(grant(client, "two", "one", "", &granted), SA_OK);
    assert_string_equal(granted.scope, "c b a d");
    assert_int_equal(granted.aud_count, 2);
    assert_string_equal(granted.aud[0], "two");
    assert_int_equal(grant(client, "one", "one", "", &granted), SA_OK);
    assert_int_equal(granted.aud_count, 1);
    assert_int_equal(grant(client, "bare", NULL, "   ", &granted), SA_OK);
    assert_string_equal(granted.scope, "");
}

/* ---- accounts ---- */

static void
an_account_is_judged_by_its_dates(void **state)
{
    SA_OWN(sa_user) user = sa_user_new();
    int64_t now_s = NOW_MS / 1000;

    (void)state;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_ACCOUNT_DISABLED);
    user->active = true;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_OK);
    user->not_after_s = now_s;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_ACCOUNT_EXPIRED);
    user->not_after_s = now_s + 1;
    user->not_before_s = now_s + 1;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_ACCOUNT_NOT_YET_VALID);
    user->not_before_s = now_s;
    user->must_change = true;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_PASSWORD_EXPIRED);
    user->must_change = false;
    user->max_days = 10;
    user->warn_days = 3;
    user->changed_s = now_s - 7 * DAY_S + 1;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_OK);
    assert_int_equal(sa_account_warning_days(user, NOW_MS), 0);
    user->changed_s = now_s - 9 * DAY_S;
    assert_int_equal(sa_account_warning_days(user, NOW_MS), 1);
    user->changed_s = now_s - 10 * DAY_S;
    assert_int_equal(sa_account_state(user, NOW_MS), SA_PASSWORD_EXPIRED);
    assert_int_equal(sa_account_warning_days(user, NOW_MS), 0);
}

static void
a_new_password_is_counted_in_characters_and_bounded_in_bytes(void **state)
{
    struct sa_password_policy bcrypt = policy;
    struct sa_bytes none = {NULL, 0};
    char bytes[512];

    (void)state;
    bcrypt.kind = SA_PASSWORD_BCRYPT;
    memset(bytes, 'x', sizeof(bytes));
    assert_non_null(sa_account_new_password(none, none, 1, &policy));
    assert_non_null(sa_account_new_password(sa_bytes_of("1234567"), none, 8, &policy));
    assert_null(sa_account_new_password(sa_bytes_of("12345678"), none, 8, &policy));
    assert_non_null(
        sa_account_new_password(sa_bytes_of("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"), none, 8, &policy));
    assert_non_null(sa_account_new_password(sa_bytes("1234\0005678", 9), none, 8, &policy));
    assert_null(sa_account_new_password(sa_bytes(bytes, 511), none, 8, &policy));
    assert_non_null(sa_account_new_password(sa_bytes(bytes, 512), none, 8, &policy));
    assert_null(sa_account_new_password(sa_bytes(bytes, 72), none, 8, &bcrypt));
    assert_non_null(sa_account_new_password(sa_bytes(bytes, 73), none, 8, &bcrypt));
    assert_non_null(sa_account_new_password(sa_bytes_of("12345678"), sa_bytes_of("12345678"), 8, &policy));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_break_the_rule_are_refused),
        cmocka_unit_test(names_that_fit_are_taken),
        cmocka_unit_test(lines_that_are_not_understood_are_refused),
        cmocka_unit_test(a_hash_over_the_limits_is_refused),
        cmocka_unit_test(a_line_gives_hash_ageing_and_expiry),
        cmocka_unit_test(a_locked_hash_stays_as_it_is_and_matches_nothing),
        cmocka_unit_test(a_line_comes_out_as_it_went_in),
        cmocka_unit_test(ageing_expires_refuses_early_changes_and_forgives_the_future),
        cmocka_unit_test(a_refresh_token_is_only_what_was_made),
        cmocka_unit_test(the_row_is_found_without_the_generation_and_holds_no_handle),
        cmocka_unit_test(a_request_narrows_and_never_widens),
        cmocka_unit_test(scopes_come_once_in_their_registered_order),
        cmocka_unit_test(an_account_is_judged_by_its_dates),
        cmocka_unit_test(a_new_password_is_counted_in_characters_and_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
