#include <stdio.h>

#include "client/ctl.h"
#include "secauth/v1/host.pb-c.h"

enum sa_ctl_exit
sa_ctl_master_key_rotate(struct sa_ctl *ctl)
{
    Secauth__V1__RotateMasterKeyRequest request = SECAUTH__V1__ROTATE_MASTER_KEY_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, &secauth__v1__host_service__descriptor, "RotateMasterKey", &request.base,
                             &reply);
    if (result == SA_CTL_EXISTS)
        sa_ctl_complain("a rotation is under way; `secauthctl status` says how far it is");
    if (result != SA_CTL_OK)
        return result;
    if (ctl->json)
        return sa_ctl_print_json(reply);
    printf("master key %" JSON_INTEGER_FORMAT " seals now",
           json_integer_value(json_object_get(reply, "master_key")));
    if (json_is_true(json_object_get(reply, "rotates")))
        printf("; %" JSON_INTEGER_FORMAT
               " values are still to be sealed with it, which goes on by itself: `secauthctl "
               "status` says how far it is\n",
               json_integer_value(json_object_get(reply, "to_reseal")));
    else
        printf(", and all %" JSON_INTEGER_FORMAT " values are sealed with it; the one before is gone\n",
               json_integer_value(json_object_get(reply, "resealed")));
    return SA_CTL_OK;
}
