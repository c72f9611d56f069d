/*
 * Callers that each keep one call open on a connection of their own, from one thread.
 *     bench_load issue SOCKET SECONDS CALLERS         stdin: client, secret, audience, a line each
 *     bench_load introspect SOCKET SECONDS CALLERS    stdin: client, secret, access token, a line each
 *     bench_load refresh SOCKET SECONDS CALLERS       stdin: client, then refresh tokens, one a line and at
 *                                                     least one a caller
 *     bench_load empty SOCKET SECONDS CALLERS         the key set, for which nothing is done
 * Prints calls a second and the median and 99th percentile of their time in microseconds. Any other answer
 * than a grant, an active token or a key set ends it with an error. The callers of `refresh` share the tokens
 * out; each presents its own in turn, and the next time the one that came back.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/frame.h"
#include "secauth/v1/key.pb-c.h"
#include "secauth/v1/token.pb-c.h"
#include "tests/bench/bench.h"

#define CALLERS_MAX  1024
#define LINE_LEN     4096
#define TOKEN_LEN    64
#define TOKENS_MAX   100000
#define WARM_UP_NS   200000000u
#define SAMPLES_ROOM 4000000u

struct caller {
    int fd;
    uint32_t calls;
    uint64_t sent_ns;
    size_t in_len;
    uint8_t in[16384];
    int token; /* which it presents */
};

static const struct {
    const char *word;
    const char *name;
} methods[] = {{"issue", "secauth.v1.TokenService/IssueToken"},
               {"introspect", "secauth.v1.TokenService/IntrospectToken"},
               {"refresh", "secauth.v1.TokenService/RefreshToken"},
               {"empty", "secauth.v1.KeyService/GetKeySet"}};
enum method { ISSUE, INTROSPECT, REFRESH, EMPTY, METHODS };

static struct caller callers[CALLERS_MAX];
static int caller_count;
static char tokens[TOKENS_MAX][TOKEN_LEN];
static int token_count;
static enum method method;
static char client[LINE_LEN], secret[LINE_LEN], target[LINE_LEN]; /* an audience or an access token */

static bool
read_line(char *ret_line, int size)
{
    if (fgets(ret_line, size, stdin) == NULL)
        return false;
    ret_line[strcspn(ret_line, "\n")] = '\0';
    return true;
}

static void
read_input(void)
{
    bool whole = method == EMPTY || read_line(client, LINE_LEN);

    if (method == ISSUE || method == INTROSPECT)
        whole = whole && read_line(secret, LINE_LEN) && read_line(target, LINE_LEN);
    while (method == REFRESH && token_count < TOKENS_MAX && read_line(tokens[token_count], TOKEN_LEN))
        token_count++;
    if (!whole || (method == REFRESH && token_count < caller_count))
        give_up("stdin has too few lines");
}

