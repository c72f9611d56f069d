/* TokenService/IssueToken: client_credentials (RFC 6749 section 4.4). */
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/token.h"
#include "service/rpc/grant.h"

/* The reply is there already; it leaves if, and only if, its record is on the disk. */
static enum sa_status
issued(struct sa_call *call)
{
    return call->committed;
}

static enum sa_status
commit(struct sa_call *call, const struct sa_audit *record)
{
    return sa_call_commit(call, sa_store_audit_work(call->arena, record), issued);
}

enum sa_status
rpc_token_issue(struct sa_call *call, const Secauth__V1__IssueTokenRequest *request,
                Secauth__V1__IssueTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) client = NULL;
    struct sa_scope_request wanted;
    struct sa_granted granted;

    enum sa_status status = rpc_read_tokens(call, request->tokens, &wanted);
    if (status == SA_OK)
        status = rpc_authenticate_client(call, request->client, &client, NULL);
    if (status != SA_OK)
        return status;
    record.client_id = request->client->client_id;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || !sa_client_may(client, SA_GRANT_CLIENT_CREDENTIALS))
        return rpc_grant_refuse(call, &record, SA_UNAUTHORIZED_CLIENT);
    status = sa_scope_grant(client, NULL, &wanted, &granted);
    if (status != SA_OK)
        return rpc_grant_refuse(call, &record, status);
    struct sa_token_subject subject = {client, NULL, sa_token_ttl(call->authority, client)};
    status = rpc_grant_prepare(call, &subject, &granted, &record, &reply->grant);
    return status == SA_OK ? commit(call, &record) : status;
}
