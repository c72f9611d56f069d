/* links: secauth sa_verify sa_call */
/* A follower of libsecauth (client/secauth.h) before a daemon that does everything that a daemon may. */
#include "tests/unit/stage.h"

#include <poll.h>

#include "client/verify_token.h"
#include "secauth/v1/key.pb-c.h"

#define KEYS                                                                                                 \
    "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\",\"x\":"                                      \
    "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                                       \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"
#define HISTORY "0123456789abcdef0123456789abcdef"
#define ANOTHER "fedcba9876543210fedcba9876543210"

static char text_incarnation[2][33] = {HISTORY, ANOTHER};
static const struct secauth_client client = {"demo", "sac1_secret"};

/* The daemon's side. */

static void
write_item(int fd, enum sa_frame_kind kind, enum sa_status status, uint32_t call,
           const ProtobufCMessage *message)
{
    uint8_t body[1024];
    size_t len = message == NULL ? 0 : protobuf_c_message_pack(message, body);

    write_frame(fd,
                (struct sa_frame){.kind = kind,
                                  .status = (uint16_t)status,
                                  .call = call,
                                  .request_id = 9,
                                  .body_len = (uint32_t)len},
                body);
}

/* A request: of revocations, its place in the history; of keys, they are told at once. */
static bool
read_watch(int fd, uint32_t *ret_call, char ret_incarnation[65], uint64_t *ret_sequence)
{
    static const char REVOCATIONS[] = "secauth.v1.KeyService/WatchRevocations";
    Secauth__V1__WatchKeySetResponse keys = SECAUTH__V1__WATCH_KEY_SET_RESPONSE__INIT;
    uint8_t header[SA_FRAME_HEADER_LEN], rest[1024];
    struct sa_frame frame;
    const char *rule;

    read_all(fd, header, sizeof(header));
    if (sa_frame_decode(header, SA_FRAME_READER_DAEMON, &frame, &rule) != SA_OK)
        _exit(1);
    read_all(fd, rest, (size_t)frame.name_len + frame.body_len);
    *ret_call = frame.call;
    if (frame.name_len != strlen(REVOCATIONS) || memcmp(rest, REVOCATIONS, frame.name_len) != 0) {
        keys.jwks = (ProtobufCBinaryData){strlen(KEYS), (uint8_t *)(uintptr_t)KEYS};
        keys.etag = (char *)(uintptr_t) "e1";
        write_item(fd, SA_FRAME_ITEM, SA_OK, frame.call, &keys.base);
        return false;
    }
    Secauth__V1__WatchRevocationsRequest *said =
        secauth__v1__watch_revocations_request__unpack(NULL, frame.body_len, rest + frame.name_len);
    if (said == NULL || said->client == NULL || strcmp(said->client->client_id, client.id) != 0)
        _exit(1);
    snprintf(ret_incarnation, 65, "%s", said->incarnation);
    *ret_sequence = said->sequence;
    secauth__v1__watch_revocations_request__free_unpacked(said, NULL);
    return true;
}

static int listener;

/* The next stream of revocations, which must begin there; streams of keys are served meanwhile and kept. */
static int
next_watch(const char *incarnation, uint64_t sequence, uint32_t *ret_call)
{
    for (;;) {
        char said[65];
        uint64_t number;
        int fd = accept(listener, NULL, NULL);
        if (!read_watch(fd, ret_call, said, &number))
            continue;
        if (strcmp(said, incarnation) != 0 || number != sequence)
            _exit(1);
        return fd;
    }
}

static void
tell(int fd, uint32_t call, unsigned history, uint64_t sequence, Secauth__V1__Revocation *revocation,
     bool caught_up)
{
    Secauth__V1__WatchRevocationsResponse message = SECAUTH__V1__WATCH_REVOCATIONS_RESPONSE__INIT;

    message.incarnation = text_incarnation[history];
    message.sequence = sequence;
    message.caught_up = caught_up;
    message.n_revocations = revocation != NULL;
    message.revocations = &revocation;
    write_item(fd, SA_FRAME_ITEM, SA_OK, call, &message.base);
}

static Secauth__V1__Revocation
session(const char *sid)
{
    Secauth__V1__Revocation revocation = SECAUTH__V1__REVOCATION__INIT;

    revocation.what_case = SECAUTH__V1__REVOCATION__WHAT_SID;
    revocation.sid = (char *)(uintptr_t)sid;
    revocation.until_ms = INT64_MAX;
    return revocation;
}

/* What each test has the daemon do. */

static void
breaks_off_and_has_another_history(void)
{
    Secauth__V1__Revocation first = session("s1"), second = session("s2"), third = session("s3");
    uint32_t call;

    int fd = next_watch("", 0, &call);
    tell(fd, call, 0, 5, &first, false);
    tell(fd, call, 0, 6, &second, true);
    close(fd);
    fd = next_watch(HISTORY, 6, &call);
    write_item(fd, SA_FRAME_END, SA_OUT_OF_RANGE, call, NULL);
    fd = next_watch("", 0, &call);
    tell(fd, call, 1, 1, &third, true);
    pause();
}

/* Of a token that expired a minute and two ago: not longer ago than a verifier's leeway may be. */
static void
tells_of_what_has_expired(void)
{
    Secauth__V1__Revocation within = session("s1"), beyond = session("s2");
    uint32_t call;

    int fd = next_watch("", 0, &call);
    within.until_ms = (int64_t)time(NULL) * 1000 - 60000;
    beyond.until_ms = within.until_ms - 60000;
    tell(fd, call, 0, 1, &within, false);
    tell(fd, call, 0, 2, &beyond, true);
    pause();
}

