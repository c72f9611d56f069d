/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/support/store_fixture.h"

static struct sa_audit audit;

static struct sa_client *
find(struct fixture *fixture, const char *id)
{
    struct sa_client *client = NULL;

    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes_of(id), &client), SA_OK);
    return client;
}

static enum sa_status
delete_client(struct fixture *fixture, const char *id)
{
    audit = sa_audit(SA_EVENT_CLIENT_DELETE);
    return sa_store_client_delete(fixture->store, id, FIXTURE_NOW_MS, &audit);
}

static enum sa_status
set_audience(struct fixture *fixture, const char *id, const char *name, const char *scopes)
{
    struct sa_client_audience audience = {0};

    snprintf(audience.audience, sizeof(audience.audience), "%s", name);
    snprintf(audience.scopes, sizeof(audience.scopes), "%s", scopes);
    strcpy(audience.group, "staff");
    audit = sa_audit(SA_EVENT_CLIENT_AUDIENCE);
    return sa_store_client_set_audience(fixture->store, id, &audience, &audit);
}

static void
a_client_that_is_not_registered_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct sa_client *client = NULL;
    char id[SA_CLIENT_ID_MAX + 1];

    memset(id, 'a', sizeof(id));
    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes_of("app"), &client), SA_NOT_FOUND);
    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes_of(""), &client), SA_NOT_FOUND);
    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes(id, sizeof(id)), &client), SA_NOT_FOUND);
    assert_null(client);
    assert_int_equal(delete_client(fixture, "app"), SA_NOT_FOUND);
    assert_int_equal(set_audience(fixture, "app", "demo", "read"), SA_NOT_FOUND);
    assert_int_equal(sa_store_client_remove_audience(fixture->store, "app", "demo", &audit), SA_NOT_FOUND);
    assert_int_equal(fixture_sequence(fixture), 0);
}

static enum sa_status
set_active(struct fixture *fixture, const char *id, bool active, int64_t now_ms)
{
    audit = sa_audit(active ? SA_EVENT_CLIENT_ENABLE : SA_EVENT_CLIENT_DISABLE);
    return sa_store_client_set_active(fixture->store, id, active, now_ms, &audit);
}

static void
the_host_client_is_there_and_stays(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_client) host = find(fixture, SA_HOST_CLIENT);

    assert_int_equal(host->kind, SA_CLIENT_HOST);
    assert_int_not_equal(host->row, 0);
    assert_int_equal(host->secret_count, 0);
    assert_int_equal(host->audience_count, 0);
    assert_int_equal(delete_client(fixture, SA_HOST_CLIENT), SA_PERMISSION_DENIED);
    assert_int_equal(set_active(fixture, SA_HOST_CLIENT, false, FIXTURE_NOW_MS), SA_PERMISSION_DENIED);
    assert_int_equal(fixture_add_client(fixture, SA_HOST_CLIENT, NULL), SA_ALREADY_EXISTS);
}

