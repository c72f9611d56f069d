/* ClientService. */
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/rpc/client_message.h"
#include "service/rpc/page.h"

#define CLIENT_PAGE_MAX 100u

static enum sa_status
check_id(struct sa_call *call, const char *id)
{
    return sa_name_is_client_id(sa_bytes_of(id)) ? SA_OK
                                                 : sa_call_refuse(call, "client_id", SA_RULE_CLIENT_ID);
}

/* ---- CreateClient ---- */

static enum sa_status
put_record(struct sa_call *call, const struct sa_client *client, Secauth__V1__Client **ret_record)
{
    Secauth__V1__Client *record = sa_arena_alloc(call->arena, sizeof(*record));

    if (record == NULL || !rpc_put_client(call, client, record))
        return SA_NO_MEMORY;
    *ret_record = record;
    return SA_OK;
}

/* What else it proves itself by makes a secret one more thing to lose; RotateClientSecret gives one all the
 * same. */
static bool
needs_secret(const struct sa_client *client)
{
    return client->kind == SA_CLIENT_CONFIDENTIAL && client->certificate_count == 0 && client->jwks == NULL &&
           client->attest_uid == 0;
}

static const char *
kind_detail(const struct sa_client *client)
{
    if (client->kind == SA_CLIENT_CONFIDENTIAL)
        return "kind=confidential";
    return client->login ? "kind=public login=yes" : "kind=public";
}

enum sa_status
rpc_client_create(struct sa_call *call, const Secauth__V1__CreateClientRequest *request,
                  Secauth__V1__CreateClientResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_CLIENT_CREATE, SA_OUTCOME_GRANTED, NULL);
    char secret[SA_CLIENT_SECRET_LEN + 1] = "";
    SA_OWN(sa_client) client = NULL;

    if (request->client == NULL)
        return sa_call_refuse(call, "client", "the record; required");
    enum sa_status status = rpc_read_client(call, request->client, &client);
    if (status != SA_OK)
        return status;
    client->created_ms = call->now.wall_ms;
    client->active = true;
    if (needs_secret(client)) {
        client->secrets[0].created_ms = call->now.wall_ms;
        sa_client_secret_make(call->authority->keyring, secret, client->secrets[0].mac);
        client->secret_count = 1;
    }
    status = put_record(call, client, &reply->client);
    if (status == SA_OK && !rpc_put_bytes(call, sa_bytes_of(secret), &reply->secret))
        status = SA_NO_MEMORY;
    sa_wipe(secret, sizeof(secret));
    record.client_id = client->id;
    record.detail = kind_detail(client);
    return status == SA_OK ? sa_store_client_create(call->authority->store, client, &record) : status;
}

/* ---- GetClient, UpdateClient ---- */

enum sa_status
rpc_client_get(struct sa_call *call, const Secauth__V1__GetClientRequest *request,
               Secauth__V1__GetClientResponse *reply)
{
    SA_OWN(sa_client) client = NULL;
    enum sa_status status = check_id(call, request->client_id);

    if (status != SA_OK)
        return status;
    sa_secret_uses_write(call->authority->uses, call->authority->store, call->now, true);
    status = sa_store_client_by_id(call->authority->store, sa_bytes_of(request->client_id), &client);
    return status == SA_OK ? put_record(call, client, &reply->client) : status;
}

enum sa_status
rpc_client_update(struct sa_call *call, const Secauth__V1__UpdateClientRequest *request,
                  Secauth__V1__UpdateClientResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_CLIENT_UPDATE, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) client = NULL;
    SA_OWN(sa_client) stored = NULL;

    if (request->client == NULL)
        return sa_call_refuse(call, "client", "the record; required");
    enum sa_status status = rpc_read_client(call, request->client, &client);
    if (status != SA_OK)
        return status;
    record.client_id = client->id;
    record.detail = kind_detail(client);
    status = sa_store_client_update(call->authority->store, client, &record);
    if (status == SA_INVALID_ARGUMENT)
        return sa_call_refuse(call, "client.kind", "the kind that it has");
    if (status == SA_OK)
        status = sa_store_client_by_id(call->authority->store, sa_bytes_of(client->id), &stored);
    return status == SA_OK ? put_record(call, stored, &reply->client) : status;
}

/* ---- ListClients ---- */

