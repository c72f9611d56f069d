/* AuthnService/ContinueAuthentication: the answer to a challenge of BeginAuthentication, in one step (store).
 */
#include "service/auth/factor.h"
#include "service/auth/inside.h"
#include "service/base/secret.h"
#include "service/rpc/rpc_login.h"

/* Some programs answer every question with the password: that is no guess at a code. */
static bool
is_password(const struct sa_call *call, const struct sa_challenge *challenge, struct sa_bytes answer)
{
    uint8_t mac[SA_MAC_LEN];

    rpc_login_challenge_mac(call, answer, mac);
    return sa_secret_equal(sa_bytes(mac, sizeof(mac)),
                           sa_bytes(challenge->password_mac, sizeof(challenge->password_mac)));
}

/* Whoever was deleted, or has another password by now, has proven nothing. */
static bool
is_void(const struct sa_call *call, const struct rpc_login *login, const struct sa_challenge *challenge)
{
    uint8_t mac[SA_MAC_LEN];

    if (login->user == NULL)
        return true;
    rpc_login_challenge_mac(call, sa_bytes_of(login->user->hash), mac);
    return memcmp(mac, challenge->hash_mac, sizeof(mac)) != 0 &&
           memcmp(mac, challenge->next_mac, sizeof(mac)) != 0;
}

/* Why an answer is no guess at a code, and counts nowhere; NULL: it is one. */
static const char *
no_guess(const struct sa_call *call, const struct sa_challenge *challenge, struct sa_bytes answer)
{
    if (sa_factor_strip(answer).len == 0)
        return "EMPTY_ANSWER";
    return is_password(call, challenge, answer) ? "ANSWER_IS_PASSWORD" : NULL;
}

/* Why an answer is denied before anybody looks at it; NULL: it is to be looked at. */
static const char *
nothing_proven(const struct sa_call *call, const struct rpc_login *login,
               const struct sa_challenge *challenge)
{
    if (challenge->reason != NULL)
        return challenge->reason;
    return is_void(call, login, challenge) ? "CHANGED_MEANWHILE" : NULL;
}

/* With its record, as a wrong code has one: a slow disk would tell the two apart. */
static enum sa_status
deny_unread(struct sa_call *call, const struct rpc_login *login, const char *reason)
{
    struct sa_audit record = rpc_login_record(call, login, SA_OUTCOME_DENIED, reason);

    record.detail = "answer=unread";
    return rpc_hold(call, rpc_denied(call, &record, SA_INVALID_CREDENTIALS));
}

/* One that was used, or that comes too late, the grant's commit finds out. */
static enum sa_status
judge_code(struct sa_call *call, struct rpc_login *login, struct sa_bytes answer, const char **ret_reason)
{
    const struct sa_authority *authority = call->authority;
    struct sa_factors_state has;

    enum sa_status status = sa_store_factors(authority->store, login->user->subject, &has);
    if (status != SA_OK)
        return status;
    status = sa_factor_judge(authority, login->user->subject, &has, answer, call->now.wall_ms,
                             login->factor_mac, &login->factor);
    *ret_reason =
        has.has_totp && !sa_factor_totp_is_open(authority, &has) ? "TOO_MANY_WRONG_CODES" : "WRONG_CODE";
    sa_wipe(&has, sizeof(has));
    return status;
}

static enum sa_status
grant(struct sa_call *call, struct rpc_login *login)
{
    Secauth__V1__ContinueAuthenticationResponse *reply =
        (Secauth__V1__ContinueAuthenticationResponse *)call->reply;
    struct rpc_login_grant grant;

    login->every_factor = true;
    enum sa_status status = rpc_login_grant(call, login, &grant);
    if (status != SA_OK)
        return status;
    reply->authn_handle = grant.handle;
    reply->must_change_password = grant.must_change;
    reply->grant = grant.tokens;
    reply->outcome = SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED;
    return SA_OK;
}

/*
 * What stands against the login is told to nobody who has not proven all of it: the code is spent with the
 * denial, and only that commit knows whether a recovery code is one of this person's.
 */
static enum sa_status
deny_proven(struct sa_call *call, struct rpc_login *login)
{
    struct sa_audit record = rpc_login_record(call, login, SA_OUTCOME_DENIED, login->reason);
    const struct sa_login_change change = {.has_factor = true, .factor = login->factor};

    enum sa_status status = sa_store_login(call->authority->store, &change, &record);
    if (status == SA_NOT_FOUND)
        return rpc_login_deny_code(call, login, "CODE_USED");
    call->log_reason = login->reason;
    if (status != SA_OK || login->verdict != SA_INVALID_CREDENTIALS)
        rpc_forgive(call);
    return rpc_hold(call, status == SA_OK ? login->verdict : status);
}

/* The unit of the source is taken before the code is looked at; with `always` the first step has left it so.
 */
static enum sa_status
decide(struct sa_call *call, struct rpc_login *login, const struct sa_challenge *challenge,
       struct sa_bytes answer)
{
    const char *reason = NULL;

    if (!challenge->is_charged) {
        call->retry_ms = sa_buckets_charge(call->authority->buckets, &call->source, call->now.boot_ms);
        if (call->retry_ms > 0)
            return rpc_turn_away(call, SA_RATE_LIMITED, "RATE_LIMITED");
    }
    enum sa_status status = judge_code(call, login, answer, &reason);
    if (status == SA_INVALID_CREDENTIALS)
        return rpc_login_deny_code(call, login, reason);
    if (status != SA_OK) {
        rpc_forgive(call);
        return rpc_hold(call, status);
    }
    rpc_login_judge(call, login, true);
    return rpc_login_is_granted(login) ? grant(call, login) : deny_proven(call, login);
}

enum sa_status
rpc_authn_continue(struct sa_call *call, const Secauth__V1__ContinueAuthenticationRequest *request,
                   SA_UNUSED Secauth__V1__ContinueAuthenticationResponse *reply)
{
    const struct rpc_login_said said = {.name = request->user,
                                        .origin = request->origin,
                                        .client = request->client,
                                        .tokens = request->tokens};
    struct rpc_login *login;
    struct sa_challenge challenge;

    enum sa_status status = rpc_login_read(call, &said, &login);
    if (status != SA_OK)
        return status;
    const struct sa_challenge_owner owner = rpc_login_owner(call, login);
    if (!sa_challenges_redeem(call->authority->challenges, rpc_bytes(request->state), &owner,
                              call->now.boot_ms, &challenge))
        return rpc_turn_away(call, SA_INVALID_CREDENTIALS, "UNKNOWN_CHALLENGE");
    const char *reason = no_guess(call, &challenge, rpc_bytes(request->answer));
    if (reason != NULL)
        return rpc_turn_away(call, SA_INVALID_CREDENTIALS, reason);
    reason = nothing_proven(call, login, &challenge);
    if (reason != NULL)
        return deny_unread(call, login, reason);
    return decide(call, login, &challenge, rpc_bytes(request->answer));
}
