#include "service/rpc/shared.h"

enum sa_status
rpc_host_explain(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__ExplainRequest *request,
                 SA_UNUSED Secauth__V1__ExplainResponse *reply)
{
    return SA_UNIMPLEMENTED;
}
