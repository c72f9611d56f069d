#include "service/rpc/proof.h"

#include "service/auth/inside.h"
#include "service/auth/login.h"
#include "service/auth/switches.h"
#include "service/base/log.h"
#include "service/rpc/rule_login.h"

#define UNDECIDED_MS_LEAST 10u

enum sa_status
rpc_hold(struct sa_call *call, enum sa_status status)
{
    uint32_t random;

    if (!sa_switch_is_on(SA_SWITCH_fixed_denial))
        return status;
    sa_random(&random, sizeof(random));
    call->hold_until_boot_ms = sa_login_denial_boot_ms(call->authority, call->now.boot_ms, random);
    if (!call->hashed) /* of the others dispatch sees how late they are */
        call->hold_until_boot_ms += sa_login_late_ms(call->authority, call->kept, call->now.boot_ms);
    return status;
}

enum sa_status
rpc_turn_away(struct sa_call *call, enum sa_status status, const char *reason)
{
    call->log_reason = reason;
    sa_authority_turned_away(call->authority, &call->source, reason, call->now.boot_ms);
    return rpc_hold(call, status);
}

enum sa_status
rpc_check_rate(struct sa_call *call)
{
    uint32_t wait = sa_buckets_wait(call->authority->buckets, &call->source, call->now.boot_ms);

    if (wait == 0)
        return SA_OK;
    call->retry_ms = wait;
    return rpc_turn_away(call, SA_RATE_LIMITED, "RATE_LIMITED");
}

/* ---- before the hash ---- */

static bool
is_own_uid(const struct sa_call *call, const struct sa_user *user)
{
    struct sa_source own;

    sa_source_uid(user->uid, &own);
    return strcmp(call->source.text, own.text) == 0;
}

enum sa_status
rpc_place_attempt(struct sa_call *call, struct sa_lockout_try *attempt, struct sa_known_row *ret_known)
{
    attempt->source = &call->source;
    attempt->now = call->now;
    attempt->is_console = strncmp(call->source.text, "seat:", 5) == 0;
    call->kept = attempt->is_console && sa_switch_is_on(SA_SWITCH_kept);
    if (attempt->user == NULL)
        return SA_OK;
    enum sa_status status = rpc_known_source(call, attempt->user, ret_known);
    attempt->may_be_known = sa_lockout_may_be_known(call->authority->rules, &call->source);
    attempt->is_known = status == SA_OK;
    attempt->is_oneself = is_own_uid(call, attempt->user);
    call->kept = (attempt->is_console || attempt->is_known) && sa_switch_is_on(SA_SWITCH_kept);
    rpc_look_at_stamps(call, attempt->user, status == SA_OK ? ret_known->used_s : 0);
    return status == SA_NOT_FOUND ? SA_OK : status;
}

/* Who waits is turned away unhashed; a person at the console is told for how long. */
static enum sa_status
let_wait(struct sa_call *call, const struct sa_lockout_try *attempt, uint32_t wait_ms)
{
    if (attempt->is_console && sa_switch_is_on(SA_SWITCH_console_told))
        call->retry_ms = wait_ms;
    return rpc_turn_away(call, SA_INVALID_CREDENTIALS, "WAITING");
}

enum sa_status
rpc_admit_proof(struct sa_call *call, const struct sa_lockout_try *attempt)
{
    struct sa_lockout_state state;
    enum sa_status status = rpc_check_rate(call);

    if (status != SA_OK)
        return status;
    if (attempt->password.len == 0 &&
        sa_switch_is_on(SA_SWITCH_empty)) /* no guess: not charged, and not a record each */
        return rpc_turn_away(call, SA_INVALID_CREDENTIALS, "EMPTY_PASSWORD");
    sa_lockout_look(call->authority->lockout, attempt, &state);
    return state.wait_ms > 0 ? let_wait(call, attempt, state.wait_ms) : SA_OK;
}

enum sa_status
rpc_begin_proof(struct sa_call *call, const struct sa_user *user, struct sa_bytes password,
                struct sa_lockout_try *ret_attempt)
{
    struct sa_lockout_try attempt = {
        .name = sa_bytes_of(user->name), .name_text = user->name, .user = user, .password = password};
    struct sa_known_row known;
    enum sa_status status = rpc_place_attempt(call, &attempt, &known);

