#include "service/rpc/rule_login.h"

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/auth/switches.h"
#include "service/rpc/origin.h"

#define DAY_S  86400
#define STEP_S 5 /* a clock that is set right moves by less */

struct sa_rule_login
rpc_rule_login(const struct sa_call *call, struct sa_bytes name, const struct sa_user *user,
               struct sa_bytes service, bool is_known)
{
    return (struct sa_rule_login){
        .name = name,
        .user = user,
        .service = service,
        .source = &call->source,
        .is_known = is_known,
        .is_oneself = call->caller.via == SA_VIA_USER && user != NULL && call->caller.uid == user->uid,
        .wall_ms = call->now.wall_ms,
    };
}

enum sa_status
rpc_rule_state(const struct sa_rules *rules, const struct sa_rule_login *login, unsigned *ret_line)
{
    enum sa_status state = sa_account_state(login->user, login->wall_ms);

    *ret_line = 0;
    if (sa_account_is_closed(state))
        return state;
    struct sa_rule_verdict verdict = sa_rules_access(rules, login);
    *ret_line = verdict.line;
    return verdict.denied ? SA_DENIED_BY_RULE : state;
}

enum sa_status
rpc_known_source(struct sa_call *call, const struct sa_user *user, struct sa_known_row *ret_row)
{
    struct sa_authority *authority = call->authority;
    int64_t since_s = sa_switch_is_on(SA_SWITCH_known_days)
                          ? call->now.wall_ms / 1000 - authority->conf->login_known_days * DAY_S
                          : 0;

    if (!sa_lockout_may_be_known(authority->rules, &call->source))
        return SA_NOT_FOUND;
    return sa_store_known(authority->store, user->subject, call->source.text, since_s, ret_row);
}

void
rpc_look_at_stamps(struct sa_call *call, const struct sa_user *user, int64_t used_s)
{
    struct sa_stamps *stamps = call->authority->stamps;
    int64_t now_s = call->now.wall_ms / 1000;

    sa_stamps_look(stamps, user->name, "password_changed", user->changed_s, now_s,
                   DAY_S); /* a day, of some zone */
    sa_stamps_look(stamps, user->name, "last_login", used_s, now_s, STEP_S);
}

enum sa_status
rpc_account_state(struct sa_call *call, const struct sa_user *user, enum sa_status *ret_state,
                  unsigned *ret_line)
{
    struct sa_known_row known;

    enum sa_status status = rpc_known_source(call, user, &known);
    if (status != SA_OK && status != SA_NOT_FOUND)
        return status;
    struct sa_rule_login login = rpc_rule_login(
        call, sa_bytes_of(user->name), user, sa_bytes_of(sa_request_origin(call)->service), status == SA_OK);
    rpc_look_at_stamps(call, user, status == SA_OK ? known.used_s : 0);
    *ret_state = rpc_rule_state(call->authority->rules, &login, ret_line);
    return SA_OK;
}

const char *
rpc_rule_detail(struct sa_call *call, unsigned line)
{
    return line == 0 ? NULL : rpc_detail(call, "rule=%u", line);
}

bool
rpc_is_service(const struct sa_call *call, struct sa_bytes service)
{
    struct sa_service_uid rule;

    return call->caller.via == SA_VIA_USER && service.len > 0 &&
           sa_rules_service_uid(call->authority->rules, call->caller.uid, service, &rule);
}
