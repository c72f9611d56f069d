/* AuthnService/ChangePassword: look up (store), prove and hash (hash), change (store). */
#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/session.h"
#include "service/rpc/proof.h"
#include "service/rpc/user_message.h"

#define DAY_S 86400

struct change {
    const Secauth__V1__ChangePasswordRequest *request;
    struct sa_user *user;
    bool by_owner;                 /* the current password is proven, whoever asks */
    struct sa_lockout_try attempt; /* with by_owner: a password is proven, so it can be guessed */
    bool match;
    const char *reason; /* of a denial */
    char encoded[SA_PASSWORD_HASH_MAX + 1];
};

static struct change *
change_of(const struct sa_call *call)
{
    return call->state;
}

static Secauth__V1__ChangePasswordResponse *
reply_of(const struct sa_call *call)
{
    return (Secauth__V1__ChangePasswordResponse *)call->reply;
}

static struct sa_audit
record_of(struct sa_call *call, enum sa_outcome outcome, const char *reason)
{
    const struct change *change = change_of(call);
    enum sa_event event = change->by_owner ? SA_EVENT_PASSWORD : SA_EVENT_USER_PASSWORD;
    struct sa_audit record = sa_call_audit(call, event, outcome, reason);

    rpc_audit_user(&record, change->user);
    return record;
}

/*
 * Root itself needs no proof, unless only what has expired may be changed: sshd and su do that in a child of
 * root. Whoever runs passwd changes their own; with a proof of the expired one, su changes another's as well.
 */
static enum sa_status
check_right(struct sa_call *call, struct change *change)
{
    const Secauth__V1__ChangePasswordRequest *request = change->request;
    bool by_root = call->caller.via == SA_VIA_ROOT && request->origin->acting_uid == 0;

    change->by_owner = !by_root || request->expired_only;
    if (by_root || call->caller.via != SA_VIA_ROOT || request->expired_only ||
        request->origin->acting_uid == change->user->uid)
        return SA_OK;
    struct sa_audit record = record_of(call, SA_OUTCOME_DENIED, "NOT_ONESELF");
    return rpc_denied(call, &record, SA_PERMISSION_DENIED);
}

/* min_days binds the person: whoever gets a password by an administrator's hand may change it at once. */
static bool
is_too_early(const struct sa_call *call, const struct change *change)
{
    return change->by_owner && !sa_account_may_change_yet(change->user, call->now.wall_ms);
}

static enum sa_status
refuse_early(struct sa_call *call, const struct change *change)
{
    int64_t left_s =
        change->user->changed_s + (int64_t)change->user->min_days * DAY_S - call->now.wall_ms / 1000;
    const char *rule =
        rpc_detail(call, "a later change: the password may be changed again in %lld days (min_days)",
                   (long long)((left_s + DAY_S - 1) / DAY_S));

    (void)sa_call_refuse(call, "new_password", rule);
    return SA_PASSWORD_REFUSED;
}

static enum sa_status
check_new(struct sa_call *call, const struct change *change)
{
    struct sa_bytes current =
        change->by_owner ? rpc_bytes(change->request->current_password) : sa_bytes(NULL, 0);

    if (is_too_early(call, change))
        return refuse_early(call, change);
    return rpc_check_new_password(call, "new_password", rpc_bytes(change->request->new_password), current,
                                  change->user->name);
}

static enum sa_status prove(struct sa_call *call);
static enum sa_status make(struct sa_call *call);

/* As at a login: by the same pair, the same guard and the same bucket. */
static enum sa_status
begin_proof(struct sa_call *call, struct change *change)
{
    enum sa_status status =
        rpc_begin_proof(call, change->user, rpc_bytes(change->request->current_password), &change->attempt);

    return status == SA_OK ? sa_call_then(call, SA_LANE_HASH, prove) : status;
}

enum sa_status
rpc_authn_change_password(struct sa_call *call, const Secauth__V1__ChangePasswordRequest *request,
                          Secauth__V1__ChangePasswordResponse *reply)
{
    struct rpc_whom whom = {SA_EVENT_PASSWORD, rpc_bytes(request->user), request->uid, request->origin};
    struct change *change = sa_arena_alloc(call->arena, sizeof(*change));
    SA_OWN(sa_user) user = NULL;

    if (change == NULL)
        return SA_NO_MEMORY;
    enum sa_status status = rpc_find_account(call, &whom, &user);
    if (status != SA_OK)
        return status;
    *change = (struct change){.request = request, .user = rpc_keep_user(call, user)};
    call->state = change;
    if (change->user == NULL)
        return SA_NO_MEMORY;
    status = check_right(call, change);
    if (status != SA_OK)
        return status;
    if (request->expired_only && sa_account_state(user, call->now.wall_ms) == SA_OK) {
        reply->not_expired = true;
        return SA_OK;
    }
    call->kept = true;
    if (change->by_owner)
        return begin_proof(call, change);
    if (request->check_only) {
        reply->accepted = true;
        return SA_OK;
    }
    return sa_call_then(call, SA_LANE_HASH, make);
}

/* ---- the current password ---- */

static enum sa_status deny(struct sa_call *call);
static enum sa_status accept_check(struct sa_call *call);

