#include "call.h"

#include "secauth/v1/common.pb-c.h"
#include "service/base/log.h"
#include "service/rpc/origin.h"

#define ESCAPED_SERVICE_MAX 257u /* 64 bytes, each as \xHH */

enum sa_status
sa_call_then(struct sa_call *call, enum sa_lane lane, sa_step step)
{
    call->next_lane = lane;
    call->next_step = step;
    call->settles = false;
    return SA_UNSET; /* the last step says */
}

enum sa_status
sa_call_settle(struct sa_call *call, enum sa_lane lane, sa_step step)
{
    enum sa_status status = sa_call_then(call, lane, step);

    call->settles = true;
    return status;
}

enum sa_status
sa_call_again(struct sa_call *call, unsigned ms)
{
    call->again_boot_ms = sa_clock_now().boot_ms + ms;
    return SA_UNSET; /* the step says, when it runs again */
}

enum sa_status
sa_call_commit(struct sa_call *call, struct sa_work *commit, sa_step step)
{
    if (commit == NULL)
        return SA_NO_MEMORY;
    call->commit = commit;
    call->next_step = step;
    return SA_UNSET; /* the step says */
}

void
sa_call_after(struct sa_call *call, enum sa_lane lane, sa_step step)
{
    call->after_lane = lane;
    call->after_step = step;
}

enum sa_status
sa_call_refuse(struct sa_call *call, const char *field, const char *rule)
{
    size_t len = strnlen(field, sizeof(call->problem.field) - 1);

    memcpy(call->problem.field, field, len);
    call->problem.field[len] = '\0';
    call->problem.rule = rule;
    return SA_INVALID_ARGUMENT;
}

static void
add_origin(const struct sa_call *call, struct sa_audit *audit)
{
    const Secauth__V1__Origin *origin = sa_request_origin(call);
    if (origin == NULL)
        return;
    char *service = sa_arena_alloc(call->arena, ESCAPED_SERVICE_MAX);
    if (service != NULL)
        audit->service = sa_escape(sa_bytes_of(origin->service), service, ESCAPED_SERVICE_MAX);
    if (call->caller.via != SA_VIA_ROOT)
        return; /* the rest is believed from root's socket only */
    audit->acting_uid = origin->acting_uid;
    if (origin->login_uid != NULL)
        audit->login_uid = origin->login_uid->id;
    if (origin->audit_session != NULL)
        audit->audit_session = origin->audit_session->id;
}

struct sa_audit
sa_call_audit(const struct sa_call *call, enum sa_event event, enum sa_outcome outcome, const char *reason)
{
    struct sa_audit audit = sa_audit(event);

    audit.outcome = outcome;
    audit.reason = reason;
    audit.request_id = call->request_id;
    audit.time_ms = call->now.wall_ms;
    audit.source = call->source.text;
    audit.gateway = call->caller.gateway;
    if (call->caller.has_uid)
        audit.actor_uid = call->caller.uid;
    if (call->caller.pid != 0)
        audit.actor_pid = call->caller.pid;
    add_origin(call, &audit);
    return audit;
}
