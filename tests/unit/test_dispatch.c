/* links: sa_rpc */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <semaphore.h>
#include <stdio.h>
#include <cmocka.h>

#include "secauth/v1/token.pb-c.h"
#include "service/rpc/dispatch.h"
#include "tests/support/status_details.h"

/* A dispatch of its own with methods of its own, and whatever the last call came to. */
static struct {
    struct sa_conf conf;
    struct sa_buckets *buckets;
    struct sa_dispatch *dispatch;
    struct sa_answer *done;
    sem_t is_done;
    sem_t go_on;
    sem_t after;
    unsigned handled;
    char source[SA_SOURCE_TEXT_MAX + 1];
} stage;

/* ---- methods ---- */

static enum sa_status
grant(struct sa_call *call)
{
    Secauth__V1__RevokeTokenResponse *reply = (Secauth__V1__RevokeTokenResponse *)call->reply;

    stage.handled++;
    memcpy(stage.source, call->source.text, sizeof(stage.source));
    reply->accepted = true;
    return SA_OK;
}

static enum sa_status
fail_proof(struct sa_call *call)
{
    stage.handled++;
    call->counts_against_source = true;
    return SA_INVALID_CLIENT;
}

static enum sa_status
refuse_field(struct sa_call *call)
{
    return sa_call_refuse(call, "client.client_id", "1 to 64 bytes");
}

static enum sa_status
return_nonsense(SA_UNUSED struct sa_call *call)
{
    return SA_UNSET;
}

static enum sa_status
second_step(struct sa_call *call)
{
    return strcmp(call->state, "left by the first") == 0 ? grant(call) : SA_INTERNAL;
}

static enum sa_status
first_step(struct sa_call *call)
{
    call->state = sa_arena_strdup(call->arena, "left by the first");
    return sa_call_then(call, SA_LANE_HASH, second_step);
}

static enum sa_status
expire_between_steps(struct sa_call *call)
{
    call->deadline_boot_ms = 0;
    return sa_call_then(call, SA_LANE_HASH, grant);
}

static enum sa_status
come_after(SA_UNUSED struct sa_call *call)
{
    sem_post(&stage.after);
    return SA_INTERNAL; /* nobody looks */
}

static enum sa_status
grant_and_come_back(struct sa_call *call)
{
    sa_call_after(call, SA_LANE_HASH, come_after);
    return grant(call);
}

static enum sa_status
wait_for_it(SA_UNUSED struct sa_call *call)
{
    sem_wait(&stage.go_on);
    return SA_NOT_FOUND;
}

#define ROW(name_, where_, who_, source_, lane_, handler_)                                                   \
    {                                                                                                        \
        .name = (name_), .where = (where_), .who = (who_), .source = (source_), .lane = (lane_),             \
        .max_request = 300, .request_type = &secauth__v1__revoke_token_request__descriptor,                  \
        .response_type = &secauth__v1__revoke_token_response__descriptor, .handler = (handler_)              \
    }
#define EVERYWHERE 15u

static const struct sa_method methods[] = {
    ROW("grant", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_INLINE, grant),
    ROW("root_only", SA_VIA_ROOT, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_INLINE, grant),
    ROW("admin", EVERYWHERE, SA_CALLER_ADMIN, SA_SOURCE_PEER, SA_LANE_INLINE, grant),
    ROW("client", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_CLIENT, SA_LANE_STORE, grant),
    ROW("guess", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_CLIENT, SA_LANE_STORE, fail_proof),
    ROW("refuse", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_INLINE, refuse_field),
    ROW("nonsense", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_INLINE, return_nonsense),
    ROW("steps", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_STORE, first_step),
    ROW("expire", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_STORE, expire_between_steps),
    ROW("after", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_STORE, grant_and_come_back),
    ROW("wait", EVERYWHERE, SA_CALLER_ANY, SA_SOURCE_PEER, SA_LANE_HASH, wait_for_it),
};

static const struct sa_method *
find(struct sa_bytes name)
{
    for (unsigned i = 0; i < SA_COUNT(methods); i++)
        if (sa_bytes_equal(sa_bytes_of(methods[i].name), name))
            return &methods[i];
    return NULL;
}

/* ---- calls ---- */

static void
done(struct sa_exchange *exchange)
{
    exchange->answer.next = __atomic_exchange_n(&stage.done, &exchange->answer, __ATOMIC_ACQ_REL);
    sem_post(&stage.is_done);
}

static const struct sa_caller alice = {
    .via = SA_VIA_USER, .standing = SA_CALLER_ANY, .has_uid = true, .uid = 2001};
static const struct sa_caller root = {.via = SA_VIA_ROOT, .standing = SA_CALLER_ROOT, .has_uid = true};