static void
says_what_is_not_understood(void)
{
    Secauth__V1__Revocation known = session("s1"), unknown = SECAUTH__V1__REVOCATION__INIT;
    uint32_t call;

    int fd = next_watch("", 0, &call);
    tell(fd, call, 0, 1, &known, true);
    tell(fd, call, 0, 2, &unknown, true);
    next_watch(HISTORY, 1, &call); /* it is asked for again */
    pause();
}

static void
refuses(void)
{
    uint32_t call;

    int fd = next_watch("", 0, &call);
    write_item(fd, SA_FRAME_END, SA_INVALID_CLIENT, call, NULL);
    pause();
}

/* The caller's side. */

struct followed {
    struct secauth_verifier *verifier;
    struct secauth_follower *follower;
};

static struct followed
follow_with(struct stage *stage, void (*play)(void), int leeway_seconds)
{
    const char *audience = "demo";
    struct secauth_identity identity = {"https://auth.example", &audience, 1, leeway_seconds, 0};
    struct followed followed = {0};

    stage->listener = listen_at(stage->path, 8);
    listener = stage->listener;
    stage->child = fork();
    if (stage->child == 0) {
        alarm(20);
        play();
        _exit(0);
    }
    assert_int_equal(secauth_verifier_new(&identity, &followed.verifier, NULL), SECAUTH_OK);
    assert_int_equal(secauth_follower_new(stage->path, &client, followed.verifier, &followed.follower, NULL),
                     SECAUTH_OK);
    return followed;
}

static struct followed
follow(struct stage *stage, void (*play)(void))
{
    return follow_with(stage, play, 0);
}

static void
end(struct followed *followed)
{
    secauth_follower_free(followed->follower);
    secauth_verifier_free(followed->verifier);
}

static bool
is_denied(const struct followed *followed, const char *sid)
{
    struct sa_verify_claims claims = {.result = {.sid = sid, .jti = "j", .sub = "s"}};

    return sa_denied_has(&followed->verifier->denied, &claims);
}

/* Steps as poll(2) calls for them, until it is so; within 5 s. */
static void
step_until(const struct followed *followed, bool (*is_so)(const struct followed *))
{
    struct pollfd ready = {.fd = secauth_follower_fd(followed->follower), .events = POLLIN};

    for (int64_t end_ms = now_ms() + 5000; !is_so(followed);) {
        assert_true(now_ms() < end_ms);
        if (poll(&ready, 1, 100) > 0)
            (void)!secauth_follower_step(followed->follower, 0, NULL);
    }
}

static bool
knows_the_third(const struct followed *followed)
{
    return is_denied(followed, "s3");
}

static bool
is_current(const struct followed *followed)
{
    return secauth_verifier_is_current(followed->verifier) == 1;
}

static bool
is_blind(const struct followed *followed)
{
    return is_denied(followed, "s1") && !is_current(followed);
}

static void
a_stream_is_resumed_and_another_history_begun_anew(void **state)
{
    struct followed followed = follow(*state, breaks_off_and_has_another_history);

    step_until(&followed, knows_the_third);
    assert_true(is_denied(&followed, "s1") && is_denied(&followed, "s2"));
    step_until(&followed, is_current);
    assert_non_null(followed.verifier->keys);
    end(&followed);
}

static void
what_is_void_stays_so_for_as_long_as_a_token_is_taken(void **state)
{
    struct followed followed = follow_with(*state, tells_of_what_has_expired, 100);

    step_until(&followed, is_current);
    assert_true(is_denied(&followed, "s1"));
    assert_false(is_denied(&followed, "s2"));
    end(&followed);
}

static void
what_is_not_understood_makes_it_blind(void **state)
{
    struct followed followed = follow(*state, says_what_is_not_understood);

    step_until(&followed, is_blind);
    for (int i = 0; i < 10; i++)
        assert_int_not_equal(secauth_follower_step(followed.follower, 20, NULL), SECAUTH_UNSET);
    assert_true(is_blind(&followed));
    end(&followed);
}

static bool
has_keys(const struct followed *followed)
{
    return followed->verifier->keys_heard_ms > 0;
}

static void
a_client_that_may_not_follow_is_told_and_never_current(void **state)
{
    struct followed followed = follow(*state, refuses);
    struct secauth_error error = {0};

    step_until(&followed, has_keys);
    for (int i = 0; i < 50 && error.status != SECAUTH_INVALID_CLIENT; i++)
        (void)!secauth_follower_step(followed.follower, 20, &error);
    assert_int_equal(error.status, SECAUTH_INVALID_CLIENT);
    assert_false(is_current(&followed));
    end(&followed);
}

/* Both must have been heard within 20 seconds. */
static void
who_has_heard_nothing_for_twenty_seconds_is_blind(void **state SA_UNUSED)
{
    struct secauth_verifier verifier = {.lock = PTHREAD_RWLOCK_INITIALIZER};
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    int64_t boot_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    assert_int_equal(secauth_verifier_is_current(&verifier), 0);
    verifier.keys_heard_ms = verifier.revocations_heard_ms = boot_ms - 10;
    assert_int_equal(secauth_verifier_is_current(&verifier), 1);
    verifier.keys_heard_ms = boot_ms - 20001;
    assert_int_equal(secauth_verifier_is_current(&verifier), 0);
    verifier.keys_heard_ms = boot_ms;
    verifier.revocations_heard_ms = boot_ms - 20001;
    assert_int_equal(secauth_verifier_is_current(&verifier), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stream_is_resumed_and_another_history_begun_anew),
        TEST(what_is_void_stays_so_for_as_long_as_a_token_is_taken),
        TEST(what_is_not_understood_makes_it_blind),
        TEST(a_client_that_may_not_follow_is_told_and_never_current),
        cmocka_unit_test(who_has_heard_nothing_for_twenty_seconds_is_blind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
