#include "service/rpc/shared.h"

enum sa_status
rpc_authn_continue(SA_UNUSED struct sa_call *call,
                   SA_UNUSED const Secauth__V1__ContinueAuthenticationRequest *request,
                   SA_UNUSED Secauth__V1__ContinueAuthenticationResponse *reply)
{
    return SA_UNIMPLEMENTED;
}
