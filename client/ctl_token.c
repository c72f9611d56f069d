#include "client/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "secauth/v1/token.pb-c.h"

#define SERVICE &secauth__v1__token_service__descriptor

static const struct sa_ctl_column grant_lines[] = {
    {"access token", "access_token", SA_CTL_PLAIN},
    {"refresh token", "refresh_token", SA_CTL_PLAIN},
    {"expires in", "expires_in_seconds", SA_CTL_PLAIN},
    {"scope", "scope", SA_CTL_PLAIN},
    {"session", "session_id", SA_CTL_PLAIN},
    {"replayed", "replayed", SA_CTL_PLAIN},
};

static const struct sa_ctl_column introspection_lines[] = {
    {"active", "active", SA_CTL_PLAIN},    {"type", "token_type", SA_CTL_PLAIN},
    {"subject", "sub", SA_CTL_PLAIN},      {"user", "username", SA_CTL_PLAIN},
    {"client", "client_id", SA_CTL_PLAIN}, {"audience", "aud", SA_CTL_PLAIN},
    {"scope", "scope", SA_CTL_PLAIN},      {"issued", "iat", SA_CTL_TIME_S},
    {"expires", "exp", SA_CTL_TIME_S},     {"session", "sid", SA_CTL_PLAIN},
    {"issuer", "iss", SA_CTL_PLAIN},       {"id", "jti", SA_CTL_PLAIN},
    {"factors", "amr", SA_CTL_PLAIN},      {"level", "acr", SA_CTL_PLAIN},
    {"groups", "groups", SA_CTL_PLAIN},    {"acting", "act", SA_CTL_PLAIN},
};

/* What the commands' options say, as the messages want it. */
struct asked {
    char *client_id;
    char *secret_file;
    char *scope;
    char *session;
    bool claims;
    struct sa_ctl_list audiences;
    Secauth__V1__ClientAuth client;
    Secauth__V1__TokenRequest tokens;
    struct sa_ctl_secret secret;
};

static void
asked_wipe(struct asked *asked)
{
    sa_wipe(asked, sizeof(*asked));
}

#define ASKED(name) __attribute__((cleanup(asked_wipe))) struct asked name = {0}

/* Fill in the messages from the options; the secret comes from its file. */
static enum sa_ctl_exit
ask(struct asked *asked)
{
    secauth__v1__client_auth__init(&asked->client);
    secauth__v1__token_request__init(&asked->tokens);
    asked->tokens.n_audiences = asked->audiences.count;
    asked->tokens.audiences = asked->audiences.items;
    if (asked->scope != NULL)
        asked->tokens.scope = asked->scope;
    if (asked->client_id != NULL)
        asked->client.client_id = asked->client_id;
    if (asked->secret_file == NULL)
        return SA_CTL_OK;
    enum sa_ctl_exit result = sa_ctl_read_secret_file(asked->secret_file, &asked->secret);
    asked->client.method_case = SECAUTH__V1__CLIENT_AUTH__METHOD_SECRET;
    asked->client.secret = sa_ctl_secret_field(&asked->secret);
    return result;
}

/* What a command cannot do without: bits. */
enum need { NEEDS_CLIENT = 1, NEEDS_SECRET = 2, NEEDS_AUDIENCE = 4 };

static enum sa_ctl_exit
check_needs(const struct sa_ctl *ctl, const struct asked *asked, unsigned needs)
{
    const char *missing = NULL;

    if ((needs & NEEDS_CLIENT) != 0 && asked->client_id == NULL)
        missing = "--client";
    else if ((needs & NEEDS_SECRET) != 0 && asked->secret_file == NULL)
        missing = "--secret-file";
    else if ((needs & NEEDS_AUDIENCE) != 0 && asked->audiences.count == 0)
        missing = "--audience";
    if (missing == NULL)
        return SA_CTL_OK;
    sa_ctl_complain("%s is needed", missing);
    return sa_ctl_usage(ctl);
}

/* Read the command line into messages; what is missing is said. */
static enum sa_ctl_exit
take(struct sa_ctl *ctl, const struct sa_ctl_option *options, size_t count, unsigned needs,
     struct asked *asked)
{
    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, count, NULL, 0);

    if (result == SA_CTL_OK)
        result = check_needs(ctl, asked, needs);
    return result == SA_CTL_OK ? ask(asked) : result;
}

