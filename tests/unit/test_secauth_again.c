/* links: secauth sa_verify sa_call */
/* What libsecauth does by itself: a refresh whose answer was lost, and what a verifier keeps of revocations.
 */
#include "tests/unit/stage.h"

#include "client/secauth.h"
#include "client/verify_denied.h"

static const struct secauth_client client = {"app", NULL};

/* The daemon: so many connections end with a request read and nothing said; the next one is answered. */
static int listener;
static int lost;
static enum sa_status said;

static uint32_t
read_any(int fd, uint8_t *ret_body, size_t *ret_len)
{
    uint8_t header[SA_FRAME_HEADER_LEN], name[SA_FRAME_NAME_MAX];
    struct sa_frame frame;
    const char *rule;

    read_all(fd, header, sizeof(header));
    if (sa_frame_decode(header, SA_FRAME_READER_DAEMON, &frame, &rule) != SA_OK || frame.body_len > 512)
        _exit(1);
    read_all(fd, name, frame.name_len);
    read_all(fd, ret_body, frame.body_len);
    *ret_len = frame.body_len;
    return frame.call;
}

static void
play(int fd)
{
    Secauth__V1__RefreshTokenResponse response = SECAUTH__V1__REFRESH_TOKEN_RESPONSE__INIT;
    Secauth__V1__TokenGrant grant = SECAUTH__V1__TOKEN_GRANT__INIT;
    uint8_t first[512], body[512];
    size_t first_len = 0, len;

    for (int i = 0; i < lost; i++) {
        read_any(fd, first, &first_len);
        close(fd);
        fd = accept(listener, NULL, NULL);
    }
    uint32_t call = read_any(fd, body, &len);
    if (lost > 0 && (len != first_len || memcmp(body, first, len) != 0))
        _exit(1); /* the same token, or it is no retry */
    grant.access_token = (ProtobufCBinaryData){3, (uint8_t *)(uintptr_t) "a.b"};
    grant.refresh_token = (ProtobufCBinaryData){6, (uint8_t *)(uintptr_t) "sar1_y"};
    grant.expires_in_seconds = 60;
    grant.replayed = lost > 0;
    response.grant = &grant;
    len = said == SA_OK ? secauth__v1__refresh_token_response__pack(&response, body) : 0;
    write_frame(fd,
                (struct sa_frame){.kind = SA_FRAME_REPLY,
                                  .status = (uint16_t)said,
                                  .call = call,
                                  .request_id = 7,
                                  .body_len = (uint32_t)len},
                body);
}

static enum secauth_status
refresh(struct stage *stage, int losses, enum sa_status status, struct secauth_token **ret_token)
{
    struct secauth *handle = NULL;

    lost = losses;
    said = status;
    stage->listener = listen_at(stage->path, 8);
    listener = stage->listener;
    stage->child = fork();
    if (stage->child == 0) {
        alarm(20);
        play(accept(listener, NULL, NULL));
        _exit(0);
    }
    assert_int_equal(secauth_open(stage->path, 2000, &handle, NULL), SECAUTH_OK);
    enum secauth_status got = secauth_refresh(handle, &client, "sar1_x", NULL, 2000, ret_token, NULL);
    secauth_close(handle);
    return got;
}

static void
a_refusal_is_not_asked_for_twice(void **state)
{
    struct secauth_token *token = NULL;

    assert_int_equal(refresh(*state, 0, SA_INVALID_GRANT, &token), SECAUTH_INVALID_GRANT);
    assert_null(token);
}

static void
an_answer_that_is_lost_twice_is_lost(void **state)
{
    struct secauth_token *token = NULL;

    assert_int_equal(refresh(*state, 2, SA_OK, &token), SECAUTH_CONNECTION);
    assert_null(token);
}

static void
an_answer_that_is_lost_is_asked_for_again_with_the_same_token(void **state)
{
    struct secauth_token *token = NULL;

    assert_int_equal(refresh(*state, 1, SA_OK, &token), SECAUTH_OK);
    assert_string_equal(token->refresh_token, "sar1_y");
    assert_int_equal(token->replayed, 1);
    secauth_token_free(token);
}

/* Revocations. */

static struct sa_denied denied;
static struct sa_verify_claims token;

static enum sa_status
put(enum sa_denied_kind kind, const char *key, int64_t until_ms, int64_t now_ms)
{
    struct sa_denied_entry entry;

    assert_true(sa_denied_entry(kind, sa_bytes_of(key), &entry));
    entry.until_ms = until_ms;
    return sa_denied_put(&denied, &entry, now_ms);
}

static void
put_rule(const struct sa_denied_entry *key, int64_t since_ms, int64_t not_before_ms)
{
    struct sa_denied_entry entry = *key;

    entry.since_ms = since_ms;
    entry.not_before_ms = not_before_ms;
    entry.until_ms = 10000;
    assert_int_equal(sa_denied_put(&denied, &entry, 1), SA_OK);
}

static int
fresh(void **state SA_UNUSED)
{
    token = (struct sa_verify_claims){.result = {.sid = "s1", .jti = "j1", .sub = "alice"},
                                      .minted_ms = 500,
                                      .instance = 7,
                                      .client_row = 42};
    sa_denied_clear(&denied);
    return 0;
}

