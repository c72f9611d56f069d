#include "decode.h"

#include <assert.h>
#include <stdio.h>

#include "text.h"

/* Widths of the encoding; the last as protobuf has it, the others as protobuf-c reads them. */
#define TAG_BYTES_MAX    5u
#define LENGTH_BYTES_MAX 5u
#define VARINT_BYTES_MAX 10u

/* tests/fuzz/planted.test, and nothing else, takes this check out: the fuzzer must find that. */
#ifdef SA_PLANTED_FAULT
#define CHECKS_LENGTHS false
#else
#define CHECKS_LENGTHS true
#endif

/* What is left of a message, or of a packed field. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

struct walk {
    const char *names[SA_DECODE_DEPTH_MAX + 1]; /* the path to where we are */
    unsigned depth;                             /* messages that we are inside of */
    unsigned fields_left;
    const char *rule; /* the rule that is broken; NULL so far */
};

static bool
refuse(struct walk *walk, const char *rule)
{
    walk->rule = rule;
    return false;
}

static size_t
left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* A varint of at most `bytes_max` bytes and 64 bits. */
static bool
take_varint(struct walk *walk, struct cursor *cursor, unsigned bytes_max, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes_max; i++) {
        if (cursor->at == cursor->end)
            return refuse(walk, "ends in the middle of a number");
        uint8_t byte = *cursor->at++;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return refuse(walk, "a number has more than 64 bits");
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return refuse(walk, "a number has too many bytes");
}

static bool
take_bytes(struct walk *walk, struct cursor *cursor, uint64_t len, struct cursor *ret_part)
{
    if (CHECKS_LENGTHS && len > left(cursor))
        return refuse(walk, "a length is outside of what holds it");
    *ret_part = (struct cursor){cursor->at, cursor->at + len};
    cursor->at += len;
    return true;
}

static bool
take_prefixed(struct walk *walk, struct cursor *cursor, struct cursor *ret_part)
{
    uint64_t len;

    return take_varint(walk, cursor, LENGTH_BYTES_MAX, &len) && take_bytes(walk, cursor, len, ret_part);
}

static bool
check_text(struct walk *walk, struct cursor text)
{
    return sa_text_is_good(sa_bytes(text.at, left(&text))) ||
           refuse(walk, "must be UTF-8 without control characters");
}

static bool
check_enum(struct walk *walk, const ProtobufCFieldDescriptor *field, uint64_t value)
{
    /* A negative value travels as the 64-bit two's complement. */
    int64_t number = (int64_t)value;

    if (number < INT32_MIN || number > INT32_MAX ||
        protobuf_c_enum_descriptor_get_value(field->descriptor, (int)number) == NULL)
        return refuse(walk, "is not one of the known values");
    return true;
}

/* How a value of this type travels when it is not packed. */
static ProtobufCWireType
wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return PROTOBUF_C_WIRE_TYPE_32BIT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return PROTOBUF_C_WIRE_TYPE_64BIT;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    default:
        return PROTOBUF_C_WIRE_TYPE_VARINT;
    }
}

/* A number of a known field (`field`) or of an unknown one (NULL). */
static bool
take_number(struct walk *walk, const ProtobufCFieldDescriptor *field, ProtobufCWireType wire_type,
            struct cursor *cursor)
{
    struct cursor part;
    uint64_t value;

    if (wire_type == PROTOBUF_C_WIRE_TYPE_32BIT)
        return take_bytes(walk, cursor, 4, &part);
    if (wire_type == PROTOBUF_C_WIRE_TYPE_64BIT)
        return take_bytes(walk, cursor, 8, &part);
    if (!take_varint(walk, cursor, VARINT_BYTES_MAX, &value))
        return false;
    if (field != NULL && field->type == PROTOBUF_C_TYPE_ENUM)
        return check_enum(walk, field, value);
    return true;
}

static bool
count_field(struct walk *walk)
{
    if (walk->fields_left == 0)
        return refuse(walk, "too many fields");
    walk->fields_left--;
    return true;
}

/* Each element of a packed field counts as a field, as it does where it is not packed. */
static bool
check_packed(struct walk *walk, const ProtobufCFieldDescriptor *field, struct cursor elements)
{
    while (elements.at < elements.end)
        if (!count_field(walk) || !take_number(walk, field, wire_type_of(field->type), &elements))
            return false;
    return true;
}

static bool check_message(struct walk *walk, const ProtobufCMessageDescriptor *type, struct cursor body);

static bool
check_known(struct walk *walk, const ProtobufCFieldDescriptor *field, ProtobufCWireType wire_type,
            struct cursor *cursor)
{
    ProtobufCWireType natural = wire_type_of(field->type);
    bool prefixed = wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
    bool packed = prefixed && natural != wire_type && field->label == PROTOBUF_C_LABEL_REPEATED;
    struct cursor part;

