/* links: sa_store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>

#include "service/store/inside.h"
#include "tests/support/store_fixture.h"

static struct sa_audit_row *rows;
static unsigned count;
static bool more;

static void
list(struct fixture *fixture, struct sa_audit_query query)
{
    free(rows);
    rows = NULL;
    assert_int_equal(sa_store_audit_list(fixture->store, &query, &rows, &count, &more), SA_OK);
}

static int
teardown(void **state)
{
    free(rows);
    rows = NULL;
    return fixture_teardown(state);
}

/* A record in which every field says something. */
static struct sa_audit
full_record(void)
{
    return (struct sa_audit){.event = SA_EVENT_LOGIN,
                             .outcome = SA_OUTCOME_DENIED,
                             .reason = "hash",
                             .request_id = UINT64_C(0xfedcba9876543210),
                             .time_ms = FIXTURE_NOW_MS,
                             .user = "ann",
                             .subject = "subject",
                             .client_id = "app",
                             .session_id = "session",
                             .service = "sshd",
                             .source = "192.0.2.1",
                             .gateway = "front",
                             .detail = "a=b c=d",
                             .actor_uid = 0,
                             .acting_uid = -1,
                             .actor_pid = 4242,
                             .login_uid = 4294967295,
                             .audit_session = 7};
}

/* ---- the leaf, once more, from docs/audit.md alone ---- */

struct input {
    uint8_t bytes[8192];
    size_t len;
};

static void
add(struct input *input, const void *bytes, size_t len)
{
    memcpy(input->bytes + input->len, bytes, len);
    input->len += len;
}

static void
add_number(struct input *input, uint64_t number, unsigned len)
{
    for (unsigned shift = 8 * len; shift > 0; shift -= 8)
        input->bytes[input->len++] = (uint8_t)(number >> (shift - 8));
}

static void
add_text(struct input *input, const char *text)
{
    size_t len = text == NULL ? 0 : strlen(text);

    add_number(input, len, 2);
    if (len > 0)
        add(input, text, len);
}

static void
documented_leaf(const struct sa_audit *record, uint64_t sequence, const uint8_t salt[16], uint8_t leaf[32])
{
    struct input input = {0};

    add_number(&input, 0, 1);
    add(&input, salt, 16);
    add_number(&input, 1, 1);
    add_number(&input, sequence, 8);
    add_number(&input, (uint64_t)record->time_ms, 8);
    add_number(&input, (uint64_t)record->event, 8);
    add_number(&input, (uint64_t)record->outcome, 8);
    add_number(&input, record->request_id, 8);
    add_number(&input, (uint64_t)record->actor_uid, 8);
    add_number(&input, (uint64_t)record->acting_uid, 8);
    add_number(&input, (uint64_t)record->actor_pid, 8);
    add_number(&input, (uint64_t)record->login_uid, 8);
    add_number(&input, (uint64_t)record->audit_session, 8);
    add_text(&input, record->reason);
    add_text(&input, record->user);
    add_text(&input, record->subject);
    add_text(&input, record->client_id);
    add_text(&input, record->session_id);
    add_text(&input, record->service);
    add_text(&input, record->source);
    add_text(&input, record->gateway);
    add_text(&input, record->detail);
    crypto_hash_sha256(leaf, input.bytes, input.len);
}

/* The salt of a record, which no function of the store gives away. */
static void
read_salt(struct fixture *fixture, uint64_t sequence, uint8_t salt[16])
{
    struct sa_sql *sql = NULL;

    assert_int_equal(sa_sql_open(fixture->path, NULL, SA_SQL_READER, &sql), SA_OK);
    {
        SA_QUERY(query, sql, "SELECT salt FROM audit WHERE sequence = ?");
        sa_put_int(&query, (int64_t)sequence);
        assert_int_equal(sa_query_step(&query), SA_OK);
        assert_int_equal(sa_get_blob(&query, salt, 16), 16);
    }
    sa_sql_close(sql);
}