static void
a_row_number_is_never_used_again(void **state)
{
    struct fixture *fixture = *state;
    uint32_t first = 0;
    uint32_t second = 0;

    assert_int_equal(fixture_add_client(fixture, "app", &first), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", NULL), SA_ALREADY_EXISTS);
    assert_int_equal(delete_client(fixture, "app"), SA_OK);
    fixture_reopen(fixture);
    assert_int_equal(fixture_add_client(fixture, "app", &second), SA_OK);
    assert_true(second > first);
}

static void
no_client_has_more_audiences_than_the_limit(void **state)
{
    struct fixture *fixture = *state;
    char name[16];

    assert_int_equal(fixture_add_client(fixture, "app", NULL), SA_OK);
    for (unsigned i = 1; i < SA_AUDIENCES_MAX; i++) {
        snprintf(name, sizeof(name), "aud%u", i);
        assert_int_equal(set_audience(fixture, "app", name, "read"), SA_OK);
    }
    assert_int_equal(set_audience(fixture, "app", "one-more", "read"), SA_INVALID_ARGUMENT);
    assert_int_equal(set_audience(fixture, "app", "demo", "changed"), SA_OK);
    SA_OWN(sa_client) client = find(fixture, "app");
    assert_int_equal(client->audience_count, SA_AUDIENCES_MAX);
}

static struct sa_client *
full_client(void)
{
    struct sa_client *client = sa_client_new(2);

    strcpy(client->id, "svc");
    client->kind = SA_CLIENT_CONFIDENTIAL;
    client->grants = SA_GRANT_CLIENT_CREDENTIALS | SA_GRANT_REFRESH | SA_GRANT_EXCHANGE;
    client->login = true;
    client->access_ttl_s = 1800;
    client->grace_s = 2;
    client->created_ms = FIXTURE_NOW_MS;
    client->active = true;
    client->secret_count = SA_CLIENT_SECRETS;
    for (unsigned i = 0; i < SA_CLIENT_SECRETS; i++) {
        memset(client->secrets[i].mac, 0xa5 + (int)i, SA_MAC_LEN);
        client->secrets[i].created_ms = FIXTURE_NOW_MS - i;
    }
    client->secrets[1].expires_ms = FIXTURE_NOW_MS + 60000;
    client->certificate_count = SA_CLIENT_CERTIFICATES;
    memset(client->certificates, 0x5a, sizeof(client->certificates));
    client->jwks = strdup("{\"keys\":[]}");
    client->attest_uid = 4294967294u;
    memset(client->attest_unit, 'u', SA_UNIT_MAX);
    client->say_groups = true;
    client->dpop_bound = true;
    assert_true(sa_client_room(client, SA_CLIENT_EXCHANGES));
    client->exchange_count = SA_CLIENT_EXCHANGES;
    for (unsigned i = 0; i < SA_CLIENT_EXCHANGES; i++) {
        snprintf(client->exchanges[i].from, sizeof(client->exchanges[i].from), "from%u", i);
        strcpy(client->exchanges[i].to, "to");
        memset(client->exchanges[i].scopes, 's', SA_SCOPE_LIST_MAX);
    }
    client->owned_count = SA_OWNED_MAX;
    for (unsigned i = 0; i < SA_OWNED_MAX; i++)
        snprintf(client->owned[i], sizeof(client->owned[i]), "owned%u", SA_OWNED_MAX - i);
    client->audience_count = 2;
    strcpy(client->audiences[0].audience, "a");
    memset(client->audiences[0].scopes, 's', SA_SCOPE_LIST_MAX);
    client->audiences[0].plain_typ = true;
    strcpy(client->audiences[1].audience, "b");
    strcpy(client->audiences[1].group, "staff");
    return client;
}

/* All of it, what it points to by what stands there. */
static void
assert_same(const struct sa_client *found, const struct sa_client *given)
{
    struct sa_client fixed = *found;

    fixed.jwks = given->jwks;
    fixed.exchanges = given->exchanges;
    assert_memory_equal(&fixed, given, sizeof(fixed));
    assert_memory_equal(found->audiences, given->audiences,
                        given->audience_count * sizeof(given->audiences[0]));
    assert_string_equal(found->jwks, given->jwks);
    assert_memory_equal(found->exchanges, given->exchanges,
                        given->exchange_count * sizeof(given->exchanges[0]));
}

static void
a_client_comes_back_as_it_was_given(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_client) client = full_client();

    audit = sa_audit(SA_EVENT_CLIENT_CREATE);
    assert_int_equal(sa_store_client_create(fixture->store, client, &audit), SA_OK);
    for (unsigned i = 0; i < 2; i++) {
        SA_OWN(sa_client) cold = find(fixture, "svc");
        SA_OWN(sa_client) warm = find(fixture, "svc");

        assert_same(cold, client);
        assert_same(warm, client);
        fixture_reopen(fixture);
    }
}

static void
an_update_replaces_all_but_what_is_the_daemons(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_client) client = full_client();
    SA_OWN(sa_client) other = sa_client_new(0);

    audit = sa_audit(SA_EVENT_CLIENT_CREATE);
    assert_int_equal(sa_store_client_create(fixture->store, client, &audit), SA_OK);
    strcpy(other->id, "svc");
    other->kind = SA_CLIENT_PUBLIC;
    audit = sa_audit(SA_EVENT_CLIENT_UPDATE);
    assert_int_equal(sa_store_client_update(fixture->store, other, &audit), SA_INVALID_ARGUMENT);
    other->kind = SA_CLIENT_CONFIDENTIAL;
    assert_int_equal(sa_store_client_update(fixture->store, other, &audit), SA_OK);
    SA_OWN(sa_client) found = find(fixture, "svc");
    assert_int_equal(found->row, client->row);
    assert_int_equal(found->grants, 0);
    assert_int_equal(found->audience_count + found->owned_count + found->exchange_count, 0);
    assert_int_equal(found->certificate_count + found->attest_uid, 0);
    assert_null(found->jwks);
    assert_int_equal(found->secret_count, SA_CLIENT_SECRETS);
    assert_int_equal(found->created_ms, client->created_ms);
    strcpy(other->id, "nobody");
    assert_int_equal(sa_store_client_update(fixture->store, other, &audit), SA_NOT_FOUND);
}

