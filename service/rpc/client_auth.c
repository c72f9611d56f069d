/* The client of a request proves itself: one way for every method. */
#include "service/auth/client.h"
#include "service/auth/dpop.h"
#include "service/rpc/shared.h"
#include "service/rpc/table.h"

#define SECRET_RULE "at most 128 bytes"
#define JWT_RULE    "at most 4,096 bytes"

/* What is presented, by name and within its bound. One that is empty counts as absent. */
static enum sa_status
read_method(struct sa_call *call, const Secauth__V1__ClientAuth *auth, struct sa_client_proof *proof)
{
    switch (auth->method_case) {
    case SECAUTH__V1__CLIENT_AUTH__METHOD_SECRET:
        proof->method = SA_CLIENT_BY_SECRET;
        proof->text = rpc_bytes(auth->secret);
        if (proof->text.len > SA_CLIENT_SECRET_MAX)
            return sa_call_refuse(call, "client.secret", SECRET_RULE);
        break;
    case SECAUTH__V1__CLIENT_AUTH__METHOD_API_KEY:
        proof->method = SA_CLIENT_BY_API_KEY;
        proof->text = rpc_bytes(auth->api_key);
        if (proof->text.len > SA_CLIENT_SECRET_MAX)
            return sa_call_refuse(call, "client.api_key", SECRET_RULE);
        break;
    case SECAUTH__V1__CLIENT_AUTH__METHOD_ASSERTION:
        proof->method = SA_CLIENT_BY_ASSERTION;
        proof->text = rpc_bytes(auth->assertion);
        if (proof->text.len > SA_CLIENT_ASSERTION_MAX)
            return sa_call_refuse(call, "client.assertion", JWT_RULE);
        break;
    case SECAUTH__V1__CLIENT_AUTH__METHOD_CERTIFICATE:
        proof->method = SA_CLIENT_BY_CERTIFICATE;
        return SA_OK;
    case SECAUTH__V1__CLIENT_AUTH__METHOD__NOT_SET:
    case _SECAUTH__V1__CLIENT_AUTH__METHOD__CASE_IS_INT_SIZE:
        return SA_OK;
    }
    if (proof->text.len == 0)
        proof->method = SA_CLIENT_BY_NAME;
    return SA_OK;
}

static const char *
name_of(enum sa_client_method method)
{
    static const char *const NAMES[] = {
        [SA_CLIENT_BY_NAME] = "none",
        [SA_CLIENT_BY_SECRET] = "secret",
        [SA_CLIENT_BY_API_KEY] = "api_key",
        [SA_CLIENT_BY_ASSERTION] = "assertion",
        [SA_CLIENT_BY_CERTIFICATE] = "certificate",
    };
    return NAMES[method];
}

/* One answer; why it was given is for the log and the record. */
static enum sa_status
refused(struct sa_call *call, const struct sa_client_proof *proof, enum sa_status status, const char *why)
{
    struct sa_audit record =
        sa_call_audit(call, SA_EVENT_CLIENT_AUTH, SA_OUTCOME_DENIED, sa_status_row(status)->reason);
    size_t len = strnlen(proof->client_id, SA_CLIENT_ID_MAX);

    record.client_id = rpc_escaped(call, sa_bytes(proof->client_id, len));
    record.detail = rpc_detail(call, "method=%s why=%s", name_of(proof->method), why);
    call->counts_against_source = true;
    status = rpc_denied(call, &record, status);
    call->log_reason = why;
    return status;
}

/* RFC 9449: a client that is to have bound tokens shows a proof, any other may. */
static enum sa_status
bind_to_key(struct sa_call *call, struct sa_bytes dpop, const struct sa_client *client,
            struct sa_binding *binding, const char **ret_why)
{
    const char *source = client->kind == SA_CLIENT_PUBLIC ? call->source.text : NULL;

    if (dpop.len > 0)
        return sa_dpop_check(call->authority, dpop, call->method->name, source, call->now, binding->jkt,
                             ret_why);
    *ret_why = "DPOP_REQUIRED";
    return client->dpop_bound ? SA_INVALID_DPOP_PROOF : SA_OK;
}

enum sa_status
rpc_authenticate_client(struct sa_call *call, const Secauth__V1__ClientAuth *auth,
                        struct sa_client **ret_client, struct sa_binding *ret_binding)
{
    struct sa_client_proof proof = {.now = call->now};
    struct sa_binding binding = {.x5t = ""};
    SA_OWN(sa_client) client = NULL;
    const char *why = NULL;

    if (auth == NULL)
        return sa_call_refuse(call, "client", "the client that asks; required");
    proof.client_id = auth->client_id;
    if (call->caller.via == SA_VIA_NETWORK && call->caller.has_certificate)
        proof.certificate = call->caller.certificate;
    enum sa_status status = read_method(call, auth, &proof);
    if (status == SA_OK && auth->dpop_proof.len > SA_DPOP_MAX)
        status = sa_call_refuse(call, "client.dpop_proof", JWT_RULE);
    if (status != SA_OK)
        return status;
    status = sa_client_authenticate(call->authority, &proof, &client, binding.x5t, &why);
    if (status == SA_OK && ret_binding != NULL)
        status = bind_to_key(call, rpc_bytes(auth->dpop_proof), client, &binding, &why);
    if (status == SA_INVALID_CLIENT || status == SA_INVALID_DPOP_PROOF)
        return refused(call, &proof, status, why);
    if (status != SA_OK)
        return status;
    if (ret_binding != NULL)
        *ret_binding = binding;
    *ret_client = sa_client_take(&client);
    return SA_OK;
}

enum sa_status
rpc_authenticate_confidential(struct sa_call *call, const Secauth__V1__ClientAuth *auth,
                              struct sa_client **ret_client)
{
    SA_OWN(sa_client) client = NULL;
    enum sa_status status = rpc_authenticate_client(call, auth, &client, NULL);

    if (status != SA_OK)
        return status;
    if (client->kind != SA_CLIENT_CONFIDENTIAL) {
        struct sa_client_proof named = {.client_id = client->id, .method = SA_CLIENT_BY_NAME};
        return refused(call, &named, SA_INVALID_CLIENT, "PUBLIC_CLIENT");
    }
    *ret_client = sa_client_take(&client);
    return SA_OK;
}
