/*
 * A program that uses libsecauth as any other would: built by libsecauth.test against the installed header.
 *
 *     libsecauth session AUDIENCE                         as a person in a login: prints the token's session
 *     libsecauth client ID SECRET OWNER SECRET AUDIENCE   everything that a service does; asserts it
 *     libsecauth refresh ID TOKEN                         rotates, replays; asserts it
 *     libsecauth hands-on ID KEY NEXT SECRET FROM TO      by an API key, verified offline, exchanged; asserts
 * it libsecauth status PATH                              opens it; prints the status by name
 */
#include <assert.h>
#include <secauth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MILLIS 5000

/* assert() with the library's own words. */
#define WANT(wanted, call)                                                                                   \
    do {                                                                                                     \
        enum secauth_status got = (call);                                                                    \
        if (got != (wanted)) {                                                                               \
            fprintf(stderr, "%s:%d: %s gave %s, not %s: %s\n", __FILE__, __LINE__, #call,                    \
                    secauth_status_name(got), secauth_status_name(wanted), error.message);                   \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static struct secauth_error error;

static int
session(const char *audience)
{
    struct secauth *handle;
    struct secauth_token *token;
    struct secauth_request want = {.audiences = &audience, .audience_count = 1};

    WANT(SECAUTH_OK, secauth_open(NULL, MILLIS, &handle, &error));
    WANT(SECAUTH_SESSION_INVALID,
         secauth_issue_attested(handle, "aaaaaaaaaaaaaaaaaaaaaa", &want, MILLIS, &token, &error));
    assert(error.request_id != 0);
    WANT(SECAUTH_OK, secauth_issue_attested(handle, NULL, &want, MILLIS, &token, &error));
    assert(token->refresh_token == NULL && token->expires_in_seconds > 0 && token->expires_in_seconds <= 600);
    puts(token->session_id);
    secauth_token_free(token);
    secauth_close(handle);
    return 0;
}

static void
refusals(struct secauth *handle, const struct secauth_client *client, const struct secauth_request *want)
{
    struct secauth_token *token = NULL;
    struct secauth_client wrong = {client->id, "sac1_wrong"};
    struct secauth_client public = {client->id, NULL};
    const char *missing[] = {NULL};
    struct secauth_request no_audience = {0}, null_audience = {missing, 1, NULL};
    struct secauth_request no_scope = {want->audiences, 1, "nothing"},
                           control = {want->audiences, 1, "re\nad"};

    WANT(SECAUTH_INVALID_CLIENT, secauth_issue(handle, &wrong, want, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_CLIENT, secauth_issue(handle, &public, want, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_SCOPE, secauth_issue(handle, client, &no_scope, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_TARGET, secauth_issue(handle, client, &no_audience, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(handle, client, &control, MILLIS, &token, &error));
    assert(strcmp(error.field, "tokens.scope") == 0);
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(handle, client, &null_audience, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(handle, client, want, 0, &token, &error));
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(handle, client, want, 600001, &token, &error));
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(NULL, client, want, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(handle, NULL, want, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_ARGUMENT, secauth_issue(handle, client, NULL, MILLIS, &token, &error));
    WANT(SECAUTH_INVALID_GRANT, secauth_refresh(handle, client, "sar1_x", NULL, MILLIS, &token, NULL));
    assert(token == NULL);
    secauth_token_free(NULL);
    secauth_introspection_free(NULL);
    secauth_key_set_free(NULL);
    secauth_close(NULL);
}

static int
client(char **words)
{
    struct secauth *handle;
    struct secauth_token *token;
    struct secauth_introspection *answer;
    struct secauth_key_set *keys;
    struct secauth_client id = {words[0], words[1]}, owner = {words[2], words[3]};
    const char *audience = words[4];
    struct secauth_request want = {.audiences = &audience, .audience_count = 1, .scope = "read"};

    WANT(SECAUTH_OK, secauth_open(NULL, MILLIS, &handle, &error));
    refusals(handle, &id, &want);

    WANT(SECAUTH_OK, secauth_issue(handle, &id, &want, MILLIS, &token, &error));
    assert(strncmp(token->access_token, "eyJ", 3) == 0 && strcmp(token->scope, "read") == 0);
    assert(token->refresh_token == NULL && token->session_id[0] == '\0');

    WANT(SECAUTH_OK, secauth_introspect(handle, &owner, token->access_token, MILLIS, &answer, &error));
    assert(answer->active && strcmp(answer->client_id, id.id) == 0 && answer->exp > answer->iat);
    assert(answer->audience_count == 1 && strcmp(answer->audiences[0], audience) == 0);
    secauth_introspection_free(answer);

    WANT(SECAUTH_OK, secauth_revoke(handle, &id, token->access_token, MILLIS, &error));
    WANT(SECAUTH_OK, secauth_introspect(handle, &owner, token->access_token, MILLIS, &answer, &error));
    assert(!answer->active && answer->sub[0] == '\0' && answer->exp == 0);
    secauth_introspection_free(answer);
    secauth_token_free(token);

    WANT(SECAUTH_OK, secauth_get_key_set(handle, MILLIS, &keys, &error));
    assert(strstr(keys->jwks, "\"kid\"") != NULL && keys->etag[0] != '\0' && keys->max_age_seconds > 0);
    secauth_key_set_free(keys);
    secauth_close(handle);
    return 0;
}

static int
refresh(char **words)
{
    struct secauth *handle;
    struct secauth_token *token, *again;
    struct secauth_client id = {.id = words[0]};

    WANT(SECAUTH_OK, secauth_open(NULL, MILLIS, &handle, &error));
    WANT(SECAUTH_OK, secauth_refresh(handle, &id, words[1], NULL, MILLIS, &token, &error));
    assert(strcmp(token->refresh_token, words[1]) != 0 && !token->replayed);
    WANT(SECAUTH_OK, secauth_refresh(handle, &id, words[1], NULL, MILLIS, &again, &error));
    assert(strcmp(token->refresh_token, again->refresh_token) == 0 && again->replayed);
    secauth_token_free(token);
    secauth_token_free(again);
    secauth_close(handle);
    return 0;
}

static struct secauth_claims *
verified(struct secauth_verifier *verifier, const char *token)
{
    struct secauth_claims *claims;

    WANT(SECAUTH_OK, secauth_verify(verifier, token, NULL, &claims, &error));
    return claims;
}

/* A service that was sent a token: it looks at it offline, and exchanges it for one for the next service. */
static int
hands_on(char **words)
{
    struct secauth *handle;
    struct secauth_token *token, *exchanged;
    struct secauth_key_set *keys;
    struct secauth_verifier *verifier;
    struct secauth_client sender = {words[0], words[1]}, self = {words[2], words[3]};
    const char *const audiences[] = {words[4], words[5]};
    struct secauth_request from = {.audiences = audiences, .audience_count = 1},
                           to = {.audiences = audiences + 1, .audience_count = 1};
    struct secauth_identity identity = {"https://private.example", audiences, 2, 0, 0};

    WANT(SECAUTH_OK, secauth_open(NULL, MILLIS, &handle, &error));
    WANT(SECAUTH_OK, secauth_issue(handle, &sender, &from, MILLIS, &token, &error));
    WANT(SECAUTH_OK, secauth_get_key_set(handle, MILLIS, &keys, &error));
    WANT(SECAUTH_OK, secauth_verifier_new(&identity, &verifier, &error));
    WANT(SECAUTH_OK, secauth_verifier_set_keys(verifier, keys->jwks, strlen(keys->jwks), &error));
    secauth_key_set_free(keys);
    struct secauth_claims *claims = verified(verifier, token->access_token);
    assert(strcmp(claims->sub, sender.id) == 0 && claims->actor_count == 0);
    secauth_claims_free(claims);

    WANT(SECAUTH_INVALID_GRANT, secauth_exchange(handle, &self, "a.b.c", &to, MILLIS, &exchanged, &error));
    WANT(SECAUTH_OK, secauth_exchange(handle, &self, token->access_token, &to, MILLIS, &exchanged, &error));
    claims = verified(verifier, exchanged->access_token);
    assert(strcmp(claims->sub, sender.id) == 0 && strcmp(claims->audiences[0], audiences[1]) == 0);
    assert(claims->actor_count == 1 && strcmp(claims->actors[0], self.id) == 0);
    secauth_claims_free(claims);
    secauth_token_free(exchanged);
    secauth_token_free(token);
    secauth_verifier_free(verifier);
    secauth_close(handle);
    return 0;
}

static int
status(const char *path)
{
    struct secauth *handle = NULL;

    enum secauth_status got = secauth_open(path, 200, &handle, &error);
    assert(got == SECAUTH_OK ? handle != NULL
                             : handle == NULL && error.status == got && error.message[0] != '\0');
    puts(secauth_status_name(got));
    secauth_close(handle);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "session") == 0)
        return session(argv[2]);
    if (argc == 7 && strcmp(argv[1], "client") == 0)
        return client(argv + 2);
    if (argc == 8 && strcmp(argv[1], "hands-on") == 0)
        return hands_on(argv + 2);
    if (argc == 4 && strcmp(argv[1], "refresh") == 0)
        return refresh(argv + 2);
    if (argc == 3 && strcmp(argv[1], "status") == 0)
        return status(argv[2]);
    return 2;
}
