/* MfaService: find the person (store), prove the password (hash), change the factors (store). */
#include "service/rpc/rpc_mfa.h"

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/otpauth.h"
#include "service/rpc/user_message.h"
#include "service/store/store_factor.h"

#define DIGITS 6u /* unless the request says otherwise */

/* ---- whom ---- */

static enum sa_status
find_own(struct sa_call *call, const char *name, struct sa_user **ret_user)
{
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_uid(call->authority->store, call->caller.uid, &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_NOT_MANAGED : status;
    if (name[0] != '\0' && strcmp(user->name, name) != 0) {
        call->log_reason = "NOT_ONESELF";
        return SA_PERMISSION_DENIED;
    }
    *ret_user = sa_user_take(&user);
    return SA_OK;
}

enum sa_status
rpc_mfa_find(struct sa_call *call, const char *name, struct sa_user **ret_user)
{
    if (!call->caller.administrator || name[0] == '\0')
        return find_own(call, name, ret_user);
    enum sa_status status = rpc_check_user_name(call, "user", name);
    return status == SA_OK ? sa_store_user_by_name(call->authority->store, sa_bytes_of(name), ret_user)
                           : status;
}

/* ---- the proof ---- */

struct sa_audit
rpc_mfa_record(struct sa_call *call, enum sa_outcome outcome, const char *reason)
{
    const struct rpc_mfa *mfa = call->state;
    struct sa_audit record = sa_call_audit(call, mfa->event, outcome, reason);

    rpc_audit_user(&record, mfa->user);
    return record;
}

/* What was taken goes back. */
static void
undo(struct sa_call *call, const struct rpc_mfa *mfa)
{
    rpc_forgive(call);
    sa_lockout_give_back(call->authority->lockout, &mfa->attempt);
}

enum sa_status
rpc_mfa_finish(struct sa_call *call, enum sa_status status)
{
    const struct rpc_mfa *mfa = call->state;

    if (!mfa->proves)
        return status;
    undo(call, mfa);
    return status == SA_OK ? SA_OK : rpc_hold(call, status);
}

static enum sa_status
deny(struct sa_call *call)
{
    struct rpc_mfa *mfa = call->state;
    struct sa_audit record = rpc_mfa_record(call, SA_OUTCOME_DENIED, mfa->reason);

    return rpc_fail_proof(call, &mfa->attempt, &record, SA_INVALID_CREDENTIALS);
}

static enum sa_status prove(struct sa_call *call);

/*
 * The record as it is now: an account that was shut meanwhile changes nothing. Another hash may be the same
 * password's (a login beside this call replaced a weaker one), so it is proven again.
 */
static enum sa_status
look_again(struct sa_call *call)
{
    struct rpc_mfa *mfa = call->state;
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_subject(call->authority->store, mfa->user->subject, &user);
    if (status != SA_OK)
        return rpc_mfa_finish(call, status == SA_NOT_FOUND ? SA_NOT_MANAGED : status);
    bool other_hash = strcmp(user->hash, mfa->user->hash) != 0;
    *mfa->user = *user;
    if (other_hash) {
        undo(call, mfa);
        return sa_call_then(call, SA_LANE_HASH, prove);
    }
    enum sa_status state = sa_account_state(mfa->user, call->now.wall_ms);
    if (!sa_account_is_closed(state))
        return mfa->change(call);
    mfa->reason = sa_account_reason(state);
    return deny(call);
}

static enum sa_status
decide(struct sa_call *call)
{
    struct rpc_mfa *mfa = call->state;

    mfa->attempt.matched = mfa->match;
    if (mfa->match)
        return look_again(call);
    mfa->reason = sa_login_mismatch_reason(mfa->attempt.password);
    return deny(call);
}

static enum sa_status
prove(struct sa_call *call)
{
    struct rpc_mfa *mfa = call->state;

    enum sa_status status = rpc_prove(call, &mfa->attempt, &mfa->match);
    return status == SA_OK ? sa_call_settle(call, SA_LANE_STORE, decide) : status;
}

enum sa_status
rpc_mfa_start(struct sa_call *call, const char *name, struct sa_bytes password, enum sa_event event,
              sa_step change)
{
    struct rpc_mfa *mfa = sa_arena_alloc(call->arena, sizeof(*mfa));
    SA_OWN(sa_user) user = NULL;

    if (mfa == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = rpc_mfa_find(call, name, &user);
    if (status != SA_OK)
        return status;
    *mfa = (struct rpc_mfa){.user = rpc_keep_user(call, user),
                            .event = event,
                            .proves = !call->caller.administrator,
                            .change = change};
    call->state = mfa;
    if (mfa->user == NULL)
        return SA_NO_MEMORY;
    if (!mfa->proves)
        return change(call);
    status = rpc_begin_proof(call, mfa->user, password, &mfa->attempt);
    return status == SA_OK ? sa_call_then(call, SA_LANE_HASH, prove) : status;
}

/* ---- EnrollTotp ---- */

/* Where the request leaves it open, as much key as the hash has bytes (RFC 6238 section 5.1). */
static size_t
key_len_of(enum sa_totp_algorithm algorithm)
{
    return algorithm == SA_TOTP_SHA1 ? 20 : algorithm == SA_TOTP_SHA256 ? 32 : 64;
}

static enum sa_status
check_enrolment(struct sa_call *call, const Secauth__V1__EnrollTotpRequest *request)
{
    if (request->algorithm < 0 || request->algorithm > SECAUTH__V1__TOTP_ALGORITHM__TOTP_ALGORITHM_SHA512)
        return sa_call_refuse(call, "algorithm", "SHA-1, SHA-256 or SHA-512");
    if (request->digits != 0 && request->digits != 6 && request->digits != 8)
        return sa_call_refuse(call, "digits", "6 or 8, or 0 for 6");
    if (request->key.len > 0 && (request->key.len < SA_TOTP_KEY_MIN || request->key.len > SA_TOTP_KEY_MAX))
        return sa_call_refuse(call, "key", "16 to 64 bytes, or none for a new one");
    if (request->key.len == 0 || call->caller.administrator)
        return SA_OK;
    call->log_reason = "NO_RIGHT"; /* a key of one's own making may be one that others know */
    return SA_PERMISSION_DENIED;
}

static void
make_totp(const Secauth__V1__EnrollTotpRequest *request, struct sa_totp *ret_totp)
{
    *ret_totp = (struct sa_totp){.algorithm = request->algorithm ==
                                                      SECAUTH__V1__TOTP_ALGORITHM__TOTP_ALGORITHM_UNSPECIFIED
                                                  ? SA_TOTP_SHA1
                                                  : (enum sa_totp_algorithm)request->algorithm,
                                 .digits = request->digits == 0 ? DIGITS : request->digits,
                                 .last_step = -1};
    ret_totp->key_len = request->key.len > 0 ? request->key.len : key_len_of(ret_totp->algorithm);
    if (request->key.len > 0)
        memcpy(ret_totp->key, request->key.data, request->key.len);
    else
        sa_random(ret_totp->key, ret_totp->key_len);
}

static enum sa_status
put_enrolment(struct sa_call *call, const struct sa_totp *totp)
{
    const struct rpc_mfa *mfa = call->state;
    Secauth__V1__EnrollTotpResponse *reply = (Secauth__V1__EnrollTotpResponse *)call->reply;
    char secret[SA_BASE32_LEN(SA_TOTP_KEY_MAX) + 1];
    char uri[SA_OTPAUTH_MAX + 1];

    sa_base32(sa_bytes(totp->key, totp->key_len), secret);
    sa_otpauth_uri(totp, call->authority->conf->token_issuer, mfa->user->name, uri);
    bool put = rpc_put_bytes(call, sa_bytes_of(secret), &reply->secret) &&
               rpc_put_bytes(call, sa_bytes_of(uri), &reply->uri);
    sa_wipe(secret, sizeof(secret));
    sa_wipe(uri, sizeof(uri));
    return put ? SA_OK : SA_NO_MEMORY;
}

static enum sa_status
enroll(struct sa_call *call)
{
    const struct rpc_mfa *mfa = call->state;
    const Secauth__V1__EnrollTotpRequest *request = (const Secauth__V1__EnrollTotpRequest *)call->request;
    struct sa_audit record = rpc_mfa_record(call, SA_OUTCOME_GRANTED, NULL);
    struct sa_totp totp;

    make_totp(request, &totp);
    record.detail = rpc_detail(call, "algorithm=%s digits=%u key=%s", sa_otpauth_algorithm(totp.algorithm),
                               totp.digits, request->key.len > 0 ? "given" : "made");
    enum sa_status status = put_enrolment(call, &totp);
    if (status == SA_OK)
        status = sa_store_totp_enroll(call->authority->store, mfa->user->subject, &totp, &record);
    sa_wipe(&totp, sizeof(totp));
    return rpc_mfa_finish(call, status);
}

enum sa_status
rpc_mfa_enroll_totp(struct sa_call *call, const Secauth__V1__EnrollTotpRequest *request,
                    SA_UNUSED Secauth__V1__EnrollTotpResponse *reply)
{
    enum sa_status status = check_enrolment(call, request);

    return status == SA_OK ? rpc_mfa_start(call, request->user, rpc_bytes(request->password),
                                           SA_EVENT_FACTOR_ENROLL, enroll)
                           : status;
}

/* ---- GetMfa, RemoveMfa ---- */

enum sa_status
rpc_mfa_get(struct sa_call *call, const Secauth__V1__GetMfaRequest *request,
            Secauth__V1__GetMfaResponse *reply)
{
    const struct sa_authority *authority = call->authority;
    struct sa_factors_state state;
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = rpc_mfa_find(call, request->user, &user);
    if (status == SA_OK)
        status = sa_store_factors(authority->store, user->subject, &state);
    if (status != SA_OK)
        return status;
    reply->totp = state.has_totp;
    reply->totp_armed = state.totp.armed_s;
    reply->recovery_codes = state.recovery_codes;
    reply->failures = state.failures;
    reply->locked = state.failures >= (uint32_t)authority->conf->login_factor_failures;
    reply->prove = !call->caller.administrator;
    sa_wipe(&state, sizeof(state));
    return SA_OK;
}

enum sa_status
rpc_mfa_remove(struct sa_call *call, const Secauth__V1__RemoveMfaRequest *request,
               Secauth__V1__RemoveMfaResponse *reply)
{
    struct sa_audit record = sa_call_audit(call, SA_EVENT_FACTOR_REMOVE, SA_OUTCOME_GRANTED, NULL);
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = rpc_check_user_name(call, "user", request->user);
    if (status == SA_OK)
        status = sa_store_user_by_name(call->authority->store, sa_bytes_of(request->user), &user);
    if (status != SA_OK)
        return status;
    rpc_audit_user(&record, user);
    status = sa_store_factors_remove(call->authority->store, user->subject, &record);
    reply->accepted = status == SA_OK;
    return status;
}
