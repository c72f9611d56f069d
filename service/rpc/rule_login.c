#include "service/rpc/rule_login.h"

#include "service/auth/account.h"
#include "service/auth/inside.h"
#include "service/rpc/origin.h"
#include "service/store/store_login.h"

struct sa_rule_login
rpc_rule_login(const struct sa_call *call, struct sa_bytes name, const struct sa_user *user,
               const Secauth__V1__Origin *origin, bool is_known)
{
    return (struct sa_rule_login){
        .name = name,
        .user = user,
        .service = origin == NULL ? sa_bytes(NULL, 0) : sa_bytes_of(origin->service),
        .source = &call->source,
        .is_known = is_known,
        .is_oneself = call->caller.via == SA_VIA_USER && user != NULL && call->caller.uid == user->uid,
        .wall_ms = call->now.wall_ms,
    };
}

enum sa_status
rpc_account_state(const struct sa_call *call, const struct sa_user *user, const Secauth__V1__Origin *origin,
                  bool is_known, unsigned *ret_line)
{
    enum sa_status state = sa_account_state(user, call->now.wall_ms);
    struct sa_rule_login login = rpc_rule_login(call, sa_bytes_of(user->name), user, origin, is_known);

    *ret_line = 0;
    if (sa_account_is_closed(state))
        return state;
    struct sa_rule_verdict verdict = sa_rules_access(call->authority->rules, &login);
    *ret_line = verdict.line;
    return verdict.denied ? SA_DENIED_BY_RULE : state;
}

enum sa_status
rpc_source_is_known(struct sa_call *call, const struct sa_user *user, bool *ret_known)
{
    struct sa_authority *authority = call->authority;
    struct sa_known_row row;

    *ret_known = false;
    if (rpc_is_service(call, sa_request_origin(call)) ||
        !sa_lockout_may_be_known(authority->rules, &call->source))
        return SA_OK;
    enum sa_status status =
        sa_store_known(authority->store, user->subject, call->source.text,
                       call->now.wall_ms / 1000 - authority->conf->login_known_days * 86400, &row);
    *ret_known = status == SA_OK;
    return status == SA_NOT_FOUND ? SA_OK : status;
}

const char *
rpc_rule_detail(struct sa_call *call, unsigned line)
{
    return line == 0 ? NULL : rpc_detail(call, "rule=%u", line);
}

bool
rpc_is_service(const struct sa_call *call, const Secauth__V1__Origin *origin)
{
    struct sa_service_uid rule;

    return call->caller.via == SA_VIA_USER && origin != NULL && origin->service[0] != '\0' &&
           sa_rules_service_uid(call->authority->rules, call->caller.uid, sa_bytes_of(origin->service),
                                &rule);
}
