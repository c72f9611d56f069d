/*
 * AuthnService/BeginAuthentication: look up (store), hash (hash), decide and record (store). And what
 * follows.
 */

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/names.h"
#include "service/auth/session.h"
#include "service/rpc/login_tokens.h"
#include "service/rpc/proof.h"

struct begin {
    const Secauth__V1__BeginAuthenticationRequest *request;
    struct sa_bytes password;
    bool by_gateway;
    struct sa_user *user;      /* NULL: a name without a record */
    struct sa_granted granted; /* through a gateway: what the client asked for */
    enum sa_status verdict;    /* SA_OK, SA_PASSWORD_EXPIRED (granted on the sockets), or a denial */
    const char *reason;        /* of a denial */
};

static struct begin *
begin_of(const struct sa_call *call)
{
    return call->state;
}

/* The record of this attempt; a name that is not ours is not written down. */
static struct sa_audit
record_of(struct sa_call *call, enum sa_outcome outcome, const char *reason)
{
    const struct begin *begin = begin_of(call);
    struct sa_audit record = sa_call_audit(call, SA_EVENT_LOGIN, outcome, reason);

    if (begin->by_gateway)
        record.client_id = begin->request->client->client_id;
    if (begin->user != NULL) {
        rpc_audit_user(&record, begin->user);
        return record;
    }
    char *name = sa_arena_alloc(call->arena, SA_LOGIN_UNKNOWN_LEN + 1);
    if (name != NULL)
        sa_login_unknown_name(call->authority, rpc_bytes(begin->request->user), name);
    record.user = name;
    return record;
}

/* A denial: recorded, and held until the time at which all of them leave. */
static enum sa_status
deny(struct sa_call *call, enum sa_status status, const char *reason)
{
    struct sa_audit record = record_of(call, SA_OUTCOME_DENIED, reason);

    return rpc_deny_proof(call, &record, status);
}

/* What stands against this attempt, apart from the password; NULL for nothing. */
static const char *
obstacle(const struct sa_call *call, const struct begin *begin)
{
    const struct sa_user *user = begin->user;
    const Secauth__V1__PosixId *uid = begin->request->uid;

    if (user == NULL)
        return sa_name_is_user(rpc_bytes(begin->request->user)) ? "UNKNOWN_USER" : "MALFORMED_NAME";
    if (uid != NULL && uid->id != user->uid)
        return "UID_MISMATCH";
    if (call->caller.via == SA_VIA_USER && call->caller.uid != user->uid)
        return "NOT_ONESELF";
    return NULL;
}

static void
judge(const struct sa_call *call, struct begin *begin, bool match)
{
    enum sa_status state;

    begin->verdict = SA_INVALID_CREDENTIALS;
    begin->reason = obstacle(call, begin);
    if (begin->reason != NULL)
        return;
    if (!match) {
        begin->reason = sa_login_mismatch_reason(begin->password);
        return;
    }
    state = sa_account_state(begin->user, call->now.wall_ms);
    if (state != SA_OK)
        begin->reason = sa_account_reason(state);
    /* On the sockets some programs ask nothing but this: a shut account reads like a wrong password. */
    if (begin->by_gateway || !sa_account_is_closed(state))
        begin->verdict = state;
}

static bool
is_granted(const struct begin *begin)
{
    return begin->verdict == SA_OK || (begin->verdict == SA_PASSWORD_EXPIRED && !begin->by_gateway);
}

/* ---- first step: look up ---- */

