#include "compact.h"

#include <strings.h>

/* A character's value plus one; 0 for what is none of the alphabet. */
static const uint8_t VALUES[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

enum sa_status
sa_compact_decode(struct sa_bytes text, uint8_t *ret_data, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint32_t value = VALUES[text.data[i]];
        if (value == 0)
            return SA_INVALID_ARGUMENT;
        bits = bits << 6 | (value - 1);
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret_data[len++] = (uint8_t)(bits >> held);
        }
    }
    if (held == 6 || (bits & ((1u << held) - 1)) != 0)
        return SA_INVALID_ARGUMENT;
    *ret_len = len;
    return SA_OK;
}

bool
sa_compact_split(struct sa_bytes token, struct sa_compact *ret_parts)
{
    if (token.len == 0 || token.len > SA_COMPACT_TOKEN_MAX)
        return false;
    const uint8_t *end = token.data + token.len;
    const uint8_t *dot1 = memchr(token.data, '.', token.len);
    const uint8_t *dot2 = dot1 == NULL ? NULL : memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1));
    if (dot2 == NULL || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)) != NULL)
        return false;
    ret_parts->header = sa_bytes(token.data, (size_t)(dot1 - token.data));
    ret_parts->payload = sa_bytes(dot1 + 1, (size_t)(dot2 - dot1 - 1));
    ret_parts->signature = sa_bytes(dot2 + 1, (size_t)(end - dot2 - 1));
    ret_parts->signed_part = sa_bytes(token.data, (size_t)(dot2 - token.data));
    return true;
}

/* The members by which a header was used against its reader, each a reason of its own. */
static const char *
refused_member(const struct sa_json *header)
{
    static const char *const NAMES[] = {"crit", "jwk", "jku", "x5u", "x5c"};

    for (size_t i = 0; i < SA_COUNT(NAMES); i++)
        if (sa_json_member(header, NAMES[i]) != NULL)
            return NAMES[i];
    return NULL;
}

/* A member that may be absent; false where it is there and no text. */
static bool
text_of(const struct sa_json *header, const char *name, const char **ret_text)
{
    const struct sa_json *value = sa_json_member(header, name);

    *ret_text = sa_json_string(value);
    return value == NULL || (*ret_text != NULL && (*ret_text)[0] != '\0');
}

static const char *
take_members(const struct sa_json *header, struct sa_compact_header *ret_header)
{
    struct sa_compact_header *h = ret_header;

    if (header->kind != SA_JSON_OBJECT)
        return "json";
    if (!text_of(header, "alg", &h->alg) || h->alg == NULL || strcasecmp(h->alg, "none") == 0)
        return "alg";
    const char *refused = refused_member(header);
    if (refused != NULL)
        return refused;
    if (!text_of(header, "typ", &h->typ) || !text_of(header, "kid", &h->kid))
        return "header";
    return header->children == 1u + (h->typ != NULL) + (h->kid != NULL) ? NULL : "header";
}

enum sa_status
sa_compact_read_header(struct sa_bytes header, struct sa_compact_header *ret_header, const char **ret_reason)
{
    size_t len;

    *ret_reason = "form";
    if (header.len == 0 || SA_COMPACT_DECODED_MAX(header.len) > sizeof(ret_header->text) ||
        sa_compact_decode(header, ret_header->text, &len) != SA_OK ||
        sa_json_read(ret_header->text, len, ret_header->nodes, SA_COMPACT_NODES_MAX, ret_reason) != SA_OK)
        return SA_INVALID_ARGUMENT;
    *ret_reason = take_members(ret_header->nodes, ret_header);
    return *ret_reason == NULL ? SA_OK : SA_INVALID_ARGUMENT;
}
