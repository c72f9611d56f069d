/* ApiKeyService. */
#include <stdio.h>
#include <stdlib.h>

#include "service/auth/api_key.h"
#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/auth/scope.h"
#include "service/rpc/client_message.h"
#include "service/rpc/page.h"

#define KEY_PAGE_MAX 100u

static enum sa_status
check_id(struct sa_call *call, const char *id)
{
    return sa_name_is_id(sa_bytes_of(id)) ? SA_OK : sa_call_refuse(call, "key_id", SA_RULE_ID);
}

/* ---- a key as a message ---- */

static bool
put_audiences(struct sa_call *call, const struct sa_api_key *key, Secauth__V1__ApiKey *row)
{
    Secauth__V1__ApiKeyAudience *audiences =
        sa_arena_alloc(call->arena, key->audience_count * sizeof(*audiences));

    row->audiences = sa_arena_alloc(call->arena, key->audience_count * sizeof(*row->audiences));
    if (audiences == NULL || row->audiences == NULL)
        return false;
    for (unsigned i = 0; i < key->audience_count; i++) {
        secauth__v1__api_key_audience__init(&audiences[i]);
        if (!rpc_put_text(call, key->audiences[i].audience, &audiences[i].audience) ||
            !rpc_put_scopes(call, key->audiences[i].scopes, &audiences[i].scopes, &audiences[i].n_scopes))
            return false;
        row->audiences[i] = &audiences[i];
    }
    row->n_audiences = key->audience_count;
    return true;
}

static bool
put_key(struct sa_call *call, const struct sa_api_key *key, Secauth__V1__ApiKey *row)
{
    secauth__v1__api_key__init(row);
    row->created_ms = key->created_ms;
    row->expires_ms = key->expires_ms;
    return rpc_put_text(call, key->id, &row->key_id) && rpc_put_text(call, key->client_id, &row->client_id) &&
           rpc_put_text(call, key->label, &row->label) && put_audiences(call, key, row) &&
           rpc_put_secrets(call, key->secrets, key->secret_count, &row->secrets, &row->n_secrets);
}

/* ---- CreateApiKey ---- */

static const struct sa_client_audience *
find_audience(const struct sa_client *client, const char *name)
{
    for (unsigned i = 0; i < client->audience_count; i++)
        if (strcmp(client->audiences[i].audience, name) == 0)
            return &client->audiences[i];
    return NULL;
}

/* One of the client's, with scopes that the client has there. */
static enum sa_status
read_audience(struct sa_call *call, const Secauth__V1__ApiKeyAudience *from, const struct sa_client *client,
              struct sa_api_key *key)
{
    struct sa_api_key_audience *audience = &key->audiences[key->audience_count];
    const struct sa_client_audience *registered = find_audience(client, from->audience);
    struct sa_bytes scope;

    if (registered == NULL)
        return rpc_refuse_in(call, "audiences", "audience", "one that is registered for the client");
    for (unsigned i = 0; i < key->audience_count; i++)
        if (strcmp(key->audiences[i].audience, from->audience) == 0)
            return sa_call_refuse(call, "audiences", "each audience once");
    enum sa_status status =
        rpc_read_scopes(call, "audiences", from->scopes, from->n_scopes, audience->scopes);
    if (status != SA_OK)
        return status;
    for (const char *at = audience->scopes; sa_scope_next(&at, &scope);)
        if (!sa_scope_has(registered->scopes, scope))
            return rpc_refuse_in(call, "audiences", "scopes", "scopes that are registered for the client");
    snprintf(audience->audience, sizeof(audience->audience), "%s", from->audience);
    key->audience_count++;
    return SA_OK;
}