    if (wire_type != natural && !packed)
        return refuse(walk, "has the wire type of another type");
    if (!prefixed)
        return take_number(walk, field, wire_type, cursor);
    if (!take_prefixed(walk, cursor, &part))
        return false;
    if (packed)
        return check_packed(walk, field, part);
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return check_text(walk, part);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return check_message(walk, field->descriptor, part);
    return true;
}

/* Note in *seen that the field is set; false where it, or its oneof, was set before. */
static bool
check_once(struct walk *walk, const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field,
           uint64_t *seen)
{
    bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    uint64_t rivals = UINT64_C(1) << (field - type->fields);

    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return true;
    for (unsigned i = 0; oneof && i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &type->fields[i];
        if ((other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
            other->quantifier_offset == field->quantifier_offset)
            rivals |= UINT64_C(1) << i;
    }
    if ((*seen & rivals) != 0)
        return refuse(walk, oneof ? "one of its oneof is set already" : "is set twice");
    *seen |= UINT64_C(1) << (field - type->fields);
    return true;
}

static bool
check_unknown(struct walk *walk, ProtobufCWireType wire_type, struct cursor *cursor)
{
    struct cursor part;

    if (wire_type == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
        return take_prefixed(walk, cursor, &part);
    return take_number(walk, NULL, wire_type, cursor);
}

static bool
take_tag(struct walk *walk, struct cursor *cursor, uint32_t *ret_number, ProtobufCWireType *ret_wire_type)
{
    uint64_t tag;

    if (!take_varint(walk, cursor, TAG_BYTES_MAX, &tag))
        return false;
    if (tag > UINT32_MAX || tag >> 3 == 0)
        return refuse(walk, "a field number is outside 1 to 536870911");
    switch (tag & 7) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
    case PROTOBUF_C_WIRE_TYPE_64BIT:
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        *ret_number = (uint32_t)(tag >> 3);
        *ret_wire_type = (ProtobufCWireType)(tag & 7);
        return true;
    default:
        return refuse(walk, "groups and unknown wire types are refused");
    }
}

/*
 * Recursion is bounded by SA_DECODE_DEPTH_MAX. On refusal walk->depth and walk->names stay at the place.
 * tests/contract/descriptors.test holds every message to as many fields as `seen` has bits.
 */
static bool
check_message(struct walk *walk, const ProtobufCMessageDescriptor *type, struct cursor body)
{
    uint64_t seen = 0;

    assert(type->n_fields <= 64);
    if (walk->depth == SA_DECODE_DEPTH_MAX)
        return refuse(walk, "messages are nested too deep");
    walk->depth++;
    while (body.at < body.end) {
        uint32_t number;
        ProtobufCWireType wire_type;

        walk->names[walk->depth] = NULL;
        if (!count_field(walk) || !take_tag(walk, &body, &number, &wire_type))
            return false;
        const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(type, number);
        if (field == NULL) {
            if (!check_unknown(walk, wire_type, &body))
                return false;
            continue;
        }
        walk->names[walk->depth] = field->name;
        if (!check_once(walk, type, field, &seen) || !check_known(walk, field, wire_type, &body))
            return false;
    }
    walk->depth--;
    return true;
}

/* The path, cut where it does not fit; empty where the trouble is with the message itself. */
static void
describe(const struct walk *walk, struct sa_problem *ret_problem)
{
    size_t len = 0;

    *ret_problem = (struct sa_problem){.rule = walk->rule};
    for (unsigned i = 1; i <= walk->depth && walk->names[i] != NULL; i++) {
        int added = snprintf(ret_problem->field + len, sizeof(ret_problem->field) - len, "%s%s",
                             i == 1 ? "" : ".", walk->names[i]);
        if (added < 0 || (size_t)added >= sizeof(ret_problem->field) - len)
            return;
        len += (size_t)added;
    }
}

enum sa_status
sa_decode_check(const ProtobufCMessageDescriptor *type, struct sa_bytes body, enum sa_decode_side side,
                struct sa_problem *ret_problem)
{
    struct walk walk = {
        .fields_left = side == SA_DECODE_REQUEST ? SA_DECODE_REQUEST_FIELDS_MAX : SA_DECODE_REPLY_FIELDS_MAX,
    };

    if (body.len == 0 || check_message(&walk, type, (struct cursor){body.data, body.data + body.len}))
        return SA_OK;
    describe(&walk, ret_problem);
    return SA_INVALID_ARGUMENT;
}

enum sa_status
sa_decode(const ProtobufCMessageDescriptor *type, struct sa_bytes body, enum sa_decode_side side,
          struct sa_arena *arena, ProtobufCMessage **ret_message, struct sa_problem *ret_problem)
{
    enum sa_status status = sa_decode_check(type, body, side, ret_problem);
    if (status != SA_OK)
        return status;

    /* The walk lets nothing pass that the unpack refuses (tests/fuzz holds it to that): NULL is lack of
     * memory. */
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, sa_arena_allocator(arena), body.len, body.data);
    if (message == NULL)
        return SA_NO_MEMORY;
    *ret_message = message;
    return SA_OK;
}
