#include "json.h"

#include "text.h"

#ifdef SA_PLANTED_FAULT
#define NAMES_COUNT false /* taken out by tests/fuzz only, to see that it is missed */
#else
#define NAMES_COUNT true
#endif

struct reader {
    uint8_t *at;
    uint8_t *end;
    struct sa_json *nodes;
    size_t room;
    size_t used;
    const char *reason;
};

static bool
refuse(struct reader *reader, const char *reason)
{
    reader->reason = reason;
    return false;
}

static bool
malformed(struct reader *reader)
{
    return refuse(reader, "json");
}

static void
skip_space(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
        reader->at++;
}

/* Whether this character comes next; then it is read. */
static bool
take(struct reader *reader, char character)
{
    if (reader->at == reader->end || *reader->at != (uint8_t)character)
        return false;
    reader->at++;
    return true;
}

static bool
take_word(struct reader *reader, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
        return malformed(reader);
    reader->at += len;
    return true;
}

/* Strings. */

static bool
take_hex4(struct reader *reader, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (reader->end - reader->at < 4)
        return malformed(reader);
    for (unsigned i = 0; i < 4; i++) {
        uint8_t c = *reader->at++;
        if (c >= '0' && c <= '9')
            unit = unit << 4 | (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return malformed(reader);
    }
    *ret_unit = unit;
    return true;
}

/* After \u: UTF-8 of at most four bytes in the place of at least six characters. */
static bool
take_unicode(struct reader *reader, uint8_t **out)
{
    uint32_t point, low;

    if (!take_hex4(reader, &point))
        return false;
    if (point >= 0xd800 && point <= 0xdfff) { /* RFC 8259 section 7: a pair, or no character at all */
        if (point >= 0xdc00 || !take(reader, '\\') || !take(reader, 'u') || !take_hex4(reader, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return malformed(reader);
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    uint8_t *to = *out;
    if (point < 0x80) {
        *to++ = (uint8_t)point;
    } else if (point < 0x800) {
        *to++ = (uint8_t)(0xc0 | point >> 6);
        *to++ = (uint8_t)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (uint8_t)(0xe0 | point >> 12);
        *to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (point & 0x3f));
    } else {
        *to++ = (uint8_t)(0xf0 | point >> 18);
        *to++ = (uint8_t)(0x80 | (point >> 12 & 0x3f));
        *to++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *to++ = (uint8_t)(0x80 | (point & 0x3f));
    }
    *out = to;
    return true;
}

static bool
take_escape(struct reader *reader, uint8_t **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

    if (take(reader, 'u'))
        return take_unicode(reader, out);
    const char *found = reader->at == reader->end || *reader->at == '\0' ? NULL : strchr(from, *reader->at);
    if (found == NULL)
        return malformed(reader);
    reader->at++;
    *(*out)++ = (uint8_t)to[found - from];
    return true;
}

/* Undoes escapes where they stand: what is written is never longer than what was read. */
static bool
read_string(struct reader *reader, struct sa_bytes *ret_text)
{
    if (!take(reader, '"'))
        return malformed(reader);
    uint8_t *begin = reader->at, *out = begin;
    while (!take(reader, '"')) {
        if (reader->at == reader->end)
            return malformed(reader);
        if (!take(reader, '\\'))
            *out++ = *reader->at++;
        else if (!take_escape(reader, &out))
            return false;
    }
    *out = '\0'; /* the closing quote at the latest */
    *ret_text = sa_bytes(begin, (size_t)(out - begin));
    return sa_text_is_good(*ret_text) || malformed(reader);
}

/* Numbers. */

static bool
take_digits(struct reader *reader)
{
    const uint8_t *begin = reader->at;

    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return reader->at > begin || malformed(reader);
}

static bool
read_number(struct reader *reader, struct sa_bytes *ret_text)
{
    const uint8_t *begin = reader->at;

    take(reader, '-');
    if (!take(reader, '0') && !take_digits(reader))
        return false;
    if (take(reader, '.') && !take_digits(reader))
        return false;
    if (take(reader, 'e') || take(reader, 'E')) {
        if (!take(reader, '+'))
            take(reader, '-');
        if (!take_digits(reader))
            return false;
    }
    *ret_text = sa_bytes(begin, (size_t)(reader->at - begin));
    return true;
}

/* Values. */

static bool read_value(struct reader *reader, struct sa_bytes name, unsigned depth);

static bool
names_differ(struct reader *reader, const struct sa_json *object)
{
    const struct sa_json *member = sa_json_first(object);

    for (uint32_t i = 0; i < object->children; i++, member = sa_json_next(member)) {
        const struct sa_json *earlier = sa_json_first(object);
        for (; earlier < member; earlier = sa_json_next(earlier))
            if (NAMES_COUNT && sa_bytes_equal(earlier->name, member->name))
                return refuse(reader, "duplicate");
    }
    return true;
}

/* What an object or array holds, up to its end. */
static bool
read_children(struct reader *reader, struct sa_json *whole, unsigned depth)
{
    char end = whole->kind == SA_JSON_OBJECT ? '}' : ']';
    struct sa_bytes name = {0};

    if (depth >= SA_JSON_DEPTH_MAX)
        return refuse(reader, "deep");
    skip_space(reader);
    while (!take(reader, end)) {
        if (whole->children > 0 && !take(reader, ','))
            return malformed(reader);
        skip_space(reader);
        if (whole->kind == SA_JSON_OBJECT) {
            if (!read_string(reader, &name))
                return false;
            skip_space(reader);
            if (!take(reader, ':'))
                return malformed(reader);
        }
        if (!read_value(reader, name, depth + 1))
            return false;
        whole->children++;
    }
    return whole->kind == SA_JSON_ARRAY || names_differ(reader, whole);
}

static bool
read_kind(struct reader *reader, struct sa_json *node, unsigned depth)
{
    switch (*reader->at) {
    case '"':
        node->kind = SA_JSON_STRING;
        return read_string(reader, &node->text);
    case '{':
    case '[':
        node->kind = *reader->at++ == '{' ? SA_JSON_OBJECT : SA_JSON_ARRAY;
        return read_children(reader, node, depth);
    case 't':
        node->kind = SA_JSON_TRUE;
        return take_word(reader, "true");
    case 'f':
        node->kind = SA_JSON_FALSE;
        return take_word(reader, "false");
    case 'n':
        node->kind = SA_JSON_NULL;
        return take_word(reader, "null");
    default:
        node->kind = SA_JSON_NUMBER;
        return read_number(reader, &node->text);
    }
}

static bool
read_value(struct reader *reader, struct sa_bytes name, unsigned depth)
{
    if (reader->used == reader->room)
        return refuse(reader, "large");
    size_t index = reader->used++;
    struct sa_json *node = &reader->nodes[index];
    *node = (struct sa_json){.name = name};
    skip_space(reader);
    if (reader->at == reader->end)
        return malformed(reader);
    if (!read_kind(reader, node, depth))
        return false;
    /* names_differ() walks over whole values only, so each span is known before its parent is looked at. */
    node->span = (uint32_t)(reader->used - index);
    skip_space(reader);
    return true;
}

enum sa_status
sa_json_read(uint8_t *text, size_t len, struct sa_json *ret_nodes, size_t room, const char **ret_reason)
{
    struct reader reader = {text, text + len, ret_nodes, room, 0, NULL};

    if (!read_value(&reader, (struct sa_bytes){0}, 0) || (reader.at != reader.end && !malformed(&reader))) {
        *ret_reason = reader.reason;
        return SA_INVALID_ARGUMENT;
    }
    return SA_OK;
}

const struct sa_json *
sa_json_member(const struct sa_json *object, const char *name)
{
    if (object->kind != SA_JSON_OBJECT)
        return NULL;
    const struct sa_json *member = sa_json_first(object);
    for (uint32_t i = 0; i < object->children; i++, member = sa_json_next(member))
        if (sa_bytes_equal(member->name, sa_bytes_of(name)))
            return member;
    return NULL;
}

bool
sa_json_integer(const struct sa_json *value, int64_t *ret_number)
{
    uint64_t number = 0;

    if (value == NULL || value->kind != SA_JSON_NUMBER)
        return false;
    bool negative = value->text.data[0] == '-';
    for (size_t i = negative ? 1 : 0; i < value->text.len; i++) {
        uint8_t c = value->text.data[i];
        if (c < '0' || c > '9' || number > (INT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(c - '0');
    }
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

bool
sa_json_is(const struct sa_json *value, const char *text)
{
    return value != NULL && value->kind == SA_JSON_STRING && sa_bytes_equal(value->text, sa_bytes_of(text));
}

const char *
sa_json_string(const struct sa_json *value)
{
    return value != NULL && value->kind == SA_JSON_STRING ? (const char *)value->text.data : NULL;
}