static enum sa_status
look_up(struct sa_call *call, struct begin *begin)
{
    SA_OWN(sa_user) user = NULL;
    struct sa_bytes name = rpc_bytes(begin->request->user);

    if (!sa_name_is_user(name))
        return SA_OK;
    enum sa_status status = sa_store_user_by_name(call->authority->store, name, &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_OK : status;
    begin->user = rpc_keep_user(call, user);
    return begin->user == NULL ? SA_NO_MEMORY : SA_OK;
}

static enum sa_status
check_request(struct sa_call *call, struct begin *begin)
{
    const Secauth__V1__BeginAuthenticationRequest *request = begin->request;

    if (begin->by_gateway)
        return rpc_login_check_client(call, request->client, request->tokens, &begin->granted);
    if (request->client != NULL || request->tokens != NULL)
        return sa_call_refuse(call, "client",
                              "only through a gateway; a login here has its tokens from its session");
    return rpc_check_origin(call, request->origin);
}

static enum sa_status hash(struct sa_call *call);

/*
 * pam_unix decides about people whom the host knows and who have no record here: no hash, no bucket, no
 * record.
 */
static bool
is_unmanaged(const struct sa_call *call, const struct begin *begin)
{
    return begin->user == NULL && begin->request->uid != NULL && call->caller.via == SA_VIA_ROOT &&
           sa_login_leaves_unmanaged(call->authority);
}

enum sa_status
rpc_authn_begin(struct sa_call *call, const Secauth__V1__BeginAuthenticationRequest *request,
                SA_UNUSED Secauth__V1__BeginAuthenticationResponse *reply)
{
    struct begin *begin = sa_arena_alloc(call->arena, sizeof(*begin));

    if (begin == NULL)
        return SA_NO_MEMORY;
    begin->request = request;
    begin->password = rpc_bytes(request->password);
    begin->by_gateway = call->caller.via == SA_VIA_LOCAL || call->caller.via == SA_VIA_NETWORK;
    call->state = begin;
    enum sa_status status = check_request(call, begin);
    if (status == SA_OK)
        status = look_up(call, begin);
    if (status != SA_OK)
        return status;
    if (is_unmanaged(call, begin))
        return SA_NOT_MANAGED;
    status = rpc_check_rate(call);
    if (status != SA_OK)
        return status;
    if (begin->password.len == 0) { /* no guess: not charged, and not a record each */
        call->log_reason = "EMPTY_PASSWORD";
        return rpc_hold(call, SA_INVALID_CREDENTIALS);
    }
    if (call->caller.via == SA_VIA_USER && (begin->user == NULL || call->caller.uid != begin->user->uid)) {
        (void)sa_buckets_charge(call->authority->buckets, &call->source, call->now.boot_ms);
        return deny(call, SA_INVALID_CREDENTIALS, "NOT_ONESELF");
    }
    return sa_call_then(call, SA_LANE_HASH, hash);
}

/* ---- second step: hash ---- */

static enum sa_status decide(struct sa_call *call);

static enum sa_status
hash(struct sa_call *call)
{
    struct begin *begin = begin_of(call);
    bool match = false;

    enum sa_status status =
        rpc_prove(call, begin->user == NULL ? NULL : begin->user->hash, begin->password, &match);
    if (status != SA_OK)
        return status;
    judge(call, begin, match);
    /* On the sockets a shut account is charged like a wrong password, so that nothing tells them apart. */
    if (begin->verdict != SA_INVALID_CREDENTIALS)
        rpc_forgive(call);
    return sa_call_then(call, SA_LANE_STORE, decide);
}

/* ---- third step: decide ---- */

/*
 * The record as it is now: what was disabled or changed while the hash was computed is not granted. Another
 * hash may be the same password's (a login beside this one replaced a weaker hash), so it is computed again.
 */
static enum sa_status
look_again(struct sa_call *call, struct begin *begin, bool *ret_other_hash)
{
    SA_OWN(sa_user) user = NULL;

    *ret_other_hash = false;
    enum sa_status status =
        sa_store_user_by_name(call->authority->store, sa_bytes_of(begin->user->name), &user);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    if (status == SA_NOT_FOUND || strcmp(user->subject, begin->user->subject) != 0) {
        begin->verdict = SA_INVALID_CREDENTIALS;
        begin->reason = "CHANGED_MEANWHILE";
        return SA_OK;
    }
    *ret_other_hash = strcmp(user->hash, begin->user->hash) != 0;
    *begin->user = *user;
    judge(call, begin, true);
    return SA_OK;
}

/* Once the answer is out. The commit stays on this lane: it comes once a user, and nobody waits for it. */
static enum sa_status
rehash(struct sa_call *call)
{
    const struct begin *begin = begin_of(call);
    char encoded[SA_PASSWORD_HASH_MAX + 1];
    struct sa_password_change change = {.subject = begin->user->subject,
                                        .old_hash = begin->user->hash,
                                        .new_hash = encoded,
                                        .keep_ageing = true};
    struct sa_audit record = sa_call_audit(call, SA_EVENT_REHASH, SA_OUTCOME_GRANTED, NULL);

    rpc_audit_user(&record, begin->user);
    enum sa_status status = sa_login_hash(call->authority, begin->password, encoded);
    if (status == SA_OK)
        status = sa_store_user_set_password(call->authority->store, &change, call->now.wall_ms, &record);
    sa_wipe(encoded, sizeof(encoded));
    return status;
}

/*
 * A handle joins this proof to the session that follows; other programs never get one into their
 * environment.
 */
static bool
put_handle(struct sa_call *call, const struct begin *begin, Secauth__V1__BeginAuthenticationResponse *reply)
{
    struct sa_proof proof = {call->now.wall_ms / 1000, SA_AMR_PASSWORD, SA_ACR_PASSWORD};
    char handle[SA_ID_LEN + 1];

    if (call->caller.via != SA_VIA_ROOT ||
        !sa_session_is_for(call->authority, sa_bytes_of(begin->request->origin->service)))
        return true;
    sa_handles_issue(call->authority->handles, begin->user->subject, &call->source, &proof, call->now.boot_ms,
                     handle);
    bool put = rpc_put_bytes(call, sa_bytes(handle, SA_ID_LEN), &reply->authn_handle);
    sa_wipe(handle, sizeof(handle));
    return put;
}

static enum sa_status
grant(struct sa_call *call, const struct begin *begin, Secauth__V1__BeginAuthenticationResponse *reply)
{
    struct sa_audit record = record_of(call, SA_OUTCOME_GRANTED, NULL);
    enum sa_status status;

    if (begin->by_gateway) {
        record.event = SA_EVENT_TOKEN_ISSUE;
        status = rpc_login_grant_tokens(call, begin->user, &begin->granted, &record, &reply->grant);
        if (status != SA_OK)
            return status;
    } else {
        reply->must_change_password = begin->verdict == SA_PASSWORD_EXPIRED;
        if (reply->must_change_password)
            record.detail = "must_change=yes";
        status = sa_store_audit(call->authority->store, &record);
        if (status != SA_OK)
            return status;
        if (!put_handle(call, begin, reply))
            return SA_NO_MEMORY;
    }
    reply->outcome = SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED;
    if (sa_login_wants_rehash(call->authority, begin->user->hash, begin->password.len))
        sa_call_after(call, SA_LANE_HASH, rehash);
    return SA_OK;
}

static enum sa_status
decide(struct sa_call *call)
{
    struct begin *begin = begin_of(call);
    bool other_hash = false;
    enum sa_status status = is_granted(begin) ? look_again(call, begin, &other_hash) : SA_OK;

    if (status == SA_OK && other_hash)
        return sa_call_then(call, SA_LANE_HASH, hash);
    if (status == SA_OK && !is_granted(begin))
        return deny(call, begin->verdict, begin->reason);
    if (status == SA_OK)
        status = grant(call, begin, (Secauth__V1__BeginAuthenticationResponse *)call->reply);
    /* A store that fails says so no sooner to the right password than to a wrong one. */
    return status == SA_OK ? SA_OK : rpc_hold(call, status);
}
