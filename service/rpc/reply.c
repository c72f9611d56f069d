#include "reply.h"

#include <stdio.h>
#include <stdlib.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define DOMAIN      "secauth"
#define TYPE_URL    "type.googleapis.com/"
#define DETAILS_MAX 3u
#define WORDS_MAX   160u

/* protobuf-c's messages take `char *` and only read it. */
static char *
text(const char *constant)
{
    return (char *)(uintptr_t)constant;
}

static bool
pack(struct sa_arena *arena, const ProtobufCMessage *message, struct sa_bytes *ret_packed)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = sa_arena_alloc(arena, len);

    if (packed == NULL)
        return false;
    protobuf_c_message_pack(message, packed);
    *ret_packed = sa_bytes(packed, len);
    return true;
}

/* An error while it is put together. */
struct error {
    Google__Rpc__Status message;
    Google__Protobuf__Any any[DETAILS_MAX];
    Google__Protobuf__Any *details[DETAILS_MAX];
    char words[WORDS_MAX];
};

static bool
add_detail(struct error *error, struct sa_arena *arena, const char *type_url, const ProtobufCMessage *detail)
{
    struct sa_bytes packed;

    if (!pack(arena, detail, &packed))
        return false;
    Google__Protobuf__Any *any = &error->any[error->message.n_details];
    google__protobuf__any__init(any);
    any->type_url = text(type_url);
    any->value.data = (uint8_t *)(uintptr_t)packed.data;
    any->value.len = packed.len;
    error->details[error->message.n_details++] = any;
    return true;
}

static bool
add_info(struct error *error, struct sa_arena *arena, const struct sa_status_row *row)
{
    Google__Rpc__ErrorInfo info;

    google__rpc__error_info__init(&info);
    info.reason = text(row->reason);
    info.domain = text(DOMAIN);
    return add_detail(error, arena, TYPE_URL "google.rpc.ErrorInfo", &info.base);
}

static bool
add_retry(struct error *error, struct sa_arena *arena, uint32_t retry_ms)
{
    Google__Rpc__RetryInfo retry;
    Google__Protobuf__Duration delay;

    if (retry_ms == 0)
        return true;
    google__rpc__retry_info__init(&retry);
    google__protobuf__duration__init(&delay);
    delay.seconds = retry_ms / 1000;
    delay.nanos = (int32_t)(retry_ms % 1000) * 1000000;
    retry.retry_delay = &delay;
    return add_detail(error, arena, TYPE_URL "google.rpc.RetryInfo", &retry.base);
}

static bool
add_problem(struct error *error, struct sa_arena *arena, const struct sa_problem *problem)
{
    Google__Rpc__BadRequest bad;
    Google__Rpc__BadRequest__FieldViolation violation;
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};

    if (problem->rule == NULL)
        return true;
    google__rpc__bad_request__init(&bad);
    google__rpc__bad_request__field_violation__init(&violation);
    violation.field = text(problem->field);
    violation.description = text(problem->rule);
    bad.n_field_violations = 1;
    bad.field_violations = violations;
    return add_detail(error, arena, TYPE_URL "google.rpc.BadRequest", &bad.base);
}

/*
 * Whoever comes through a gateway sees no frame, so the words bring the request's id along.
 */
static void
put_words(struct error *error, const struct sa_call *call, const struct sa_status_row *row)
{
    if ((call->caller.via & (SA_VIA_LOCAL | SA_VIA_NETWORK)) != 0)
        snprintf(error->words, sizeof(error->words), "%s (request %016llx)", row->words,
                 (unsigned long long)call->request_id);
    else
        snprintf(error->words, sizeof(error->words), "%s", row->words);
    error->message.message = error->words;
}

static bool
make_error(const struct sa_call *call, enum sa_status status, struct sa_bytes *ret_body)
{
    const struct sa_status_row *row = sa_status_row(status);
    bool blames_a_field = status == SA_INVALID_ARGUMENT || status == SA_PASSWORD_REFUSED;
    struct error error;

    google__rpc__status__init(&error.message);
    error.message.code = row->grpc;
    error.message.details = error.details;
    put_words(&error, call, row);
    return add_info(&error, call->arena, row) && add_retry(&error, call->arena, call->retry_ms) &&
           (!blames_a_field || add_problem(&error, call->arena, &call->problem)) &&
           pack(call->arena, &error.message.base, ret_body);
}

/* A status that may travel: a handler that returns another has a bug, and the caller gets no grant from it.
 */
static enum sa_status
sendable(enum sa_status status)
{
    return sa_status_from_wire((uint16_t)status) == status && status != SA_MALFORMED ? status : SA_INTERNAL;
}

void
sa_reply_make(struct sa_exchange *exchange, enum sa_status status)
{
    struct sa_call *call = &exchange->call;
    bool streams = call->method != NULL && call->method->streams;

    status = sendable(status);
    if (streams && status == SA_OK) /* none ends because it is done: a bug of its method */
        status = SA_INTERNAL;
    exchange->answer.body = sa_bytes(NULL, 0);
    if (status == SA_OK && protobuf_c_message_get_packed_size(call->reply) > SA_FRAME_REPLY_MAX)
        status = SA_TOO_LARGE;
    if (status == SA_OK && !pack(call->arena, call->reply, &exchange->answer.body))
        status = SA_NO_MEMORY;
    if (status != SA_OK && !make_error(call, status, &exchange->answer.body))
        exchange->answer.body = sa_bytes(NULL, 0);
    struct sa_frame frame = {
        .kind = streams ? SA_FRAME_END : SA_FRAME_REPLY,
        .status = (uint16_t)status,
        .call = exchange->answer.number,
        .millis = status == SA_OK ? 0 : call->retry_ms,
        .request_id = call->request_id,
        .body_len = (uint32_t)exchange->answer.body.len,
    };
    sa_frame_encode(&frame, exchange->answer.header);
    exchange->answer.status = status;
}

struct sa_answer *
sa_answer_new(size_t body_len)
{
    struct sa_answer *answer = calloc(1, sizeof(*answer) + body_len);

    if (answer != NULL)
        answer->body = sa_bytes(answer + 1, body_len);
    return answer;
}

void
sa_answer_free(struct sa_answer *answer)
{
    if (answer == NULL)
        return;
    sa_wipe(answer + 1, answer->body.len);
    free(answer);
}
