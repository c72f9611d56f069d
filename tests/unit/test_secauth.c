/* links: secauth sa_call */
/* libsecauth (client/secauth.h) against a daemon that answers what it should not: nothing but a whole grant
 * is one. */
#include "tests/unit/stage.h"

#include "client/secauth.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define MILLIS 2000

static const char *const audiences[] = {"demo"};
static const struct secauth_request want = {audiences, 1, NULL};
static const struct secauth_client client = {"svc", "sac1_secret"};

/* What the child answers: a status and a body. */
static struct {
    enum sa_status status;
    uint32_t millis;
    size_t len;
    uint8_t body[512];
} answer;

static void
play(int fd)
{
    uint8_t rest[SA_FRAME_NAME_MAX + 1024];
    uint8_t header[SA_FRAME_HEADER_LEN];
    struct sa_frame frame;
    const char *rule;

    read_all(fd, header, sizeof(header));
    if (sa_frame_decode(header, SA_FRAME_READER_DAEMON, &frame, &rule) != SA_OK)
        _exit(1);
    read_all(fd, rest, (size_t)frame.name_len + frame.body_len);
    write_frame(fd,
                (struct sa_frame){.kind = SA_FRAME_REPLY,
                                  .status = (uint16_t)answer.status,
                                  .call = frame.call,
                                  .millis = answer.millis,
                                  .request_id = 0xabc,
                                  .body_len = (uint32_t)answer.len},
                answer.body);
}

static void
will_answer(enum sa_status status, const ProtobufCMessage *message)
{
    answer.status = status;
    answer.millis = 0;
    answer.len = message == NULL ? 0 : protobuf_c_message_get_packed_size(message);
    assert_true(answer.len <= sizeof(answer.body));
    if (message != NULL)
        protobuf_c_message_pack(message, answer.body);
}

static struct secauth *
open_stage(struct stage *stage)
{
    struct secauth *handle = NULL;

    start(stage, play);
    assert_int_equal(secauth_open(stage->path, MILLIS, &handle, NULL), SECAUTH_OK);
    return handle;
}

static void
will_grant(const Secauth__V1__TokenGrant *grant)
{
    Secauth__V1__IssueTokenResponse response = SECAUTH__V1__ISSUE_TOKEN_RESPONSE__INIT;
    union {
        const Secauth__V1__TokenGrant *read;
        Secauth__V1__TokenGrant *write;
    } either = {.read = grant};

    response.grant = either.write;
    will_answer(SA_OK, &response.base);
}

static enum secauth_status
issue(struct stage *stage, struct secauth_token **ret_token, struct secauth_error *ret_error)
{
    struct secauth *handle = open_stage(stage);
    enum secauth_status status = secauth_issue(handle, &client, &want, MILLIS, ret_token, ret_error);

    secauth_close(handle);
    return status;
}

static Secauth__V1__TokenGrant
whole_grant(void)
{
    Secauth__V1__TokenGrant grant = SECAUTH__V1__TOKEN_GRANT__INIT;

    grant.access_token = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a.b"};
    grant.expires_in_seconds = 60;
    return grant;
}

static void
an_empty_answer_is_no_token(void **state)
{
    struct secauth_token *token = NULL;
    struct secauth_error error;

    will_answer(SA_OK, NULL);
    assert_int_equal(issue(*state, &token, &error), SECAUTH_MALFORMED);
    assert_null(token);
    assert_int_equal(error.status, SECAUTH_MALFORMED);
    assert_true(error.message[0] != '\0');
}

static void
a_grant_without_a_token_is_none(void **state)
{
    struct secauth_token *token = NULL;
    Secauth__V1__TokenGrant grant = whole_grant();

    grant.access_token.len = 0;
    will_grant(&grant);
    assert_int_equal(issue(*state, &token, NULL), SECAUTH_MALFORMED);
    assert_null(token);
}

static void
a_grant_without_a_life_is_none(void **state)
{
    struct secauth_token *token = NULL;
    Secauth__V1__TokenGrant grant = whole_grant();

    grant.expires_in_seconds = 0;
    will_grant(&grant);
    assert_int_equal(issue(*state, &token, NULL), SECAUTH_MALFORMED);
    assert_null(token);
}

static void
a_token_that_would_be_cut_short_is_refused(void **state)
{
    struct secauth_token *token = NULL;
    Secauth__V1__TokenGrant grant = whole_grant();

    grant.access_token = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a\0b"};
    will_grant(&grant);
    assert_int_equal(issue(*state, &token, NULL), SECAUTH_MALFORMED);
    assert_null(token);
}

static void
a_whole_grant_is_handed_out(void **state)
{
    struct secauth_token *token = NULL;
    Secauth__V1__TokenGrant grant = whole_grant();

    will_grant(&grant);
    assert_int_equal(issue(*state, &token, NULL), SECAUTH_OK);
    assert_string_equal(token->access_token, "a.b");
    assert_int_equal(token->expires_in_seconds, 60);
    assert_null(token->refresh_token);
    assert_string_equal(token->session_id, "");
    secauth_token_free(token);
}

