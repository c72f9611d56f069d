#include "client/ctl.h"
#include "client/ctl_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SERVICE   &secauth__v1__client_service__descriptor
#define PAGE_SIZE 20u

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
    {"attested", "attestation", SA_CTL_MEMBERS},
    {"exchanges", "exchanges", SA_CTL_MEMBERS},
    {"certificates", "certificates", SA_CTL_PLAIN},
    {"keys", "jwks", SA_CTL_PLAIN},
    {"groups", "groups", SA_CTL_PLAIN},
    {"dpop", "dpop_bound", SA_CTL_PLAIN},
    {"secrets", "secrets", SA_CTL_MEMBERS},
    {"secret", "secret", SA_CTL_PLAIN}, /* the last: it is left out where there is none */
};

/* The new file for the secret, made before there is one: a secret that cannot be written down would be lost.
 */
enum sa_ctl_exit
sa_ctl_secret_create(const char *path, const char *undone, int *ret_fd)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        sa_ctl_complain("%s cannot be made: %s; %s", path, strerror(errno), undone);
        return SA_CTL_BROKEN;
    }
    *ret_fd = fd;
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_secret_write(const char *path, int fd, const char *secret, const char *advice)
{
    if (dprintf(fd, "%s\n", secret) > 0 && fsync(fd) == 0)
        return SA_CTL_OK;
    sa_ctl_complain("%s: %s; %s", path, strerror(errno), advice);
    return SA_CTL_BROKEN;
}

/* The record with its secret, which goes to the file where there is one. */
static enum sa_ctl_exit
print_addition(const struct sa_ctl *ctl, const struct sa_ctl_record *addition, int fd, json_t *reply)
{
    json_t *client = json_object_get(reply, "client");
    const json_t *secret = json_object_get(reply, "secret");
    bool has_secret = json_string_length(secret) > 0;

    if (has_secret && addition->secret_file != NULL) {
        enum sa_ctl_exit result = sa_ctl_secret_write(addition->secret_file, fd, json_string_value(secret),
                                                      "delete the client and register it again");
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
    Secauth__V1__CreateClientRequest request = SECAUTH__V1__CREATE_CLIENT_REQUEST__INIT;
    struct sa_ctl_record record;
    json_auto_t *reply = NULL;
    int fd = -1;

    enum sa_ctl_exit result = sa_ctl_record_parse(ctl, true, &record);
    if (result != SA_CTL_OK)
        return result;
    if (record.secret_file != NULL)
        result = sa_ctl_secret_create(record.secret_file, "the client was not registered", &fd);
    if (result != SA_CTL_OK)
        return result;
    request.client = &record.client;
    result = sa_ctl_call(ctl, SERVICE, "CreateClient", &request.base, &reply);
    if (result == SA_CTL_OK)
        result = print_addition(ctl, &record, fd, reply);
    else if (fd >= 0)
        unlink(record.secret_file);
    if (fd >= 0)
        close(fd);
    return result;
}

/* All but the last line, which is that of a secret. */
static enum sa_ctl_exit
print_record(const struct sa_ctl *ctl, const json_t *reply)
{
    return sa_ctl_print_one(ctl, json_object_get(reply, "client"), details, SA_COUNT(details) - 1);
}

enum sa_ctl_exit
sa_ctl_client_show(struct sa_ctl *ctl)
{
    Secauth__V1__GetClientRequest request = SECAUTH__V1__GET_CLIENT_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, &request.client_id, 1);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, SERVICE, "GetClient", &request.base, &reply);
    return result == SA_CTL_OK ? print_record(ctl, reply) : result;
}

enum sa_ctl_exit
sa_ctl_client_update(struct sa_ctl *ctl)
{
    Secauth__V1__UpdateClientRequest request = SECAUTH__V1__UPDATE_CLIENT_REQUEST__INIT;
    struct sa_ctl_record record;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_record_parse(ctl, false, &record);
    if (result != SA_CTL_OK)
        return result;
    request.client = &record.client;
    result = sa_ctl_call(ctl, SERVICE, "UpdateClient", &request.base, &reply);
    return result == SA_CTL_OK ? print_record(ctl, reply) : result;
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
    bool plain_typ = false;
    const struct sa_ctl_option options[] = {
        {"--scopes", .text = &scopes}, {"--group", .text = &group}, {"--plain-typ", .flag = &plain_typ}};

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
    audience.plain_typ = plain_typ;
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
