/* SigningKeyService. */
#include "service/auth/inside.h"
#include "service/auth/key_life.h"
#include "service/auth/key_plan.h"
#include "service/auth/names.h"
#include "service/auth/signing.h"
#include "service/rpc/shared.h"

static Secauth__V1__SigningKeyState
state_of(const struct sa_signing_set *set, unsigned row, int64_t now_ms)
{
    switch (sa_key_state(set->rows, set->count, row, now_ms)) {
    case SA_KEY_PREPARED:
        return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_PREPARED;
    case SA_KEY_ACTIVE:
        return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_ACTIVE;
    case SA_KEY_RETIRED:
        return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_RETIRED;
    }
    return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_UNSPECIFIED;
}

static bool
put_key(struct sa_call *call, const struct sa_signing_set *set, unsigned i, Secauth__V1__SigningKey *row)
{
    const struct sa_key_row *times = &set->rows[i];

    secauth__v1__signing_key__init(row);
    row->state = state_of(set, i, call->now.wall_ms);
    row->created_ms = times->created_ms;
    row->active_ms = times->active_ms;
    row->retire_ms = times->retire_ms;
    return rpc_put_text(call, times->kid, &row->kid) &&
           rpc_put_text(call, sa_key_alg_name(times->alg), &row->alg) &&
           rpc_put_bytes(call, sa_bytes_of(sa_signing_key_pem(set->keys[i])), &row->public_pem);
}

enum sa_status
rpc_signing_key_list(struct sa_call *call, SA_UNUSED const Secauth__V1__ListSigningKeysRequest *request,
                     Secauth__V1__ListSigningKeysResponse *reply)
{
    SA_OWN(sa_signing_set) set = sa_signing_hold(call->authority);
    Secauth__V1__SigningKey *rows = sa_arena_alloc(call->arena, set->count * sizeof(*rows));

    reply->keys = sa_arena_alloc(call->arena, set->count * sizeof(*reply->keys));
    if (rows == NULL || reply->keys == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < set->count; i++) {
        if (!put_key(call, set, i, &rows[i]))
            return SA_NO_MEMORY;
        reply->keys[i] = &rows[i];
    }
    reply->n_keys = set->count;
    return SA_OK;
}

enum sa_status
rpc_signing_key_rotate(struct sa_call *call, const Secauth__V1__RotateSigningKeyRequest *request,
                       Secauth__V1__RotateSigningKeyResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_KEY_ROTATE, SA_OUTCOME_GRANTED, NULL);
    struct sa_keys_rotated rotated;

    enum sa_status status =
        sa_keys_rotate(call->authority, request->force, call->now.wall_ms, &record, &rotated);
    if (status != SA_OK)
        return status;
    reply->rotated = rotated.rotated;
    reply->ready_ms = rotated.ready_ms;
    return rpc_put_text(call, rotated.kid, &reply->kid) ? SA_OK : SA_NO_MEMORY;
}

enum sa_status
rpc_signing_key_revoke(struct sa_call *call, const Secauth__V1__RevokeSigningKeyRequest *request,
                       Secauth__V1__RevokeSigningKeyResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_KEY_REVOKE, SA_OUTCOME_GRANTED, NULL);
    char signer[SA_KID_LEN + 1];

    if (!sa_name_is_kid(sa_bytes_of(request->kid)))
        return sa_call_refuse(call, "kid", SA_RULE_KID);
    enum sa_status status = sa_keys_revoke(call->authority, request->kid, call->now.wall_ms, &record, signer);
    if (status != SA_OK)
        return status;
    reply->accepted = true;
    return rpc_put_text(call, signer, &reply->signing_kid) ? SA_OK : SA_NO_MEMORY;
}
