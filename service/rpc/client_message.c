#include "service/rpc/client_message.h"

#include <stdio.h>

#include "service/auth/names.h"
#include "service/auth/scope.h"

#define TTL_MIN       30u
#define TTL_MAX       3600u
#define GRACE_MAX     300u
#define GRACE_DEFAULT 30u
#define PATH_MAX_LEN  64u

enum sa_status
rpc_refuse_in(struct sa_call *call, const char *message, const char *field, const char *rule)
{
    char path[PATH_MAX_LEN];

    snprintf(path, sizeof(path), "%s.%s", message, field);
    return sa_call_refuse(call, path, rule);
}

enum sa_status
rpc_read_scopes(struct sa_call *call, const char *message, char *const *scopes, size_t count,
                char ret_scopes[SA_SCOPE_LIST_MAX + 1])
{
    char list[SA_SCOPE_LIST_MAX + 1] = "";
    size_t at = 0;

    if (count > SA_SCOPES_MAX)
        return rpc_refuse_in(call, message, "scopes", "at most 64 scopes");
    for (size_t i = 0; i < count; i++) {
        struct sa_bytes scope = sa_bytes_of(scopes[i]);
        if (!sa_name_is_scope(scope))
            return rpc_refuse_in(call, message, "scopes", SA_RULE_SCOPE);
        if (sa_scope_has(list, scope))
            return rpc_refuse_in(call, message, "scopes", "each scope once");
        if (at + scope.len + 1 > SA_SCOPE_LIST_MAX)
            return rpc_refuse_in(call, message, "scopes", "at most 1,024 bytes of scopes");
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", at > 0 ? " " : "", scopes[i]);
    }
    memcpy(ret_scopes, list, sizeof(list));
    return SA_OK;
}

enum sa_status
rpc_read_audience(struct sa_call *call, const Secauth__V1__ClientAudience *from, const char *field,
                  bool is_host, struct sa_client_audience *ret_audience)
{
    struct sa_client_audience audience = {.plain_typ = from->plain_typ};

    if (!sa_name_is_audience(sa_bytes_of(from->audience)))
        return rpc_refuse_in(call, field, "audience", SA_RULE_AUDIENCE);
    if (from->group[0] != '\0' && (!is_host || !sa_name_is_group(sa_bytes_of(from->group))))
        return rpc_refuse_in(call, field, "group", "for the client host only: " SA_RULE_GROUP);
    enum sa_status status = rpc_read_scopes(call, field, from->scopes, from->n_scopes, audience.scopes);
    if (status != SA_OK)
        return status;
    snprintf(audience.audience, sizeof(audience.audience), "%s", from->audience);
    snprintf(audience.group, sizeof(audience.group), "%s", from->group);
    *ret_audience = audience;
    return SA_OK;
}

/* A grant as it is in a message and in a record. */
static const struct grant {
    Secauth__V1__ClientGrant said;
    enum sa_client_grant kept;
    bool confidential; /* for confidential clients only */
} grants[] = {
    {SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_CLIENT_CREDENTIALS, SA_GRANT_CLIENT_CREDENTIALS, true},
    {SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_REFRESH_TOKEN, SA_GRANT_REFRESH, false},
    {SECAUTH__V1__CLIENT_GRANT__CLIENT_GRANT_TOKEN_EXCHANGE, SA_GRANT_EXCHANGE, true},
};

static const struct grant *
find_grant(Secauth__V1__ClientGrant said)
{
    for (size_t i = 0; i < SA_COUNT(grants); i++)
        if (grants[i].said == said)
            return &grants[i];
    return NULL;
}

static enum sa_status
read_grants(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    for (size_t i = 0; i < from->n_grants; i++) {
        const struct grant *grant = find_grant(from->grants[i]);
        if (grant == NULL)
            return sa_call_refuse(call, "client.grants",
                                  "client_credentials, refresh_token or token_exchange");
        if (grant->confidential && client->kind == SA_CLIENT_PUBLIC)
            return sa_call_refuse(call, "client.grants",
                                  "client_credentials and token_exchange are for confidential clients");
        client->grants |= grant->kept;
    }
    if (from->login && client->kind != SA_CLIENT_PUBLIC)
        return sa_call_refuse(call, "client.login", "for public clients only");
    client->login = from->login;
    return SA_OK;
}

static enum sa_status
read_lives(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    uint32_t ttl = from->access_ttl_seconds;

    if (ttl != 0 && (ttl < TTL_MIN || ttl > TTL_MAX))
        return sa_call_refuse(call, "client.access_ttl_seconds",
                              "30 to 3,600 seconds, or 0 for the configured life");
    if (from->grace != NULL && from->grace->value > GRACE_MAX)
        return sa_call_refuse(call, "client.grace", "0 to 300 seconds");
    client->access_ttl_s = ttl;
    client->grace_s = from->grace == NULL ? GRACE_DEFAULT : from->grace->value;
    return SA_OK;
}

static enum sa_status
read_owned(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    if (from->n_audiences_owned > SA_OWNED_MAX)
        return sa_call_refuse(call, "client.audiences_owned", "at most 16 audiences");
    for (size_t i = 0; i < from->n_audiences_owned; i++) {
        if (!sa_name_is_audience(sa_bytes_of(from->audiences_owned[i])))
            return sa_call_refuse(call, "client.audiences_owned", SA_RULE_AUDIENCE);
        snprintf(client->owned[client->owned_count++], sizeof(client->owned[0]), "%s",
                 from->audiences_owned[i]);
    }
    return SA_OK;
}

