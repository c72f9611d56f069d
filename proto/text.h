/* Text as every process takes it: UTF-8 without control characters. */
#ifndef SA_TEXT_H
#define SA_TEXT_H

#include "bytes.h"

/*
 * The length of the UTF-8 character that `text` begins with; 0 where there is none (RFC 3629 section 4:
 * shortest form, no surrogates, at most U+10FFFF), where it is a control character (C0, DEL, C1) and where
 * `text` is empty.
 */
size_t sa_text_character_len(struct sa_bytes text);

/* Whether all of it is such characters; so is what is empty. */
bool sa_text_is_good(struct sa_bytes text);

#endif
