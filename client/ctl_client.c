#include "client/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "secauth/v1/client.pb-c.h"

#define SERVICE     &secauth__v1__client_service__descriptor
#define PAGE_SIZE   20u
#define SECONDS_MAX 4294967295u

static const struct sa_ctl_column columns[] = {
    {"CLIENT", "client_id", SA_CTL_PLAIN},       {"KIND", "kind", SA_CTL_PLAIN},
    {"GRANTS", "grants", SA_CTL_PLAIN},          {"LOGIN", "login", SA_CTL_PLAIN},
    {"OWNS", "audiences_owned", SA_CTL_PLAIN},   {"MAY ASK FOR", "audiences", SA_CTL_MEMBERS},
    {"TTL", "access_ttl_seconds", SA_CTL_PLAIN}, {"GRACE", "grace", SA_CTL_PLAIN},
    {"ACTIVE", "active", SA_CTL_PLAIN},
};

static const struct sa_ctl_column details[] = {
    {"client", "client_id", SA_CTL_PLAIN},
    {"kind", "kind", SA_CTL_PLAIN},
    {"grants", "grants", SA_CTL_PLAIN},
    {"login", "login", SA_CTL_PLAIN},
    {"owns", "audiences_owned", SA_CTL_PLAIN},
    {"may ask for", "audiences", SA_CTL_MEMBERS},
    {"access ttl", "access_ttl_seconds", SA_CTL_PLAIN},
    {"grace", "grace", SA_CTL_PLAIN},
    {"active", "active", SA_CTL_PLAIN},
    {"registered", "created_ms", SA_CTL_TIME_MS},
    {"secret", "secret", SA_CTL_PLAIN},
};

/* What `client add` sends, with room for all that its options can say. */
struct addition {
    Secauth__V1__CreateClientRequest request;
    Secauth__V1__Client client;
    Secauth__V1__Seconds grace;
    Secauth__V1__ClientGrant grants[SA_CTL_LIST_MAX];
    Secauth__V1__ClientAudience audiences[SA_CTL_LIST_MAX];
    Secauth__V1__ClientAudience *audience_list[SA_CTL_LIST_MAX];
    struct sa_ctl_list scopes[SA_CTL_LIST_MAX];
    struct sa_ctl_list owned;
    char *secret_file;
};

static enum sa_ctl_exit
set_grants(struct addition *addition, const struct sa_ctl_list *words)
{
    static const struct {
        const char *word;
        Secauth__V1__ClientGrant grant;
    } grants[] = {
        {"client_credentials", SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_CLIENT_CREDENTIALS},
        {"refresh_token", SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_REFRESH_TOKEN},
    };
    bool is_public = addition->client.kind == SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC;

    addition->client.grants = addition->grants;
    addition->client.n_grants = words->count > 0 ? words->count : 1;
    addition->grants[0] = grants[is_public ? 1 : 0].grant; /* the one that it can use */
    for (size_t i = 0; i < words->count; i++) {
        size_t k = 0;
        while (k < SA_COUNT(grants) && strcmp(words->items[i], grants[k].word) != 0)
            k++;
        if (k == SA_COUNT(grants)) {
            sa_ctl_complain("--grant takes client_credentials or refresh_token, not `%s`", words->items[i]);
            return SA_CTL_USAGE;
        }
        addition->grants[i] = grants[k].grant;
    }
    return SA_CTL_OK;
}

