#include "service/rpc/shared.h"

enum sa_status
rpc_user_export(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__ExportUserRequest *request,
                SA_UNUSED Secauth__V1__ExportUserResponse *reply)
{
    return SA_UNIMPLEMENTED;
}
