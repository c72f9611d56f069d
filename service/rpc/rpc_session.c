/* SessionService: how logins begin and end. */
#include <stdio.h>

#include "service/auth/account.h"
#include "service/auth/client.h"
#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/auth/session.h"
#include "service/base/log.h"
#include "service/rpc/rule_login.h"
#include "service/store/store_factor.h"

#define AUTH_INFO_MAX  1024u
#define AUTH_INFO_KEPT 200u /* characters of it in a record */

/* ---- OpenSession ---- */

/* What was proven before this session, and how it is said in the record. */
static const char *
redeem(struct sa_call *call, const Secauth__V1__OpenSessionRequest *request, const struct sa_user *user,
       struct sa_proof *ret_proof)
{
    struct sa_bytes handle = rpc_bytes(request->authn_handle);

    *ret_proof = (struct sa_proof){.acr = SA_ACR_NOTHING};
    if (handle.len == 0)
        return "none";
    if (!sa_handles_redeem(call->authority->handles, handle, user->subject, &call->source, call->now.boot_ms,
                           ret_proof))
        return "refused";
    return strcmp(ret_proof->acr, SA_ACR_FACTORS) == 0 ? "factors" : "password";
}

/*
 * A login that proved nothing to us, as by a key, meets no factor rule. Where one would have asked for a
 * second factor, the record says that nobody did.
 */
static enum sa_status
look_for_factor(struct sa_call *call, const Secauth__V1__OpenSessionRequest *request,
                const struct sa_user *user, const char **ret_words)
{
    struct sa_factors_state has;
    struct sa_known_row known;

    enum sa_status status = rpc_known_source(call, user, &known);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    struct sa_rule_login login = rpc_rule_login(call, sa_bytes_of(user->name), user,
                                                sa_bytes_of(request->origin->service), status == SA_OK);
    struct sa_factor_verdict asked = sa_rules_factors(call->authority->rules, &login);
    bool due = asked.factors >= SA_FACTORS_AFTER_PASSWORD;
    if (asked.factors == SA_FACTORS_ENROLLED) {
        status = sa_store_factors(call->authority->store, user->subject, &has);
        if (status != SA_OK)
            return status;
        due = has.has_totp || has.recovery_codes > 0;
        sa_wipe(&has, sizeof(has));
    }
    const char *rule = asked.line == 0 ? "" : rpc_detail(call, " rule=%u", asked.line);
    *ret_words = due ? rpc_detail(call, " second_factor=not_asked%s", rule) : "";
    return SA_OK;
}

static const char *
detail_of(struct sa_call *call, const Secauth__V1__OpenSessionRequest *request, const char *proof,
          const char *factor)
{
    const char *info = rpc_escaped(call, rpc_bytes(request->auth_info));

    if (info[0] == '\0')
        return rpc_detail(call, "proof=%s%s", proof, factor);
    return rpc_detail(call, "proof=%s%s auth_info=%.*s", proof, factor, (int)AUTH_INFO_KEPT, info);
}

static void
describe(const struct sa_call *call, const Secauth__V1__OpenSessionRequest *request,
         struct sa_session *session)
{
    const Secauth__V1__Origin *origin = request->origin;

    snprintf(session->service, sizeof(session->service), "%s", origin->service);
    sa_escape(rpc_bytes(origin->tty), session->tty, sizeof(session->tty));
    if (origin->audit_session != NULL)
        session->audit_session = origin->audit_session->id;
    sa_session_lead(session, call->caller.pid);
}

static enum sa_status
open_login(struct sa_call *call, const Secauth__V1__OpenSessionRequest *request, const struct sa_user *user,
           struct sa_audit *record, Secauth__V1__OpenSessionResponse *reply)
{
    SA_OWN(sa_client) host = NULL;
    struct sa_session session;
    struct sa_proof proof;
    const char *factor = "";

    enum sa_status status = sa_client_host(call->authority, &host);
    if (status != SA_OK)
        return status;
    const char *proven = redeem(call, request, user, &proof);
    if (strcmp(proof.acr, SA_ACR_NOTHING) == 0)
        status = look_for_factor(call, request, user, &factor);
    if (status != SA_OK)
        return status;
    record->detail = detail_of(call, request, proven, factor);
    sa_session_begin(call->authority, SA_SESSION_LOGIN, user, host, &call->source, &proof, call->now.wall_ms,
                     &session);
    describe(call, request, &session);
    record->session_id = session.id;
    record->client_id = session.client_id;
    if (!rpc_put_text(call, session.id, &reply->session_id))
        return SA_NO_MEMORY;
    /* Whoever got in past `account`, with a key too, is no stranger there from now on. */
    struct sa_login_change change = {.has_known = false};
    change.has_known =
        sa_lockout_session_change(call->authority->rules, user, &call->source, call->now, &change.known);
    return sa_store_login_session(call->authority->store, &session, NULL, &change, record);
}