struct request {
    const char *name;
    const struct sa_caller *caller;
    uint32_t millis;
    struct sa_bytes body;
};

static void
begin(const struct request *request)
{
    struct sa_frame frame = {.kind = SA_FRAME_REQUEST, .call = 7, .millis = request->millis};
    struct sa_incoming incoming = {.caller = request->caller,
                                   .frame = &frame,
                                   .name = sa_bytes_of(request->name),
                                   .body = request->body};
    struct sa_exchange *exchange = sa_exchange_new(stage.dispatch);

    assert_non_null(exchange);
    sa_dispatch_call(exchange, &incoming);
}

/* The exchange that was done last; the caller ends it. */
static struct sa_exchange *
await(void)
{
    sem_wait(&stage.is_done);
    return stage.done->exchange;
}

static struct sa_exchange *
call(const char *name, const struct sa_caller *caller)
{
    begin(&(struct request){name, caller, 8000, {NULL, 0}});
    return await();
}

static enum sa_status
outcome(const char *name, const struct sa_caller *caller)
{
    struct sa_exchange *exchange = call(name, caller);
    enum sa_status status = exchange->answer.status;

    sa_exchange_end(exchange);
    return status;
}

static enum sa_status
outcome_of(const struct request *request)
{
    begin(request);
    struct sa_exchange *exchange = await();
    enum sa_status status = exchange->answer.status;
    sa_exchange_end(exchange);
    return status;
}

static int
set_up(SA_UNUSED void **state)
{
    memset(&stage, 0, sizeof(stage));
    sem_init(&stage.is_done, 0, 0);
    sem_init(&stage.go_on, 0, 0);
    sem_init(&stage.after, 0, 0);
    stage.conf.secauthd_store_threads = 2;
    stage.conf.secauthd_store_queue = 16;
    stage.buckets = sa_buckets_new(2, 60000);
    struct sa_dispatch_options options = {.buckets = stage.buckets,
                                          .conf = &stage.conf,
                                          .find = find,
                                          .hash_threads = 1,
                                          .hash_queue = 4,
                                          .done = done};
    stage.dispatch = sa_dispatch_new(&options);
    return stage.dispatch != NULL && stage.buckets != NULL ? 0 : -1;
}

static int
tear_down(SA_UNUSED void **state)
{
    sa_dispatch_free(stage.dispatch);
    sa_buckets_free(stage.buckets);
    return 0;
}

/* ---- tests ---- */

static void
a_method_that_does_not_exist_is_unimplemented(SA_UNUSED void **state)
{
    assert_int_equal(outcome("grand", &root), SA_UNIMPLEMENTED);
    assert_int_equal(outcome("", &root), SA_UNIMPLEMENTED);
    assert_int_equal(outcome("grant\n forged", &root), SA_UNIMPLEMENTED);
}

static void
a_method_of_another_socket_is_denied(SA_UNUSED void **state)
{
    assert_int_equal(outcome("root_only", &alice), SA_PERMISSION_DENIED);
    assert_int_equal(stage.handled, 0);
    assert_int_equal(outcome("root_only", &root), SA_OK);
}

static void
a_caller_without_the_right_is_denied(SA_UNUSED void **state)
{
    struct sa_caller caller = alice;

    assert_int_equal(outcome("admin", &caller), SA_PERMISSION_DENIED);
    caller.standing = SA_CALLER_STRANGER;
    assert_int_equal(outcome("grant", &caller), SA_PERMISSION_DENIED);
    caller.standing = SA_CALLER_GATEWAY;
    assert_int_equal(outcome("grant", &caller), SA_PERMISSION_DENIED);
    assert_int_equal(outcome("grant", NULL), SA_PERMISSION_DENIED);
    assert_int_equal(outcome("grant", &(struct sa_caller){.via = SA_VIA_ROOT}), SA_PERMISSION_DENIED);
    assert_int_equal(stage.handled, 0);
    caller.standing = SA_CALLER_ADMIN;
    assert_int_equal(outcome("admin", &caller), SA_OK);
    assert_int_equal(outcome("grant", &alice), SA_OK);
}

static void
a_body_over_the_methods_largest_is_too_large(SA_UNUSED void **state)
{
    static uint8_t body[301] = {0x12, 0xaa, 0x02}; /* token: 298 bytes */
    struct request request = {"grant", &alice, 8000, {body, 301}};

    assert_int_equal(outcome_of(&request), SA_TOO_LARGE);
    assert_int_equal(stage.handled, 0);
    request.body.len = 300;
    body[1] = 0xa9; /* 297: the largest that is taken */
    assert_int_equal(outcome_of(&request), SA_OK);
}

