/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/store/inside.h"
#include "service/store/store_factor.h"
#include "tests/support/store_fixture.h"

#define USERS   230u /* more than a batch */
#define LONG_MS 600000u

static char subjects[USERS][SA_ID_LEN + 1];

static enum sa_status
rotate(struct fixture *fixture)
{
    struct sa_audit audit = sa_audit(SA_EVENT_MASTER_KEY_ROTATE);

    audit.time_ms = FIXTURE_NOW_MS;
    return sa_store_master_rotate(fixture->store, &audit);
}

static void
add_key(struct fixture *fixture)
{
    struct sa_audit audit = sa_audit(SA_EVENT_KEY_CREATE);
    SA_OWN(sa_secret) secret = sa_secret_copy(sa_bytes_of("a private key"));
    struct sa_key_row key = {.kid = "one", .created_ms = 1, .private_der = secret};
    struct sa_key_change change = {.add = &key};

    assert_int_equal(sa_store_key_change(fixture->store, &change, &audit), SA_OK);
}

static void
add_totp(struct fixture *fixture, const char *subject)
{
    struct sa_totp totp = {
        .algorithm = SA_TOTP_SHA1, .digits = 6, .key_len = 20, .key = "twenty bytes of key"};
    struct sa_audit audit = sa_audit(SA_EVENT_FACTOR_ENROLL);
    struct sa_totp_arming arming = {.pending = &totp, .step = 5, .now_s = 9};

    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &totp, &audit), SA_OK);
    assert_int_equal(sa_store_totp_arm(fixture->store, subject, &arming, &audit), SA_OK);
    assert_int_equal(sa_store_totp_enroll(fixture->store, subject, &totp, &audit), SA_OK);
}

static void
fill(struct fixture *fixture, unsigned users)
{
    char name[16];

    for (unsigned i = 0; i < users; i++) {
        snprintf(name, sizeof(name), "user%u", i);
        assert_int_equal(fixture_add_user(fixture, name, 1000 + i, subjects[i]), SA_OK);
    }
    add_key(fixture);
    add_totp(fixture, subjects[0]);
}

/* What a script finds in the file. */
static int64_t
ask(struct fixture *fixture, const char *text)
{
    struct sa_sql *sql = NULL;
    int64_t answer;

    assert_int_equal(sa_sql_open(fixture->path, NULL, SA_SQL_READER, &sql), SA_OK);
    {
        SA_QUERY(query, sql, text);
        assert_int_equal(sa_query_step(&query), SA_OK);
        answer = sa_get_int(&query);
    }
    sa_sql_close(sql);
    return answer;
}

#define EPOCH_2                                                                                              \
    "SELECT (SELECT count(*) FROM users WHERE substr(hash, 1, 1) = x'02') + "                                \
    "(SELECT count(*) FROM totp WHERE substr(key, 1, 1) = x'02') + "                                         \
    "(SELECT count(*) FROM signing_keys WHERE substr(private, 1, 1) = x'02')"

static void
everything_opens(struct fixture *fixture, unsigned users)
{
    struct sa_factors_state state;
    struct sa_key_row *keys;
    unsigned count;

    for (unsigned i = 0; i < users; i++) {
        SA_OWN(sa_user) user = NULL;
        assert_int_equal(sa_store_user_by_subject(fixture->store, subjects[i], &user), SA_OK);
        assert_memory_equal(user->hash, "$2b$04$", 7);
    }
    assert_int_equal(sa_store_factors(fixture->store, subjects[0], &state), SA_OK);
    assert_true(state.has_totp && state.has_pending);
    assert_memory_equal(state.totp.key, "twenty bytes of key", 20);
    assert_memory_equal(state.pending.key, "twenty bytes of key", 20);
    assert_int_equal(sa_store_key_list(fixture->store, &keys, &count), SA_OK);
    assert_true(sa_bytes_equal(sa_secret_bytes(keys[0].private_der), sa_bytes_of("a private key")));
    sa_key_rows_free(keys, count);
}

