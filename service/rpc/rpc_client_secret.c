/* ClientService: the secrets of a client, and their overlap. */
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/rpc/client_message.h"

#define OVERLAP_MAX     2592000u
#define OVERLAP_DEFAULT 86400u

enum sa_status
rpc_read_overlap(struct sa_call *call, const Secauth__V1__Seconds *overlap, int64_t *ret_until_ms)
{
    uint32_t seconds = overlap == NULL ? OVERLAP_DEFAULT : overlap->value;

    if (seconds > OVERLAP_MAX)
        return sa_call_refuse(call, "overlap", "0 to 2,592,000 seconds");
    *ret_until_ms = call->now.wall_ms + (int64_t)seconds * 1000;
    return SA_OK;
}

const char *
rpc_overlap_detail(struct sa_call *call, int64_t until_ms)
{
    return until_ms > call->now.wall_ms ? rpc_detail(call, "old_until=%lld", (long long)(until_ms / 1000))
                                        : "old_until=now";
}

static enum sa_status
check_client(struct sa_call *call, const char *id, struct sa_client **ret_client)
{
    if (!sa_name_is_client_id(sa_bytes_of(id)))
        return sa_call_refuse(call, "client_id", SA_RULE_CLIENT_ID);
    return sa_store_client_by_id(call->authority->store, sa_bytes_of(id), ret_client);
}

int64_t
rpc_end_of_old(const struct sa_client_secret *newest, unsigned count, int64_t now_ms, int64_t until_ms)
{
    if (count == 0 || until_ms <= now_ms)
        return 0;
    if (newest->expires_ms != 0 && newest->expires_ms < until_ms)
        until_ms = newest->expires_ms;
    return until_ms > now_ms ? until_ms : 0;
}

enum sa_status
rpc_client_rotate_secret(struct sa_call *call, const Secauth__V1__RotateClientSecretRequest *request,
                         Secauth__V1__RotateClientSecretResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SECRET_ROTATE, SA_OUTCOME_GRANTED, NULL);
    struct sa_client_secret secret = {.created_ms = call->now.wall_ms};
    char text[SA_CLIENT_SECRET_LEN + 1];
    SA_OWN(sa_client) client = NULL;
    int64_t until_ms = 0;

    enum sa_status status = rpc_read_overlap(call, request->overlap, &until_ms);
    if (status == SA_OK)
        status = check_client(call, request->client_id, &client);
    if (status != SA_OK)
        return status;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || client->certificate_count > 0)
        return sa_call_refuse(call, "client_id", "a confidential client that is not known by certificates");
    sa_client_secret_make(call->authority->keyring, text, secret.mac);
    bool put = rpc_put_bytes(call, sa_bytes_of(text), &reply->secret);
    sa_wipe(text, sizeof(text));
    if (!put)
        return SA_NO_MEMORY;
    reply->old_expires_ms =
        rpc_end_of_old(client->secrets, client->secret_count, call->now.wall_ms, until_ms);
    record.client_id = client->id;
    record.detail = rpc_overlap_detail(call, until_ms);
    return sa_store_client_rotate_secret(call->authority->store, client->id, &secret, until_ms, &record);
}

enum sa_status
rpc_client_end_secret_overlap(struct sa_call *call, const Secauth__V1__EndClientSecretOverlapRequest *request,
                              Secauth__V1__EndClientSecretOverlapResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SECRET_END, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) client = NULL;
    enum sa_status status = check_client(call, request->client_id, &client);

    if (status != SA_OK)
        return status;
    if (client->kind != SA_CLIENT_CONFIDENTIAL)
        return sa_call_refuse(call, "client_id", "a confidential client");
    record.client_id = client->id;
    status = sa_store_client_end_secrets(call->authority->store, client->id, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