static void
a_body_that_breaks_a_rule_names_field_and_rule(SA_UNUSED void **state)
{
    static const uint8_t twice[] = {0x12, 0x01, 'a', 0x12, 0x01, 'b'};
    struct sa_dispatch_status status;

    begin(&(struct request){"grant", &alice, 8000, {twice, sizeof(twice)}});
    struct sa_exchange *exchange = await();
    assert_int_equal(exchange->answer.status, SA_INVALID_ARGUMENT);
    struct details details = details_of(exchange->answer.body);
    assert_string_equal(details.field, "token");
    assert_true(details.rule[0] != '\0');
    assert_string_equal(details.reason, "INVALID_REQUEST");
    assert_string_equal(details.domain, "secauth");
    assert_int_equal(details.code, 3);
    sa_exchange_end(exchange);
    sa_dispatch_status(stage.dispatch, &status);
    assert_int_equal(status.malformed, 1);
    assert_int_equal(status.calls, 1);
}

static void
a_handler_that_refuses_names_field_and_rule(SA_UNUSED void **state)
{
    struct sa_exchange *exchange = call("refuse", &root);
    struct details details = details_of(exchange->answer.body);

    assert_int_equal(exchange->answer.status, SA_INVALID_ARGUMENT);
    assert_string_equal(details.field, "client.client_id");
    assert_string_equal(details.rule, "1 to 64 bytes");
    sa_exchange_end(exchange);
}

static void
a_status_that_may_not_travel_is_an_internal_error(SA_UNUSED void **state)
{
    assert_int_equal(outcome("nonsense", &root), SA_INTERNAL);
}

static void
a_deadline_that_has_passed_is_answered_not_run(SA_UNUSED void **state)
{
    struct request request = {"grant", &alice, 0, {NULL, 0}};

    assert_int_equal(outcome_of(&request), SA_DEADLINE);
    request.name = "client";
    assert_int_equal(outcome_of(&request), SA_DEADLINE);
    assert_int_equal(stage.handled, 0);
}

static void
failed_proofs_spend_the_bucket_and_nothing_else_does(SA_UNUSED void **state)
{
    static const uint8_t other[] = {0x0a, 0x05, 0x0a, 0x03, 's', 'v', 'c'}; /* client.client_id: svc */

    for (int i = 0; i < 5; i++)
        assert_int_equal(outcome("client", &root), SA_OK);
    assert_int_equal(outcome("guess", &root), SA_INVALID_CLIENT);
    assert_int_equal(outcome("guess", &root), SA_INVALID_CLIENT);
    struct sa_exchange *exchange = call("client", &root);
    assert_int_equal(exchange->answer.status, SA_RATE_LIMITED);
    struct details details = details_of(exchange->answer.body);
    assert_string_equal(details.reason, "RATE_LIMITED");
    assert_in_range(details.delay_ms, 1, 65000); /* the window, and a slot of it */
    assert_int_equal(details.delay_ms, exchange->call.retry_ms);
    sa_exchange_end(exchange);
    assert_int_equal(outcome_of(&(struct request){"client", &root, 8000, {other, sizeof(other)}}), SA_OK);
    assert_int_equal(stage.handled, 8);
}

static void
a_call_goes_from_lane_to_lane(SA_UNUSED void **state)
{
    assert_int_equal(outcome("steps", &root), SA_OK);
    assert_int_equal(stage.handled, 1);
}

static void
a_next_step_past_the_deadline_is_answered_not_run(SA_UNUSED void **state)
{
    assert_int_equal(outcome("expire", &root), SA_DEADLINE);
    assert_int_equal(stage.handled, 0);
}

static void
a_step_after_the_answer_runs_once_it_has_left(SA_UNUSED void **state)
{
    struct sa_exchange *exchange = call("after", &root);

    assert_int_equal(exchange->answer.status, SA_OK);
    assert_int_equal(sem_trywait(&stage.after), -1);
    sa_exchange_end(exchange);
    sem_wait(&stage.after);
}

static void
a_full_lane_is_overloaded_at_once_with_a_delay(SA_UNUSED void **state)
{
    struct request request = {"wait", &alice, 8000, {NULL, 0}};
    unsigned waiting = 0;
    struct sa_exchange *refused = NULL;

    while (refused == NULL && waiting < 16) {
        begin(&request);
        waiting++;
        if (sem_trywait(&stage.is_done) == 0)
            refused = stage.done->exchange;
    }
    assert_non_null(refused);
    assert_int_equal(refused->answer.status, SA_OVERLOADED);
    assert_true(details_of(refused->answer.body).delay_ms > 0);
    stage.done = NULL;
    sa_exchange_end(refused);
    for (unsigned i = 1; i < waiting; i++) {
        sem_post(&stage.go_on);
        sem_wait(&stage.is_done);
    }
    for (unsigned i = 1; i < waiting; i++) {
        struct sa_answer *next = stage.done->next;
        assert_int_equal(stage.done->status, SA_NOT_FOUND);
        sa_exchange_end(stage.done->exchange);
        stage.done = next;
    }
}