static void
change_the_file(struct fixture *fixture, const char *statement)
{
    struct sa_sql *sql = NULL;

    fixture_close(fixture);
    assert_int_equal(sa_sql_open(fixture->path, NULL, SA_SQL_WRITER, &sql), SA_OK);
    assert_int_equal(sa_sql_script(sql, statement), SA_OK);
    sa_sql_close(sql);
}

static void
expect_refused(struct fixture *fixture)
{
    const char *why = NULL;

    assert_int_equal(fixture_try_open(fixture, &why), SA_INTERNAL);
    assert_string_equal(
        why, "the audit log is not what was written: a record is missing or altered" SA_STORE_ADVICE);
}

/* ---- tests ---- */

static void
an_altered_record_stops_the_start(void **state)
{
    struct sa_audit record = full_record();

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sa_store_audit(((struct fixture *)*state)->store, &record), SA_OK);
    change_the_file(*state, "UPDATE audit SET user = 'bob' WHERE sequence = 2");
    expect_refused(*state);
    change_the_file(*state, "UPDATE audit SET user = 'ann' WHERE sequence = 2");
    fixture_open(*state);
    change_the_file(*state, "UPDATE audit SET salt = zeroblob(16) WHERE sequence = 3");
    expect_refused(*state);
}

static void
a_missing_record_stops_the_start(void **state)
{
    struct sa_audit record = full_record();

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sa_store_audit(((struct fixture *)*state)->store, &record), SA_OK);
    change_the_file(*state, "DELETE FROM audit WHERE sequence = 2");
    expect_refused(*state);
}

static void
a_missing_beginning_stops_the_start(void **state)
{
    struct sa_audit record = full_record();

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(sa_store_audit(((struct fixture *)*state)->store, &record), SA_OK);
    change_the_file(*state, "DELETE FROM audit WHERE sequence = 1");
    expect_refused(*state);
}

static void
the_last_thousand_are_checked_and_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit record = full_record();

    for (unsigned i = 0; i < 1001; i++)
        assert_int_equal(sa_store_audit(fixture->store, &record), SA_OK);
    change_the_file(fixture, "UPDATE audit SET user = 'bob' WHERE sequence = 1");
    fixture_open(fixture);
    assert_int_equal(fixture_sequence(fixture), 1001);
    change_the_file(fixture, "UPDATE audit SET user = 'bob' WHERE sequence = 2");
    expect_refused(fixture);
}

static void
a_leaf_is_what_the_documentation_says(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit records[] = {full_record(), sa_audit(SA_EVENT_DAEMON_START)};
    uint8_t salts[2][16];
    uint8_t leaf[32];

    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(sa_store_audit(fixture->store, &records[i]), SA_OK);
    list(fixture, (struct sa_audit_query){.limit = 10});
    assert_int_equal(count, 2);
    for (unsigned i = 0; i < 2; i++) {
        read_salt(fixture, i + 1, salts[i]);
        documented_leaf(&records[i], i + 1, salts[i], leaf);
        assert_memory_equal(rows[i].leaf, leaf, 32);
    }
    assert_memory_not_equal(salts[0], salts[1], 16);
}

static void
a_record_comes_back_as_it_was_given(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit given = full_record();

    assert_int_equal(sa_store_audit(fixture->store, &given), SA_OK);
    fixture_reopen(fixture);
    list(fixture, (struct sa_audit_query){.limit = 1});
    const struct sa_audit *found = &rows[0].record;
    assert_int_equal(rows[0].sequence, 1);
    assert_int_equal(found->event, given.event);
    assert_int_equal(found->outcome, given.outcome);
    assert_true(found->request_id == given.request_id);
    assert_true(found->time_ms == given.time_ms);
    assert_true(found->actor_uid == 0 && found->acting_uid == -1 && found->actor_pid == 4242);
    assert_true(found->login_uid == 4294967295 && found->audit_session == 7);
    assert_string_equal(found->reason, "hash");
    assert_string_equal(found->user, "ann");
    assert_string_equal(found->subject, "subject");
    assert_string_equal(found->client_id, "app");
    assert_string_equal(found->session_id, "session");
    assert_string_equal(found->service, "sshd");
    assert_string_equal(found->source, "192.0.2.1");
    assert_string_equal(found->gateway, "front");
    assert_string_equal(found->detail, "a=b c=d");
}

