/* links: sa_auth */
/*
 * Handles of proofs: single-use, bound, few. And the hash of a password: who is charged, how long a denial
 * takes.
 */
#include "service/auth/login.h"
#include "service/auth/leader.h"
#include "tests/support/store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/auth/inside.h"

#define START_MS 7000000

static const struct sa_source here = {.text = "addr:203.0.113.5"};
static const struct sa_source there = {.text = "addr:203.0.113.6"};
static const struct sa_proof proven = {1800000000, "pwd", "1"};

static bool
redeem(struct sa_handles *handles, const char *handle, const char *subject, const struct sa_source *source,
       int64_t now)
{
    struct sa_proof proof = {0};
    bool redeemed = sa_handles_redeem(handles, sa_bytes_of(handle), subject, source, now, &proof);

    assert_int_equal(proof.auth_time_s, redeemed ? proven.auth_time_s : 0);
    return redeemed;
}

static void
a_handle_works_once_for_its_person_from_its_source_in_time(void **state)
{
    SA_OWN(sa_handles) handles = sa_handles_new();
    char handle[SA_ID_LEN + 1];

    (void)state;
    assert_false(redeem(handles, "0000000000000000000000", "ann", &here, START_MS));
    assert_false(redeem(handles, "", "ann", &here, START_MS));
    sa_handles_issue(handles, "ann", &here, &proven, START_MS, handle);
    assert_false(redeem(handles, handle, "bob", &here, START_MS));
    assert_false(redeem(handles, handle, "ann", &here, START_MS)); /* it was shown to somebody: it is gone */
    sa_handles_issue(handles, "ann", &here, &proven, START_MS, handle);
    assert_false(redeem(handles, handle, "ann", &there, START_MS));
    sa_handles_issue(handles, "ann", &here, &proven, START_MS, handle);
    assert_false(redeem(handles, handle, "ann", &here, START_MS + SA_HANDLE_LIFE_MS));
    sa_handles_issue(handles, "ann", &here, &proven, START_MS, handle);
    assert_true(redeem(handles, handle, "ann", &here, START_MS + SA_HANDLE_LIFE_MS - 1));
    assert_false(redeem(handles, handle, "ann", &here, START_MS));
}

static void
a_fifth_handle_of_a_person_from_a_source_costs_the_first(void **state)
{
    SA_OWN(sa_handles) handles = sa_handles_new();
    char handle[SA_HANDLES_PER_USER + 1][SA_ID_LEN + 1];
    char other[SA_ID_LEN + 1];

    (void)state;
    sa_handles_issue(handles, "ann", &there, &proven, START_MS - 1, other);
    for (unsigned i = 0; i <= SA_HANDLES_PER_USER; i++)
        sa_handles_issue(handles, "ann", &here, &proven, START_MS + i, handle[i]);
    assert_false(redeem(handles, handle[0], "ann", &here, START_MS + 10));
    for (unsigned i = 1; i <= SA_HANDLES_PER_USER; i++)
        assert_true(redeem(handles, handle[i], "ann", &here, START_MS + 10));
    assert_true(redeem(handles, other, "ann", &there, START_MS + 10));
}

static void
a_full_table_loses_its_oldest(void **state)
{
    SA_OWN(sa_handles) handles = sa_handles_new();
    char first[SA_ID_LEN + 1], second[SA_ID_LEN + 1], handle[SA_ID_LEN + 1], subject[16];

    (void)state;
    sa_handles_issue(handles, "first", &here, &proven, START_MS, first);
    sa_handles_issue(handles, "second", &here, &proven, START_MS + 1, second);
    for (unsigned i = 0; i < SA_HANDLES_MAX - 1; i++) {
        snprintf(subject, sizeof(subject), "user%u", i);
        sa_handles_issue(handles, subject, &here, &proven, START_MS + 2, handle);
    }
    assert_false(redeem(handles, first, "first", &here, START_MS + 3));
    assert_true(redeem(handles, second, "second", &here, START_MS + 3));
    assert_true(redeem(handles, handle, subject, &here, START_MS + 3));
}

/* ---- passwords ---- */

static void
sshds_filler_is_known_at_every_length(void **state)
{
    const char filler[] = "\b\n\r\177INCORRECT\b\n\r\177INCORRECT\b\n\r";

    (void)state;
    assert_false(sa_login_is_filler(sa_bytes(NULL, 0)));
    assert_false(sa_login_is_filler(sa_bytes_of("INCORRECT")));
    assert_false(sa_login_is_filler(sa_bytes_of("\b\n\r\177INCORRECT!")));
    for (size_t len = 1; len < sizeof(filler); len++)
        assert_true(sa_login_is_filler(sa_bytes(filler, len)));
}