static void
a_closed_dispatch_says_that_it_is_stopping(SA_UNUSED void **state)
{
    sa_dispatch_close(stage.dispatch);
    assert_int_equal(outcome("grant", &root), SA_SHUTTING_DOWN);
    assert_int_equal(stage.handled, 0);
}

static void
a_reply_is_a_legal_frame_with_the_requests_number(SA_UNUSED void **state)
{
    struct sa_exchange *exchange = call("grant", &root);
    struct sa_frame frame;
    const char *rule;

    assert_int_equal(sa_frame_decode(exchange->answer.header, SA_FRAME_READER_CALLER, &frame, &rule), SA_OK);
    assert_int_equal(frame.kind, SA_FRAME_REPLY);
    assert_int_equal(frame.status, SA_OK);
    assert_int_equal(frame.call, 7);
    assert_true(frame.request_id != 0);
    assert_int_equal(frame.body_len, exchange->answer.body.len);
    Secauth__V1__RevokeTokenResponse *reply = secauth__v1__revoke_token_response__unpack(
        NULL, exchange->answer.body.len, exchange->answer.body.data);
    assert_non_null(reply);
    assert_true(reply->accepted);
    secauth__v1__revoke_token_response__free_unpacked(reply, NULL);
    sa_exchange_end(exchange);
}

static void
through_a_gateway_the_words_bring_the_requests_id(SA_UNUSED void **state)
{
    struct sa_caller caller = {
        .via = SA_VIA_NETWORK, .standing = SA_CALLER_ANY, .gateway = "tls", .address = "192.0.2.1"};
    struct sa_exchange *exchange = call("refuse", &caller);
    char id[32];

    snprintf(id, sizeof(id), "(request %016llx)", (unsigned long long)exchange->call.request_id);
    assert_non_null(strstr(details_of(exchange->answer.body).words, id));
    sa_exchange_end(exchange);
    exchange = call("refuse", &alice);
    assert_null(strstr(details_of(exchange->answer.body).words, "(request "));
    sa_exchange_end(exchange);
}

static void
the_source_is_whom_the_row_names(SA_UNUSED void **state)
{
    static const uint8_t body[] = {0x0a, 0x05, 0x0a, 0x03, 's', 'v', 'c'};
    struct sa_caller network = {
        .via = SA_VIA_NETWORK, .standing = SA_CALLER_ANY, .gateway = "tls", .address = "192.0.2.1"};
    struct sa_source wanted;

    assert_int_equal(outcome("grant", &alice), SA_OK);
    sa_source_uid(2001, &wanted);
    assert_string_equal(stage.source, wanted.text);
    assert_int_equal(outcome("grant", &network), SA_OK);
    sa_source_address("192.0.2.1", &wanted);
    assert_string_equal(stage.source, wanted.text);
    assert_int_equal(outcome_of(&(struct request){"client", &network, 8000, {body, sizeof(body)}}), SA_OK);
    sa_source_client("svc", "192.0.2.1", -1, &wanted);
    assert_string_equal(stage.source, wanted.text);
    assert_int_equal(outcome_of(&(struct request){"client", &alice, 8000, {body, sizeof(body)}}), SA_OK);
    sa_source_uid(2001, &wanted); /* what the kernel says, not what is claimed */
    assert_string_equal(stage.source, wanted.text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_method_that_does_not_exist_is_unimplemented),
        TEST(a_method_of_another_socket_is_denied),
        TEST(a_caller_without_the_right_is_denied),
        TEST(a_body_over_the_methods_largest_is_too_large),
        TEST(a_body_that_breaks_a_rule_names_field_and_rule),
        TEST(a_handler_that_refuses_names_field_and_rule),
        TEST(a_status_that_may_not_travel_is_an_internal_error),
        TEST(a_deadline_that_has_passed_is_answered_not_run),
        TEST(failed_proofs_spend_the_bucket_and_nothing_else_does),
        TEST(a_call_goes_from_lane_to_lane),
        TEST(a_next_step_past_the_deadline_is_answered_not_run),
        TEST(a_step_after_the_answer_runs_once_it_has_left),
        TEST(a_full_lane_is_overloaded_at_once_with_a_delay),
        TEST(a_closed_dispatch_says_that_it_is_stopping),
        TEST(a_reply_is_a_legal_frame_with_the_requests_number),
        TEST(through_a_gateway_the_words_bring_the_requests_id),
        TEST(the_source_is_whom_the_row_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
