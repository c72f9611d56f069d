#include "service/rpc/rpc_login.h"

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/names.h"
#include "service/auth/session.h"
#include "service/rpc/login_tokens.h"

/* ---- records ---- */

struct sa_audit
rpc_login_record(struct sa_call *call, const struct rpc_login *login, enum sa_outcome outcome,
                 const char *reason)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_LOGIN, outcome, reason);

    if (login->by_gateway)
        record.client_id = login->client_id;
    if (login->user != NULL)
        rpc_audit_user(&record, login->user);
    else
        record.user = login->attempt.name_text;
    return record;
}

/* ---- look up ---- */

static enum sa_status
find_user(struct sa_call *call, struct rpc_login *login)
{
    SA_OWN(sa_user) user = NULL;

    if (!sa_name_is_user(login->name))
        return SA_OK;
    enum sa_status status = sa_store_user_by_name(call->authority->store, login->name, &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_OK : status;
    login->user = rpc_keep_user(call, user);
    return login->user == NULL ? SA_NO_MEMORY : SA_OK;
}

static enum sa_status
name_it(struct sa_call *call, struct rpc_login *login)
{
    char *name = sa_arena_alloc(call->arena, SA_LOGIN_UNKNOWN_LEN + 1);

    if (name == NULL)
        return SA_NO_MEMORY;
    sa_login_unknown_name(call->authority, login->name, name);
    login->attempt.name_text = name;
    return SA_OK;
}

enum sa_status
rpc_login_look_up(struct sa_call *call, struct rpc_login *login)
{
    enum sa_status status = find_user(call, login);

    if (status != SA_OK)
        return status;
    login->rules = call->authority->rules;
    login->is_oneself = rpc_login_to_rules(call, login).is_oneself;
    login->attempt =
        (struct sa_lockout_try){.name = login->name, .user = login->user, .password = login->password};
    if (login->user != NULL)
        login->attempt.name_text = login->user->name;
    else if ((status = name_it(call, login)) != SA_OK)
        return status;
    return rpc_place_attempt(call, &login->attempt, &login->known);
}

static enum sa_status
check_said(struct sa_call *call, const struct rpc_login_said *said, struct rpc_login *login)
{
    if (login->by_gateway) {
        if (said->client != NULL)
            login->client_id = said->client->client_id;
        return rpc_login_check_client(call, said->client, said->tokens, &login->granted);
    }
    if (said->client != NULL || said->tokens != NULL)
        return sa_call_refuse(call, "client",
                              "only through a gateway; a login here has its tokens from its session");
    enum sa_status status = rpc_check_origin(call, said->origin);
    if (status == SA_OK)
        login->service = said->origin->service;
    return status;
}

enum sa_status
rpc_login_read(struct sa_call *call, const struct rpc_login_said *said, struct rpc_login **ret_login)
{
    struct rpc_login *login = sa_arena_alloc(call->arena, sizeof(*login));

    if (login == NULL)
        return SA_NO_MEMORY;
    *login = (struct rpc_login){
        .name = rpc_bytes(said->name),
        .password = rpc_bytes(said->password),
        .uid = said->uid,
        .service = "",
        .by_gateway = call->caller.via == SA_VIA_LOCAL || call->caller.via == SA_VIA_NETWORK,
    };
    enum sa_status status = check_said(call, said, login);
    if (status == SA_OK)
        status = rpc_login_look_up(call, login);
    if (status != SA_OK)
        return status;
    login->by_service = !login->is_oneself && rpc_is_service(call, sa_bytes_of(login->service));
    *ret_login = login;
    return SA_OK;
}

/* ---- judge ---- */

struct sa_rule_login
rpc_login_to_rules(const struct sa_call *call, const struct rpc_login *login)
{
    return rpc_rule_login(call, login->name, login->user, sa_bytes_of(login->service),
                          login->attempt.is_known);
}

bool
rpc_login_is_others(const struct sa_call *call, const struct rpc_login *login)
{
    return call->caller.via == SA_VIA_USER && !login->is_oneself && !login->by_service;
}

/* What stands against it whatever the password is; NULL for nothing. */
static const char *
obstacle(const struct sa_call *call, const struct rpc_login *login)
{
    const struct sa_user *user = login->user;

    if (user == NULL)
        return sa_name_is_user(login->name) ? "UNKNOWN_USER" : "MALFORMED_NAME";
    if (login->uid != NULL && login->uid->id != user->uid)
        return "UID_MISMATCH";
    if (rpc_login_is_others(call, login))
        return "NOT_ONESELF";
    return NULL;
}

void
rpc_login_judge(const struct sa_call *call, struct rpc_login *login, bool match)
{
    unsigned line;

    login->verdict = SA_INVALID_CREDENTIALS;
    login->reason = obstacle(call, login);
    if (login->reason != NULL)
        return;
    if (!match) {
        login->reason = sa_login_mismatch_reason(login->password);
        return;
    }
    login->attempt.matched = true;
    const struct sa_rule_login asked = rpc_login_to_rules(call, login);
    enum sa_status state = rpc_rule_state(login->rules, &asked, &line);
    if (state != SA_OK)
        login->reason = sa_account_reason(state);
    /* On the sockets some programs ask nothing but this: a shut account reads like a wrong password. */
    if (login->by_gateway || state == SA_OK || state == SA_PASSWORD_EXPIRED)
        login->verdict = state;
}

bool
rpc_login_is_granted(const struct rpc_login *login)
{
    return login->verdict == SA_OK || (login->verdict == SA_PASSWORD_EXPIRED && !login->by_gateway);
}

enum sa_status
rpc_login_look_again(struct sa_call *call, struct rpc_login *login, bool *ret_other_hash)
{
    SA_OWN(sa_user) user = NULL;

    *ret_other_hash = false;
    enum sa_status status = sa_store_user_by_name(call->authority->store, login->name, &user);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    if (status == SA_NOT_FOUND || strcmp(user->subject, login->user->subject) != 0) {
        login->verdict = SA_INVALID_CREDENTIALS;
        login->reason = "CHANGED_MEANWHILE";
        return SA_OK;
    }
    *ret_other_hash = strcmp(user->hash, login->user->hash) != 0;
    *login->user = *user;
    rpc_login_judge(call, login, true);
    return SA_OK;
}

/* ---- deny ---- */

enum sa_status
rpc_login_deny(struct sa_call *call, struct rpc_login *login)
{
    struct sa_audit record = rpc_login_record(call, login, SA_OUTCOME_DENIED, login->reason);

    if (login->verdict != SA_INVALID_CREDENTIALS)
        rpc_forgive(call);
    if (login->is_tried)
        return rpc_fail_proof(call, &login->attempt, &record, login->verdict);
    return rpc_hold(call, rpc_denied(call, &record, login->verdict));
}

enum sa_status
rpc_login_refuse(struct sa_call *call, const struct rpc_login *login, const char *reason)
{
    struct sa_audit record = rpc_login_record(call, login, SA_OUTCOME_DENIED, reason);

    return rpc_refuse_proof(call, &record);
}

/* ---- grant ---- */

/*
 * A handle joins this proof to the session that follows; other programs never get one into their
 * environment.
 */
static bool
put_handle(struct sa_call *call, const struct rpc_login *login, const struct sa_proof *proof,
           ProtobufCBinaryData *ret_handle)
{
    char handle[SA_ID_LEN + 1];

    if (call->caller.via != SA_VIA_ROOT || !sa_session_is_for(call->authority, sa_bytes_of(login->service)))
        return true;
    sa_handles_issue(call->authority->handles, login->user->subject, &call->source, proof, call->now.boot_ms,
                     handle);
    bool put = rpc_put_bytes(call, sa_bytes(handle, SA_ID_LEN), ret_handle);
    sa_wipe(handle, sizeof(handle));
    return put;
}

static const char *
detail_of(struct sa_call *call, const struct rpc_login *login, bool must_change)
{
    const char *factor = login->factor.subject == NULL ? "" : login->factor.is_totp ? "totp" : "recovery";

    if (factor[0] == '\0')
        return must_change ? "must_change=yes" : NULL;
    return rpc_detail(call, "%sfactor=%s", must_change ? "must_change=yes " : "", factor);
}

static enum sa_status
commit_grant(struct sa_call *call, struct rpc_login *login, const struct sa_login_change *change,
             struct rpc_login_grant *grant)
{
    struct sa_audit record = rpc_login_record(call, login, SA_OUTCOME_GRANTED, NULL);
    struct sa_proof proof = {call->now.wall_ms / 1000, SA_AMR_PASSWORD, SA_ACR_PASSWORD};

    if (change->has_factor)
        proof = (struct sa_proof){call->now.wall_ms / 1000, SA_AMR_FACTORS, SA_ACR_FACTORS};
    grant->must_change = login->verdict == SA_PASSWORD_EXPIRED;
    record.detail = detail_of(call, login, grant->must_change);
    if (login->by_gateway) {
        record.event = SA_EVENT_TOKEN_ISSUE;
        return rpc_login_grant_tokens(call, login->user, &login->granted, &proof, change, &record,
                                      &grant->tokens);
    }
    enum sa_status status = sa_store_login(call->authority->store, change, &record);
    if (status == SA_OK && !put_handle(call, login, &proof, &grant->handle))
        return SA_NO_MEMORY;
    return status;
}

enum sa_status
rpc_login_grant(struct sa_call *call, struct rpc_login *login, struct rpc_login_grant *ret_grant)
{
    struct sa_lockout *lockout = call->authority->lockout;
    bool has_factor = login->factor.subject != NULL;
    struct sa_lockout_proof proof = {.every_factor = login->every_factor, .factor = has_factor};
    struct sa_login_change change = {.has_factor = has_factor, .factor = login->factor};
    struct rpc_login_grant grant = {.must_change = false};

    sa_lockout_succeeded(lockout, &login->attempt, &proof, &change);
    enum sa_status status = commit_grant(call, login, &change, &grant);
    if (login->is_tried)
        sa_lockout_give_back(lockout, &login->attempt);
    if (status == SA_NOT_FOUND && has_factor)
        return rpc_login_deny_code(call, login, "CODE_USED");
    rpc_forgive(call);
    if (status != SA_OK)
        return rpc_hold(call, status);
    sa_lockout_committed(lockout, &login->attempt);
    *ret_grant = grant;
    return SA_OK;
}