/* "demo=read,write" */
static enum sa_ctl_exit
set_audiences(struct addition *addition, const struct sa_ctl_list *words)
{
    for (size_t i = 0; i < words->count; i++) {
        Secauth__V1__ClientAudience *audience = &addition->audiences[i];
        char *equals = strchr(words->items[i], '=');
        if (equals == NULL) {
            sa_ctl_complain("--audience takes AUDIENCE=SCOPE,... , not `%s`", words->items[i]);
            return SA_CTL_USAGE;
        }
        *equals = '\0';
        secauth__v1__client_audience__init(audience);
        audience->audience = words->items[i];
        enum sa_ctl_exit result = sa_ctl_split(equals + 1, &addition->scopes[i]);
        if (result != SA_CTL_OK)
            return result;
        audience->n_scopes = addition->scopes[i].count;
        audience->scopes = addition->scopes[i].items;
        addition->audience_list[i] = audience;
    }
    addition->client.n_audiences = words->count;
    addition->client.audiences = addition->audience_list;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
parse_addition(struct sa_ctl *ctl, struct addition *addition)
{
    bool is_public = false, login = false;
    struct sa_ctl_number ttl = {.max = SECONDS_MAX}, grace = {.max = SECONDS_MAX};
    struct sa_ctl_list grants = {0}, audiences = {0};
    Secauth__V1__Client *client = &addition->client;
    const struct sa_ctl_option options[] = {
        {"--public", .flag = &is_public},   {"--login", .flag = &login},
        {"--grant", .list = &grants},       {"--owns", .list = &addition->owned},
        {"--audience", .list = &audiences}, {"--access-ttl", .number = &ttl},
        {"--grace", .number = &grace},      {"--secret-file", .text = &addition->secret_file},
    };

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &client->client_id, 1);
    if (result != SA_CTL_OK)
        return result;
    client->kind = is_public ? SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC
                             : SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL;
    client->login = login;
    client->access_ttl_seconds = (uint32_t)ttl.value;
    addition->grace.value = (uint32_t)grace.value;
    client->grace = grace.given ? &addition->grace : NULL;
    client->n_audiences_owned = addition->owned.count;
    client->audiences_owned = addition->owned.items;
    result = set_grants(addition, &grants);
    return result == SA_CTL_OK ? set_audiences(addition, &audiences) : result;
}

/* The new file for the secret, made before there is one: a secret that cannot be written down would be lost.
 */
static enum sa_ctl_exit
create_file(const char *path, int *ret_fd)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        sa_ctl_complain("%s cannot be made: %s; the client was not registered", path, strerror(errno));
        return SA_CTL_BROKEN;
    }
    *ret_fd = fd;
    return SA_CTL_OK;
}

static enum sa_ctl_exit
write_file(const char *path, int fd, const char *secret)
{
    if (dprintf(fd, "%s\n", secret) > 0 && fsync(fd) == 0)
        return SA_CTL_OK;
    sa_ctl_complain("%s: %s; delete the client and register it again", path, strerror(errno));
    return SA_CTL_BROKEN;
}

/* The record with its secret, which goes to the file where there is one. */
static enum sa_ctl_exit
print_addition(const struct sa_ctl *ctl, const struct addition *addition, int fd, json_t *reply)
{
    json_t *client = json_object_get(reply, "client");
    const json_t *secret = json_object_get(reply, "secret");
    bool has_secret = json_string_length(secret) > 0;

    if (has_secret && addition->secret_file != NULL) {
        enum sa_ctl_exit result = write_file(addition->secret_file, fd, json_string_value(secret));
        if (result != SA_CTL_OK)
            return result;
    } else if (has_secret && json_object_set(client, "secret", json_object_get(reply, "secret")) != 0) {
        return sa_ctl_no_memory();
    }
    size_t rows = SA_COUNT(details) - (json_object_get(client, "secret") == NULL);
    enum sa_ctl_exit result = sa_ctl_print_one(ctl, client, details, rows);
    if (result == SA_CTL_OK && has_secret && addition->secret_file == NULL && !ctl->json)
        fputs("The secret is not shown again.\n", stderr);
    return result;
}

enum sa_ctl_exit
sa_ctl_client_add(struct sa_ctl *ctl)
{
    struct addition addition = {.request = SECAUTH__V1__CREATE_CLIENT_REQUEST__INIT,
                                .client = SECAUTH__V1__CLIENT__INIT,
                                .grace = SECAUTH__V1__SECONDS__INIT};
    json_auto_t *reply = NULL;
    int fd = -1;

    enum sa_ctl_exit result = parse_addition(ctl, &addition);
    if (result != SA_CTL_OK)
        return result;
    if (addition.secret_file != NULL)
        result = create_file(addition.secret_file, &fd);
    if (result != SA_CTL_OK)
        return result;
    addition.request.client = &addition.client;
    result = sa_ctl_call(ctl, SERVICE, "CreateClient", &addition.request.base, &reply);
    if (result == SA_CTL_OK)
        result = print_addition(ctl, &addition, fd, reply);
    else if (fd >= 0)
        unlink(addition.secret_file);
    if (fd >= 0)
        close(fd);
    return result;
}

