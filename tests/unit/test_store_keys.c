/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/store/inside.h"
#include "tests/support/store_fixture.h"

static struct sa_audit audit;

static enum sa_status
change(struct fixture *fixture, const struct sa_key_change *change)
{
    audit = sa_audit(SA_EVENT_KEY_CREATE);
    return sa_store_key_change(fixture->store, change, &audit);
}

static enum sa_status
add_key(struct fixture *fixture, const char *kid, const char *private)
{
    SA_OWN(sa_secret) secret = sa_secret_copy(sa_bytes_of(private));
    struct sa_key_row key = {.created_ms = 1, .active_ms = 2, .retire_ms = 3, .private_der = secret};

    strcpy(key.kid, kid);
    return change(fixture, &(struct sa_key_change){.add = &key});
}

static void
a_kid_is_given_once(void **state)
{
    assert_int_equal(add_key(*state, "one", "private"), SA_OK);
    assert_int_equal(add_key(*state, "one", "other"), SA_ALREADY_EXISTS);
    assert_int_equal(fixture_sequence(*state), 1);
}

static void
a_key_moved_to_another_row_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sa_key_row *keys = NULL;
    unsigned count = 0;

    assert_int_equal(add_key(*state, "one", "private"), SA_OK);
    assert_int_equal(add_key(*state, "two", "another"), SA_OK);
    fixture_script(fixture,
                   "UPDATE signing_keys SET private = (SELECT private FROM signing_keys WHERE kid = 'one')");
    assert_int_equal(sa_store_key_list(fixture->store, &keys, &count), SA_INTERNAL);
    assert_null(keys);
}

static void
a_hash_moved_to_another_row_is_refused(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_user) user = NULL;

    assert_int_equal(fixture_add_user(*state, "ann", 1000, NULL), SA_OK);
    assert_int_equal(fixture_add_user(*state, "bob", 1001, NULL), SA_OK);
    fixture_script(fixture, "UPDATE users SET hash = (SELECT hash FROM users WHERE name = 'ann')");
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of("bob"), &user), SA_INTERNAL);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of("ann"), &user), SA_OK);
}

static void
nothing_secret_is_in_the_file(void **state)
{
    struct fixture *fixture = *state;
    static char file[1 << 20];

    assert_int_equal(fixture_add_user(*state, "ann", 1000, NULL), SA_OK);
    assert_int_equal(add_key(*state, "one", "a private key in plain text"), SA_OK);
    fixture_close(fixture);
    FILE *stream = fopen(fixture->path, "r");
    assert_non_null(stream);
    size_t len = fread(file, 1, sizeof(file), stream);
    fclose(stream);
    assert_non_null(memmem(file, len, "ann", 3)); /* what is not secret is where it is looked for */
    assert_null(memmem(file, len, "$2b$04$", 7));
    assert_null(memmem(file, len, "a private key", 13));
}

static void
a_change_of_a_key_that_is_not_there_changes_nothing(void **state)
{
    struct sa_key_row times[2] = {{.kid = "one", .active_ms = 20}, {.kid = "none", .active_ms = 30}};
    struct fixture *fixture = *state;
    struct sa_key_row *keys = NULL;
    unsigned count = 0;

    assert_int_equal(add_key(*state, "one", "private one"), SA_OK);
    assert_int_equal(change(*state, &(struct sa_key_change){.remove = "none"}), SA_NOT_FOUND);
    assert_int_equal(change(*state, &(struct sa_key_change){.times = times, .time_count = 2}), SA_NOT_FOUND);
    assert_int_equal(fixture_sequence(*state), 1);
    assert_int_equal(sa_store_key_list(fixture->store, &keys, &count), SA_OK);
    assert_int_equal(count, 1);
    assert_true(keys[0].active_ms == 2);
    sa_key_rows_free(keys, count);
}

static void
there_are_no_more_keys_than_there_may_be(void **state)
{
    char kid[16];

    for (unsigned i = 0; i < SA_KEYS_MAX; i++) {
        snprintf(kid, sizeof(kid), "key %u", i);
        assert_int_equal(add_key(*state, kid, "private"), SA_OK);
    }
    assert_int_equal(add_key(*state, "one more", "private"), SA_TOO_LARGE);
    assert_int_equal(fixture_sequence(*state), SA_KEYS_MAX);
    assert_int_equal(change(*state, &(struct sa_key_change){.remove = "key 3"}), SA_OK);
    assert_int_equal(add_key(*state, "one more", "private"), SA_OK);
}

static void
those_keys_come_first_that_sign_last(void **state)
{
    struct sa_key_row times = {.kid = "one", .active_ms = 10, .retire_ms = 11};
    struct fixture *fixture = *state;
    struct sa_key_row *keys = NULL;
    unsigned count = 0;

    assert_int_equal(sa_store_key_list(fixture->store, &keys, &count), SA_OK);
    assert_int_equal(count, 0);
    sa_key_rows_free(keys, count);
    assert_int_equal(add_key(*state, "one", "private one"), SA_OK);
    assert_int_equal(add_key(*state, "two", "private two"), SA_OK);
    assert_int_equal(change(*state, &(struct sa_key_change){.times = &times, .time_count = 1}), SA_OK);
    fixture_reopen(fixture);
    assert_int_equal(sa_store_key_list(fixture->store, &keys, &count), SA_OK);
    assert_int_equal(count, 2);
    assert_string_equal(keys[0].kid, "one");
    assert_true(keys[0].created_ms == 1 && keys[0].active_ms == 10 && keys[0].retire_ms == 11);
    assert_true(keys[1].created_ms == 1 && keys[1].active_ms == 2 && keys[1].retire_ms == 3);
    assert_true(sa_bytes_equal(sa_secret_bytes(keys[1].private_der), sa_bytes_of("private two")));
    sa_key_rows_free(keys, count);
}

static void
a_revoked_token_stays_revoked(void **state)
{
    struct fixture *fixture = *state;
    bool revoked = true;

    assert_int_equal(sa_store_token_is_revoked(fixture->store, "jti", &revoked), SA_OK);
    assert_false(revoked);
    audit = sa_audit(SA_EVENT_TOKEN_REVOKE);
    struct sa_revoked_token token = {.jti = "jti", .exp_s = 100};
    assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    assert_int_equal(sa_store_token_revoke(fixture->store, &token, &audit), SA_OK);
    fixture_reopen(fixture);
    assert_int_equal(sa_store_token_is_revoked(fixture->store, "jti", &revoked), SA_OK);
    assert_true(revoked);
    assert_int_equal(sa_store_token_is_revoked(fixture->store, "jtj", &revoked), SA_OK);
    assert_false(revoked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kid_is_given_once),
        TEST(a_key_moved_to_another_row_is_refused),
        TEST(a_hash_moved_to_another_row_is_refused),
        TEST(nothing_secret_is_in_the_file),
        TEST(a_change_of_a_key_that_is_not_there_changes_nothing),
        TEST(there_are_no_more_keys_than_there_may_be),
        TEST(those_keys_come_first_that_sign_last),
        TEST(a_revoked_token_stays_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