static void
a_uid_is_attested_while_a_client_says_so(void **state)
{
    struct fixture *fixture = *state;
    SA_OWN(sa_client) client = full_client();

    assert_false(sa_store_uid_is_attested(fixture->store, 4294967294u));
    audit = sa_audit(SA_EVENT_CLIENT_CREATE);
    assert_int_equal(sa_store_client_create(fixture->store, client, &audit), SA_OK);
    assert_true(sa_store_uid_is_attested(fixture->store, 4294967294u));
    assert_false(sa_store_uid_is_attested(fixture->store, 0));
    fixture_reopen(fixture);
    assert_true(sa_store_uid_is_attested(fixture->store, 4294967294u));
    assert_int_equal(set_active(fixture, "svc", false, FIXTURE_NOW_MS), SA_OK);
    assert_false(sa_store_uid_is_attested(fixture->store, 4294967294u));
}

static void
what_is_handed_out_is_a_copy(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(fixture_add_client(fixture, "app", NULL), SA_OK);
    SA_OWN(sa_client) first = find(fixture, "app");
    strcpy(first->audiences[0].scopes, "everything");
    SA_OWN(sa_client) second = find(fixture, "app");
    assert_string_equal(second->audiences[0].scopes, "read write");
}

static void
every_change_is_seen_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct sa_client *gone = NULL;

    assert_int_equal(fixture_add_client(fixture, "app", NULL), SA_OK);
    SA_OWN(sa_client) before = find(fixture, "app");
    assert_non_null(before); /* and in use while the record changes */
    assert_int_equal(set_audience(fixture, "app", "demo", "write"), SA_OK);
    SA_OWN(sa_client) changed = find(fixture, "app");
    assert_int_equal(changed->audience_count, 1);
    assert_string_equal(changed->audiences[0].scopes, "write");
    assert_string_equal(changed->audiences[0].group, "staff");
    assert_int_equal(sa_store_client_remove_audience(fixture->store, "app", "demo", &audit), SA_OK);
    assert_int_equal(sa_store_client_remove_audience(fixture->store, "app", "demo", &audit), SA_NOT_FOUND);
    SA_OWN(sa_client) without = find(fixture, "app");
    assert_int_equal(without->audience_count, 0);
    assert_int_equal(delete_client(fixture, "app"), SA_OK);
    assert_int_equal(sa_store_client_by_id(fixture->store, sa_bytes_of("app"), &gone), SA_NOT_FOUND);
}

struct watch {
    struct fixture *fixture;
    atomic_bool stop;
    atomic_uint deleted; /* the last round whose delete has returned */
    atomic_uint seen;
    atomic_uint seen_afterwards;
};

static bool
sees(struct watch *watch, unsigned round)
{
    char id[16];
    struct sa_client *client = NULL;

    snprintf(id, sizeof(id), "app%u", round);
    bool found = sa_store_client_by_id(watch->fixture->store, sa_bytes_of(id), &client) == SA_OK;
    sa_client_free(client);
    return found;
}

static void *
look(void *argument)
{
    struct watch *watch = argument;

    while (!atomic_load(&watch->stop)) {
        unsigned deleted = atomic_load(&watch->deleted);

        atomic_fetch_add(&watch->seen, sees(watch, deleted + 1));
        atomic_fetch_add(&watch->seen_afterwards, sees(watch, deleted));
    }
    return NULL;
}

static void
nobody_sees_a_client_after_its_delete_has_returned(void **state)
{
    struct watch watch = {.fixture = *state};
    pthread_t threads[4];
    char id[16];

    for (unsigned i = 0; i < SA_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look, &watch), 0);
    for (unsigned round = 1; round <= 100; round++) {
        snprintf(id, sizeof(id), "app%u", round);
        assert_int_equal(fixture_add_client(*state, id, NULL), SA_OK);
        for (unsigned seen = atomic_load(&watch.seen); atomic_load(&watch.seen) == seen;)
            usleep(50);
        assert_int_equal(delete_client(*state, id), SA_OK);
        atomic_store(&watch.deleted, round);
    }
    atomic_store(&watch.stop, true);
    for (unsigned i = 0; i < SA_COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&watch.seen_afterwards), 0);
}

