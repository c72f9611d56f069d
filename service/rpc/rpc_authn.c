/*
 * AuthnService/BeginAuthentication: look up (store), hash (hash), decide and record (store). And what
 * follows.
 */
#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/switches.h"
#include "service/rpc/rpc_login.h"

static struct rpc_login *
login_of(const struct sa_call *call)
{
    return call->state;
}

/* ---- first step: look up ---- */

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

static enum sa_status hash(struct sa_call *call);

/* Without a rule, a uid that asks about others is refused: that costs a failure, and no hash. */
static enum sa_status
begin(struct sa_call *call, struct rpc_login *login)
{
    const struct sa_rule_login asked = rpc_login_to_rules(call, login);
    enum sa_status status = rpc_admit_proof(call, &login->attempt);

    if (status != SA_OK)
        return status;
    if (rpc_login_is_others(call, login))
        return rpc_login_refuse(call, login, "NOT_ONESELF");
    login->asks_always = sa_rules_factors(login->rules, &asked).factors == SA_FACTORS_ALWAYS;
    status = rpc_login_take_appended(call, login);
    return status == SA_OK ? sa_call_then(call, SA_LANE_HASH, hash) : rpc_hold(call, status);
}

enum sa_status
rpc_authn_begin(struct sa_call *call, const Secauth__V1__BeginAuthenticationRequest *request,
                SA_UNUSED Secauth__V1__BeginAuthenticationResponse *reply)
{
    const struct rpc_login_said said = {.name = request->user,
                                        .password = request->password,
                                        .uid = request->uid,
                                        .origin = request->origin,
                                        .client = request->client,
                                        .tokens = request->tokens};
    struct rpc_login *login;

    enum sa_status status = rpc_login_read(call, &said, &login);
    if (status != SA_OK)
        return status;
    call->state = login;
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
    login->is_tried = true;
    rpc_login_judge(call, login, match);
    return sa_call_settle(call, SA_LANE_STORE, decide);
}

/* ---- third step: decide ---- */

static void
keep_challenges(const struct sa_call *call, const char *old_hash, const char *new_hash)
{
    uint8_t old_mac[SA_MAC_LEN];
    uint8_t new_mac[SA_MAC_LEN];

    rpc_login_challenge_mac(call, sa_bytes_of(old_hash), old_mac);
    rpc_login_challenge_mac(call, sa_bytes_of(new_hash), new_mac);
    sa_challenges_rehashing(call->authority->challenges, old_mac, new_mac);
}

/*
 * Once the answer is out. The commit stays on this lane: it comes once a user, and nobody waits for it.
 * Proofs of the password that wait for a code stand.
 */
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
    if (status == SA_OK) {
        keep_challenges(call, login->user->hash, encoded);
        status = sa_store_user_set_password(call->authority->store, &change, call->now.wall_ms, &record);
    }
    sa_wipe(encoded, sizeof(encoded));
    return status;
}

static void
rehash_afterwards(struct sa_call *call, const struct rpc_login *login)
{
    if (sa_login_wants_rehash(call->authority, login->user->hash, login->password.len))
        sa_call_after(call, SA_LANE_HASH, rehash);
}

/* Whether a code is due beside the password. What not even a code would mend reads like a wrong password. */
static enum sa_status
check_factors(struct sa_call *call, struct rpc_login *login, bool *ret_is_due)
{
    struct rpc_login_factor factor;

    enum sa_status status = rpc_login_ask_factor(call, login, &factor);
    if (status != SA_OK)
        return status;
    login->every_factor = !factor.has_one || login->factor.subject != NULL;
    if (factor.withheld != NULL) {
        login->verdict =
            login->by_gateway && !login->asks_always ? SA_FACTOR_REQUIRED : SA_INVALID_CREDENTIALS;
        login->reason = factor.withheld;
    }
    *ret_is_due = factor.is_due && login->factor.subject == NULL;
    return SA_OK;
}

static enum sa_status
ask(struct sa_call *call, struct rpc_login *login)
{
    Secauth__V1__BeginAuthenticationResponse *reply = (Secauth__V1__BeginAuthenticationResponse *)call->reply;

    enum sa_status status = rpc_login_challenge(call, login, &reply->challenge);
    if (status != SA_OK)
        return status;
    reply->outcome = SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_CHALLENGED;
    if (!login->asks_always) /* where the question confirms nothing, no work behind it may */
        rehash_afterwards(call, login);
    return SA_OK;
}

static enum sa_status
deny(struct sa_call *call, struct rpc_login *login)
{
    return login->asks_always ? ask(call, login) : rpc_login_deny(call, login);
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
    reply->password_len = (uint32_t)login->password_len;
    reply->outcome = SECAUTH__V1__AUTHENTICATION_OUTCOME__AUTHENTICATION_OUTCOME_GRANTED;
    rehash_afterwards(call, login);
    return SA_OK;
}

/* What was taken goes back: nothing was decided. */
static void
undo(struct sa_call *call, const struct rpc_login *login)
{
    sa_lockout_give_back(call->authority->lockout, &login->attempt);
    rpc_forgive(call);
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
    bool is_due = false;

    if (!rpc_login_is_granted(login))
        return deny(call, login);
    enum sa_status status = rpc_login_look_again(call, login, &other_hash);
    if (status == SA_OK && !other_hash && rpc_login_is_granted(login))
        status = check_factors(call, login, &is_due);
    if (status != SA_OK || other_hash)
        undo(call, login);
    if (status != SA_OK)
        return rpc_hold(call, status);
    if (other_hash)
        return sa_call_then(call, SA_LANE_HASH, hash);
    if (!rpc_login_is_granted(login))
        return deny(call, login);
    return is_due ? ask(call, login) : grant(call, login);
}
