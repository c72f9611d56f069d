/* links: sa_rpc */
/* Clients, keys, pages, records and the daemon's state: every field that breaks a rule is named. */
#include "tests/support/token_fixture.h"

static void
assert_refused(struct rig *rig, enum sa_status status, const char *field)
{
    assert_int_equal(status, SA_INVALID_ARGUMENT);
    assert_string_equal(rig->call.problem.field, field);
    assert_non_null(rig->call.problem.rule);
}

/* ---- clients ---- */

static enum sa_status
create_client(struct rig *rig, Secauth__V1__Client *client)
{
    Secauth__V1__CreateClientRequest request = SECAUTH__V1__CREATE_CLIENT_REQUEST__INIT;
    Secauth__V1__CreateClientResponse reply = SECAUTH__V1__CREATE_CLIENT_RESPONSE__INIT;

    request.client = client;
    return rig_call(rig, rig_root(), "ClientService/CreateClient", &request.base, &reply.base);
}

static void
plain_client(Secauth__V1__Client *client)
{
    secauth__v1__client__init(client);
    client->client_id = RIG_TEXT("svc");
    client->kind = SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL;
}

static void
a_client_that_breaks_a_rule_is_refused_by_field(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__ClientGrant grant = SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_CLIENT_CREDENTIALS;
    Secauth__V1__Seconds grace = SECAUTH__V1__SECONDS__INIT;
    Secauth__V1__ClientAudience audience = SECAUTH__V1__CLIENT_AUDIENCE__INIT;
    Secauth__V1__ClientAudience *audiences[] = {&audience, &audience};
    char *scopes[] = {RIG_TEXT("read"), RIG_TEXT("re ad")};
    char *owned[] = {RIG_TEXT("a b")};
    Secauth__V1__Client client;

    plain_client(&client);
    client.client_id = RIG_TEXT("a.b");
    assert_refused(rig, create_client(rig, &client), "client.client_id");
    plain_client(&client);
    client.kind = SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_HOST;
    assert_refused(rig, create_client(rig, &client), "client.kind");
    plain_client(&client);
    client.login = true;
    assert_refused(rig, create_client(rig, &client), "client.login");
    plain_client(&client);
    client.kind = SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC;
    client.grants = &grant;
    client.n_grants = 1;
    assert_refused(rig, create_client(rig, &client), "client.grants");
    plain_client(&client);
    client.access_ttl_seconds = 29;
    assert_refused(rig, create_client(rig, &client), "client.access_ttl_seconds");
    plain_client(&client);
    grace.value = 301;
    client.grace = &grace;
    assert_refused(rig, create_client(rig, &client), "client.grace");
    plain_client(&client);
    client.audiences_owned = owned;
    client.n_audiences_owned = 1;
    assert_refused(rig, create_client(rig, &client), "client.audiences_owned");
    plain_client(&client);
    client.audiences = audiences;
    client.n_audiences = 1;
    assert_refused(rig, create_client(rig, &client), "client.audiences.audience");
    audience.audience = RIG_TEXT("demo");
    audience.scopes = scopes;
    audience.n_scopes = 2;
    assert_refused(rig, create_client(rig, &client), "client.audiences.scopes");
    scopes[1] = scopes[0];
    assert_refused(rig, create_client(rig, &client), "client.audiences.scopes");
    audience.n_scopes = 1;
    audience.group = RIG_TEXT("staff");
    assert_refused(rig, create_client(rig, &client), "client.audiences.group");
    audience.group = RIG_TEXT("");
    client.n_audiences = 2;
    assert_refused(rig, create_client(rig, &client), "client.audiences");
}

