/*
 * A client: it gets a token by its secret, or without one by its uid, and calls a service with it.
 *
 *     cc -o client client.c $(pkg-config --cflags --libs secauth)
 *     ./client CLIENT AUDIENCE SCOPE PORT < SECRET
 *
 * With nothing on stdin it asks as an attested client. PORT is where ./server listens.
 */
#include <arpa/inet.h>
#include <err.h>
#include <secauth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MILLIS 5000

static struct secauth_token *
get_token(const char *client_id, const char *audience, const char *scope)
{
    struct secauth_request want = {.audiences = &audience, .audience_count = 1, .scope = scope};
    struct secauth *secauth;
    struct secauth_token *token;
    struct secauth_error error;
    enum secauth_status status;
    char secret[256];

    if (secauth_open(NULL, TIMEOUT_MILLIS, &secauth, &error) != SECAUTH_OK)
        errx(1, "%s", error.message);
    if (fgets(secret, sizeof(secret), stdin) != NULL) {
        secret[strcspn(secret, "\n")] = '\0';
        struct secauth_client client = {client_id, secret};
        status = secauth_issue(secauth, &client, &want, TIMEOUT_MILLIS, &token, &error);
        memset(secret, 0, sizeof(secret));
    } else {
        status = secauth_issue_attested_client(secauth, client_id, &want, TIMEOUT_MILLIS, &token, &error);
    }
    if (status != SECAUTH_OK)
        errx(1, "%s: %s", secauth_status_name(status), error.message);
    secauth_close(secauth);
    return token;
}

/* Prints what the service answers. */
static void
call(const char *port, const char *access_token)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char answer[4096];
    ssize_t len;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        err(1, "port %s", port);
    dprintf(fd, "GET /notes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", access_token);
    while ((len = read(fd, answer, sizeof(answer))) > 0)
        fwrite(answer, 1, (size_t)len, stdout);
    close(fd);
}

int
main(int argc, char **argv)
{
    if (argc != 5)
        errx(2, "usage: client CLIENT AUDIENCE SCOPE PORT < SECRET");
    struct secauth_token *token = get_token(argv[1], argv[2], argv[3]);
    call(argv[4], token->access_token);
    secauth_token_free(token);
    return 0;
}