static void
an_error_has_field_words_request_and_delay(void **state)
{
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *details[] = {&any};
    Google__Rpc__Status said = GOOGLE__RPC__STATUS__INIT;
    uint8_t packed[128];
    struct secauth_token *token = NULL;
    struct secauth_error error;

    violation.field = (char *)(uintptr_t) "tokens.scope";
    violation.description = (char *)(uintptr_t) "at most 1,024 bytes";
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    any.type_url = (char *)(uintptr_t) "type.googleapis.com/google.rpc.BadRequest";
    any.value = (ProtobufCBinaryData){google__rpc__bad_request__pack(&bad, packed), packed};
    said.n_details = 1;
    said.details = details;
    will_answer(SA_INVALID_ARGUMENT, &said.base);
    answer.millis = 1500;
    assert_int_equal(issue(*state, &token, &error), SECAUTH_INVALID_ARGUMENT);
    assert_string_equal(error.field, "tokens.scope");
    assert_non_null(strstr(error.message, "at most 1,024 bytes"));
    assert_int_equal(error.request_id, 0xabc);
    assert_int_equal(error.retry_millis, 1500);
}

static void
an_empty_answer_is_an_inactive_token(void **state)
{
    struct secauth_introspection *introspection = NULL;

    will_answer(SA_OK, NULL);
    struct secauth *handle = open_stage(*state);
    assert_int_equal(secauth_introspect(handle, &client, "a.b.c", MILLIS, &introspection, NULL), SECAUTH_OK);
    assert_int_equal(introspection->active, 0);
    assert_string_equal(introspection->sub, "");
    secauth_introspection_free(introspection);
    secauth_close(handle);
}

static void
a_bound_token_says_what_it_is_bound_to(void **state)
{
    Secauth__V1__IntrospectTokenResponse response = SECAUTH__V1__INTROSPECT_TOKEN_RESPONSE__INIT;
    Secauth__V1__TokenBinding cnf = SECAUTH__V1__TOKEN_BINDING__INIT;
    struct secauth_introspection *introspection = NULL;

    response.active = true;
    response.cnf = &cnf;
    cnf.jkt = (char *)(uintptr_t) "thumb";
    will_answer(SA_OK, &response.base);
    struct secauth *handle = open_stage(*state);
    assert_int_equal(secauth_introspect(handle, &client, "a.b.c", MILLIS, &introspection, NULL), SECAUTH_OK);
    assert_string_equal(introspection->jkt, "thumb");
    assert_string_equal(introspection->x5t, "");
    secauth_introspection_free(introspection);
    secauth_close(handle);
}

static void
an_inactive_token_says_nothing_more(void **state)
{
    Secauth__V1__IntrospectTokenResponse response = SECAUTH__V1__INTROSPECT_TOKEN_RESPONSE__INIT;
    struct secauth_introspection *introspection = NULL;

    response.sub = (char *)(uintptr_t) "alice";
    response.exp = 1;
    will_answer(SA_OK, &response.base);
    struct secauth *handle = open_stage(*state);
    assert_int_equal(secauth_introspect(handle, &client, "a.b.c", MILLIS, &introspection, NULL), SECAUTH_OK);
    assert_string_equal(introspection->sub, "");
    assert_int_equal(introspection->exp, 0);
    secauth_introspection_free(introspection);
    secauth_close(handle);
}

static void
a_revocation_that_was_not_accepted_is_no_success(void **state)
{
    will_answer(SA_OK, NULL);
    struct secauth *handle = open_stage(*state);
    assert_int_equal(secauth_revoke(handle, &client, "a.b.c", MILLIS, NULL), SECAUTH_MALFORMED);
    secauth_close(handle);
}

static void
an_empty_key_set_is_none(void **state)
{
    struct secauth_key_set *keys = NULL;

    will_answer(SA_OK, NULL);
    struct secauth *handle = open_stage(*state);
    assert_int_equal(secauth_get_key_set(handle, MILLIS, &keys, NULL), SECAUTH_MALFORMED);
    assert_null(keys);
    secauth_close(handle);
}

static void
a_session_that_nobody_names_is_refused_here(void **state)
{
    struct secauth_token *token = NULL;
    struct secauth_error error;

    unsetenv("SECAUTH_SESSION");
    struct secauth *handle = open_stage(*state);
    assert_int_equal(secauth_issue_attested(handle, NULL, &want, MILLIS, &token, &error),
                     SECAUTH_SESSION_INVALID);
    assert_int_equal(error.request_id, 0);
    secauth_close(handle);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_answer_is_no_token),
        TEST(a_grant_without_a_token_is_none),
        TEST(a_grant_without_a_life_is_none),
        TEST(a_token_that_would_be_cut_short_is_refused),
        TEST(a_whole_grant_is_handed_out),
        TEST(an_error_has_field_words_request_and_delay),
        TEST(an_empty_answer_is_an_inactive_token),
        TEST(a_bound_token_says_what_it_is_bound_to),
        TEST(an_inactive_token_says_nothing_more),
        TEST(a_revocation_that_was_not_accepted_is_no_success),
        TEST(an_empty_key_set_is_none),
        TEST(a_session_that_nobody_names_is_refused_here),
    };
    return cmocka_run_group_tests_name("libsecauth", tests, NULL, NULL);
}