static void
a_client_is_kept_as_it_was_said_and_its_secret_is_shown_once(void **state)
{
    struct rig *rig = *state;
    struct rig_client said = {
        .id = "svc", .refresh = true, .grace_s = 0, .owned = "demo", .audiences = "demo=b,a more=c"};
    Secauth__V1__ListClientsRequest request = SECAUTH__V1__LIST_CLIENTS_REQUEST__INIT;
    Secauth__V1__ListClientsResponse reply = SECAUTH__V1__LIST_CLIENTS_RESPONSE__INIT;
    const Secauth__V1__Client *client;
    char secret[64];

    rig_add_client(rig, &said, secret);
    rig_assert_recorded(rig, SA_EVENT_CLIENT_CREATE, SA_OUTCOME_GRANTED, "");
    assert_int_equal(strlen(secret), 48);
    assert_memory_equal(secret, "sac1_", 5);
    assert_int_equal(rig_call(rig, rig_root(), "ClientService/ListClients", &request.base, &reply.base),
                     SA_OK);
    assert_int_equal(reply.n_clients, 2);
    assert_int_equal(reply.clients[0]->kind, SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_HOST);
    client = reply.clients[1];
    assert_string_equal(client->client_id, "svc");
    assert_int_equal(client->n_grants, 2);
    assert_int_equal(client->grace->value, 0);
    assert_string_equal(client->audiences_owned[0], "demo");
    assert_int_equal(client->n_audiences, 2);
    assert_int_equal(client->audiences[0]->n_scopes, 2);
    assert_string_equal(client->audiences[0]->scopes[0], "b");
    assert_int_equal(client->created_ms, FIXTURE_NOW_MS);
}

static void
the_client_of_logins_is_neither_made_nor_deleted(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__DeleteClientRequest request = SECAUTH__V1__DELETE_CLIENT_REQUEST__INIT;
    Secauth__V1__DeleteClientResponse reply = SECAUTH__V1__DELETE_CLIENT_RESPONSE__INIT;
    Secauth__V1__Client client;

    plain_client(&client);
    client.client_id = RIG_TEXT("host");
    assert_int_equal(create_client(rig, &client), SA_ALREADY_EXISTS);
    request.client_id = RIG_TEXT("host");
    assert_int_equal(rig_call(rig, rig_root(), "ClientService/DeleteClient", &request.base, &reply.base),
                     SA_PERMISSION_DENIED);
    request.client_id = RIG_TEXT("nobody");
    assert_int_equal(rig_call(rig, rig_root(), "ClientService/DeleteClient", &request.base, &reply.base),
                     SA_NOT_FOUND);
}

static void
an_audience_is_set_and_taken_away(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__RemoveClientAudienceRequest request = SECAUTH__V1__REMOVE_CLIENT_AUDIENCE_REQUEST__INIT;
    Secauth__V1__RemoveClientAudienceResponse reply = SECAUTH__V1__REMOVE_CLIENT_AUDIENCE_RESPONSE__INIT;

    rig_open_to_people(rig, "demo", "read", "staff");
    rig_assert_recorded(rig, SA_EVENT_CLIENT_AUDIENCE, SA_OUTCOME_GRANTED, "");
    request.client_id = RIG_TEXT("host");
    request.audience = RIG_TEXT("demo");
    assert_int_equal(
        rig_call(rig, rig_root(), "ClientService/RemoveClientAudience", &request.base, &reply.base), SA_OK);
    assert_true(reply.accepted);
    assert_int_equal(
        rig_call(rig, rig_root(), "ClientService/RemoveClientAudience", &request.base, &reply.base),
        SA_NOT_FOUND);
    request.audience = RIG_TEXT("de mo");
    assert_refused(
        rig, rig_call(rig, rig_root(), "ClientService/RemoveClientAudience", &request.base, &reply.base),
        "audience");
}

/* ---- keys and records ---- */

