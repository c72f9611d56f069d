#include "service/rpc/shared.h"

enum sa_status
rpc_user_update(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__UpdateUserRequest *request,
                SA_UNUSED Secauth__V1__UpdateUserResponse *reply)
{
    return SA_UNIMPLEMENTED;
}
