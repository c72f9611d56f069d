#include "client/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CELL_MAX 512u

/* Escaping. */

/* The character at `text`, 0 bytes long where it is not UTF-8 (RFC 3629). */
static size_t
character(const uint8_t *text, size_t len, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    uint32_t code = bytes == 1 ? text[0] : text[0] & (0x7fu >> bytes);

    if (bytes > len || (bytes > 1 && text[0] < 0xc2) || text[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return bytes;
}

/* Controls of the terminal, and characters that turn the direction of writing or end a line. */
static bool
acts(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c ||
           (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void
sa_ctl_escape(const char *text, size_t len, char *ret_text, size_t size)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t used = 0;

    while (len > 0) {
        char piece[16];
        uint32_t code = 0;
        size_t bytes = character(at, len, &code);
        if (bytes == 0) {
            bytes = 1;
            snprintf(piece, sizeof(piece), "\\x%02x", *at);
        } else if (acts(code)) {
            snprintf(piece, sizeof(piece), code < 0x80 ? "\\x%02x" : "\\u{%x}", code);
        } else if (code == '\\') {
            snprintf(piece, sizeof(piece), "\\\\");
        } else {
            memcpy(piece, at, bytes);
            piece[bytes] = '\0';
        }
        size_t piece_len = strlen(piece);
        if (used + piece_len >= size)
            break;
        memcpy(ret_text + used, piece, piece_len);
        used += piece_len;
        at += bytes;
        len -= bytes;
    }
    ret_text[used] = '\0';
}

void
sa_ctl_time(int64_t seconds, char ret_text[SA_CTL_TIME_LEN + 1])
{
    time_t time = seconds;
    struct tm tm;

    if (seconds == 0 || gmtime_r(&time, &tm) == NULL ||
        strftime(ret_text, SA_CTL_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret_text, SA_CTL_TIME_LEN + 1, "-");
}

/* Cells. */

/* Text that is built piece by piece and cut at its end. */
struct cell {
    size_t len;
    char text[CELL_MAX];
};

static void
add(struct cell *cell, const char *text)
{
    sa_ctl_escape(text, strlen(text), cell->text + cell->len, sizeof(cell->text) - cell->len);
    cell->len += strlen(cell->text + cell->len);
}

/* Text that is escaped already. */
static void
join(struct cell *cell, const char *text)
{
    cell->len += (size_t)snprintf(cell->text + cell->len, sizeof(cell->text) - cell->len, "%s", text);
    if (cell->len >= sizeof(cell->text))
        cell->len = sizeof(cell->text) - 1;
}

static void
add_value(struct cell *cell, const json_t *value)
{
    char number[32];

    if (json_is_string(value))
        add(cell, json_string_value(value));
    if (json_is_boolean(value))
        add(cell, json_is_true(value) ? "yes" : "no");
    if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        add(cell, number);
    }
    if (!json_is_array(value))
        return;
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        if (json_is_array(item) || json_is_object(item))
            continue;
        if (i > 0)
            add(cell, ",");
        add_value(cell, item);
    }
}

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* A member's value; where that alone would say nothing, its name as well: "plain_typ", "expires 2026-...". */
static void
add_member(struct cell *cell, const char *key, const json_t *value)
{
    char time[SA_CTL_TIME_LEN + 1];

    if (json_is_boolean(value)) {
        add(cell, json_is_true(value) ? key : "");
    } else if (json_is_integer(value) && ends_with(key, "_ms")) {
        if (json_integer_value(value) == 0)
            return;
        sa_ctl_time(json_integer_value(value) / 1000, time);
        sa_ctl_escape(key, strlen(key) - 3, cell->text, sizeof(cell->text));
        cell->len = strlen(cell->text);
        add(cell, " ");
        add(cell, time);
    } else {
        add_value(cell, value);
    }
}

static void
add_object(struct cell *cell, json_t *object)
{
    struct cell members = {0};
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        struct cell words = {0};
        add_member(&words, key, value);
        if (words.len == 0)
            continue;
        if (members.len > 0)
            join(&members, " ");
        join(&members, words.text);
    }
    join(cell, members.text);
}

/* {"audience": "demo", "scopes": ["read", "write"], "group": ""} is "demo read,write". */
static void
add_members(struct cell *cell, json_t *value)
{
    size_t index;
    json_t *object;

    if (json_is_object(value))
        add_object(cell, value);
    json_array_foreach(value, index, object)
    {
        if (index > 0)
            join(cell, "; ");
        add_object(cell, object);
    }
}

static void
fill(struct cell *cell, const json_t *object, const struct sa_ctl_column *column)
{
    char time[SA_CTL_TIME_LEN + 1];
    json_t *value = json_object_get(object, column->key);

    *cell = (struct cell){0};
    switch (column->format) {
    case SA_CTL_PLAIN:
        add_value(cell, value);
        break;
    case SA_CTL_TIME_MS:
    case SA_CTL_TIME_S:
        sa_ctl_time(json_integer_value(value) / (column->format == SA_CTL_TIME_MS ? 1000 : 1), time);
        add(cell, time);
        break;
    case SA_CTL_MEMBERS:
        add_members(cell, value);
        break;
    }
    if (cell->len == 0)
        add(cell, "-");
}

/* Places that a text takes on the screen, a character one. */
static size_t
width(const char *text)
{
    size_t places = 0;

    for (; *text != '\0'; text++)
        places += (*text & 0xc0) != 0x80;
    return places;
}

static void
print_padded(const char *text, size_t places, bool is_last)
{
    fputs(text, stdout);
    for (size_t i = width(text); !is_last && i < places + 2; i++)
        putchar(' ');
    if (is_last)
        putchar('\n');
}

/* The whole. */

enum sa_ctl_exit
sa_ctl_print_json(const json_t *value)
{
    if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) != 0) {
        sa_ctl_complain("the output could not be written");
        return SA_CTL_BROKEN;
    }
    putchar('\n');
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_print_rows(const struct sa_ctl *ctl, const json_t *rows, const struct sa_ctl_column *columns,
                  size_t column_count)
{
    size_t places[32] = {0};
    struct cell cell;
    size_t count = json_array_size(rows);

    if (ctl->json)
        return sa_ctl_print_json(rows);
    for (size_t c = 0; c < column_count; c++) {
        places[c] = strlen(columns[c].title);
        for (size_t r = 0; r < count; r++) {
            fill(&cell, json_array_get(rows, r), &columns[c]);
            places[c] = width(cell.text) > places[c] ? width(cell.text) : places[c];
        }
    }
    for (size_t c = 0; c < column_count; c++)
        print_padded(columns[c].title, places[c], c + 1 == column_count);
    for (size_t r = 0; r < count; r++)
        for (size_t c = 0; c < column_count; c++) {
            fill(&cell, json_array_get(rows, r), &columns[c]);
            print_padded(cell.text, places[c], c + 1 == column_count);
        }
    sa_wipe(&cell, sizeof(cell));
    return SA_CTL_OK;
}

enum sa_ctl_exit
sa_ctl_print_one(const struct sa_ctl *ctl, const json_t *object, const struct sa_ctl_column *columns,
                 size_t column_count)
{
    size_t places = 0;
    struct cell cell;

    if (ctl->json)
        return sa_ctl_print_json(object);
    for (size_t c = 0; c < column_count; c++)
        places = strlen(columns[c].title) > places ? strlen(columns[c].title) : places;
    for (size_t c = 0; c < column_count; c++) {
        fill(&cell, object, &columns[c]);
        print_padded(columns[c].title, places, false);
        puts(cell.text);
    }
    sa_wipe(&cell, sizeof(cell));
    return SA_CTL_OK;
}