enum sa_status
rpc_session_open(struct sa_call *call, const Secauth__V1__OpenSessionRequest *request,
                 Secauth__V1__OpenSessionResponse *reply)
{
    struct rpc_whom whom = {SA_EVENT_SESSION_OPEN, rpc_bytes(request->user), request->uid, request->origin};
    SA_OWN(sa_user) user = NULL;
    enum sa_status state;
    unsigned line;

    if (request->auth_info.len > AUTH_INFO_MAX)
        return sa_call_refuse(call, "auth_info", "at most 1,024 bytes");
    enum sa_status status = rpc_find_account(call, &whom, &user);
    if (status == SA_OK)
        status = rpc_account_state(call, user, &state, &line);
    if (status != SA_OK)
        return status;
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SESSION_OPEN, SA_OUTCOME_GRANTED, NULL);
    rpc_audit_user(&record, user);
    if (sa_account_is_closed(state)) {
        record.outcome = SA_OUTCOME_DENIED;
        record.reason = sa_account_reason(state);
        if (state == SA_DENIED_BY_RULE)
            record.detail = rpc_rule_detail(call, line);
        return rpc_denied(call, &record, state);
    }
    if (sa_session_is_for(call->authority, sa_bytes_of(request->origin->service))) {
        status = open_login(call, request, user, &record, reply);
    } else {
        record.detail = detail_of(call, request, "none", "");
        status = sa_store_audit(call->authority->store, &record);
    }
    if (status == SA_OK)
        reply->recorded = true;
    return status;
}

/* ---- CloseSession ---- */

/* The end of a login that got no session: root's word, and nothing but a record. */
static enum sa_status
record_end(struct sa_call *call, const Secauth__V1__CloseSessionRequest *request, struct sa_audit *record)
{
    SA_OWN(sa_user) user = NULL;

    if (call->caller.via != SA_VIA_ROOT)
        return SA_PERMISSION_DENIED;
    if (!sa_name_is_user(rpc_bytes(request->user)))
        return SA_NOT_MANAGED;
    enum sa_status status = sa_store_user_by_name(call->authority->store, rpc_bytes(request->user), &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_NOT_MANAGED : status;
    rpc_audit_user(record, user);
    return sa_store_audit(call->authority->store, record);
}

/* Ending an ended session succeeds. Another's is as unknown as one that never was. */
static enum sa_status
end_login(struct sa_call *call, const char *id, struct sa_audit *record)
{
    struct sa_session session;

    enum sa_status status = sa_store_session_live(call->authority->store, id, call->now.wall_ms, &session);
    if (status == SA_NOT_FOUND)
        return SA_OK;
    if (status != SA_OK)
        return status;
    if (session.kind != SA_SESSION_LOGIN ||
        (call->caller.via != SA_VIA_ROOT && session.uid != call->caller.uid))
        return SA_NOT_FOUND;
    record->user = session.user;
    record->subject = session.subject;
    record->client_id = session.client_id;
    record->session_id = session.id;
    record->service = session.service;
    /* What outlives the login goes on asking: its end is recorded, the session stays. */
    if (call->caller.via == SA_VIA_ROOT && sa_session_is_ambient(call->authority, &session)) {
        record->detail = "ambient=yes";
        return sa_store_audit(call->authority->store, record);
    }
    return sa_store_session_end(call->authority->store, id, call->now.wall_ms, record);
}

enum sa_status
rpc_session_close(struct sa_call *call, const Secauth__V1__CloseSessionRequest *request,
                  Secauth__V1__CloseSessionResponse *reply)
{
    enum sa_status status = rpc_check_origin(call, request->origin);

    if (status != SA_OK)
        return status;
    if (request->session_id[0] != '\0' && !sa_name_is_id(sa_bytes_of(request->session_id)))
        return sa_call_refuse(call, "session_id", SA_RULE_ID);
    struct sa_audit record = sa_call_audit(call, SA_EVENT_SESSION_CLOSE, SA_OUTCOME_GRANTED, NULL);
    status = request->session_id[0] == '\0' ? record_end(call, request, &record)
                                            : end_login(call, request->session_id, &record);
    if (status == SA_OK)
        reply->accepted = true;
    return status;
}