static void
texts_that_are_too_long_are_cut_and_still_verify(void **state)
{
    struct fixture *fixture = *state;
    struct sa_audit record = full_record();
    char text[2000];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    record.reason = record.user = record.subject = record.client_id = record.session_id = text;
    record.service = record.source = record.gateway = record.detail = text;
    assert_int_equal(sa_store_audit(fixture->store, &record), SA_OK);
    fixture_reopen(fixture);
    list(fixture, (struct sa_audit_query){.limit = 1});
    assert_int_equal(strlen(rows[0].record.reason), 320);
    assert_int_equal(strlen(rows[0].record.gateway), 320);
    assert_int_equal(strlen(rows[0].record.detail), 1024);
}

static void
the_list_filters_and_pages(void **state)
{
    struct fixture *fixture = *state;

    for (unsigned i = 1; i <= 10; i++) {
        struct sa_audit record = full_record();

        record.event = i % 2 == 0 ? SA_EVENT_LOGIN : SA_EVENT_TOKEN_ISSUE;
        record.user = i % 5 == 0 ? "bob" : "ann";
        record.request_id = 100 + i;
        record.detail = i == 9 ? "nine" : NULL;
        assert_int_equal(sa_store_audit(fixture->store, &record), SA_OK);
    }
    list(fixture, (struct sa_audit_query){.limit = 3, .after_sequence = 2});
    assert_int_equal(count, 3);
    assert_true(more);
    assert_int_equal(rows[0].sequence, 3);
    list(fixture, (struct sa_audit_query){.limit = 3, .after_sequence = 7});
    assert_int_equal(count, 3);
    assert_false(more);
    list(fixture, (struct sa_audit_query){.limit = 3, .newest = true});
    assert_int_equal(count, 3);
    assert_false(more);
    assert_int_equal(rows[0].sequence, 8);
    assert_int_equal(rows[2].sequence, 10);
    assert_string_equal(rows[1].record.detail, "nine");
    assert_string_equal(rows[2].record.detail, "");
    assert_string_equal(rows[0].record.user, "ann");
    list(fixture, (struct sa_audit_query){.limit = 10, .user = "bob", .event = SA_EVENT_LOGIN});
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].sequence, 10);
    list(fixture, (struct sa_audit_query){.limit = 10, .user = "", .request_id = 104});
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].sequence, 4);
    list(fixture, (struct sa_audit_query){.limit = 10, .user = "cid"});
    assert_int_equal(count, 0);
    list(fixture, (struct sa_audit_query){.limit = 10, .after_sequence = UINT64_MAX});
    assert_int_equal(count, 0);
}

static void
events_have_names_and_back(void **state SA_UNUSED)
{
    assert_null(sa_event_name((enum sa_event)0));
    assert_null(sa_event_name((enum sa_event)9999));
    assert_int_equal(sa_event_from_name("NONE"), 0);
    assert_int_equal(sa_event_from_name(""), 0);
    assert_int_equal(sa_event_from_name("login"), 0);
#define EVENT(name, number, words)                                                                           \
    assert_string_equal(sa_event_name(SA_EVENT_##name), #name);                                              \
    assert_int_equal(sa_event_from_name(#name), number);
#include "service/store/event.def"
#undef EVENT
}

static void
every_event_is_documented(void **state SA_UNUSED)
{
    static char text[16384];
    FILE *file = fopen("docs/audit.md", "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
#define EVENT(name, number, words) assert_non_null(strstr(text, "| " #number " | " #name " | " words " |\n"));
#include "service/store/event.def"
#undef EVENT
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_altered_record_stops_the_start),
        TEST(a_missing_record_stops_the_start),
        TEST(a_missing_beginning_stops_the_start),
        TEST(the_last_thousand_are_checked_and_no_more),
        TEST(a_leaf_is_what_the_documentation_says),
        TEST(a_record_comes_back_as_it_was_given),
        TEST(texts_that_are_too_long_are_cut_and_still_verify),
        TEST(the_list_filters_and_pages),
        cmocka_unit_test(events_have_names_and_back),
        cmocka_unit_test(every_event_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
