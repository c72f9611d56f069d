/* HostService: the gateways, and the end of what one has made. */
#include <stdlib.h>

#include "service/auth/inside.h"
#include "service/rpc/shared.h"
#include "service/store/store_gateway.h"

#define NAME_RULE "1 to 32 bytes of a-z, 0-9, `_` and `-`"

static bool
is_word_of(const struct sa_conf_words *words, const char *name)
{
    for (unsigned i = 0; i < words->count; i++)
        if (strcmp(words->word[i], name) == 0)
            return true;
    return false;
}

static enum sa_status
put_rows(struct sa_call *call, const struct sa_gateway_row *from, unsigned count,
         Secauth__V1__ListGatewaysResponse *reply)
{
    const struct sa_conf *conf = call->authority->conf;
    Secauth__V1__Gateway *rows = sa_arena_alloc(call->arena, count * sizeof(*rows));

    reply->gateways = sa_arena_alloc(call->arena, count * sizeof(*reply->gateways));
    if (rows == NULL || reply->gateways == NULL)
        return SA_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        secauth__v1__gateway__init(&rows[i]);
        rows[i].number = from[i].number;
        rows[i].sessions = from[i].sessions;
        rows[i].served = is_word_of(&conf->gateway_local, from[i].name) ||
                         is_word_of(&conf->gateway_network, from[i].name);
        if (!rpc_put_text(call, from[i].name, &rows[i].name))
            return SA_NO_MEMORY;
        reply->gateways[i] = &rows[i];
    }
    reply->n_gateways = count;
    return SA_OK;
}

enum sa_status
rpc_host_list_gateways(struct sa_call *call, SA_UNUSED const Secauth__V1__ListGatewaysRequest *request,
                       Secauth__V1__ListGatewaysResponse *reply)
{
    struct sa_gateway_row *rows;
    unsigned count;

    enum sa_status status = sa_store_gateway_list(call->authority->store, call->now.wall_ms, &rows, &count);
    if (status != SA_OK)
        return status;
    status = put_rows(call, rows, count, reply);
    free(rows);
    return status;
}

enum sa_status
rpc_host_revoke_gateway(struct sa_call *call, const Secauth__V1__RevokeGatewayRequest *request,
                        Secauth__V1__RevokeGatewayResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_GATEWAY_REVOKE, SA_OUTCOME_GRANTED, NULL);
    size_t len = strlen(request->name);

    if (len == 0 || len > SA_CONF_WORD_MAX ||
        strspn(request->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
        return sa_call_refuse(call, "name", NAME_RULE);
    if (request->since_ms < 0 || request->since_ms > call->now.wall_ms)
        return sa_call_refuse(call, "since_ms", "0, or a moment that is not in the future");
    enum sa_status status = sa_store_gateway_revoke(call->authority->store, request->name, request->since_ms,
                                                    &record, &reply->sessions);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