/* The same for what a client asks for itself. */
static enum sa_ctl_exit
take_grant(struct sa_ctl *ctl, unsigned needs, struct asked *asked)
{
    const struct sa_ctl_option options[] = {{"--client", .text = &asked->client_id},
                                            {"--secret-file", .text = &asked->secret_file},
                                            {"--audience", .list = &asked->audiences},
                                            {"--scope", .text = &asked->scope},
                                            {"--claims", .flag = &asked->claims}};

    return take(ctl, options, SA_COUNT(options), needs, asked);
}

/* The token alone, so that it can be passed on; its claims with --claims; all of the grant as JSON. */
static enum sa_ctl_exit
print_grant(const struct sa_ctl *ctl, const json_t *reply, bool claims, bool whole)
{
    const json_t *grant = json_object_get(reply, "grant");
    const json_t *token = json_object_get(grant, "access_token");

    if (json_string_length(token) == 0) {
        sa_ctl_complain("%s: the daemon's answer holds no token", ctl->row->name);
        return SA_CTL_BROKEN;
    }
    if (claims) {
        json_auto_t *payload = sa_ctl_claims(json_string_value(token), json_string_length(token));
        if (payload != NULL)
            return sa_ctl_print_json(payload);
        sa_ctl_complain("%s: the token is no JWT", ctl->row->name);
        return SA_CTL_BROKEN;
    }
    if (ctl->json || whole)
        return sa_ctl_print_one(ctl, grant, grant_lines, SA_COUNT(grant_lines));
    puts(json_string_value(token));
    return SA_CTL_OK;
}

/* For whom: the client of --client, else the session of --session, else the one that the environment names.
 */
