#include "service/rpc/page.h"

#define ROW_OVERHEAD 6u /* tag and length of a row in its list */

static unsigned count_fields(const ProtobufCMessage *message);

/* How many fields a member makes on the wire, those inside it included. */
static unsigned
count_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const uint8_t *member = (const uint8_t *)message + field->offset;
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;
    size_t count = 1;

    if (repeated)
        memcpy(&count, (const uint8_t *)message + field->quantifier_offset, sizeof(count));
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return (unsigned)count;
    ProtobufCMessage *const *inner = (ProtobufCMessage *const *)(const void *)member;
    unsigned fields = 0;
    if (repeated)
        memcpy(&inner, member, sizeof(inner));
    for (size_t i = 0; i < count; i++)
        fields += inner[i] == NULL ? 0 : 1 + count_fields(inner[i]);
    return fields;
}

static unsigned
count_fields(const ProtobufCMessage *message)
{
    unsigned fields = 0;

    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        fields += count_member(message, &message->descriptor->fields[i]);
    return fields;
}

bool
rpc_page_take(struct rpc_page *page, const ProtobufCMessage *row)
{
    size_t bytes = page->bytes + protobuf_c_message_get_packed_size(row) + ROW_OVERHEAD;
    unsigned fields = page->fields + count_fields(row) + 1;

    if (page->fields > 0 && (bytes > RPC_PAGE_BYTES || fields > RPC_PAGE_FIELDS))
        return false;
    *page = (struct rpc_page){bytes, fields};
    return true;
}
