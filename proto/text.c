#include "text.h"

size_t
sa_text_character_len(struct sa_bytes text)
{
    const uint8_t *at = text.data;
    uint8_t low = 0x80, high = 0xbf; /* bounds of the second byte */
    size_t len;

    if (text.len == 0)
        return 0;
    if (at[0] < 0x80)
        return at[0] < 0x20 || at[0] == 0x7f ? 0 : 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        len = 2;
    else if (at[0] >= 0xe0 && at[0] <= 0xef)
        len = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        len = 4;
    else
        return 0;
    if (at[0] == 0xc2)
        low = 0xa0; /* U+0080 to U+009F are the C1 controls */
    else if (at[0] == 0xe0)
        low = 0xa0;
    else if (at[0] == 0xed)
        high = 0x9f;
    else if (at[0] == 0xf0)
        low = 0x90;
    else if (at[0] == 0xf4)
        high = 0x8f;
    if (text.len < len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (at[i] < 0x80 || at[i] > 0xbf)
            return 0;
    return len;
}

bool
sa_text_is_good(struct sa_bytes text)
{
    while (text.len > 0) {
        size_t len = sa_text_character_len(text);
        if (len == 0)
            return false;
        text = sa_bytes(text.data + len, text.len - len);
    }
    return true;
}
