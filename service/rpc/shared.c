#include "service/rpc/shared.h"

#include <stdarg.h>
#include <stdio.h>

#include "service/auth/inside.h"
#include "service/auth/names.h"
#include "service/base/log.h"
#include "service/rpc/rule_login.h"

#define SERVICE_MAX  64u
#define RHOST_MAX    255u
#define TTY_MAX      64u
#define ESCAPED_EACH 4u /* a byte becomes at most \xHH */

bool
rpc_put_text(struct sa_call *call, const char *text, char **ret_field)
{
    char *copy = sa_arena_strdup(call->arena, text);

    if (copy != NULL)
        *ret_field = copy;
    return copy != NULL;
}

bool
rpc_put_bytes(struct sa_call *call, struct sa_bytes bytes, ProtobufCBinaryData *ret_field)
{
    uint8_t *copy = sa_arena_alloc(call->arena, bytes.len);

    if (copy == NULL)
        return false;
    if (bytes.len > 0)
        memcpy(copy, bytes.data, bytes.len);
    *ret_field = (ProtobufCBinaryData){bytes.len, copy};
    return true;
}

bool
rpc_put_id(struct sa_call *call, int64_t id, Secauth__V1__PosixId **ret_field)
{
    Secauth__V1__PosixId *message;

    if (id < 0)
        return true;
    message = sa_arena_alloc(call->arena, sizeof(*message));
    if (message == NULL)
        return false;
    secauth__v1__posix_id__init(message);
    message->id = (uint32_t)id;
    *ret_field = message;
    return true;
}

const char *
rpc_escaped(struct sa_call *call, struct sa_bytes text)
{
    size_t size = text.len * ESCAPED_EACH + 1;
    char *escaped = sa_arena_alloc(call->arena, size);

    return escaped == NULL ? "" : sa_escape(text, escaped, size);
}

const char *
rpc_detail(struct sa_call *call, const char *format, ...)
{
    char *detail = sa_arena_alloc(call->arena, SA_AUDIT_DETAIL_MAX + 1);
    va_list arguments;

    if (detail == NULL)
        return "";
    va_start(arguments, format);
    vsnprintf(detail, SA_AUDIT_DETAIL_MAX + 1, format, arguments);
    va_end(arguments);
    return detail;
}

enum sa_status
rpc_denied(struct sa_call *call, const struct sa_audit *record, enum sa_status status)
{
    enum sa_status kept = sa_store_audit(call->authority->store, record);

    if (call->log_reason == NULL) /* else whoever looked closer has said it */
        call->log_reason = record->reason;
    return kept == SA_OK ? status : kept;
}

/* ---- PAM's entries ---- */

enum sa_status
rpc_check_origin(struct sa_call *call, const Secauth__V1__Origin *origin)
{
    if (origin == NULL)
        return sa_call_refuse(call, "origin", "what the PAM application said; required here");
    size_t service = strlen(origin->service);
    if (service == 0 || service > SERVICE_MAX)
        return sa_call_refuse(call, "origin.service", "a PAM service of 1 to 64 bytes");
    if (origin->rhost.len > RHOST_MAX)
        return sa_call_refuse(call, "origin.rhost", "at most 255 bytes");
    if (origin->tty.len > TTY_MAX)
        return sa_call_refuse(call, "origin.tty", "at most 64 bytes");
    return SA_OK;
}

void
rpc_audit_user(struct sa_audit *record, const struct sa_user *user)
{
    record->user = user->name;
    record->subject = user->subject;
}

static enum sa_status
find_own(struct sa_call *call, struct sa_bytes name, struct sa_user **ret_user)
{
    SA_OWN(sa_user) user = NULL;

    enum sa_status status = sa_store_user_by_uid(call->authority->store, call->caller.uid, &user);
    if (status == SA_NOT_FOUND)
        return SA_NOT_MANAGED;
    if (status != SA_OK)
        return status;
    if (!sa_bytes_equal(sa_bytes_of(user->name), name))
        return SA_PERMISSION_DENIED;
    *ret_user = sa_user_take(&user);
    return SA_OK;
}

enum sa_status
rpc_find_account(struct sa_call *call, const struct rpc_whom *whom, struct sa_user **ret_user)
{
    SA_OWN(sa_user) user = NULL;
    enum sa_status status = rpc_check_origin(call, whom->origin);

    if (status != SA_OK)
        return status;
    /* A service's uid asks about others, whether their account may be used and nothing else. */
    if (call->caller.via != SA_VIA_ROOT &&
        (whom->event != SA_EVENT_ACCOUNT || !rpc_is_service(call, sa_bytes_of(whom->origin->service))))
        return find_own(call, whom->name, ret_user);
    if (!sa_name_is_user(whom->name))
        return SA_NOT_MANAGED;
    status = sa_store_user_by_name(call->authority->store, whom->name, &user);
    if (status != SA_OK)
        return status == SA_NOT_FOUND ? SA_NOT_MANAGED : status;
    if (whom->uid != NULL && whom->uid->id != user->uid) {
        struct sa_audit record = sa_call_audit(call, whom->event, SA_OUTCOME_DENIED, "UID_MISMATCH");
        rpc_audit_user(&record, user);
        return rpc_denied(call, &record, SA_PERMISSION_DENIED);
    }
    *ret_user = sa_user_take(&user);
    return SA_OK;
}