static enum sa_status
read_audiences(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client *client)
{
    for (size_t i = 0; i < from->n_audiences; i++) {
        struct sa_client_audience *audience = &client->audiences[i];
        enum sa_status status =
            rpc_read_audience(call, from->audiences[i], "client.audiences", false, audience);
        if (status != SA_OK)
            return status;
        for (size_t before = 0; before < i; before++)
            if (strcmp(client->audiences[before].audience, audience->audience) == 0)
                return sa_call_refuse(call, "client.audiences", "each audience once");
    }
    client->audience_count = (unsigned)from->n_audiences;
    return SA_OK;
}

enum sa_status
rpc_read_client(struct sa_call *call, const Secauth__V1__Client *from, struct sa_client **ret_client)
{
    if (!sa_name_is_client_id(sa_bytes_of(from->client_id)))
        return sa_call_refuse(call, "client.client_id", SA_RULE_CLIENT_ID);
    if (from->kind != SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL &&
        from->kind != SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC)
        return sa_call_refuse(call, "client.kind", "confidential or public");
    if (from->n_audiences > SA_AUDIENCES_MAX)
        return sa_call_refuse(call, "client.audiences", "at most 64 audiences");
    SA_OWN(sa_client) client = sa_client_new((unsigned)from->n_audiences);
    if (client == NULL)
        return SA_NO_MEMORY;
    snprintf(client->id, sizeof(client->id), "%s", from->client_id);
    client->kind = from->kind == SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC ? SA_CLIENT_PUBLIC
                                                                              : SA_CLIENT_CONFIDENTIAL;
    enum sa_status status = read_grants(call, from, client);
    if (status == SA_OK)
        status = read_lives(call, from, client);
    if (status == SA_OK)
        status = read_owned(call, from, client);
    if (status == SA_OK)
        status = read_audiences(call, from, client);
    if (status == SA_OK)
        status = rpc_read_client_proofs(call, from, client);
    if (status == SA_OK)
        *ret_client = sa_client_take(&client);
    return status;
}

static Secauth__V1__ClientKind
kind_of(const struct sa_client *client)
{
    if (client->kind == SA_CLIENT_HOST)
        return SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_HOST;
    return client->kind == SA_CLIENT_PUBLIC ? SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_PUBLIC
                                            : SECAUTH__V1__CLIENT_KIND__CLIENT_KIND_CONFIDENTIAL;
}

bool
rpc_put_scopes(struct sa_call *call, const char *scopes, char ***ret_scopes, size_t *ret_count)
{
    char **list = sa_arena_alloc(call->arena, SA_SCOPES_MAX * sizeof(*list));
    size_t count = 0;
    struct sa_bytes scope;

    if (list == NULL)
        return false;
    while (count < SA_SCOPES_MAX && sa_scope_next(&scopes, &scope)) {
        char text[SA_SCOPE_LIST_MAX + 1];
        snprintf(text, sizeof(text), "%.*s", (int)scope.len, (const char *)scope.data);
        if (!rpc_put_text(call, text, &list[count]))
            return false;
        count++;
    }
    *ret_scopes = list;
    *ret_count = count;
    return true;
}

static bool
put_audience(struct sa_call *call, const struct sa_client_audience *audience,
             Secauth__V1__ClientAudience *row)
{
    secauth__v1__client_audience__init(row);
    row->plain_typ = audience->plain_typ;
    return rpc_put_scopes(call, audience->scopes, &row->scopes, &row->n_scopes) &&
           rpc_put_text(call, audience->audience, &row->audience) &&
           rpc_put_text(call, audience->group, &row->group);
}

static bool
put_audiences(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    Secauth__V1__ClientAudience *audiences =
        sa_arena_alloc(call->arena, client->audience_count * sizeof(*audiences));

    row->audiences = sa_arena_alloc(call->arena, client->audience_count * sizeof(*row->audiences));
    row->audiences_owned = sa_arena_alloc(call->arena, client->owned_count * sizeof(*row->audiences_owned));
    if (audiences == NULL || row->audiences == NULL || row->audiences_owned == NULL)
        return false;
    for (unsigned i = 0; i < client->audience_count; i++) {
        if (!put_audience(call, &client->audiences[i], &audiences[i]))
            return false;
        row->audiences[i] = &audiences[i];
    }
    row->n_audiences = client->audience_count;
    for (unsigned i = 0; i < client->owned_count; i++)
        if (!rpc_put_text(call, client->owned[i], &row->audiences_owned[i]))
            return false;
    row->n_audiences_owned = client->owned_count;
    return true;
}

static bool
put_grants(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    row->grants = sa_arena_alloc(call->arena, SA_COUNT(grants) * sizeof(*row->grants));
    row->grace = sa_arena_alloc(call->arena, sizeof(*row->grace));
    if (row->grants == NULL || row->grace == NULL)
        return false;
    secauth__v1__seconds__init(row->grace);
    row->grace->value = client->grace_s;
    for (size_t i = 0; i < SA_COUNT(grants); i++)
        if ((client->grants & (unsigned)grants[i].kept) != 0)
            row->grants[row->n_grants++] = grants[i].said;
    return true;
}

bool
rpc_put_client(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client *row)
{
    secauth__v1__client__init(row);
    row->kind = kind_of(client);
    row->login = client->login;
    row->access_ttl_seconds = client->access_ttl_s;
    row->created_ms = client->created_ms;
    row->active = client->active;
    return rpc_put_text(call, client->id, &row->client_id) && put_grants(call, client, row) &&
           put_audiences(call, client, row) && rpc_put_client_proofs(call, client, row);
}