static struct sa_master_state
state_of(struct fixture *fixture)
{
    return sa_store_master_state(fixture->store);
}

/* ---- refused ---- */

static void
a_second_rotation_waits_for_the_first_one(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture, 1);
    uint64_t before = fixture_sequence(fixture);
    assert_int_equal(rotate(fixture), SA_OK);
    assert_int_equal(rotate(fixture), SA_ALREADY_EXISTS);
    assert_int_equal(fixture_sequence(fixture), before + 1);
    assert_int_equal(state_of(fixture).left, 4);
    sa_store_master_tick(fixture->store, LONG_MS);
    assert_int_equal(rotate(fixture), SA_OK);
    assert_int_equal(state_of(fixture).number, 3);
}

static void
a_store_is_not_opened_with_the_master_key_of_before(void **state)
{
    struct fixture *fixture = *state;
    uint8_t first[32] = "a master key for tests, 32 bytes";
    const char *why = "";

    fill(fixture, 1);
    assert_int_equal(rotate(fixture), SA_OK);
    sa_store_master_tick(fixture->store, LONG_MS);
    fixture_close(fixture);
    struct sa_keyring *present = fixture->keyring;
    fixture->keyring = sa_keyring_new(sa_bytes(first, sizeof(first)));
    assert_int_equal(fixture_try_open(fixture, &why), SA_INVALID_ARGUMENT);
    assert_non_null(strstr(why, "another master key"));
    sa_keyring_free(fixture->keyring);
    fixture->keyring = present;
    fixture_open(fixture);
    everything_opens(fixture, 1);
}

static void
a_row_that_was_moved_keeps_both_keys_until_it_is_gone(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_user) user = NULL;

    fill(fixture, 2);
    fixture_script(fixture, "UPDATE users SET hash = (SELECT hash FROM users WHERE name = 'user0')");
    assert_int_equal(rotate(fixture), SA_OK);
    sa_store_master_tick(fixture->store, LONG_MS);
    assert_true(state_of(fixture).rotates);
    assert_int_equal(state_of(fixture).left, 1);
    assert_int_equal(sa_store_user_by_name(fixture->store, sa_bytes_of("user1"), &user), SA_INTERNAL);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM master_keys"), 2);
    assert_int_equal(ask(fixture, "SELECT hex(substr(hash, 1, 1)) FROM users WHERE name = 'user1'"), 1);

    fixture_script(fixture, "DELETE FROM users WHERE name = 'user1'"); /* which tries again at once */
    sa_store_master_tick(fixture->store, LONG_MS);
    assert_false(state_of(fixture).rotates);
    assert_int_equal(ask(fixture, "SELECT count(*) FROM master_keys"), 1);
    everything_opens(fixture, 1);
}

/* ---- done ---- */

static void
everything_is_sealed_anew_and_both_ends_are_recorded(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture, USERS);
    assert_int_equal(ask(fixture, EPOCH_2), 0);
    assert_int_equal(rotate(fixture), SA_OK);
    struct sa_audit_row *row = fixture_last_record(fixture);
    assert_int_equal(row->record.event, SA_EVENT_MASTER_KEY_ROTATE);
    assert_string_equal(row->record.detail, "number=2");
    free(row);
    sa_store_master_tick(fixture->store, LONG_MS);
    struct sa_master_state done = state_of(fixture);
    assert_true(done.number == 2 && !done.rotates && done.left == 0 && done.resealed == USERS + 3);
    assert_int_equal(ask(fixture, EPOCH_2), USERS + 3);
    assert_int_equal(ask(fixture, "SELECT number FROM master_keys"), 2);
    row = fixture_last_record(fixture);
    assert_int_equal(row->record.event, SA_EVENT_MASTER_KEY_END);
    assert_string_equal(row->record.detail, "number=2 resealed=233");
    free(row);
    everything_opens(fixture, USERS);
    fixture_reopen(fixture);
    everything_opens(fixture, USERS);
}