static enum sa_status
read_key(struct sa_call *call, const Secauth__V1__CreateApiKeyRequest *request,
         const struct sa_client *client, struct sa_api_key *key)
{
    if (client->kind != SA_CLIENT_CONFIDENTIAL || client->certificate_count > 0)
        return sa_call_refuse(call, "client_id", "a confidential client that is not known by certificates");
    if (strlen(request->label) > SA_API_KEY_LABEL_MAX)
        return sa_call_refuse(call, "label", "at most 64 bytes");
    if (request->expires_ms != 0 && request->expires_ms <= call->now.wall_ms)
        return sa_call_refuse(call, "expires_ms", "a time in the future, or 0");
    if (request->n_audiences == 0 || request->n_audiences > SA_API_KEY_AUDIENCES)
        return sa_call_refuse(call, "audiences", "1 to 8 audiences");
    snprintf(key->client_id, sizeof(key->client_id), "%s", client->id);
    snprintf(key->label, sizeof(key->label), "%s", request->label);
    key->created_ms = call->now.wall_ms;
    key->expires_ms = request->expires_ms;
    for (size_t i = 0; i < request->n_audiences; i++) {
        enum sa_status status = read_audience(call, request->audiences[i], client, key);
        if (status != SA_OK)
            return status;
    }
    return SA_OK;
}

enum sa_status
rpc_api_key_create(struct sa_call *call, const Secauth__V1__CreateApiKeyRequest *request,
                   Secauth__V1__CreateApiKeyResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_API_KEY_CREATE, SA_OUTCOME_GRANTED, NULL);
    struct sa_api_key key = {.secret_count = 1};
    char text[SA_API_KEY_LEN + 1];
    SA_OWN(sa_client) client = NULL;

    if (!sa_name_is_client_id(sa_bytes_of(request->client_id)))
        return sa_call_refuse(call, "client_id", SA_RULE_CLIENT_ID);
    enum sa_status status =
        sa_store_client_by_id(call->authority->store, sa_bytes_of(request->client_id), &client);
    if (status == SA_OK)
        status = read_key(call, request, client, &key);
    if (status != SA_OK)
        return status;
    sa_random_id(key.id);
    key.secrets[0].created_ms = call->now.wall_ms;
    sa_api_key_make(call->authority->keyring, key.id, text, key.secrets[0].mac);
    reply->api_key = sa_arena_alloc(call->arena, sizeof(*reply->api_key));
    bool put = reply->api_key != NULL && put_key(call, &key, reply->api_key) &&
               rpc_put_bytes(call, sa_bytes(text, SA_API_KEY_LEN), &reply->secret);
    sa_wipe(text, sizeof(text));
    if (!put)
        return SA_NO_MEMORY;
    record.client_id = key.client_id;
    record.detail = rpc_detail(call, "key=%s", key.id);
    status = sa_store_api_key_create(call->authority->store, &key, &record);
    return status == SA_TOO_LARGE ? sa_call_refuse(call, "client_id", "at most 64 keys a client") : status;
}

/* ---- ListApiKeys ---- */

static enum sa_status
put_page(struct sa_call *call, const struct sa_api_key *keys, unsigned count, bool more,
         Secauth__V1__ListApiKeysResponse *reply)
{
    Secauth__V1__ApiKey *rows = sa_arena_alloc(call->arena, count * sizeof(*rows));
    struct rpc_page page = {0};

    reply->api_keys = sa_arena_alloc(call->arena, count * sizeof(*reply->api_keys));
    if (rows == NULL || reply->api_keys == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        if (!put_key(call, &keys[i], &rows[i]))
            return SA_NO_MEMORY;
        if (!rpc_page_take(&page, &rows[i].base))
            break;
        reply->api_keys[reply->n_api_keys++] = &rows[i];
    }
    bool cut = more || reply->n_api_keys < count;
    if (cut && reply->n_api_keys > 0 &&
        !rpc_put_text(call, keys[reply->n_api_keys - 1].id, &reply->next_page_token))
        return SA_NO_MEMORY;
    return SA_OK;
}