static enum sa_status
put_page(struct sa_call *call, struct sa_client *const *clients, unsigned count,
         Secauth__V1__ListClientsResponse *reply)
{
    Secauth__V1__Client *rows = sa_arena_alloc(call->arena, count * sizeof(*rows));
    struct rpc_page page = {0};

    reply->clients = sa_arena_alloc(call->arena, count * sizeof(*reply->clients));
    if (rows == NULL || reply->clients == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        if (!rpc_put_client(call, clients[i], &rows[i]))
            return SA_NO_MEMORY;
        if (!rpc_page_take(&page, &rows[i].base))
            break;
        reply->clients[i] = &rows[i];
        reply->n_clients++;
    }
    return SA_OK;
}

enum sa_status
rpc_client_list(struct sa_call *call, const Secauth__V1__ListClientsRequest *request,
                Secauth__V1__ListClientsResponse *reply)
{
    struct sa_client **clients;
    unsigned count;
    bool more;

    if (request->page_size > CLIENT_PAGE_MAX)
        return sa_call_refuse(call, "page_size", "1 to 100, or 0 for 100");
    if (request->page_token[0] != '\0' && !sa_name_is_client_id(sa_bytes_of(request->page_token)))
        return sa_call_refuse(call, "page_token", "where the last page ended");
    sa_secret_uses_write(call->authority->uses, call->authority->store, call->now, true);
    enum sa_status status = sa_store_client_list(call->authority->store, request->page_token,
                                                 rpc_page_size(request->page_size), &clients, &count, &more);
    if (status != SA_OK)
        return status;
    status = put_page(call, clients, count, reply);
    bool cut = more || reply->n_clients < count;
    if (status == SA_OK && cut && reply->n_clients > 0 &&
        !rpc_put_text(call, clients[reply->n_clients - 1]->id, &reply->next_page_token))
        status = SA_NO_MEMORY;
    sa_clients_free(clients, count);
    return status;
}

/* ---- SetClientActive, DeleteClient ---- */

enum sa_status
rpc_client_set_active(struct sa_call *call, const Secauth__V1__SetClientActiveRequest *request,
                      Secauth__V1__SetClientActiveResponse *reply)
{
    enum sa_event event = request->active ? SA_EVENT_CLIENT_ENABLE : SA_EVENT_CLIENT_DISABLE;
    struct sa_audit record = sa_call_audit(call, event, SA_OUTCOME_GRANTED, NULL);
    enum sa_status status = check_id(call, request->client_id);

    record.client_id = request->client_id;
    if (status == SA_OK)
        status = sa_store_client_set_active(call->authority->store, request->client_id, request->active,
                                            call->now.wall_ms, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}

enum sa_status
rpc_client_delete(struct sa_call *call, const Secauth__V1__DeleteClientRequest *request,
                  Secauth__V1__DeleteClientResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_CLIENT_DELETE, SA_OUTCOME_GRANTED, NULL);
    enum sa_status status = check_id(call, request->client_id);

    record.client_id = request->client_id;
    if (status == SA_OK)
        status =
            sa_store_client_delete(call->authority->store, request->client_id, call->now.wall_ms, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}

/* ---- audiences ---- */

enum sa_status
rpc_client_set_audience(struct sa_call *call, const Secauth__V1__SetClientAudienceRequest *request,
                        Secauth__V1__SetClientAudienceResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_CLIENT_AUDIENCE, SA_OUTCOME_GRANTED, NULL);
    struct sa_client_audience audience;
    enum sa_status status = check_id(call, request->client_id);

    if (status != SA_OK)
        return status;
    if (request->audience == NULL)
        return sa_call_refuse(call, "audience", "the audience; required");
    status = rpc_read_audience(call, request->audience, "audience",
                               strcmp(request->client_id, SA_HOST_CLIENT) == 0, &audience);
    if (status != SA_OK)
        return status;
    record.client_id = request->client_id;
    record.detail = rpc_detail(call, "set=%s", audience.audience);
    status = sa_store_client_set_audience(call->authority->store, request->client_id, &audience, &record);
    if (status == SA_INVALID_ARGUMENT)
        return sa_call_refuse(call, "audience", "at most 64 audiences a client");
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}

enum sa_status
rpc_client_remove_audience(struct sa_call *call, const Secauth__V1__RemoveClientAudienceRequest *request,
                           Secauth__V1__RemoveClientAudienceResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_CLIENT_AUDIENCE, SA_OUTCOME_GRANTED, NULL);
    enum sa_status status = check_id(call, request->client_id);

    if (status != SA_OK)
        return status;
    if (!sa_name_is_audience(sa_bytes_of(request->audience)))
        return sa_call_refuse(call, "audience", SA_RULE_AUDIENCE);
    record.client_id = request->client_id;
    record.detail = rpc_detail(call, "remove=%s", request->audience);
    status = sa_store_client_remove_audience(call->authority->store, request->client_id, request->audience,
                                             &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