static void
the_first_key_is_made_with_its_record_and_found_again(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__ListSigningKeysRequest request = SECAUTH__V1__LIST_SIGNING_KEYS_REQUEST__INIT;
    Secauth__V1__ListSigningKeysResponse reply = SECAUTH__V1__LIST_SIGNING_KEYS_RESPONSE__INIT;
    char kid[64];
    const char *why;

    struct sa_audit_row *row = fixture_last_record(&rig->store);
    assert_int_equal(row->record.event, SA_EVENT_KEY_PREPARE); /* the second one, right after KEY_CREATE */
    assert_true(row->sequence == 2);
    free(row);
    assert_int_equal(
        rig_call(rig, rig_root(), "SigningKeyService/ListSigningKeys", &request.base, &reply.base), SA_OK);
    assert_int_equal(reply.n_keys, 2);
    assert_int_equal(reply.keys[0]->state, SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_PREPARED);
    assert_int_equal(reply.keys[1]->state, SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_ACTIVE);
    assert_string_equal(reply.keys[1]->alg, "ES256");
    assert_memory_equal(reply.keys[1]->public_pem.data, "-----BEGIN PUBLIC KEY-----", 26);
    snprintf(kid, sizeof(kid), "%s", reply.keys[1]->kid);
    sa_authority_free(rig->authority);
    rig->authority = NULL;
    fixture_reopen(&rig->store);
    assert_int_equal(
        sa_authority_new(&rig->conf, rig->store.keyring, rig->store.store, rig->now, &rig->authority, &why),
        SA_OK);
    secauth__v1__list_signing_keys_response__init(&reply);
    assert_int_equal(
        rig_call(rig, rig_root(), "SigningKeyService/ListSigningKeys", &request.base, &reply.base), SA_OK);
    assert_int_equal(reply.n_keys, 2);
    assert_string_equal(reply.keys[1]->kid, kid);
}

static void
records_are_found_by_event_user_and_request(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__ListAuditRecordsRequest request = SECAUTH__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
    Secauth__V1__ListAuditRecordsResponse reply = SECAUTH__V1__LIST_AUDIT_RECORDS_RESPONSE__INIT;

    rig_open_to_people(rig, "one", "read", "");
    rig_open_to_people(rig, "two", "read", "");
    request.event = RIG_TEXT("NONSENSE");
    assert_refused(
        rig, rig_call(rig, rig_root(), "AuditService/ListAuditRecords", &request.base, &reply.base), "event");
    request.event = RIG_TEXT("CLIENT_AUDIENCE");
    request.request_id = RIG_TEXT("1234567890ABCDEF");
    assert_refused(rig,
                   rig_call(rig, rig_root(), "AuditService/ListAuditRecords", &request.base, &reply.base),
                   "request_id");
    request.request_id = RIG_TEXT("1234567890abcdef");
    request.page_size = 1;
    assert_int_equal(rig_call(rig, rig_root(), "AuditService/ListAuditRecords", &request.base, &reply.base),
                     SA_OK);
    assert_int_equal(reply.n_records, 1);
    assert_string_equal(reply.records[0]->detail, "set=one");
    assert_string_equal(reply.records[0]->outcome, "granted");
    assert_string_equal(reply.records[0]->request_id, "1234567890abcdef");
    assert_int_equal(reply.records[0]->actor_uid->id, 0);
    assert_int_equal(reply.records[0]->leaf_hash.len, SA_LEAF_LEN);
    assert_int_equal(reply.next_after_sequence, reply.records[0]->sequence);
    request.after_sequence = reply.next_after_sequence;
    secauth__v1__list_audit_records_response__init(&reply);
    assert_int_equal(rig_call(rig, rig_root(), "AuditService/ListAuditRecords", &request.base, &reply.base),
                     SA_OK);
    assert_string_equal(reply.records[0]->detail, "set=two");
    assert_int_equal(reply.next_after_sequence, 0);
}

/* A reader's bounds (proto/decode.h) hold for what is sent. */
static void
assert_reads(const ProtobufCMessage *reply)
{
    size_t len = protobuf_c_message_get_packed_size(reply);
    uint8_t *body = malloc(len);
    struct sa_problem problem;

    assert_non_null(body);
    protobuf_c_message_pack(reply, body);
    assert_in_range(len, 1, 1024 * 1024);
    assert_int_equal(sa_decode_check(reply->descriptor, sa_bytes(body, len), SA_DECODE_REPLY, &problem),
                     SA_OK);
    free(body);
}