static ProtobufCBinaryData
bytes_of(char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* The request's message; returns its length. */
static size_t
pack(struct caller *caller, uint8_t *ret_body)
{
    Secauth__V1__ClientAuth auth = SECAUTH__V1__CLIENT_AUTH__INIT;
    auth.client_id = client;
    if (method == EMPTY)
        return 0;
    if (method == REFRESH) {
        Secauth__V1__RefreshTokenRequest request = SECAUTH__V1__REFRESH_TOKEN_REQUEST__INIT;
        request.client = &auth;
        request.refresh_token = bytes_of(tokens[caller->token]);
        return secauth__v1__refresh_token_request__pack(&request, ret_body);
    }
    auth.method_case = SECAUTH__V1__CLIENT_AUTH__METHOD_SECRET;
    auth.secret = bytes_of(secret);
    if (method == INTROSPECT) {
        Secauth__V1__IntrospectTokenRequest request = SECAUTH__V1__INTROSPECT_TOKEN_REQUEST__INIT;
        request.client = &auth;
        request.token = bytes_of(target);
        return secauth__v1__introspect_token_request__pack(&request, ret_body);
    }
    Secauth__V1__IssueTokenRequest request = SECAUTH__V1__ISSUE_TOKEN_REQUEST__INIT;
    Secauth__V1__TokenRequest wanted = SECAUTH__V1__TOKEN_REQUEST__INIT;
    char *audiences[] = {target};
    wanted.n_audiences = 1;
    wanted.audiences = audiences;
    request.client = &auth;
    request.tokens = &wanted;
    return secauth__v1__issue_token_request__pack(&request, ret_body);
}

static void
send_request(struct caller *caller)
{
    const char *name = methods[method].name;
    uint8_t out[SA_FRAME_HEADER_LEN + SA_FRAME_NAME_MAX + 2 * LINE_LEN];
    size_t name_len = strlen(name);

    size_t body_len = pack(caller, out + SA_FRAME_HEADER_LEN + name_len);
    struct sa_frame frame = {.kind = SA_FRAME_REQUEST,
                             .call = ++caller->calls,
                             .millis = 10000,
                             .name_len = (uint16_t)name_len,
                             .body_len = (uint32_t)body_len};
    sa_frame_encode(&frame, out);
    memcpy(out + SA_FRAME_HEADER_LEN, name, name_len);
    size_t len = SA_FRAME_HEADER_LEN + name_len + body_len;
    caller->sent_ns = now_ns();
    if (send(caller->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
        give_up("a request could not be sent: %s", strerror(errno));
}

static void
check_active(const uint8_t *body, size_t len)
{
    Secauth__V1__IntrospectTokenResponse *reply =
        secauth__v1__introspect_token_response__unpack(NULL, len, body);

    if (reply == NULL || !reply->active)
        give_up("an answer says that the token is not active");
    secauth__v1__introspect_token_response__free_unpacked(reply, NULL);
}

/* Take the successor out of a grant. */
static void
take_successor(struct caller *caller, const uint8_t *body, size_t len)
{
    Secauth__V1__RefreshTokenResponse *reply = secauth__v1__refresh_token_response__unpack(NULL, len, body);
    if (reply == NULL || reply->grant == NULL || reply->grant->access_token.len == 0 ||
        reply->grant->replayed || reply->grant->refresh_token.len == 0 ||
        reply->grant->refresh_token.len >= TOKEN_LEN)
        give_up("an answer holds no new refresh token");
    memcpy(tokens[caller->token], reply->grant->refresh_token.data, reply->grant->refresh_token.len);
    tokens[caller->token][reply->grant->refresh_token.len] = '\0';
    secauth__v1__refresh_token_response__free_unpacked(reply, NULL);
    caller->token += caller_count;
    if (caller->token >= token_count)
        caller->token %= caller_count;
}

static void
take_reply(struct caller *caller, const uint8_t *body, size_t len)
{
    if (method == REFRESH)
        take_successor(caller, body, len);
    else if (method == INTROSPECT)
        check_active(body, len);
    else if (len < 200)
        give_up("an answer is too short for a token or a key set");
}

/* Whether an answer is whole, and if so what it says. */
static bool
receive(struct caller *caller)
{
    struct sa_frame frame;
    const char *rule;

    ssize_t got = recv(caller->fd, caller->in + caller->in_len, sizeof(caller->in) - caller->in_len, 0);
    if (got <= 0)
        give_up("the daemon hung up");
    caller->in_len += (size_t)got;
    if (caller->in_len < SA_FRAME_HEADER_LEN)
        return false;
    if (sa_frame_decode(caller->in, SA_FRAME_READER_CALLER, &frame, &rule) != SA_OK)
        give_up("an answer is malformed: %s", rule);
    if (caller->in_len < SA_FRAME_HEADER_LEN + frame.body_len)
        return false;
    if (frame.status != SA_OK)
        give_up("an answer says %s", sa_status_row((enum sa_status)frame.status)->name);
    take_reply(caller, caller->in + SA_FRAME_HEADER_LEN, frame.body_len);
    caller->in_len = 0;
    return true;
}

static void
connect_caller(struct caller *caller, const char *path, int epoll)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = caller};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    caller->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(caller->fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, caller->fd, &event) != 0)
        give_up("%s: %s", path, strerror(errno));
    send_request(caller);
}

int
main(int argc, char **argv)
{
    struct epoll_event events[CALLERS_MAX];
    struct samples samples = samples_new(SAMPLES_ROOM);
    int epoll = epoll_create1(0);
    int count = argc == 5 ? atoi(argv[4]) : 0;
    double seconds = argc == 5 ? atof(argv[3]) : 0;

    while (argc == 5 && method < METHODS && strcmp(argv[1], methods[method].word) != 0)
        method++;
    if (method == METHODS || count < 1 || count > CALLERS_MAX || seconds <= 0)
        give_up("usage: bench_load issue|introspect|refresh|empty SOCKET SECONDS CALLERS");
    caller_count = count;
    read_input();
    for (int i = 0; i < count; i++) {
        callers[i].token = i;
        connect_caller(&callers[i], argv[2], epoll);
    }

    uint64_t start_ns = now_ns() + WARM_UP_NS, end_ns = start_ns + (uint64_t)(seconds * 1e9), ns;
    do {
        int ready = epoll_wait(epoll, events, count, 10000);
        if (ready <= 0)
            give_up("no answer for 10 s");
        for (int i = 0; i < ready; i++) {
            struct caller *caller = events[i].data.ptr;
            if (!receive(caller))
                continue;
            ns = now_ns();
            if (ns >= start_ns)
                samples_add(&samples, caller->sent_ns, ns);
            send_request(caller);
        }
        ns = now_ns();
    } while (ns < end_ns);
    uint64_t calls = 0;
    for (int i = 0; i < count; i++)
        calls += callers[i].calls;
    samples_print(&samples, ns - start_ns, calls);
    return 0;
}
