/* SigningKeyService. */
#include "service/auth/inside.h"
#include "service/auth/signing.h"
#include "service/rpc/shared.h"

static Secauth__V1__SigningKeyState
state_of(const struct sa_key_row *times, int64_t now_ms)
{
    if (now_ms < times->active_ms)
        return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_PREPARED;
    if (times->retire_ms == 0 || now_ms < times->retire_ms)
        return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_ACTIVE;
    return SECAUTH__V1__SIGNING_KEY_STATE__SIGNING_KEY_STATE_RETIRED;
}

static bool
put_key(struct sa_call *call, const struct sa_signing_key *key, const struct sa_key_row *times,
        Secauth__V1__SigningKey *row)
{
    secauth__v1__signing_key__init(row);
    row->state = state_of(times, call->now.wall_ms);
    row->created_ms = times->created_ms;
    row->active_ms = times->active_ms;
    row->retire_ms = times->retire_ms;
    return rpc_put_text(call, times->kid, &row->kid) && rpc_put_text(call, "ES256", &row->alg) &&
           rpc_put_bytes(call, sa_bytes_of(sa_signing_key_pem(key)), &row->public_pem);
}

enum sa_status
rpc_signing_key_list(struct sa_call *call, SA_UNUSED const Secauth__V1__ListSigningKeysRequest *request,
                     Secauth__V1__ListSigningKeysResponse *reply)
{
    Secauth__V1__SigningKey *rows = sa_arena_alloc(call->arena, SA_SIGNING_KEYS_MAX * sizeof(*rows));
    const struct sa_signing_key *key;
    const struct sa_key_row *times;
    unsigned count = 0;

    reply->keys = sa_arena_alloc(call->arena, SA_SIGNING_KEYS_MAX * sizeof(*reply->keys));
    if (rows == NULL || reply->keys == NULL)
        return SA_NO_MEMORY;
    while ((key = sa_signing_at(call->authority, count, &times)) != NULL) {
        if (!put_key(call, key, times, &rows[count]))
            return SA_NO_MEMORY;
        reply->keys[count] = &rows[count];
        count++;
    }
    reply->n_keys = count;
    return SA_OK;
}
