#include <stdio.h>

#include "client/ctl.h"
#include "secauth/v1/host.pb-c.h"

#define SERVICE &secauth__v1__host_service__descriptor

static const struct sa_ctl_column columns[] = {
    {"GATEWAY", "name", SA_CTL_PLAIN},
    {"NUMBER", "number", SA_CTL_PLAIN},
    {"SERVED", "served", SA_CTL_PLAIN},
    {"SESSIONS", "sessions", SA_CTL_PLAIN},
};

enum sa_ctl_exit
sa_ctl_gateway_list(struct sa_ctl *ctl)
{
    Secauth__V1__ListGatewaysRequest request = SECAUTH__V1__LIST_GATEWAYS_REQUEST__INIT;
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, NULL, 0, NULL, 0);
    if (result == SA_CTL_OK)
        result = sa_ctl_call(ctl, SERVICE, "ListGateways", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    return sa_ctl_print_rows(ctl, json_object_get(reply, "gateways"), columns, SA_COUNT(columns));
}

enum sa_ctl_exit
sa_ctl_gateway_revoke(struct sa_ctl *ctl)
{
    Secauth__V1__RevokeGatewayRequest request = SECAUTH__V1__REVOKE_GATEWAY_REQUEST__INIT;
    char *since = NULL;
    int64_t since_s = 0;
    const struct sa_ctl_option options[] = {{"--since", .text = &since}};
    json_auto_t *reply = NULL;

    enum sa_ctl_exit result = sa_ctl_parse(ctl, options, SA_COUNT(options), &request.name, 1);
    if (result != SA_CTL_OK)
        return result;
    if (since == NULL)
        return sa_ctl_usage(ctl);
    result = sa_ctl_parse_date(since, &since_s);
    if (result != SA_CTL_OK)
        return result;
    request.since_ms = since_s * 1000;
    result = sa_ctl_call(ctl, SERVICE, "RevokeGateway", &request.base, &reply);
    if (result != SA_CTL_OK)
        return result;
    if (ctl->json)
        return sa_ctl_print_json(reply);
    printf("%" JSON_INTEGER_FORMAT " sessions have ended, and every token that came through %s since then\n",
           json_integer_value(json_object_get(reply, "sessions")), request.name);
    return SA_CTL_OK;
}