static enum sa_ctl_exit
find_session(const struct sa_ctl *ctl, struct asked *asked)
{
    if (strcmp(ctl->socket, SA_ROOT_SOCKET) == 0) {
        sa_ctl_complain(
            "root has no login of its own to get a token for, and is no client: run it as the person, in "
            "their "
            "session (`su PERSON -c ...` is no login; ssh is), or use `token issue` for a client");
        return SA_CTL_REFUSED;
    }
    if (asked->client_id != NULL && asked->session != NULL) {
        sa_ctl_complain("--client and --session: a token stands for one of them");
        return sa_ctl_usage(ctl);
    }
    if (asked->client_id != NULL)
        return SA_CTL_OK;
    if (asked->session == NULL)
        asked->session = getenv("SECAUTH_SESSION");
    if (asked->session == NULL || asked->session[0] == '\0') {
        sa_ctl_complain(
            "SECAUTH_SESSION is not set: this process does not belong to a login that secauth opened; "
            "log in again, or name one of your sessions (`secauthctl session list`) with --session");
        return SA_CTL_NOT_FOUND;
    }
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_token(struct sa_ctl *ctl)
{
    Secauth__V1__IssueAttestedTokenRequest request = SECAUTH__V1__ISSUE_ATTESTED_TOKEN_REQUEST__INIT;
    ASKED(asked);
    char *file = NULL;
    const struct sa_ctl_option options[] = {
        {"--audience", .list = &asked.audiences}, {"--scope", .text = &asked.scope},
        {"--session", .text = &asked.session},    {"--client", .text = &asked.client_id},
        {"--claims", .flag = &asked.claims},      {"--file", .text = &file}};
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = take(ctl, options, SA_COUNT(options), NEEDS_AUDIENCE, &asked);
    if (result == SA_CTL_OK && file != NULL && asked.claims) {
        sa_ctl_complain("--claims prints, --file does not");
        return sa_ctl_usage(ctl);
    }
    if (result == SA_CTL_OK)
        result = find_session(ctl, &asked);
    if (result != SA_CTL_OK)
        return result;
    if (asked.client_id != NULL)
        request.client_id = asked.client_id;
    else
        request.session_id = asked.session;
    request.tokens = &asked.tokens;
    if (file != NULL)
        return sa_ctl_token_keep(ctl, &request.base, file);
    result = sa_ctl_call(ctl, SERVICE, "IssueAttestedToken", &request.base, &reply);
    return result == SA_CTL_OK ? print_grant(ctl, reply, asked.claims, false) : result;
}

enum sa_ctl_exit
sa_ctl_token_issue(struct sa_ctl *ctl)
{
    Secauth__V1__IssueTokenRequest request = SECAUTH__V1__ISSUE_TOKEN_REQUEST__INIT;
    ASKED(asked);
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = take_grant(ctl, NEEDS_CLIENT | NEEDS_SECRET | NEEDS_AUDIENCE, &asked);
    if (result != SA_CTL_OK)
        return result;
    request.client = &asked.client;
    request.tokens = &asked.tokens;
    result = sa_ctl_call(ctl, SERVICE, "IssueToken", &request.base, &reply);
    return result == SA_CTL_OK ? print_grant(ctl, reply, asked.claims, false) : result;
}

enum sa_ctl_exit
sa_ctl_token_refresh(struct sa_ctl *ctl)
{
    Secauth__V1__RefreshTokenRequest request = SECAUTH__V1__REFRESH_TOKEN_REQUEST__INIT;
    ASKED(asked);
    json_auto_t *reply = NULL;
    SA_CTL_SECRET(token);

    enum sa_ctl_exit result = take_grant(ctl, NEEDS_CLIENT, &asked);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("Refresh token: ", false, &token);
    if (result != SA_CTL_OK)
        return result;
    request.client = &asked.client;
    request.refresh_token = sa_ctl_secret_field(&token);
    if (asked.audiences.count > 0 || asked.scope != NULL)
        request.tokens = &asked.tokens;
    result = sa_ctl_call(ctl, SERVICE, "RefreshToken", &request.base, &reply);
    return result == SA_CTL_OK ? print_grant(ctl, reply, asked.claims, true) : result;
}

enum sa_ctl_exit
sa_ctl_token_exchange(struct sa_ctl *ctl)
{
    Secauth__V1__ExchangeTokenRequest request = SECAUTH__V1__EXCHANGE_TOKEN_REQUEST__INIT;
    ASKED(asked);
    json_auto_t *reply = NULL;
    SA_CTL_SECRET(token);

    enum sa_ctl_exit result = take_grant(ctl, NEEDS_CLIENT | NEEDS_SECRET | NEEDS_AUDIENCE, &asked);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("Token: ", false, &token);
    if (result != SA_CTL_OK)
        return result;
    request.client = &asked.client;
    request.subject_token = sa_ctl_secret_field(&token);
    request.tokens = &asked.tokens;
    result = sa_ctl_call(ctl, SERVICE, "ExchangeToken", &request.base, &reply);
    return result == SA_CTL_OK ? print_grant(ctl, reply, asked.claims, false) : result;
}

enum sa_ctl_exit
sa_ctl_token_introspect(struct sa_ctl *ctl)
{
    Secauth__V1__IntrospectTokenRequest request = SECAUTH__V1__INTROSPECT_TOKEN_REQUEST__INIT;
    ASKED(asked);
    const struct sa_ctl_option options[] = {{"--client", .text = &asked.client_id},
                                            {"--secret-file", .text = &asked.secret_file}};
    json_auto_t *reply = NULL;
    SA_CTL_SECRET(token);

    enum sa_ctl_exit result = take(ctl, options, SA_COUNT(options), 0, &asked);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("Token: ", false, &token);
    if (result != SA_CTL_OK)
        return result;
    request.client = asked.client_id != NULL ? &asked.client : NULL;
    request.token = sa_ctl_secret_field(&token);
    result = sa_ctl_call(ctl, SERVICE, "IntrospectToken", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    size_t lines = json_is_true(json_object_get(reply, "active")) ? SA_COUNT(introspection_lines) : 1;
    return sa_ctl_print_one(ctl, reply, introspection_lines, lines);
}

enum sa_ctl_exit
sa_ctl_token_revoke(struct sa_ctl *ctl)
{
    Secauth__V1__RevokeTokenRequest request = SECAUTH__V1__REVOKE_TOKEN_REQUEST__INIT;
    ASKED(asked);
    const struct sa_ctl_option options[] = {{"--client", .text = &asked.client_id},
                                            {"--secret-file", .text = &asked.secret_file}};
    SA_CTL_SECRET(token);

    enum sa_ctl_exit result = take(ctl, options, SA_COUNT(options), NEEDS_CLIENT, &asked);
    if (result == SA_CTL_OK)
        result = sa_ctl_ask_secret("Token: ", false, &token);
    if (result != SA_CTL_OK)
        return result;
    request.client = &asked.client;
    request.token = sa_ctl_secret_field(&token);
    return sa_ctl_do(ctl, SERVICE, "RevokeToken", &request.base,
                     "where the token was this client's own, it means nothing any more");
}
