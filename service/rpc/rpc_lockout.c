#include "service/rpc/shared.h"

enum sa_status
rpc_lockout_list(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__ListLockoutsRequest *request,
                 SA_UNUSED Secauth__V1__ListLockoutsResponse *reply)
{
    return SA_UNIMPLEMENTED;
}

enum sa_status
rpc_lockout_get(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__GetLockoutRequest *request,
                SA_UNUSED Secauth__V1__GetLockoutResponse *reply)
{
    return SA_UNIMPLEMENTED;
}

enum sa_status
rpc_lockout_clear(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__ClearLockoutRequest *request,
                  SA_UNUSED Secauth__V1__ClearLockoutResponse *reply)
{
    return SA_UNIMPLEMENTED;
}
