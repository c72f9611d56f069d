#include "service/rpc/call_log.h"

#include <stdio.h>

#include "service/base/log.h"

#define NAME_ESCAPED_MAX 161u

static const char *
via_name(enum sa_via via)
{
    switch (via) {
    case SA_VIA_ROOT:
        return "root";
    case SA_VIA_USER:
        return "user";
    case SA_VIA_LOCAL:
        return "local";
    case SA_VIA_NETWORK:
        return "network";
    }
    return "nobody";
}

/* Reads that succeed are noise at any level but debug, unless there is a reason why the answer is what it is.
 */
static enum sa_log_level
level_of(const struct sa_call *call, enum sa_status status)
{
    if (status == SA_INTERNAL)
        return SA_LOG_ERROR;
    return status == SA_OK && call->method->audit == SA_AUDIT_NEVER && call->log_reason == NULL ? SA_LOG_DEBUG
                                                                                                : SA_LOG_INFO;
}

static void
put_caller(const struct sa_caller *caller, char *text, size_t size)
{
    int len = 0;

    if (caller->gateway[0] != '\0')
        len += snprintf(text, size, " gateway=%s", caller->gateway);
    if (caller->has_uid)
        len += snprintf(text + len, size - (size_t)len, " uid=%u pid=%u", caller->uid, caller->pid);
    if (caller->address[0] != '\0')
        snprintf(text + len, size - (size_t)len, " address=%s", caller->address);
}

void
sa_call_log(const struct sa_exchange *exchange, struct sa_bytes unknown_name)
{
    const struct sa_call *call = &exchange->call;
    enum sa_log_level level = level_of(call, exchange->answer.status);
    bool has_problem = exchange->answer.status != SA_OK && call->problem.rule != NULL;
    char name[NAME_ESCAPED_MAX] = "";
    char caller[256] = "";

    if (!sa_log_takes(level))
        return;
    if (call->method == NULL)
        sa_escape(unknown_name, name, sizeof(name));
    put_caller(&call->caller, caller, sizeof(caller));
    sa_log(level, "%016llx %s via=%s%s source=%s status=%s us=%lld%s%s%s%s%s%s",
           (unsigned long long)call->request_id, call->method == NULL ? name : call->method->name,
           via_name(call->caller.via), caller, call->source.text[0] == '\0' ? "-" : call->source.text,
           sa_status_row(exchange->answer.status)->name, (long long)(sa_clock_us() - exchange->began_us),
           call->log_reason == NULL ? "" : " reason=", call->log_reason == NULL ? "" : call->log_reason,
           has_problem ? " field=" : "", has_problem ? call->problem.field : "", has_problem ? " rule=" : "",
           has_problem ? call->problem.rule : "");
}
