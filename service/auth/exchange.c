#include "service/auth/exchange.h"

#include "service/auth/client.h"
#include "service/auth/token.h"

static bool
is_meant_for(const struct sa_claims *subject, const char *audience)
{
    for (unsigned i = 0; i < subject->aud_count; i++)
        if (strcmp(subject->aud[i], audience) == 0)
            return true;
    return false;
}

/* The scopes of one row, in their order. False where they do not fit. */
static bool
collect(const char *scopes, const struct sa_claims *subject, const char *wanted, struct sa_granted *granted)
{
    bool all = wanted[strspn(wanted, " ")] == '\0';
    struct sa_bytes scope;

    while (sa_scope_next(&scopes, &scope))
        if ((all || sa_scope_has(wanted, scope)) && sa_scope_has(subject->scope, scope) &&
            !sa_granted_add_scope(granted, scope))
            return false;
    return true;
}

enum sa_status
sa_exchange_grant(const struct sa_client *client, const struct sa_claims *subject,
                  const struct sa_scope_request *request, struct sa_granted *ret_granted)
{
    struct sa_granted granted = {0};
    const char *wanted = request->scope;
    struct sa_bytes scope;
    bool has_scopes = false;

    if (request->audience_count != 1)
        return SA_INVALID_TARGET;
    if (!sa_token_is_for(subject, client) || subject->act_count >= SA_JWT_ACTORS)
        return SA_INVALID_GRANT;
    for (unsigned i = 0; i < client->exchange_count; i++) {
        const struct sa_client_exchange *row = &client->exchanges[i];
        if (strcmp(row->to, request->audiences[0]) != 0 || !sa_client_owns(client, row->from) ||
            !is_meant_for(subject, row->from))
            continue;
        if (!sa_granted_add_audience(&granted, row->to))
            return SA_INVALID_TARGET;
        has_scopes |= row->scopes[0] != '\0';
        if (!collect(row->scopes, subject, request->scope, &granted))
            return SA_INVALID_SCOPE;
    }
    if (granted.aud_count == 0)
        return SA_INVALID_TARGET;
    while (sa_scope_next(&wanted, &scope))
        if (!sa_scope_has(granted.scope, scope))
            return SA_INVALID_SCOPE;
    if (has_scopes && granted.scope[0] == '\0')
        return SA_INVALID_SCOPE; /* nothing that the policy meant to pass on is in the token */
    *ret_granted = granted;
    return SA_OK;
}
