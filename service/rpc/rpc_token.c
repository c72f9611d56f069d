/* TokenService/IssueToken: client_credentials (RFC 6749 section 4.4). */
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/token.h"
#include "service/rpc/grant.h"

enum sa_status
rpc_token_issue(struct sa_call *call, const Secauth__V1__IssueTokenRequest *request,
                Secauth__V1__IssueTokenResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_TOKEN_ISSUE, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_client) client = NULL;
    struct sa_scope_request wanted;
    struct sa_granted granted;
    struct sa_binding binding;

    enum sa_status status = rpc_read_tokens(call, request->tokens, &wanted);
    if (status == SA_OK)
        status = rpc_authenticate_client(call, request->client, &client, &binding);
    if (status != SA_OK)
        return status;
    record.client_id = request->client->client_id;
    if (client->kind != SA_CLIENT_CONFIDENTIAL || !sa_client_may(client, SA_GRANT_CLIENT_CREDENTIALS)) {
        rpc_count_unproven(call, client);
        return rpc_grant_refuse(call, &record, SA_UNAUTHORIZED_CLIENT);
    }
    status = sa_scope_grant(client, NULL, &wanted, &granted);
    if (status != SA_OK)
        return rpc_grant_refuse(call, &record, status);
    struct sa_token_subject subject = {
        .client = client, .ttl_s = sa_token_ttl(call->authority, client), .binding = &binding};
    status = rpc_grant_prepare(call, &subject, &granted, &record, &reply->grant);
    if (status != SA_OK)
        return status;
    struct sa_grant grant = {.client_row = client->row, .session_id = "", .subject_client = ""};
    return rpc_grant_commit(call, &grant, &record);
}
