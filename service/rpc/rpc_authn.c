/*
 * AuthnService/BeginAuthentication: look up (store), hash (hash), decide and record (store). And what
 * follows.
 */
#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/switches.h"
#include "service/rpc/login_tokens.h"
#include "service/rpc/rpc_login.h"

static struct rpc_login *
login_of(const struct sa_call *call)
{
    return call->state;
}

/* ---- first step: look up ---- */

static enum sa_status
check_request(struct sa_call *call, const Secauth__V1__BeginAuthenticationRequest *request,
              struct rpc_login *login)
{
    if (login->by_gateway) {
        if (request->client != NULL)
            login->client_id = request->client->client_id;
        return rpc_login_check_client(call, request->client, request->tokens, &login->granted);
    }
    if (request->client != NULL || request->tokens != NULL)
        return sa_call_refuse(call, "client",
                              "only through a gateway; a login here has its tokens from its session");
    enum sa_status status = rpc_check_origin(call, request->origin);
    if (status == SA_OK)
        login->service = request->origin->service;
    return status;
}

/*
 * pam_unix decides about people whom the host knows and who have no record here: no hash, no bucket, no
 * record.
 */
static bool
is_unmanaged(const struct sa_call *call, const struct rpc_login *login)
{
    return login->user == NULL && login->uid != NULL && call->caller.via == SA_VIA_ROOT &&
           sa_login_leaves_unmanaged(call->authority) && sa_switch_is_on(SA_SWITCH_unmanaged);
}

/* Whether a uid that asks about others may: without a rule it costs a failure, and no hash. */
static bool
is_others_business(struct sa_call *call, struct rpc_login *login)
{
    if (call->caller.via != SA_VIA_USER || login->is_oneself)
        return false;
    login->by_service = rpc_is_service(call, sa_bytes_of(login->service));
    return !login->by_service;
}

static enum sa_status hash(struct sa_call *call);

static enum sa_status
begin(struct sa_call *call, struct rpc_login *login)
{
    enum sa_status status = rpc_admit_proof(call, &login->attempt);

    if (status != SA_OK)
        return status;
    if (is_others_business(call, login))
        return rpc_login_refuse(call, login, "NOT_ONESELF");
    return sa_call_then(call, SA_LANE_HASH, hash);
}

enum sa_status
rpc_authn_begin(struct sa_call *call, const Secauth__V1__BeginAuthenticationRequest *request,
                SA_UNUSED Secauth__V1__BeginAuthenticationResponse *reply)
{
    struct rpc_login *login = sa_arena_alloc(call->arena, sizeof(*login));

    if (login == NULL)
        return SA_NO_MEMORY;
    *login = (struct rpc_login){
        .name = rpc_bytes(request->user),
        .password = rpc_bytes(request->password),
        .uid = request->uid,
        .service = "",
        .by_gateway = call->caller.via == SA_VIA_LOCAL || call->caller.via == SA_VIA_NETWORK,
    };
    call->state = login;
    enum sa_status status = check_request(call, request, login);
    if (status == SA_OK)
        status = rpc_login_look_up(call, login);
    if (status != SA_OK)
        return status;
    return is_unmanaged(call, login) ? SA_NOT_MANAGED : begin(call, login);
}

/* ---- second step: hash ---- */

static enum sa_status decide(struct sa_call *call);

static enum sa_status
hash(struct sa_call *call)
{
    struct rpc_login *login = login_of(call);
    bool match = false;
    enum sa_status status = rpc_prove(call, &login->attempt, &match);

    if (status != SA_OK)
        return status;
    rpc_login_judge(call, login, match);
    /* On the sockets a shut account is charged like a wrong password, so that nothing tells them apart. */
    if (login->verdict != SA_INVALID_CREDENTIALS)
        rpc_forgive(call);
    return sa_call_then(call, SA_LANE_STORE, decide);
}

/* ---- third step: decide ---- */

/* Once the answer is out. The commit stays on this lane: it comes once a user, and nobody waits for it. */
static enum sa_status
rehash(struct sa_call *call)
{
    const struct rpc_login *login = login_of(call);
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    struct sa_password_change change = {.subject = login->user->subject,
                                        .old_hash = login->user->hash,
                                        .new_hash = encoded,
                                        .keep_ageing = true};
    struct sa_audit record = sa_call_audit(call, SA_EVENT_REHASH, SA_OUTCOME_GRANTED, NULL);

    rpc_audit_user(&record, login->user);
    enum sa_status status = sa_login_hash(call->authority, login->password, encoded);
    if (status == SA_OK)
        status = sa_store_user_set_password(call->authority->store, &change, call->now.wall_ms, &record);
    sa_wipe(encoded, sizeof(encoded));
    return status;
}

/* Something else than the password is missing: in the words of a wrong one, and charged like it. */
static void
withhold(struct sa_call *call, struct rpc_login *login, const char *reason)
{
    login->verdict = login->by_gateway ? SA_FACTOR_REQUIRED : SA_INVALID_CREDENTIALS;
    login->reason = reason;
    if (login->verdict == SA_INVALID_CREDENTIALS)
        (void)sa_buckets_charge(call->authority->buckets, &call->source, call->now.boot_ms);
}

static enum sa_status
check_factors(struct sa_call *call, struct rpc_login *login)
{
    struct rpc_login_factor factor;

    enum sa_status status = rpc_login_ask_factor(call, login, &factor);
    if (status != SA_OK)
        return status;
    login->every_factor = !factor.has_one;
    if (factor.withheld != NULL)
        withhold(call, login, factor.withheld);
    return SA_OK;
}

static enum sa_status
grant(struct sa_call *call, struct rpc_login *login)
{
    Secauth__V1__BeginAuthenticationResponse *reply = (Secauth__V1__BeginAuthenticationResponse *)call->reply;
    struct rpc_login_grant grant;

    enum sa_status status = rpc_login_grant(call, login, &grant);
    if (status != SA_OK)
        return status;
    reply->authn_handle = grant.handle;
    reply->must_change_password = grant.must_change;
    reply->grant = grant.tokens;
    reply->outcome = SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED;
    if (sa_login_wants_rehash(call->authority, login->user->hash, login->password.len))
        sa_call_after(call, SA_LANE_HASH, rehash);
    return SA_OK;
}

/*
 * Another hash may be the same password's (a login beside this one replaced a weaker hash), so it is computed
 * again. A store that fails says so no sooner to the right password than to a wrong one.
 */
static enum sa_status
decide(struct sa_call *call)
{
    struct rpc_login *login = login_of(call);
    bool other_hash = false;

    if (!rpc_login_is_granted(login))
        return rpc_login_deny(call, login);
    enum sa_status status = rpc_login_look_again(call, login, &other_hash);
    if (status == SA_OK && !other_hash && rpc_login_is_granted(login))
        status = check_factors(call, login);
    if (status != SA_OK || other_hash)
        sa_lockout_give_back(call->authority->lockout, &login->attempt);
    if (status != SA_OK)
        return rpc_hold(call, status);
    if (other_hash)
        return sa_call_then(call, SA_LANE_HASH, hash);
    if (!rpc_login_is_granted(login))
        return rpc_login_deny(call, login);
    status = grant(call, login);
    return status == SA_OK ? SA_OK : rpc_hold(call, status);
}