static void
every_denial_takes_the_floor_or_twice_the_dearest_hash(void **state)
{
    struct sa_conf conf = {.login_denial_floor = 100, .login_denial_jitter = 50};
    struct sa_authority authority = {.conf = &conf};

    (void)state;
    assert_int_equal(sa_login_denial_boot_ms(&authority, START_MS, 0), START_MS + 100);
    sa_authority_saw_hash(&authority, 70);
    sa_authority_saw_hash(&authority, 20);
    assert_int_equal(sa_login_denial_boot_ms(&authority, START_MS, 0), START_MS + 140);
    assert_int_equal(sa_login_denial_boot_ms(&authority, START_MS, 50), START_MS + 190);
    assert_int_equal(sa_login_denial_boot_ms(&authority, START_MS, 51), START_MS + 140);
    conf.login_denial_jitter = 0;
    assert_int_equal(sa_login_denial_boot_ms(&authority, START_MS, UINT32_MAX), START_MS + 140);
}

static void
a_stored_hash_counts_before_it_was_ever_computed(void **state)
{
    const char dear[] = "$2b$12$abcdefghijklmnopqrstuuDYuC2ykKqz6DNVmgCJiZ3qkMKVhLOqm";
    const char absurd[] = "$2b$31$abcdefghijklmnopqrstuuDYuC2ykKqz6DNVmgCJiZ3qkMKVhLOqm";
    struct sa_conf conf = {.login_denial_floor = 100};
    struct sa_authority authority = {.conf = &conf, .policy = {.max_millis = 2000}};

    (void)state;
    sa_login_saw_hash(&authority, absurd); /* never computed: it is over the limit */
    sa_login_saw_hash(&authority, "nonsense");
    sa_login_saw_hash(&authority, "");
    assert_int_equal(sa_login_denial_boot_ms(&authority, START_MS, 0), START_MS + 100);
    sa_login_saw_hash(&authority, dear);
    assert_in_range(sa_login_denial_boot_ms(&authority, START_MS, 0), START_MS + 200, START_MS + 1000);
}

static void
lack_of_memory_is_no_wrong_password_and_charges_nobody(void **state)
{
    struct sa_authority authority = {
        .policy = {.kind = SA_PASSWORD_ARGON2ID, .memory_kib = UINT32_C(1) << 31, .passes = 1}};
    struct sa_login_try attempt = {sa_bytes_of("x"), NULL, &here, START_MS};
    SA_OWN(sa_buckets) buckets = sa_buckets_new(1, 60000);
    uint32_t retry_ms;
    bool match;

    (void)state;
    sa_crypto_start();
    authority.buckets = buckets;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sa_login_prove(&authority, &attempt, &match, &retry_ms), SA_NO_MEMORY);
    assert_int_equal(atomic_load(&authority.dearest_ms), 0);
}

/* ---- processes ---- */

static void
a_process_is_its_pid_and_its_start(void **state)
{
    struct sa_process process;

    (void)state;
    assert_false(sa_process_read(0, &process));
    assert_false(sa_process_read(UINT32_MAX, &process));
    assert_true(sa_process_read((uint32_t)getpid(), &process));
    assert_int_equal(process.parent, getppid());
    assert_true(sa_process_lives((uint32_t)getpid(), process.start));
    assert_false(sa_process_lives((uint32_t)getpid(), process.start + 1));
    assert_true(sa_process_descends((uint32_t)getpid(), (uint32_t)getpid()));
    assert_false(sa_process_descends((uint32_t)getpid(), 0));
    assert_false(sa_process_descends((uint32_t)getpid(), 1)); /* everybody does: it says nothing */
    assert_false(sa_process_descends((uint32_t)getpid(), UINT32_MAX));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handle_works_once_for_its_person_from_its_source_in_time),
        cmocka_unit_test(a_fifth_handle_of_a_person_from_a_source_costs_the_first),
        cmocka_unit_test(a_full_table_loses_its_oldest),
        cmocka_unit_test(sshds_filler_is_known_at_every_length),
        cmocka_unit_test(every_denial_takes_the_floor_or_twice_the_dearest_hash),
        cmocka_unit_test(a_stored_hash_counts_before_it_was_ever_computed),
        cmocka_unit_test(lack_of_memory_is_no_wrong_password_and_charges_nobody),
        cmocka_unit_test(a_process_is_its_pid_and_its_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
