/* KeyService. */
#include "service/auth/inside.h"
#include "service/auth/signing.h"
#include "service/rpc/shared.h"

enum sa_status
rpc_key_get_set(struct sa_call *call, SA_UNUSED const Secauth__V1__GetKeySetRequest *request,
                Secauth__V1__GetKeySetResponse *reply)
{
    SA_OWN(sa_signing_set) set = sa_signing_hold(call->authority);

    if (!rpc_put_bytes(call, sa_bytes_of(set->jwks), &reply->jwks) ||
        !rpc_put_text(call, set->etag, &reply->etag))
        return SA_NO_MEMORY;
    reply->max_age_seconds = (uint32_t)call->authority->conf->token_key_max_age;
    return SA_OK;
}
