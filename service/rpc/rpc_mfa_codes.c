/* MfaService: ConfirmTotp and CreateRecoveryCodes, which take codes. */
#include "service/auth/factor.h"
#include "service/auth/inside.h"
#include "service/rpc/rpc_mfa.h"

struct recovery {
    uint8_t macs[SA_RECOVERY_CODES][SA_MAC_LEN];
};

static const uint8_t (*macs_of(const struct recovery *recovery))[SA_MAC_LEN]
{
    return recovery == NULL ? NULL : (const uint8_t(*)[SA_MAC_LEN])recovery->macs;
}

/* Ten new codes, into a reply; NULL for lack of memory. */
static struct recovery *
make_recovery(struct sa_call *call, size_t *ret_count, ProtobufCBinaryData **ret_codes)
{
    const struct rpc_mfa *mfa = call->state;
    struct recovery *recovery = sa_arena_alloc(call->arena, sizeof(*recovery));
    ProtobufCBinaryData *codes = sa_arena_alloc(call->arena, SA_RECOVERY_CODES * sizeof(*codes));
    char code[SA_RECOVERY_TEXT_LEN + 1];
    bool put = recovery != NULL && codes != NULL;

    for (unsigned i = 0; put && i < SA_RECOVERY_CODES; i++) {
        sa_factor_make_recovery(call->authority, mfa->user->subject, code, recovery->macs[i]);
        put = rpc_put_bytes(call, sa_bytes_of(code), &codes[i]);
    }
    sa_wipe(code, sizeof(code));
    if (!put)
        return NULL;
    *ret_codes = codes;
    *ret_count = SA_RECOVERY_CODES;
    return recovery;
}

/*
 * A wrong code of a person counts like one of a login, and its unit stays taken. An administrator's does not:
 * it guesses nothing that they could not simply set.
 */
static enum sa_status
deny_code(struct sa_call *call)
{
    const struct rpc_mfa *mfa = call->state;
    struct sa_audit record = rpc_mfa_record(call, SA_OUTCOME_DENIED, "WRONG_CODE");
    const struct sa_login_change wrong = {.wrong_code_subject = mfa->user->subject};

    if (!mfa->proves)
        return rpc_denied(call, &record, SA_INVALID_CREDENTIALS);
    sa_lockout_give_back(call->authority->lockout, &mfa->attempt); /* the password was right */
    enum sa_status status = sa_store_login(call->authority->store, &wrong, &record);
    if (status != SA_OK)
        rpc_forgive(call);
    call->log_reason = record.reason;
    return rpc_hold(call, status == SA_OK ? SA_INVALID_CREDENTIALS : status);
}

/* What proves the factors in force, and what is spent with it. */
struct current {
    bool asked;
    enum sa_status status;
    struct sa_factor_use use;
    uint8_t mac[SA_MAC_LEN];
};

static void
judge_current(struct sa_call *call, const struct sa_factors_state *state, struct sa_bytes code,
              struct current *ret_current)
{
    const struct rpc_mfa *mfa = call->state;

    *ret_current = (struct current){.asked = mfa->proves && (state->has_totp || state->recovery_codes > 0),
                                    .status = SA_OK};
    if (ret_current->asked)
        ret_current->status = sa_factor_judge(call->authority, mfa->user->subject, state, code,
                                              call->now.wall_ms, ret_current->mac, &ret_current->use);
}

static const char *
proof_of(const struct current *current)
{
    return !current->asked ? "none" : current->use.is_totp ? "totp" : "recovery";
}

/* ---- ConfirmTotp ---- */