enum sa_ctl_exit
sa_ctl_client_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListClientsRequest request = SECAUTH__V1__LIST_CLIENTS_REQUEST__INIT;
    json_auto_t *rows = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result != SA_CTL_OK)
        return result;
    request.page_size = PAGE_SIZE;
    result = sa_ctl_list(ctl, SERVICE, "ListClients", &request.base, &request.page_token, "clients", &rows);
    return result == SA_CTL_OK ? sa_ctl_print_rows(ctl, rows, columns, SA_COUNT(columns)) : result;
}

static enum sa_ctl_exit
set_active(struct sa_ctl *ctl, bool active)
{
    Secauth__V1__SetClientActiveRequest request = SECAUTH__V1__SET_CLIENT_ACTIVE_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.client_id, 1);
    if (result != SA_CTL_OK)
        return result;
    request.active = active;
    return sa_ctl_do(ctl, SERVICE, "SetClientActive", &request.base, "%s is %s", request.client_id,
                     active ? "enabled" : "disabled; its sessions and tokens have ended");
}

enum sa_ctl_exit
sa_ctl_client_disable(struct sa_ctl *ctl)
{
    return set_active(ctl, false);
}

enum sa_ctl_exit
sa_ctl_client_enable(struct sa_ctl *ctl)
{
    return set_active(ctl, true);
}

enum sa_ctl_exit
sa_ctl_client_delete(struct sa_ctl *ctl)
{
    Secauth__V1__DeleteClientRequest request = SECAUTH__V1__DELETE_CLIENT_REQUEST__INIT;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.client_id, 1);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_do(ctl, SERVICE, "DeleteClient", &request.base,
                     "%s is deleted; its sessions and tokens have ended", request.client_id);
}

enum sa_ctl_exit
sa_ctl_client_audience_allow(struct sa_ctl *ctl)
{
    Secauth__V1__SetClientAudienceRequest request = SECAUTH__V1__SET_CLIENT_AUDIENCE_REQUEST__INIT;
    Secauth__V1__ClientAudience audience = SECAUTH__V1__CLIENT_AUDIENCE__INIT;
    char *names[2], *scopes = NULL, *group = NULL;
    struct sa_ctl_list words = {0};
    const struct sa_ctl_option options[] = {{"--scopes", .text = &scopes}, {"--group", .text = &group}};

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), names, SA_COUNT(names));
    if (result != SA_CTL_OK)
        return result;
    if (scopes == NULL) {
        sa_ctl_complain("--scopes is needed");
        return sa_ctl_usage(ctl);
    }
    result = sa_ctl_split(scopes, &words);
    if (result != SA_CTL_OK)
        return result;
    audience.audience = names[1];
    audience.n_scopes = words.count;
    audience.scopes = words.items;
    if (group != NULL)
        audience.group = group;
    request.client_id = names[0];
    request.audience = &audience;
    return sa_ctl_do(ctl, SERVICE, "SetClientAudience", &request.base, "%s may ask for tokens for %s",
                     names[0], names[1]);
}

enum sa_ctl_exit
sa_ctl_client_audience_remove(struct sa_ctl *ctl)
{
    Secauth__V1__RemoveClientAudienceRequest request = SECAUTH__V1__REMOVE_CLIENT_AUDIENCE_REQUEST__INIT;
    char *names[2];

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, names, SA_COUNT(names));
    if (result != SA_CTL_OK)
        return result;
    request.client_id = names[0];
    request.audience = names[1];
    return sa_ctl_do(ctl, SERVICE, "RemoveClientAudience", &request.base, "%s may not ask for tokens for %s",
                     names[0], names[1]);
}
