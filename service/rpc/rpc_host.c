/* HostService: the daemon itself. */
#include "service/auth/inside.h"
#include "service/rpc/shared.h"

#define RESEAL_MS 300u /* what is small is done with the answer; the tick does the rest */

static enum sa_status
put_lanes(struct sa_call *call, const struct sa_dispatch_status *status,
          Secauth__V1__GetStatusResponse *reply)
{
    Secauth__V1__LaneStatus *lanes = sa_arena_alloc(call->arena, SA_LANES * sizeof(*lanes));

    reply->lanes = sa_arena_alloc(call->arena, SA_LANES * sizeof(*reply->lanes));
    if (lanes == NULL || reply->lanes == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < SA_LANES; i++) {
        const struct sa_lane_status *lane = &status->lanes[i];
        secauth__v1__lane_status__init(&lanes[i]);
        if (!rpc_put_text(call, lane->name, &lanes[i].name))
            return SA_NO_MEMORY;
        lanes[i].threads = lane->threads;
        lanes[i].queued = lane->queued;
        lanes[i].capacity = lane->capacity;
        lanes[i].refused = lane->refused;
        reply->lanes[i] = &lanes[i];
    }
    reply->n_lanes = SA_LANES;
    return SA_OK;
}

/* Who is neither root nor an administrator learns the version, and nothing else. */
enum sa_status
rpc_host_get_status(struct sa_call *call, SA_UNUSED const Secauth__V1__GetStatusRequest *request,
                    Secauth__V1__GetStatusResponse *reply)
{
    struct sa_dispatch_status front;
    struct sa_store_stats store;

    if (!rpc_put_text(call, SA_VERSION, &reply->version))
        return SA_NO_MEMORY;
    if (!call->caller.administrator)
        return SA_OK;
    enum sa_status status = sa_store_stats(call->authority->store, call->now.wall_ms, &store);
    if (status != SA_OK)
        return status;
    sa_dispatch_status(call->dispatch, &front);
    reply->started_ms = front.started_ms;
    reply->calls = front.calls;
    reply->malformed = front.malformed;
    reply->writable = store.writable;
    reply->schema_version = store.schema_version;
    reply->audit_sequence = store.audit_sequence;
    reply->users = store.users;
    reply->clients = store.clients;
    reply->sessions = store.sessions;
    reply->master_key = store.master_key.number;
    reply->rotates = store.master_key.rotates;
    reply->resealed = store.master_key.resealed;
    reply->to_reseal = store.master_key.left;
    if (!rpc_put_text(call, sa_disk_name(store.disk), &reply->disk) ||
        !rpc_put_text(call, call->authority->conf->token_issuer, &reply->issuer) ||
        !rpc_put_text(call, call->authority->last_good, &reply->last_good))
        return SA_NO_MEMORY;
    return put_lanes(call, &front, reply);
}

enum sa_status
rpc_host_rotate_master_key(struct sa_call *call, SA_UNUSED const Secauth__V1__RotateMasterKeyRequest *request,
                           Secauth__V1__RotateMasterKeyResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_MASTER_KEY_ROTATE, SA_OUTCOME_GRANTED, NULL);
    struct sa_store *store = call->authority->store;

    enum sa_status status = sa_store_master_rotate(store, &record);
    if (status != SA_OK)
        return status;
    sa_store_master_tick(store, RESEAL_MS);
    struct sa_master_state state = sa_store_master_state(store);
    reply->master_key = state.number;
    reply->rotates = state.rotates;
    reply->resealed = state.resealed;
    reply->to_reseal = state.left;
    return SA_OK;
}