static enum sa_status
arm(struct sa_call *call, const struct sa_factors_state *state)
{
    const struct rpc_mfa *mfa = call->state;
    const Secauth__V1__ConfirmTotpRequest *request = (const Secauth__V1__ConfirmTotpRequest *)call->request;
    Secauth__V1__ConfirmTotpResponse *reply = (Secauth__V1__ConfirmTotpResponse *)call->reply;
    struct sa_audit record = rpc_mfa_record(call, SA_OUTCOME_GRANTED, NULL);
    struct sa_totp_arming arming = {.pending = &state->pending, .now_s = call->now.wall_ms / 1000};
    const struct recovery *recovery = NULL;
    struct current current;

    if (!state->has_pending)
        return rpc_mfa_finish(call, SA_FACTOR_REQUIRED);
    judge_current(call, state, rpc_bytes(request->current_code), &current);
    bool good = sa_factor_step(&state->pending, sa_factor_strip(rpc_bytes(request->code)), call->now.wall_ms,
                               &arming.step);
    if (!good || current.status != SA_OK)
        return deny_code(call);
    if (request->recovery_codes) {
        recovery = make_recovery(call, &reply->n_recovery_codes, &reply->recovery_codes);
        if (recovery == NULL)
            return rpc_mfa_finish(call, SA_NO_MEMORY);
    }
    arming.macs = macs_of(recovery);
    arming.current = current.asked ? &current.use : NULL;
    record.detail = rpc_detail(call, "replaced=%s proof=%s recovery_codes=%s", state->has_totp ? "yes" : "no",
                               proof_of(&current), recovery == NULL ? "kept" : "made");
    enum sa_status status = sa_store_totp_arm(call->authority->store, mfa->user->subject, &arming, &record);
    if (status ==
        SA_NOT_FOUND) /* used meanwhile, or no recovery code of this person's; or another key waits */
        return current.asked ? deny_code(call) : rpc_mfa_finish(call, SA_FACTOR_REQUIRED);
    reply->armed = status == SA_OK;
    return rpc_mfa_finish(call, status);
}

static enum sa_status
confirm(struct sa_call *call)
{
    const struct rpc_mfa *mfa = call->state;
    struct sa_factors_state state;

    enum sa_status status = sa_store_factors(call->authority->store, mfa->user->subject, &state);
    if (status != SA_OK)
        return rpc_mfa_finish(call, status);
    status = arm(call, &state);
    sa_wipe(&state, sizeof(state));
    return status;
}

enum sa_status
rpc_mfa_confirm_totp(struct sa_call *call, const Secauth__V1__ConfirmTotpRequest *request,
                     SA_UNUSED Secauth__V1__ConfirmTotpResponse *reply)
{
    return rpc_mfa_start(call, request->user, rpc_bytes(request->password), SA_EVENT_FACTOR_ARM, confirm);
}

/* ---- CreateRecoveryCodes ---- */

static enum sa_status
replace_codes(struct sa_call *call, const struct sa_factors_state *state)
{
    const struct rpc_mfa *mfa = call->state;
    const Secauth__V1__CreateRecoveryCodesRequest *request =
        (const Secauth__V1__CreateRecoveryCodesRequest *)call->request;
    Secauth__V1__CreateRecoveryCodesResponse *reply = (Secauth__V1__CreateRecoveryCodesResponse *)call->reply;
    struct sa_audit record = rpc_mfa_record(call, SA_OUTCOME_GRANTED, NULL);
    struct current current;

    if (!state->has_totp)
        return rpc_mfa_finish(call, SA_FACTOR_REQUIRED);
    judge_current(call, state, rpc_bytes(request->code), &current);
    if (current.status != SA_OK)
        return deny_code(call);
    const struct recovery *recovery = make_recovery(call, &reply->n_codes, &reply->codes);
    if (recovery == NULL)
        return rpc_mfa_finish(call, SA_NO_MEMORY);
    record.detail = rpc_detail(call, "proof=%s", proof_of(&current));
    enum sa_status status =
        sa_store_recovery_set(call->authority->store, mfa->user->subject, current.asked ? &current.use : NULL,
                              macs_of(recovery), &record);
    return status == SA_NOT_FOUND && current.asked ? deny_code(call) : rpc_mfa_finish(call, status);
}

static enum sa_status
create(struct sa_call *call)
{
    const struct rpc_mfa *mfa = call->state;
    struct sa_factors_state state;

    enum sa_status status = sa_store_factors(call->authority->store, mfa->user->subject, &state);
    if (status != SA_OK)
        return rpc_mfa_finish(call, status);
    status = replace_codes(call, &state);
    sa_wipe(&state, sizeof(state));
    return status;
}

enum sa_status
rpc_mfa_create_recovery_codes(struct sa_call *call, const Secauth__V1__CreateRecoveryCodesRequest *request,
                              SA_UNUSED Secauth__V1__CreateRecoveryCodesResponse *reply)
{
    return rpc_mfa_start(call, request->user, rpc_bytes(request->password), SA_EVENT_RECOVERY_CODES, create);
}
