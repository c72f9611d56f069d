/* AuthnService/CheckAccount. */
#include "service/auth/account.h"
#include "service/rpc/proof.h"
#include "service/rpc/rule_login.h"

static Secauth__V1__AccountState
word_of(enum sa_status state)
{
    if (state == SA_OK)
        return SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_USABLE;
    if (state == SA_PASSWORD_EXPIRED)
        return SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_PASSWORD_EXPIRED;
    if (state == SA_ACCOUNT_EXPIRED)
        return SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_EXPIRED;
    if (state == SA_ACCOUNT_NOT_YET_VALID)
        return SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_NOT_YET_VALID;
    if (state == SA_DENIED_BY_RULE)
        return SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_DENIED_BY_RULE;
    return SECAUTH__V1__ACCOUNT_STATE__ACCOUNT_STATE_DISABLED;
}

/*
 * A refusal is a decision and has its record. Root's are as many as its programs ask for; of a user's own
 * there are no more than failed proofs, lest a closed account fill the log.
 */
static enum sa_status
refuse(struct sa_call *call, const struct sa_user *user, enum sa_status state, unsigned line)
{
    struct sa_audit record =
        sa_call_audit(call, SA_EVENT_ACCOUNT, SA_OUTCOME_DENIED, sa_account_reason(state));

    if (call->caller.via != SA_VIA_ROOT) {
        enum sa_status status = rpc_check_rate(call);
        if (status != SA_OK)
            return status;
        call->counts_against_source = true;
    }
    rpc_audit_user(&record, user);
    if (state == SA_DENIED_BY_RULE)
        record.detail = rpc_rule_detail(call, line);
    return rpc_denied(call, &record, SA_OK);
}

/* That an account may be used is a read. */
enum sa_status
rpc_authn_check_account(struct sa_call *call, const Secauth__V1__CheckAccountRequest *request,
                        Secauth__V1__CheckAccountResponse *reply)
{
    struct rpc_whom whom = {SA_EVENT_ACCOUNT, rpc_bytes(request->user), request->uid, request->origin};
    SA_OWN(sa_user) user = NULL;
    enum sa_status state;
    unsigned line;

    enum sa_status status = rpc_find_account(call, &whom, &user);
    if (status == SA_OK)
        status = rpc_account_state(call, user, &state, &line);
    if (status != SA_OK)
        return status;
    if (sa_account_is_closed(state))
        status = refuse(call, user, state, line);
    if (status != SA_OK)
        return status;
    reply->state = word_of(state);
    reply->password_warning_days = sa_account_warning_days(user, call->now.wall_ms);
    return SA_OK;
}
