/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>

#include "service/store/inside.h"
#include "tests/support/store_fixture.h"

static struct sa_audit audit;

static struct sa_client *
find(struct fixture *fixture, const char *id)
{
    struct sa_client *client = NULL;

    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes_of(id), &client), SA_OK);
    return client;
}

static void
add_confidential(struct fixture *fixture)
{
    SA_OWN(sa_client) client = sa_client_new(0);

    strcpy(client->id, "app");
    client->kind = SA_CLIENT_CONFIDENTIAL;
    audit = sa_audit(SA_EVENT_CLIENT_CREATE);
    assert_int_equal(sa_store_client_create(fixture->store, client, &audit), SA_OK);
}

static int64_t
rotate(struct fixture *fixture, uint8_t fill, int64_t now_ms, int64_t until_ms)
{
    struct sa_client_secret secret = {.created_ms = now_ms};

    memset(secret.mac, fill, SA_MAC_LEN);
    audit = sa_audit(SA_EVENT_SECRET_ROTATE);
    assert_int_equal(sa_store_client_rotate_secret(fixture->store, "app", &secret, until_ms, &audit), SA_OK);
    return secret.number;
}

/* Newest first: what each was filled with, and when it ends. */
static void
assert_secrets(struct fixture *fixture, unsigned count, uint8_t newest, uint8_t old, int64_t old_expires_ms)
{
    SA_OWN(sa_client) client = find(fixture, "app");

    assert_int_equal(client->secret_count, count);
    assert_int_equal(client->secrets[0].mac[0], newest);
    assert_int_equal(client->secrets[0].expires_ms, 0);
    if (count > 1) {
        assert_int_equal(client->secrets[1].mac[0], old);
        assert_int_equal(client->secrets[1].expires_ms, old_expires_ms);
    }
}

static void
of_two_rotations_within_an_overlap_the_second_ends_the_oldest(void **state)
{
    struct fixture *fixture = *state;

    add_confidential(fixture);
    rotate(fixture, 1, FIXTURE_NOW_MS, FIXTURE_NOW_MS + 60000);
    assert_secrets(fixture, 1, 1, 0, 0);
    rotate(fixture, 2, FIXTURE_NOW_MS, FIXTURE_NOW_MS + 60000);
    assert_secrets(fixture, 2, 2, 1, FIXTURE_NOW_MS + 60000);
    rotate(fixture, 3, FIXTURE_NOW_MS + 1, FIXTURE_NOW_MS + 90000);
    assert_secrets(fixture, 2, 3, 2, FIXTURE_NOW_MS + 90000);
    fixture_reopen(fixture);
    assert_secrets(fixture, 2, 3, 2, FIXTURE_NOW_MS + 90000);
    audit = sa_audit(SA_EVENT_SECRET_END);
    assert_int_equal(sa_store_client_end_secrets(fixture->store, "app", &audit), SA_OK);
    assert_secrets(fixture, 1, 3, 0, 0);
    assert_int_equal(sa_store_client_end_secrets(fixture->store, "nobody", &audit), SA_NOT_FOUND);
}

static void
a_rotation_without_overlap_leaves_one_secret(void **state)
{
    struct fixture *fixture = *state;

    add_confidential(fixture);
    rotate(fixture, 1, FIXTURE_NOW_MS, FIXTURE_NOW_MS);
    rotate(fixture, 2, FIXTURE_NOW_MS, FIXTURE_NOW_MS);
    assert_secrets(fixture, 1, 2, 0, 0);
}

static void
the_last_use_of_a_secret_never_goes_back(void **state)
{
    struct fixture *fixture = *state;
    struct sa_secret_use uses[] = {{0, FIXTURE_NOW_MS}, {12345, FIXTURE_NOW_MS}};

    add_confidential(fixture);
    uses[0].number = rotate(fixture, 1, FIXTURE_NOW_MS, FIXTURE_NOW_MS);
    assert_int_equal(sa_store_secrets_used(fixture->store, uses, SA_COUNT(uses)), SA_OK);
    uses[0].used_ms -= 60000;
    assert_int_equal(sa_store_secrets_used(fixture->store, uses, SA_COUNT(uses)), SA_OK);
    SA_OWN(sa_client) client = find(fixture, "app");
    assert_int_equal(client->secrets[0].last_used_ms, FIXTURE_NOW_MS);
}

/* What a daemon with the schema of before has written: the client's only secret is a column of its row. */
static void
write_third(const char *path)
{
    static const char CLIENT[] =
        "INSERT INTO clients (id, kind, grants, login, access_ttl_s, grace_s, created_ms, "
        "secret_mac) VALUES ('app', 1, 1, 0, 0, 0, 1800000000000, ?)";
    uint8_t mac[SA_MAC_LEN];
    struct sa_sql *sql = NULL;
    const char *why;
    uint32_t version;

    close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    assert_int_equal(sa_sql_open(path, NULL, SA_SQL_WRITER, &sql), SA_OK);
    assert_int_equal(sa_migrate(sql, sa_migrations, 3, &version, &why), SA_OK);
    memset(mac, 0x7e, sizeof(mac));
    {
        SA_QUERY(query, sql, CLIENT);
        sa_put_blob(&query, mac, sizeof(mac));
        assert_int_equal(sa_query_run(&query), SA_OK);
    }
    sa_sql_close(sql);
}

static void
the_secret_of_before_goes_on(void **state)
{
    struct fixture *fixture = *state;

    fixture_close(fixture);
    fixture_clear(fixture);
    write_third(fixture->path);
    fixture_open(fixture);
    SA_OWN(sa_client) client = find(fixture, "app");
    assert_int_equal(client->secret_count, 1);
    assert_int_equal(client->secrets[0].mac[0], 0x7e);
    assert_int_equal(client->secrets[0].created_ms, FIXTURE_NOW_MS);
    assert_int_equal(client->secrets[0].expires_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_two_rotations_within_an_overlap_the_second_ends_the_oldest),
        TEST(a_rotation_without_overlap_leaves_one_secret),
        TEST(the_last_use_of_a_secret_never_goes_back),
        TEST(the_secret_of_before_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
