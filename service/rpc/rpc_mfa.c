#include "service/rpc/shared.h"

enum sa_status
rpc_mfa_enroll_totp(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__EnrollTotpRequest *request,
                    SA_UNUSED Secauth__V1__EnrollTotpResponse *reply)
{
    return SA_UNIMPLEMENTED;
}

enum sa_status
rpc_mfa_confirm_totp(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__ConfirmTotpRequest *request,
                     SA_UNUSED Secauth__V1__ConfirmTotpResponse *reply)
{
    return SA_UNIMPLEMENTED;
}

enum sa_status
rpc_mfa_create_recovery_codes(SA_UNUSED struct sa_call *call,
                              SA_UNUSED const Secauth__V1__CreateRecoveryCodesRequest *request,
                              SA_UNUSED Secauth__V1__CreateRecoveryCodesResponse *reply)
{
    return SA_UNIMPLEMENTED;
}

enum sa_status
rpc_mfa_get(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__GetMfaRequest *request,
            SA_UNUSED Secauth__V1__GetMfaResponse *reply)
{
    return SA_UNIMPLEMENTED;
}

enum sa_status
rpc_mfa_remove(SA_UNUSED struct sa_call *call, SA_UNUSED const Secauth__V1__RemoveMfaRequest *request,
               SA_UNUSED Secauth__V1__RemoveMfaResponse *reply)
{
    return SA_UNIMPLEMENTED;
}