    call->kept = sa_switch_is_on(SA_SWITCH_kept);
    if (status == SA_OK)
        status = rpc_admit_proof(call, &attempt);
    if (status == SA_OK)
        *ret_attempt = attempt;
    return status;
}

/* ---- the hash ---- */

/* Until one of those under way may be decided: as long as a hash takes, and no less than is worth a look. */
static unsigned
undecided_ms(const struct sa_authority *authority)
{
    return authority->hash_ms > UNDECIDED_MS_LEAST ? authority->hash_ms : UNDECIDED_MS_LEAST;
}

enum sa_status
rpc_prove(struct sa_call *call, const struct sa_lockout_try *attempt, bool *ret_match)
{
    struct sa_lockout *lockout = call->authority->lockout;
    const struct sa_login_try proof = {attempt->password, attempt->user == NULL ? NULL : attempt->user->hash,
                                       &call->source, call->now.boot_ms};
    uint32_t wait_ms = sa_lockout_claim(lockout, attempt);

    call->hashed = true;
    if (wait_ms == SA_LOCKOUT_UNDECIDED)
        return sa_call_again(call, undecided_ms(call->authority));
    if (wait_ms > 0)
        return let_wait(call, attempt, wait_ms);
    enum sa_status status = sa_login_prove(call->authority, &proof, ret_match, &call->retry_ms);
    if (status != SA_OK)
        sa_lockout_give_back(lockout, attempt);
    return status == SA_RATE_LIMITED ? rpc_turn_away(call, status, "RATE_LIMITED") : status;
}

void
rpc_forgive(struct sa_call *call)
{
    if (sa_switch_is_on(SA_SWITCH_bucket_success))
        sa_buckets_give_back(call->authority->buckets, &call->source, call->now.boot_ms);
}

/* ---- it was wrong ---- */

/* An alarm has a record and a line of its own; where it cannot be kept, the next failure may raise it again.
 */
static void
raise_alarm(struct sa_call *call, const struct sa_audit *denial, enum sa_event event, const char *reason)
{
    struct sa_audit record = *denial;

    record.event = event;
    record.reason = reason;
    sa_log(SA_LOG_WARNING, "alarm event=%s reason=%s user=%s source=%s", sa_event_name(event), reason,
           record.user, call->source.text);
    if (sa_store_audit(call->authority->store, &record) != SA_OK)
        sa_log(SA_LOG_ERROR, "the record of an alarm could not be kept");
}

enum sa_status
rpc_fail_proof(struct sa_call *call, struct sa_lockout_try *attempt, const struct sa_audit *record,
               enum sa_status status)
{
    struct sa_lockout *lockout = call->authority->lockout;
    bool is_guess = status == SA_INVALID_CREDENTIALS;
    bool counts = !sa_login_is_filler(attempt->password) || !sa_switch_is_on(SA_SWITCH_filler);
    struct sa_login_change change = {.has_pair = false};
    unsigned alarms = sa_lockout_failed(lockout, attempt, is_guess && counts, &change);

    call->log_reason = record->reason;
    enum sa_status kept = sa_store_login(call->authority->store, &change, record);
    if (kept != SA_OK) {
        sa_lockout_undo(lockout, attempt);
        if (is_guess)
            rpc_forgive(call);
        return rpc_hold(call, kept);
    }
    if ((alarms & SA_ALARM_GUARD) != 0)
        raise_alarm(call, record, SA_EVENT_GUARD, "TOO_MANY_FAILURES");
    if ((alarms & SA_ALARM_SPRAY) != 0)
        raise_alarm(call, record, SA_EVENT_PASSWORD_SPRAY, "ONE_PASSWORD_MANY_NAMES");
    return rpc_hold(call, status);
}

enum sa_status
rpc_refuse_proof(struct sa_call *call, const struct sa_audit *record)
{
    (void)sa_buckets_charge(call->authority->buckets, &call->source, call->now.boot_ms);
    enum sa_status status = rpc_denied(call, record, SA_INVALID_CREDENTIALS);
    if (status != SA_INVALID_CREDENTIALS)
        rpc_forgive(call);
    return rpc_hold(call, status);
}

struct sa_user *
rpc_keep_user(struct sa_call *call, const struct sa_user *user)
{
    struct sa_user *copy = sa_arena_alloc(call->arena, sizeof(*copy));

    if (copy != NULL)
        *copy = *user;
    return copy;
}
