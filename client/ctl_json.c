#include "client/ctl.h"

#include <ctype.h>
#include <stdalign.h>
#include <stdlib.h>

#include "secauth/v1/common.pb-c.h"
#include "secauth/v1/user.pb-c.h"

/* What jansson asks for, with its length in front. */
struct piece {
    size_t len;
    alignas(max_align_t) uint8_t data[];
};

static void *
piece_alloc(size_t len)
{
    if (len > SIZE_MAX - sizeof(struct piece))
        return NULL;
    struct piece *piece = malloc(sizeof(*piece) + len);
    if (piece == NULL)
        return NULL;
    piece->len = len;
    return piece->data;
}

static void
piece_free(void *data)
{
    if (data == NULL)
        return;
    struct piece *piece = (struct piece *)(void *)((uint8_t *)data - offsetof(struct piece, data));
    sa_wipe(piece->data, piece->len);
    free(piece);
}

void
sa_ctl_json_start(void)
{
    json_set_alloc_funcs(piece_alloc, piece_free);
}

static json_t *
from_hex(const ProtobufCBinaryData *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * bytes->len + 1);

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < bytes->len; i++) {
        text[2 * i] = digits[bytes->data[i] >> 4];
        text[2 * i + 1] = digits[bytes->data[i] & 15];
    }
    json_t *value = json_stringn(text, 2 * bytes->len);
    free(text);
    return value;
}

/* Bytes are text that is secret or made elsewhere, but for hashes. */
static json_t *
from_bytes(const char *name, const ProtobufCBinaryData *bytes)
{
    size_t len = strlen(name);
    bool is_hash = (len > 5 && strcmp(name + len - 5, "_hash") == 0) || strcmp(name, "certificates") == 0;
    json_t *value =
        is_hash ? NULL : json_stringn(bytes->len > 0 ? (const char *)bytes->data : "", bytes->len);

    return value != NULL ? value : from_hex(bytes); /* jansson refuses what is not UTF-8 */
}

/* SESSION_KIND_LOGIN of SessionKind is "login": what all values of the type begin with falls away. */
static json_t *
from_enum(const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    char text[64] = "";
    size_t prefix = 0;

    if (value == NULL)
        return json_integer(number);
    /* An underscore before each capital but the first, and one after the last letter: the counts agree. */
    for (const char *name = type->short_name; *name != '\0'; name++)
        prefix += isupper((unsigned char)*name) ? 2 : 1;
    if (prefix >= strlen(value->name))
        prefix = 0;
    for (size_t i = 0; i + 1 < sizeof(text) && value->name[prefix + i] != '\0'; i++)
        text[i] = (char)tolower((unsigned char)value->name[prefix + i]);
    return json_string(text);
}

static json_t *
from_message(const ProtobufCMessage *message)
{
    if (message == NULL)
        return json_null();
    if (message->descriptor == &secauth__v1__posix_id__descriptor)
        return json_integer(((const Secauth__V1__PosixId *)message)->id);
    if (message->descriptor == &secauth__v1__days__descriptor)
        return json_integer(((const Secauth__V1__Days *)message)->value);
    if (message->descriptor == &secauth__v1__seconds__descriptor)
        return json_integer(((const Secauth__V1__Seconds *)message)->value);
    return sa_ctl_json(message);
}

/* The value at `at`. Types that no message of ours has are null. */
static json_t *
from_value(const ProtobufCFieldDescriptor *field, const void *at)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_INT32:
        return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
        return json_integer(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return from_enum(field->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES:
        return from_bytes(field->name, at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return from_message(*(ProtobufCMessage *const *)at);
    default:
        return json_null();
    }
}

static size_t
value_len(const ProtobufCFieldDescriptor *field)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(int64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return sizeof(int32_t);
    }
}

static json_t *
from_field(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *base = (const uint8_t *)message;

    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return from_value(field, base + field->offset);
    size_t count = *(const size_t *)(const void *)(base + field->quantifier_offset);
    const uint8_t *values = *(const uint8_t *const *)(const void *)(base + field->offset);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, from_value(field, values + i * value_len(field))) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* Of a oneof only the member that is there. */
static bool
is_other_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *which = (const uint8_t *)message + field->quantifier_offset;

    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
           *(const uint32_t *)(const void *)which != field->id;
}

json_t *
sa_ctl_json(const ProtobufCMessage *message)
{
    json_t *object = json_object();

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (is_other_member(message, field))
            continue;
        if (json_object_set_new(object, field->name, from_field(message, field)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}