static void
sessions_end_with_their_client(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];
    uint32_t row = 0;
    struct sa_session found;

    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &row), SA_OK);
    struct sa_session session = fixture_session(subject, row);
    assert_int_equal(fixture_open_session(fixture, &session, NULL), SA_OK);
    assert_int_equal(sa_store_session_live(fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_OK);
    assert_int_equal(delete_client(fixture, "app"), SA_OK);
    assert_int_equal(sa_store_session_live(fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
    assert_int_equal(fixture_add_client(fixture, "app", NULL), SA_OK);
    assert_int_equal(sa_store_session_live(fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
    assert_int_equal(fixture_open_session(fixture, &session, NULL), SA_NOT_FOUND);
}

static void
what_a_disabled_client_had_does_not_come_back_with_it(void **state)
{
    struct fixture *fixture = *state;
    char subject[SA_ID_LEN + 1];
    uint32_t row = 0;
    struct sa_session found;

    assert_int_equal(set_active(fixture, "app", false, FIXTURE_NOW_MS), SA_NOT_FOUND);
    assert_int_equal(fixture_add_user(fixture, "ann", 1000, subject), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "app", &row), SA_OK);
    struct sa_session session = fixture_session(subject, row);
    assert_int_equal(fixture_open_session(fixture, &session, NULL), SA_OK);
    assert_int_equal(set_active(fixture, "app", true, FIXTURE_NOW_MS + 1), SA_OK); /* which it is */
    SA_OWN(sa_client) active = find(fixture, "app");
    assert_int_equal(active->enabled_ms, 0);

    assert_int_equal(set_active(fixture, "app", false, FIXTURE_NOW_MS + 2), SA_OK);
    SA_OWN(sa_client) disabled = find(fixture, "app");
    assert_false(disabled->active);
    assert_int_equal(sa_store_session_live(fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
    sa_random_id(session.id);
    assert_int_equal(fixture_open_session(fixture, &session, NULL), SA_NOT_FOUND);

    assert_int_equal(set_active(fixture, "app", true, FIXTURE_NOW_MS + 3), SA_OK);
    SA_OWN(sa_client) again = find(fixture, "app");
    assert_true(again->active);
    assert_int_equal(again->row, row);
    assert_int_equal(again->enabled_ms, FIXTURE_NOW_MS + 3);
    assert_int_equal(sa_store_session_live(fixture->store, session.id, FIXTURE_NOW_MS, &found), SA_NOT_FOUND);
    assert_int_equal(fixture_open_session(fixture, &session, NULL), SA_OK);
}

static void
the_list_has_pages(void **state)
{
    struct fixture *fixture = *state;
    struct sa_client **clients;
    unsigned count;
    bool more;

    assert_int_equal(fixture_add_client(fixture, "app", NULL), SA_OK);
    assert_int_equal(fixture_add_client(fixture, "zap", NULL), SA_OK);
    assert_int_equal(sa_store_client_list(fixture->store, "", 2, &clients, &count, &more), SA_OK);
    assert_int_equal(count, 2);
    assert_true(more);
    assert_string_equal(clients[0]->id, "app");
    assert_string_equal(clients[1]->id, SA_HOST_CLIENT);
    sa_clients_free(clients, count);
    assert_int_equal(sa_store_client_list(fixture->store, SA_HOST_CLIENT, 2, &clients, &count, &more), SA_OK);
    assert_int_equal(count, 1);
    assert_false(more);
    assert_int_equal(clients[0]->audience_count, 1);
    sa_clients_free(clients, count);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_is_not_registered_is_not_found),
        TEST(the_host_client_is_there_and_stays),
        TEST(a_row_number_is_never_used_again),
        TEST(no_client_has_more_audiences_than_the_limit),
        TEST(a_client_comes_back_as_it_was_given),
        TEST(an_update_replaces_all_but_what_is_the_daemons),
        TEST(a_uid_is_attested_while_a_client_says_so),
        TEST(what_is_handed_out_is_a_copy),
        TEST(every_change_is_seen_at_once),
        TEST(nobody_sees_a_client_after_its_delete_has_returned),
        TEST(sessions_end_with_their_client),
        TEST(what_a_disabled_client_had_does_not_come_back_with_it),
        TEST(the_list_has_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
