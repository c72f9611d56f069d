/* UserService/ExportUser: the hash leaves the daemon, so root asks, on its own socket, and it is recorded. */
#include "service/auth/inside.h"
#include "service/auth/shadow.h"
#include "service/rpc/user_message.h"

enum sa_status
rpc_user_export(struct sa_call *call, const Secauth__V1__ExportUserRequest *request,
                Secauth__V1__ExportUserResponse *reply)
{
    SA_OWN(sa_user) user = NULL;
    char line[SA_SHADOW_LINE_MAX + 1];
    struct sa_audit record;

    enum sa_status status = rpc_begin_user_change(call, SA_EVENT_USER_EXPORT, request->name, &user, &record);
    if (status == SA_OK)
        status = sa_store_audit(call->authority->store, &record);
    if (status != SA_OK)
        return status;
    sa_shadow_format(user, line);
    status = rpc_put_bytes(call, sa_bytes_of(line), &reply->shadow_line) ? SA_OK : SA_NO_MEMORY;
    sa_wipe(line, sizeof(line));
    return status;
}