static void
a_rotation_goes_on_after_a_restart(void **state)
{
    struct fixture *fixture = *state;

    fill(fixture, USERS);
    assert_int_equal(rotate(fixture), SA_OK);
    for (unsigned steps = 0; state_of(fixture).rotates; steps++) {
        assert_true(steps < 20);
        fixture_reopen(fixture);
        struct sa_master_state at = state_of(fixture);
        assert_true(at.rotates && at.number == 2 && at.resealed == 0);
        assert_int_equal(at.left + (uint64_t)ask(fixture, EPOCH_2), USERS + 3);
        everything_opens(fixture, 1);
        sa_store_master_tick(fixture->store, steps); /* ever more of it; at last all */
    }
    fixture_reopen(fixture);
    assert_false(state_of(fixture).rotates);
    assert_int_equal(ask(fixture, EPOCH_2), USERS + 3);
    everything_opens(fixture, USERS);
}

static void
what_changes_meanwhile_is_sealed_with_the_new_key(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit audit = sa_audit(SA_EVENT_USER_PASSWORD);

    fill(fixture, 3);
    assert_int_equal(rotate(fixture), SA_OK);
    struct sa_password_change change = {
        .subject = subjects[2], .new_hash = "$2b$04$abcdefghijklmnopqrstuuDYuC2ykKqz6DNVmgCJiZ3qkMKVhLOqm"};
    assert_int_equal(sa_store_user_set_password(fixture->store, &change, FIXTURE_NOW_MS, &audit), SA_OK);
    add_totp(fixture, subjects[1]);
    assert_int_equal(ask(fixture, EPOCH_2), 3);
    sa_store_master_tick(fixture->store, LONG_MS);
    assert_int_equal(ask(fixture, EPOCH_2), 3 + 4 + 1);
    everything_opens(fixture, 3);
}

/* A store whose present master key has this number. */
static void
begin_with(struct fixture *fixture, int64_t number)
{
    static const char INSERT[] = "INSERT INTO master_keys (number, kept) VALUES (?, ?)";
    struct sa_sql *sql = NULL;
    struct sa_kept kept;

    fixture_close(fixture);
    assert_int_equal(sa_keyring_prepare(fixture->keyring, (uint8_t)number), SA_OK);
    assert_int_equal(sa_keyring_keep(fixture->keyring, (uint8_t)number, &kept), SA_OK);
    assert_int_equal(sa_sql_open(fixture->path, NULL, SA_SQL_WRITER, &sql), SA_OK);
    {
        SA_QUERY(query, sql, INSERT);
        sa_put_int(&query, number);
        sa_put_blob(&query, kept.sealed, kept.len);
        assert_int_equal(sa_query_run(&query), SA_OK);
    }
    sa_sql_close(sql);
    fixture_open(fixture);
}

static void
epochs_begin_again_after_the_last_one(void **state)
{
    struct fixture *fixture = *state;

    begin_with(fixture, 255);
    fill(fixture, 1);
    assert_int_equal(ask(fixture, "SELECT hex(substr(hash, 1, 1)) = 'FF' FROM users"), 1);
    for (unsigned number = 256; number <= 257; number++) {
        assert_int_equal(rotate(fixture), SA_OK);
        sa_store_master_tick(fixture->store, LONG_MS);
        assert_int_equal(state_of(fixture).number, number);
        fixture_reopen(fixture);
        everything_opens(fixture, 1);
    }
    assert_int_equal(ask(fixture, EPOCH_2), 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_rotation_waits_for_the_first_one, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_store_is_not_opened_with_the_master_key_of_before, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_row_that_was_moved_keeps_both_keys_until_it_is_gone, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(everything_is_sealed_anew_and_both_ends_are_recorded, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_rotation_goes_on_after_a_restart, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_changes_meanwhile_is_sealed_with_the_new_key, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(epochs_begin_again_after_the_last_one, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