enum sa_status
rpc_api_key_list(struct sa_call *call, const Secauth__V1__ListApiKeysRequest *request,
                 Secauth__V1__ListApiKeysResponse *reply)
{
    struct sa_api_key *keys;
    unsigned count;
    bool more;

    if (request->client_id[0] != '\0' && !sa_name_is_client_id(sa_bytes_of(request->client_id)))
        return sa_call_refuse(call, "client_id", SA_RULE_CLIENT_ID);
    if (request->page_size > KEY_PAGE_MAX)
        return sa_call_refuse(call, "page_size", "1 to 100, or 0 for 100");
    if (request->page_token[0] != '\0' && !sa_name_is_id(sa_bytes_of(request->page_token)))
        return sa_call_refuse(call, "page_token", "where the last page ended");
    sa_secret_uses_write(call->authority->uses, call->authority->store, call->now, true);
    enum sa_status status =
        sa_store_api_key_list(call->authority->store, request->client_id, request->page_token,
                              rpc_page_size(request->page_size), &keys, &count, &more);
    if (status != SA_OK)
        return status;
    status = put_page(call, keys, count, more, reply);
    free(keys);
    return status;
}

/* ---- RotateApiKey, EndApiKeyOverlap, RevokeApiKey ---- */

/* The key, and a record that says whose it is. */
static enum sa_status
find_key(struct sa_call *call, const char *id, struct sa_api_key *ret_key, struct sa_audit *record)
{
    enum sa_status status = check_id(call, id);

    if (status == SA_OK)
        status = sa_store_api_key_by_id(call->authority->store, id, ret_key);
    record->client_id = ret_key->client_id;
    record->detail = rpc_detail(call, "key=%s", id);
    return status;
}

enum sa_status
rpc_api_key_rotate(struct sa_call *call, const Secauth__V1__RotateApiKeyRequest *request,
                   Secauth__V1__RotateApiKeyResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SECRET_ROTATE, SA_OUTCOME_GRANTED, NULL);
    struct sa_client_secret secret = {.created_ms = call->now.wall_ms};
    struct sa_api_key key = {.client_id = ""};
    char text[SA_API_KEY_LEN + 1];
    int64_t until_ms = 0;

    enum sa_status status = rpc_read_overlap(call, request->overlap, &until_ms);
    if (status == SA_OK)
        status = find_key(call, request->key_id, &key, &record);
    if (status != SA_OK)
        return status;
    sa_api_key_make(call->authority->keyring, key.id, text, secret.mac);
    bool put = rpc_put_bytes(call, sa_bytes(text, SA_API_KEY_LEN), &reply->secret);
    sa_wipe(text, sizeof(text));
    if (!put)
        return SA_NO_MEMORY;
    reply->old_expires_ms = rpc_end_of_old(key.secrets, key.secret_count, call->now.wall_ms, until_ms);
    record.detail = rpc_detail(call, "key=%s %s", key.id, rpc_overlap_detail(call, until_ms));
    return sa_store_api_key_rotate(call->authority->store, key.id, &secret, until_ms, &record);
}

enum sa_status
rpc_api_key_end_overlap(struct sa_call *call, const Secauth__V1__EndApiKeyOverlapRequest *request,
                        Secauth__V1__EndApiKeyOverlapResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SECRET_END, SA_OUTCOME_GRANTED, NULL);
    struct sa_api_key key = {.client_id = ""};
    enum sa_status status = find_key(call, request->key_id, &key, &record);

    if (status == SA_OK)
        status = sa_store_api_key_end_secrets(call->authority->store, key.id, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}

enum sa_status
rpc_api_key_revoke(struct sa_call *call, const Secauth__V1__RevokeApiKeyRequest *request,
                   Secauth__V1__RevokeApiKeyResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_API_KEY_REVOKE, SA_OUTCOME_GRANTED, NULL);
    struct sa_api_key key = {.client_id = ""};
    enum sa_status status = find_key(call, request->key_id, &key, &record);

    if (status == SA_OK)
        status = sa_store_api_key_revoke(call->authority->store, key.id, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
