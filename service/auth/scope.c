#include "service/auth/scope.h"

bool
sa_scope_next(const char **at, struct sa_bytes *ret_scope)
{
    *at += strspn(*at, " ");
    size_t len = strcspn(*at, " ");
    if (len == 0)
        return false;
    *ret_scope = sa_bytes(*at, len);
    *at += len;
    return true;
}

bool
sa_scope_has(const char *list, struct sa_bytes scope)
{
    struct sa_bytes item;

    while (sa_scope_next(&list, &item))
        if (sa_bytes_equal(item, scope))
            return true;
    return false;
}

static bool
names_nothing(const char *list)
{
    return list[strspn(list, " ")] == '\0';
}

const struct sa_client_audience *
sa_scope_audience(const struct sa_client *client, const char *name)
{
    for (unsigned i = 0; i < client->audience_count; i++)
        if (strcmp(client->audiences[i].audience, name) == 0)
            return &client->audiences[i];
    return NULL;
}

static bool
is_member(const struct sa_user *user, const char *group)
{
    for (unsigned i = 0; user != NULL && i < user->group_count; i++)
        if (strcmp(user->groups[i], group) == 0)
            return true;
    return false;
}

static bool
has_audience(const struct sa_granted *granted, const char *name)
{
    for (unsigned i = 0; i < granted->aud_count; i++)
        if (strcmp(granted->aud[i], name) == 0)
            return true;
    return false;
}

bool
sa_granted_add_audience(struct sa_granted *granted, const char *name)
{
    if (has_audience(granted, name))
        return true;
    if (granted->aud_count == SA_JWT_AUDIENCES || strlen(name) > SA_JWT_AUDIENCE_MAX)
        return false;
    strcpy(granted->aud[granted->aud_count++], name);
    return true;
}

bool
sa_granted_add_scope(struct sa_granted *granted, struct sa_bytes scope)
{
    size_t len = strlen(granted->scope);
    size_t space = len > 0;

    if (sa_scope_has(granted->scope, scope))
        return true;
    if (len + space + scope.len > SA_SCOPE_LIST_MAX)
        return false;
    if (space > 0)
        granted->scope[len] = ' ';
    memcpy(granted->scope + len + space, scope.data, scope.len);
    granted->scope[len + space + scope.len] = '\0';
    return true;
}

/*
 * The scopes of the audiences in `granted`, in their registered order, as far as `wanted` and `within`
 * name them.
 */
static enum sa_status
collect(const struct sa_client *client, const char *wanted, const char *within, struct sa_granted *granted)
{
    bool all = names_nothing(wanted);
    struct sa_bytes scope;

    for (unsigned i = 0; i < client->audience_count; i++) {
        const char *at = client->audiences[i].scopes;
        if (!has_audience(granted, client->audiences[i].audience))
            continue;
        while (sa_scope_next(&at, &scope))
            if ((all || sa_scope_has(wanted, scope)) && (within == NULL || sa_scope_has(within, scope)) &&
                !sa_granted_add_scope(granted, scope))
                return SA_INVALID_SCOPE;
    }
    while (sa_scope_next(&wanted, &scope)) /* an unknown one is an error, never silently dropped */
        if (!sa_scope_has(granted->scope, scope))
            return SA_INVALID_SCOPE;
    return SA_OK;
}

enum sa_status
sa_scope_grant(const struct sa_client *client, const struct sa_user *groups,
               const struct sa_scope_request *request, struct sa_granted *ret_granted)
{
    struct sa_granted granted = {0};

    if (request->audience_count == 0)
        return SA_INVALID_TARGET;
    for (size_t i = 0; i < request->audience_count; i++) {
        const struct sa_client_audience *audience = sa_scope_audience(client, request->audiences[i]);
        if (audience == NULL || (audience->group[0] != '\0' && !is_member(groups, audience->group)) ||
            !sa_granted_add_audience(&granted, audience->audience))
            return SA_INVALID_TARGET;
    }
    enum sa_status status = collect(client, request->scope, NULL, &granted);
    if (status == SA_OK)
        *ret_granted = granted;
    return status;
}

/*
 * What a session was granted and its client may still ask for; an audience that was taken away is simply
 * gone.
 */
static void
all_that_is_left(const struct sa_client *client, const struct sa_session *session, struct sa_granted *granted)
{
    for (unsigned i = 0; i < session->aud_count; i++)
        if (sa_scope_audience(client, session->aud[i]) != NULL &&
            !sa_granted_add_audience(granted, session->aud[i]))
            return; /* a session has no more than fit */
}

enum sa_status
sa_scope_narrow(const struct sa_client *client, const struct sa_session *session,
                const struct sa_scope_request *request, struct sa_granted *ret_granted)
{
    struct sa_granted left = {0};
    struct sa_granted granted = {0};

    all_that_is_left(client, session, &left);
    for (size_t i = 0; i < request->audience_count; i++)
        if (!has_audience(&left, request->audiences[i]) ||
            !sa_granted_add_audience(&granted, request->audiences[i]))
            return SA_INVALID_TARGET;
    if (request->audience_count == 0)
        granted = left;
    if (granted.aud_count == 0)
        return SA_INVALID_TARGET;
    enum sa_status status = collect(client, request->scope, session->scope, &granted);
    if (status == SA_OK)
        *ret_granted = granted;
    return status;
}