static unsigned
count_users(struct rig *rig, unsigned *ret_pages)
{
    Secauth__V1__ListUsersRequest request = SECAUTH__V1__LIST_USERS_REQUEST__INIT;
    Secauth__V1__ListUsersResponse reply;
    char token[64] = "";
    unsigned users = 0;

    request.page_size = 500;
    request.page_token = token;
    *ret_pages = 0;
    do {
        secauth__v1__list_users_response__init(&reply);
        assert_int_equal(rig_call(rig, rig_root(), "UserService/ListUsers", &request.base, &reply.base),
                         SA_OK);
        assert_reads(&reply.base);
        assert_true(reply.n_users > 0);
        users += (unsigned)reply.n_users;
        ++*ret_pages;
        snprintf(token, sizeof(token), "%s", reply.next_page_token);
    } while (token[0] != '\0');
    return users;
}

static void
a_page_ends_where_its_reader_would_give_up(void **state)
{
    struct rig *rig = *state;
    SA_OWN(sa_user) user = sa_user_new();
    struct sa_audit audit = sa_audit(SA_EVENT_USER_CREATE);
    Secauth__V1__ListAuditRecordsRequest request = SECAUTH__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
    Secauth__V1__ListAuditRecordsResponse reply = SECAUTH__V1__LIST_AUDIT_RECORDS_RESPONSE__INIT;
    unsigned pages;

    user->group_count = SA_USER_GROUPS_MAX;
    for (unsigned i = 0; i < SA_USER_GROUPS_MAX; i++)
        snprintf(user->groups[i], sizeof(user->groups[i]), "a_group_with_a_long_name_%u", i);
    audit = (struct sa_audit){.event = SA_EVENT_USER_CREATE,
                              .outcome = SA_OUTCOME_GRANTED,
                              .reason = "r",
                              .request_id = 1,
                              .time_ms = FIXTURE_NOW_MS,
                              .subject = "s",
                              .client_id = "c",
                              .session_id = "s",
                              .service = "s",
                              .source = "s",
                              .gateway = "g",
                              .detail = "d"};
    for (unsigned i = 0; i < 400; i++) {
        snprintf(user->name, sizeof(user->name), "user%03u", i);
        user->uid = 2000 + i;
        audit.user = user->name;
        assert_int_equal(sa_store_user_create(rig->store.store, user, NULL, &audit), SA_OK);
    }
    assert_int_equal(count_users(rig, &pages), 400);
    assert_in_range(pages, 4, 6);
    request.page_size = 500;
    assert_int_equal(rig_call(rig, rig_root(), "AuditService/ListAuditRecords", &request.base, &reply.base),
                     SA_OK);
    assert_reads(&reply.base);
    assert_int_equal(reply.records[0]->sequence, 1);
    assert_in_range(reply.n_records, 200, 399);
    assert_int_equal(reply.next_after_sequence, reply.n_records);
    request.newest = true;
    secauth__v1__list_audit_records_response__init(&reply);
    assert_int_equal(rig_call(rig, rig_root(), "AuditService/ListAuditRecords", &request.base, &reply.base),
                     SA_OK);
    assert_reads(&reply.base);
    assert_in_range(reply.n_records, 200, 399);
    assert_int_equal(reply.records[reply.n_records - 1]->sequence, fixture_sequence(&rig->store));
}

static void
who_is_no_administrator_learns_the_version_only(void **state)
{
    struct rig *rig = *state;
    Secauth__V1__GetStatusRequest request = SECAUTH__V1__GET_STATUS_REQUEST__INIT;
    Secauth__V1__GetStatusResponse reply = SECAUTH__V1__GET_STATUS_RESPONSE__INIT;

    assert_int_equal(rig_call(rig, rig_user(1000), "HostService/GetStatus", &request.base, &reply.base),
                     SA_OK);
    assert_string_equal(reply.version, SA_VERSION);
    assert_string_equal(reply.issuer, "");
    assert_int_equal(reply.n_lanes, 0);
    assert_int_equal(reply.audit_sequence, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_that_breaks_a_rule_is_refused_by_field),
        TEST(a_client_is_kept_as_it_was_said_and_its_secret_is_shown_once),
        TEST(the_client_of_logins_is_neither_made_nor_deleted),
        TEST(an_audience_is_set_and_taken_away),
        TEST(the_first_key_is_made_with_its_record_and_found_again),
        TEST(records_are_found_by_event_user_and_request),
        TEST(a_page_ends_where_its_reader_would_give_up),
        TEST(who_is_no_administrator_learns_the_version_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
