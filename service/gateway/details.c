#include "service/gateway/details.h"

#include <assert.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define PART_MAX 256u

/* protobuf-c packs from `char *` and writes nothing through it. */
static char *
text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static void
add(Google__Rpc__Status *status, Google__Protobuf__Any *any, const char *type,
    const ProtobufCMessage *message, uint8_t part[PART_MAX])
{
    assert(protobuf_c_message_get_packed_size(message) <= PART_MAX);
    google__protobuf__any__init(any);
    any->type_url = text(type);
    any->value = (ProtobufCBinaryData){protobuf_c_message_pack(message, part), part};
    status->details[status->n_details++] = any;
}

size_t
sa_details_pack(enum sa_status status, uint32_t retry_ms, const char *field, const char *rule,
                uint8_t ret_details[SA_DETAILS_MAX])
{
    const struct sa_status_row *row = sa_status_row(status);
    Google__Rpc__Status message = GOOGLE__RPC__STATUS__INIT;
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Protobuf__Any any[3], *details[3];
    uint8_t parts[3][PART_MAX];

    message.code = row->grpc;
    message.message = text(rule != NULL ? rule : row->words); /* the very words of grpc-message */
    message.details = details;
    info.reason = text(row->reason);
    info.domain = text("secauth");
    add(&message, &any[0], "type.googleapis.com/google.rpc.ErrorInfo", &info.base, parts[0]);
    if (retry_ms > 0) {
        delay.seconds = retry_ms / 1000;
        delay.nanos = (int32_t)(retry_ms % 1000) * 1000000;
        retry.retry_delay = &delay;
        add(&message, &any[1], "type.googleapis.com/google.rpc.RetryInfo", &retry.base, parts[1]);
    }
    if (field != NULL) {
        violation.field = text(field);
        violation.description = text(rule);
        bad.field_violations = violations;
        bad.n_field_violations = 1;
        add(&message, &any[2], "type.googleapis.com/google.rpc.BadRequest", &bad.base, parts[2]);
    }
    assert(google__rpc__status__get_packed_size(&message) <= SA_DETAILS_MAX);
    return google__rpc__status__pack(&message, ret_details);
}