/* What the owner may not do, in the words of a wrong password: it is told to nobody who has not proven it. */
static const char *
denial(const struct sa_call *call, struct change *change)
{
    enum sa_status state = sa_account_state(change->user, call->now.wall_ms);
    struct sa_lockout_state stands;

    if (!change->match)
        return sa_login_mismatch_reason(rpc_bytes(change->request->current_password));
    change->attempt.matched = true;
    if (sa_account_is_closed(state))
        return sa_account_reason(state);
    sa_lockout_look(call->authority->lockout, &change->attempt, &stands);
    return stands.on_guard ? "ON_GUARD" : NULL; /* nobody is asked for a second factor here */
}

static enum sa_status
prove(struct sa_call *call)
{
    struct change *change = change_of(call);

    enum sa_status status = rpc_prove(call, &change->attempt, &change->match);
    if (status != SA_OK)
        return status;
    change->reason = denial(call, change);
    if (change->reason != NULL)
        return sa_call_settle(call, SA_LANE_STORE, deny);
    rpc_forgive(call);
    sa_lockout_give_back(call->authority->lockout, &change->attempt);
    if (is_too_early(call, change))
        return refuse_early(call, change); /* before anybody has to think of a new one */
    return change->request->check_only ? sa_call_then(call, SA_LANE_STORE, accept_check) : make(call);
}

static enum sa_status
deny(struct sa_call *call)
{
    struct sa_audit record = record_of(call, SA_OUTCOME_DENIED, change_of(call)->reason);

    return rpc_fail_proof(call, &change_of(call)->attempt, &record, SA_INVALID_CREDENTIALS);
}

/* What a success clears: its own pair. Nothing becomes known by it, for the second factor was not asked. */
static struct sa_login_change
success_of(const struct sa_call *call)
{
    const struct change *change = change_of(call);
    const struct sa_lockout_proof proof = {.every_factor = false};
    struct sa_login_change cleared = {.has_pair = false};

    if (change->by_owner)
        sa_lockout_succeeded(call->authority->lockout, &change->attempt, &proof, &cleared);
    return cleared;
}

static void
accept(struct sa_call *call)
{
    if (change_of(call)->by_owner)
        sa_lockout_committed(call->authority->lockout, &change_of(call)->attempt);
    reply_of(call)->accepted = true;
}

/* A password was proven: that is a decision, though nothing changes yet. */
static enum sa_status
accept_check(struct sa_call *call)
{
    const struct sa_login_change cleared = success_of(call);
    struct sa_audit record = record_of(call, SA_OUTCOME_GRANTED, NULL);

    record.detail = "check=only";
    enum sa_status status = sa_store_login(call->authority->store, &cleared, &record);
    if (status != SA_OK)
        return rpc_hold(call, status); /* no sooner to the right password than to a wrong one */
    accept(call);
    return SA_OK;
}

/* ---- the new one ---- */

static enum sa_status commit(struct sa_call *call);

static enum sa_status
make(struct sa_call *call)
{
    struct change *change = change_of(call);
    enum sa_status status = check_new(call, change);

    if (status != SA_OK)
        return status;
    status = sa_login_hash(call->authority, rpc_bytes(change->request->new_password), change->encoded);
    return status == SA_OK ? sa_call_then(call, SA_LANE_STORE, commit) : status;
}

/* One's own change spares the session that made it; root's ends all of them. */
static enum sa_status
find_spared(struct sa_call *call, const struct change *change, char ret_id[SA_ID_LEN + 1])
{
    const Secauth__V1__PosixId *audit_session =
        call->caller.via == SA_VIA_ROOT ? change->request->origin->audit_session : NULL;

    ret_id[0] = '\0';
    if (!change->by_owner || !call->caller.has_uid)
        return SA_OK;
    return sa_session_of_process(call->authority, change->user->subject, call->caller.pid,
                                 audit_session == NULL ? -1 : (int64_t)audit_session->id, call->now.wall_ms,
                                 ret_id);
}

/*
 * The hash is another one by now. It may be the same password's (a login beside this call replaced a weaker
 * hash), so it is proven again.
 */
static enum sa_status
prove_again(struct sa_call *call)
{
    struct change *change = change_of(call);
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_subject(call->authority->store, change->user->subject, &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_NOT_MANAGED : status;
    *change->user = *user;
    return sa_call_then(call, SA_LANE_HASH, prove);
}

static enum sa_status
commit(struct sa_call *call)
{
    struct change *change = change_of(call);
    struct sa_audit record = record_of(call, SA_OUTCOME_GRANTED, NULL);
    char spared[SA_ID_LEN + 1];

    enum sa_status status = find_spared(call, change, spared);
    if (status != SA_OK)
        return rpc_hold(call, status);
    const struct sa_login_change cleared = success_of(call);
    struct sa_password_change stored = {.subject = change->user->subject,
                                        .login = &cleared,
                                        .old_hash = change->by_owner ? change->user->hash : NULL,
                                        .new_hash = change->encoded,
                                        .changed_s = call->now.wall_ms / 1000,
                                        .spare_session = spared[0] == '\0' ? NULL : spared,
                                        .end_sessions = true};
    record.session_id = stored.spare_session;
    status = sa_store_user_set_password(call->authority->store, &stored, call->now.wall_ms, &record);
    if (status == SA_NOT_FOUND)
        return change->by_owner ? prove_again(call) : SA_NOT_MANAGED;
    if (status != SA_OK)
        return rpc_hold(call, status);
    accept(call);
    return SA_OK;
}
