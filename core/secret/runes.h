/* core/secret/runes.h: characters as Go's package unicode sorts and maps them.
 *
 * The tables are PCRE2's, which follow Unicode. */
#ifndef ES_SECRET_RUNES_H
#define ES_SECRET_RUNES_H

#include <stdbool.h>
#include <stdint.h>

enum es_rune_class {
    ES_RUNE_LETTER,
    ES_RUNE_DIGIT, /* decimal digits, Nd */
    ES_RUNE_NUMBER,
    ES_RUNE_UPPER,
    ES_RUNE_LOWER,
    ES_RUNE_TITLE, /* such as U+01C5 */
    ES_RUNE_PRINT,
    ES_RUNE_PUNCT,
    ES_RUNE_SPACE, /* unicode.IsSpace: White_Space */
};

/* False also without memory, of which only the first question for a class needs any. */
bool es_rune_is(enum es_rune_class class, uint32_t rune);

/* Simple mappings, one character to one. Without memory the character itself. */
uint32_t es_rune_upper(uint32_t rune);
uint32_t es_rune_lower(uint32_t rune);
uint32_t es_rune_title(uint32_t rune);

#endif