static void
a_token_is_void_by_its_session_and_by_its_own_id(void **state SA_UNUSED)
{
    assert_false(sa_denied_has(&denied, &token));
    assert_int_equal(put(SA_DENIED_SESSION, "s2", 1000, 1), SA_OK);
    assert_int_equal(put(SA_DENIED_TOKEN, "s1", 1000, 1), SA_OK);
    assert_int_equal(put(SA_DENIED_SESSION, "j1", 1000, 1), SA_OK);
    assert_false(sa_denied_has(&denied, &token));
    assert_int_equal(put(SA_DENIED_SESSION, "s1", 1000, 1), SA_OK);
    assert_true(sa_denied_has(&denied, &token));
    token.result.sid = "";
    assert_false(sa_denied_has(&denied, &token));
    assert_int_equal(put(SA_DENIED_TOKEN, "j1", 1000, 1), SA_OK);
    assert_true(sa_denied_has(&denied, &token));
}

static void
a_rule_voids_what_was_minted_in_its_time_until_a_later_one_takes_its_place(void **state SA_UNUSED)
{
    struct sa_denied_entry keys[3];

    sa_denied_entry_number(SA_DENIED_CLIENT, 42, &keys[0]);
    sa_denied_entry_number(SA_DENIED_INSTANCE, 7, &keys[1]);
    assert_true(sa_denied_entry(SA_DENIED_SUBJECT, sa_bytes_of("alice"), &keys[2]));
    for (size_t i = 0; i < 3; i++) {
        fresh(NULL);
        put_rule(&keys[i], 0, 500);
        assert_false(sa_denied_has(&denied, &token));
        put_rule(&keys[i], 501, 900);
        assert_false(sa_denied_has(&denied, &token));
        put_rule(&keys[i], 500, 501);
        assert_true(sa_denied_has(&denied, &token));
        put_rule(&keys[i], 0, 400);
        assert_false(sa_denied_has(&denied, &token));
        assert_int_equal(denied.count, 1);
    }
    sa_denied_entry_number(SA_DENIED_CLIENT, 7, &keys[0]);
    sa_denied_entry_number(SA_DENIED_INSTANCE, 42, &keys[1]);
    put_rule(&keys[0], 0, 900);
    put_rule(&keys[1], 0, 900);
    assert_false(sa_denied_has(&denied, &token));
}

static void
the_table_is_bounded_and_what_is_over_makes_room(void **state SA_UNUSED)
{
    char key[16];

    assert_int_equal(put(SA_DENIED_TOKEN, "late", 5, 6), SA_OK);
    assert_int_equal(denied.count, 0);
    for (unsigned i = 0; i < SA_DENIED_MAX; i++) {
        snprintf(key, sizeof(key), "k%u", i);
        assert_int_equal(put(SA_DENIED_TOKEN, key, i % 2 == 0 ? 100 : 200, 1), SA_OK);
    }
    assert_int_equal(put(SA_DENIED_TOKEN, "one more", 200, 1), SA_TOO_LARGE);
    assert_int_equal(put(SA_DENIED_TOKEN, "k7", 300, 1), SA_TOO_LARGE); /* none is forgotten for it */
    assert_int_equal(denied.count, SA_DENIED_MAX);
    token.result.jti = "one more";
    assert_false(sa_denied_has(&denied, &token));
    assert_int_equal(put(SA_DENIED_TOKEN, "one more", 200, 100), SA_OK);
    assert_true(sa_denied_has(&denied, &token));
    assert_int_equal(denied.count, SA_DENIED_MAX / 2 + 1);
    token.result.jti = "k7";
    assert_true(sa_denied_has(&denied, &token));
    sa_denied_clear(&denied);
    assert_false(sa_denied_has(&denied, &token));
}

static void
a_follower_needs_what_it_follows_and_says_who_does_not_listen(void **state SA_UNUSED)
{
    const char *audience = "demo";
    struct secauth_identity identity = {"https://auth.example", &audience, 1, 0, 0};
    struct secauth_verifier *verifier;
    struct secauth_follower *follower = NULL;
    struct secauth_error error;

    assert_int_equal(secauth_verifier_new(&identity, &verifier, NULL), SECAUTH_OK);
    assert_int_equal(secauth_follower_new("/nowhere", NULL, NULL, &follower, &error),
                     SECAUTH_INVALID_ARGUMENT);
    assert_int_equal(
        secauth_follower_new("/nowhere", &(struct secauth_client){0}, verifier, &follower, &error),
        SECAUTH_INVALID_ARGUMENT);
    assert_null(follower);
    assert_int_equal(secauth_follower_new("/nowhere", &client, verifier, &follower, &error), SECAUTH_OK);
    assert_int_equal(secauth_follower_step(follower, 600001, &error), SECAUTH_INVALID_ARGUMENT);
    int64_t begin_ms = now_ms();
    for (int i = 0; i < 5; i++)
        assert_int_equal(secauth_follower_step(follower, 50, &error), SECAUTH_NO_DAEMON);
    assert_true(now_ms() - begin_ms >= 100); /* it waits, and does not spin */
    assert_int_equal(secauth_verifier_is_current(verifier), 0);
    secauth_follower_free(follower);
    secauth_follower_free(NULL);
    secauth_verifier_free(verifier);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refusal_is_not_asked_for_twice),
        TEST(an_answer_that_is_lost_twice_is_lost),
        TEST(an_answer_that_is_lost_is_asked_for_again_with_the_same_token),
        cmocka_unit_test_setup(a_token_is_void_by_its_session_and_by_its_own_id, fresh),
        cmocka_unit_test_setup(a_rule_voids_what_was_minted_in_its_time_until_a_later_one_takes_its_place,
                               fresh),
        cmocka_unit_test_setup(the_table_is_bounded_and_what_is_over_makes_room, fresh),
        cmocka_unit_test(a_follower_needs_what_it_follows_and_says_who_does_not_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
