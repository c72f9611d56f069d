/*
 * A service that takes secauth's access tokens, with libsecauth: each is verified offline, its scope is
 * checked, and what was revoked is followed beside the requests, in one thread.
 *
 *     cc -o server server.c $(pkg-config --cflags --libs secauth)
 *     ./server PORT ISSUER AUDIENCE CLIENT < SECRET
 *     curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:PORT/notes
 *
 * CLIENT, with its secret on stdin, owns AUDIENCE, so that it hears what was revoked. GET needs the scope
 * `read`, POST the scope `write`. It speaks just enough HTTP for curl, one request a connection.
 */
#define _GNU_SOURCE /* strcasestr */
#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <secauth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST_MAX 8192

static struct secauth_verifier *verifier;
static struct secauth_follower *follower;

/* Take in what has come. */
static void
listen_to_daemon(uint32_t timeout_millis)
{
    struct secauth_error error;

    if (secauth_follower_step(follower, timeout_millis, &error) != SECAUTH_OK)
        warnx("not following now: %s", error.message); /* it goes on trying */
}

/* The token of a request, cut out of it; NULL where there is none. */
static char *
bearer_of(char *request)
{
    static const char NAME[] = "\r\nauthorization: bearer ";
    char *token = strcasestr(request, NAME);

    if (token == NULL)
        return NULL;
    token += strlen(NAME);
    token[strcspn(token, "\r\n")] = '\0';
    return token;
}

static void
answer(int fd, const char *status, const char *challenge, const char *text)
{
    dprintf(fd, "HTTP/1.1 %s\r\n%s%s%sContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
            challenge[0] == '\0' ? "" : "WWW-Authenticate: ", challenge, challenge[0] == '\0' ? "" : "\r\n",
            strlen(text), text);
}

/* RFC 6750 section 3.1: 401 for a token that is not good, 403 for a good one that may not do this. */
static void
refuse(int fd, const struct secauth_error *error)
{
    fprintf(stderr, "notes: refused: %s\n", error->message);
    if (error->status == SECAUTH_INVALID_SCOPE)
        answer(fd, "403 Forbidden", "Bearer error=\"insufficient_scope\"", "");
    else if (error->status == SECAUTH_NO_MEMORY)
        answer(fd, "503 Service Unavailable", "", "");
    else
        answer(fd, "401 Unauthorized", "Bearer error=\"invalid_token\"", "");
}

static void
serve(int fd, char *request)
{
    struct secauth_want want = {.scope = strncmp(request, "GET /notes ", 11) == 0    ? "read"
                                         : strncmp(request, "POST /notes ", 12) == 0 ? "write"
                                                                                     : NULL};
    struct secauth_claims *claims;
    struct secauth_error error;
    char text[256];

    if (want.scope == NULL) {
        answer(fd, "404 Not Found", "", "");
        return;
    }
    if (!secauth_verifier_is_current(
            verifier)) { /* rather no answer than one to somebody whose token was revoked */
        answer(fd, "503 Service Unavailable", "", "");
        return;
    }
    const char *token = bearer_of(request);
    if (token == NULL) {
        answer(fd, "401 Unauthorized", "Bearer", "");
        return;
    }
    if (secauth_verify(verifier, token, &want, &claims, &error) != SECAUTH_OK) {
        refuse(fd, &error);
        return;
    }
    snprintf(text, sizeof(text), "%s: milk\n", claims->sub);
    answer(fd, "200 OK", "", text);
    secauth_claims_free(claims);
}

/* One connection, for two seconds at most. */
static void
take_connection(int listener)
{
    struct timeval patience = {.tv_sec = 2};
    char request[REQUEST_MAX + 1];
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (;;) {
        ssize_t got = read(fd, request + len, REQUEST_MAX - len);
        if (got <= 0)
            break;
        len += (size_t)got;
        request[len] = '\0';
        if (strlen(request) != len) /* a NUL */
            break;
        if (strstr(request, "\r\n\r\n") != NULL) {
            serve(fd, request);
            break;
        }
    }
    close(fd);
}

static int
listen_at(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 16) != 0)
        err(1, "port %s", port);
    return fd;
}

static void
follow(const char *client_id)
{
    struct secauth_error error;
    char secret[256] = "";

    if (fgets(secret, sizeof(secret), stdin) == NULL)
        errx(1, "the client's secret is read from stdin");
    secret[strcspn(secret, "\n")] = '\0';
    struct secauth_client client = {client_id, secret};
    if (secauth_follower_new(NULL, &client, verifier, &follower, &error) != SECAUTH_OK)
        errx(1, "%s", error.message);
    memset(secret, 0, sizeof(secret));
    while (!secauth_verifier_is_current(verifier))
        listen_to_daemon(1000);
}

int
main(int argc, char **argv)
{
    if (argc != 5)
        errx(2, "usage: server PORT ISSUER AUDIENCE CLIENT < SECRET");
    const char *const audiences[] = {argv[3]};
    struct secauth_identity identity = {.issuer = argv[2], .audiences = audiences, .audience_count = 1};
    struct secauth_error error;

    if (secauth_verifier_new(&identity, &verifier, &error) != SECAUTH_OK)
        errx(1, "%s", error.message);
    follow(argv[4]);

    struct pollfd ready[] = {{.fd = listen_at(argv[1]), .events = POLLIN},
                             {.fd = secauth_follower_fd(follower), .events = POLLIN}};
    puts("serving");
    fflush(stdout);
    for (;;) {
        if (poll(ready, 2, -1) < 0)
            continue;
        if (ready[1].revents != 0)
            listen_to_daemon(0);
        if (ready[0].revents != 0)
            take_connection(ready[0].fd);
    }
}
