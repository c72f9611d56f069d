/* Second factors of a login: whether one is due, the code behind a password, the question, the wrong answer.
 */
#include "service/auth/factor.h"
#include "service/auth/inside.h"
#include "service/rpc/rpc_login.h"

#define PROMPT "One-time code: "

/* ---- whether one is due ---- */

enum sa_status
rpc_login_ask_factor(struct sa_call *call, const struct rpc_login *login, struct rpc_login_factor *ret_factor)
{
    const struct sa_rule_login asked = rpc_login_to_rules(call, login);
    struct sa_factors_state has;
    struct sa_lockout_state state;
    struct rpc_login_factor factor = {.asked = sa_rules_factors(login->rules, &asked)};

    enum sa_status status = sa_store_factors(call->authority->store, login->user->subject, &has);
    if (status != SA_OK)
        return status;
    factor.has_one = has.has_totp || has.recovery_codes > 0;
    sa_wipe(&has, sizeof(has));
    sa_lockout_look(call->authority->lockout, &login->attempt, &state);
    factor.is_fresh = factor.asked.fresh_s > 0 && login->attempt.is_known &&
                      login->known.factor_s + factor.asked.fresh_s > call->now.wall_ms / 1000;
    if (!factor.has_one && state.on_guard)
        factor.withheld = "ON_GUARD";
    else if (!factor.has_one && factor.asked.factors >= SA_FACTORS_AFTER_PASSWORD)
        factor.withheld = "FACTOR_NOT_ENROLLED";
    factor.is_due =
        factor.has_one && (state.on_guard || (factor.asked.factors != SA_FACTORS_OFF && !factor.is_fresh));
    *ret_factor = factor;
    return SA_OK;
}

enum sa_status
rpc_login_take_appended(struct sa_call *call, struct rpc_login *login)
{
    struct sa_authority *authority = call->authority;
    struct sa_lockout_state state;
    struct sa_factors_state has;

    if (login->user == NULL || !sa_factor_may_be_appended(login->password))
        return SA_OK;
    sa_lockout_look(authority->lockout, &login->attempt, &state);
    if (state.on_guard)
        return SA_OK;
    enum sa_status status = sa_store_factors(authority->store, login->user->subject, &has);
    if (status != SA_OK)
        return status;
    login->password_len = sa_factor_appended(authority, login->user->subject, &has, login->password,
                                             call->now.wall_ms, &login->factor);
    sa_wipe(&has, sizeof(has));
    if (login->password_len > 0)
        login->password.len = login->password_len;
    login->attempt.password = login->password;
    return SA_OK;
}

/* ---- the question ---- */

struct sa_challenge_owner
rpc_login_owner(const struct sa_call *call, const struct rpc_login *login)
{
    return (struct sa_challenge_owner){
        .name = login->name,
        .source = &call->source,
        .service = sa_bytes_of(login->by_gateway ? call->caller.gateway : login->service),
        .via = call->caller.via};
}

void
rpc_login_challenge_mac(const struct sa_call *call, struct sa_bytes secret, uint8_t ret_mac[SA_MAC_LEN])
{
    sa_keyring_mac(call->authority->keyring, SA_KEY_CHALLENGE, secret, ret_mac);
}

static enum sa_status
put_challenge(struct sa_call *call, const struct rpc_login *login, const char *reason,
              Secauth__V1__Challenge **ret_challenge)
{
    Secauth__V1__Challenge *challenge = sa_arena_alloc(call->arena, sizeof(*challenge));
    Secauth__V1__PromptChallenge *prompt = sa_arena_alloc(call->arena, sizeof(*prompt));
    const struct sa_challenge_owner owner = rpc_login_owner(call, login);
    struct sa_challenge kept = {.is_charged = login->asks_always, .reason = reason};
    char state[SA_ID_LEN + 1];

    if (challenge == NULL || prompt == NULL)
        return SA_NO_MEMORY;
    secauth__v1__challenge__init(challenge);
    secauth__v1__prompt_challenge__init(prompt);
    prompt->echo = true;
    challenge->kind_case = SECAUTH__V1__CHALLENGE__KIND_PROMPT;
    challenge->prompt = prompt;
    rpc_login_challenge_mac(call, login->password, kept.password_mac);
    rpc_login_challenge_mac(call, sa_bytes_of(login->user == NULL ? "" : login->user->hash), kept.hash_mac);
    sa_challenges_issue(call->authority->challenges, &owner, &kept, call->now.boot_ms, state);
    bool put = rpc_put_text(call, PROMPT, &prompt->text) &&
               rpc_put_bytes(call, sa_bytes(state, SA_ID_LEN), &challenge->state);
    sa_wipe(state, sizeof(state));
    *ret_challenge = challenge;
    return put ? SA_OK : SA_NO_MEMORY;
}

enum sa_status
rpc_login_challenge(struct sa_call *call, struct rpc_login *login, Secauth__V1__Challenge **ret_challenge)
{
    const char *reason = login->verdict == SA_INVALID_CREDENTIALS ? login->reason : NULL;
    struct sa_audit record =
        rpc_login_record(call, login, reason == NULL ? SA_OUTCOME_GRANTED : SA_OUTCOME_DENIED, reason);
    enum sa_status status;

    if (reason == NULL)
        record.event = SA_EVENT_FACTOR_ASK;
    if (login->asks_always) {
        status = rpc_fail_proof(call, &login->attempt, &record, SA_INVALID_CREDENTIALS);
        return status == SA_INVALID_CREDENTIALS ? put_challenge(call, login, reason, ret_challenge) : status;
    }
    sa_lockout_give_back(call->authority->lockout, &login->attempt);
    rpc_forgive(call);
    status = sa_store_audit(call->authority->store, &record);
    return status == SA_OK ? put_challenge(call, login, reason, ret_challenge) : rpc_hold(call, status);
}

/* ---- the wrong answer ---- */

enum sa_status
rpc_login_deny_code(struct sa_call *call, const struct rpc_login *login, const char *reason)
{
    struct sa_audit record = rpc_login_record(call, login, SA_OUTCOME_DENIED, reason);
    const struct sa_login_change change = {.wrong_code_subject = login->user->subject};

    call->log_reason = reason;
    enum sa_status status = sa_store_login(call->authority->store, &change, &record);
    if (status != SA_OK)
        rpc_forgive(call);
    return rpc_hold(call, status == SA_OK ? SA_INVALID_CREDENTIALS : status);
}
