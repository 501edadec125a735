#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/secret/runes.h"

#include <pcre2.h>
#include <stdatomic.h>
#include <string.h>

#include "core/base/text.h"

/* Each expression is compiled once, by whoever needs it first. */
struct compiled {
    const char *pattern;
    _Atomic(pcre2_code *) code;
};

static pcre2_code *code_of(struct compiled *c)
{
    int why;
    PCRE2_SIZE at;
    pcre2_code *have = atomic_load(&c->code);

    if (have)
        return have;
    pcre2_code *made = pcre2_compile((PCRE2_SPTR)c->pattern, PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_ANCHORED, &why, &at, NULL);
    if (!made || atomic_compare_exchange_strong(&c->code, &have, made))
        return made;
    pcre2_code_free(made);
    return have;
}

static bool matches(struct compiled *c, uint32_t rune)
{
    char text[4];
    pcre2_code *code = code_of(c);
    pcre2_match_data *data = code ? pcre2_match_data_create(1, NULL) : NULL;
    size_t len = es_utf8_encode(rune, text);
    bool found = data && pcre2_match(code, (PCRE2_SPTR)text, len, 0, PCRE2_NO_UTF_CHECK, data, NULL) >= 0;

    pcre2_match_data_free(data);
    return found;
}

static bool ascii_is(enum es_rune_class class, uint32_t c)
{
    bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';

    switch (class) {
    case ES_RUNE_LETTER:
        return lower || upper;
    case ES_RUNE_DIGIT:
    case ES_RUNE_NUMBER:
        return c >= '0' && c <= '9';
    case ES_RUNE_UPPER:
        return upper;
    case ES_RUNE_LOWER:
        return lower;
    case ES_RUNE_TITLE:
        return false;
    case ES_RUNE_PRINT:
        return c >= 0x20 && c < 0x7f;
    case ES_RUNE_PUNCT:
        return c > 0x20 && c < 0x7f && !ascii_is(ES_RUNE_LETTER, c) && !ascii_is(ES_RUNE_DIGIT, c) &&
               !strchr("$+<=>^`|~", (int)c);
    case ES_RUNE_SPACE:
        return c == ' ' || (c >= '\t' && c <= '\r');
    }
    return false;
}

bool es_rune_is(enum es_rune_class class, uint32_t rune)
{
    static struct compiled classes[] = {
        [ES_RUNE_LETTER] = {.pattern = "\\p{L}"},
        [ES_RUNE_DIGIT] = {.pattern = "\\p{Nd}"},
        [ES_RUNE_NUMBER] = {.pattern = "\\p{N}"},
        [ES_RUNE_UPPER] = {.pattern = "\\p{Lu}"},
        [ES_RUNE_LOWER] = {.pattern = "\\p{Ll}"},
        [ES_RUNE_TITLE] = {.pattern = "\\p{Lt}"},
        [ES_RUNE_PRINT] = {.pattern = "[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]"},
        [ES_RUNE_PUNCT] = {.pattern = "\\p{P}"},
        [ES_RUNE_SPACE] = {.pattern = "[\\x{85}\\p{Z}]"},
    };

    return rune < 0x80 ? ascii_is(class, rune) : matches(&classes[class], rune);
}

/* One character through PCRE2's case conversion. */
static uint32_t convert(uint32_t rune, const char *replacement)
{
    static struct compiled any = {.pattern = "(?s)."};
    char text[4];
    PCRE2_UCHAR out[16];
    PCRE2_SIZE out_len = sizeof out;
    uint32_t mapped;
    pcre2_code *code = code_of(&any);
    size_t len = es_utf8_encode(rune, text);

    if (!code ||
        pcre2_substitute(code, (PCRE2_SPTR)text, len, 0, PCRE2_SUBSTITUTE_EXTENDED | PCRE2_NO_UTF_CHECK, NULL,
                         NULL, (PCRE2_SPTR)replacement, PCRE2_ZERO_TERMINATED, out, &out_len) < 0)
        return rune;
    return es_utf8_decode((const char *)out, out_len, &mapped) ? mapped : rune;
}

/* Where PCRE2 folds case and does not map it: what has more than one other case, and
 * what has a case but is no letter. */
struct exception {
    uint32_t from, to;
    int32_t delta;
};

static const struct exception uppers[] = {
    {0xDF, 0xDF, 0},
    {0xB5, 0xB5, 0x39C - 0xB5},
    {0x131, 0x131, 0x49 - 0x131},
    {0x17F, 0x17F, 0x53 - 0x17F},
    {0x1C5, 0x1C5, -1},
    {0x1C8, 0x1C8, -1},
    {0x1CB, 0x1CB, -1},
    {0x1F2, 0x1F2, -1},
    {0x345, 0x345, 0x399 - 0x345},
    {0x3B9, 0x3B9, 0x399 - 0x3B9},
    {0x3BC, 0x3BC, 0x39C - 0x3BC},
    {0x3C2, 0x3C2, 0x3A3 - 0x3C2},
    {0x3D0, 0x3D0, 0x392 - 0x3D0},
    {0x3D1, 0x3D1, 0x398 - 0x3D1},
    {0x3D5, 0x3D5, 0x3A6 - 0x3D5},
    {0x3D6, 0x3D6, 0x3A0 - 0x3D6},
    {0x3F0, 0x3F0, 0x39A - 0x3F0},
    {0x3F1, 0x3F1, 0x3A1 - 0x3F1},
    {0x3F5, 0x3F5, 0x395 - 0x3F5},
    {0x1C80, 0x1C80, 0x412 - 0x1C80},
    {0x1C81, 0x1C81, 0x414 - 0x1C81},
    {0x1C82, 0x1C82, 0x41E - 0x1C82},
    {0x1C83, 0x1C84, 0x421 - 0x1C83},
    {0x1C85, 0x1C85, 0x422 - 0x1C85},
    {0x1C86, 0x1C86, 0x42A - 0x1C86},
    {0x1C87, 0x1C87, 0x462 - 0x1C87},
    {0x1C88, 0x1C88, 0xA64A - 0x1C88},
    {0x1E9B, 0x1E9B, 0x1E60 - 0x1E9B},
    {0x1F88, 0x1F8F, 0},
    {0x1F98, 0x1F9F, 0},
    {0x1FA8, 0x1FAF, 0},
    {0x1FBC, 0x1FBC, 0},
    {0x1FBE, 0x1FBE, 0x399 - 0x1FBE},
    {0x1FCC, 0x1FCC, 0},
    {0x1FFC, 0x1FFC, 0},
    {0x2170, 0x217F, -16},
    {0x24D0, 0x24E9, -26},
    {0xA64B, 0xA64B, -1},
};
static const struct exception lowers[] = {
    {0x130, 0x130, 0x69 - 0x130}, {0x2160, 0x216F, 16}, {0x24B6, 0x24CF, 26}};
static const struct exception titles[] = {
    {0x1C4, 0x1C4, 1},  {0x1C5, 0x1C5, 0},  {0x1C6, 0x1C6, -1}, {0x1C7, 0x1C7, 1},  {0x1C8, 0x1C8, 0},
    {0x1C9, 0x1C9, -1}, {0x1CA, 0x1CA, 1},  {0x1CB, 0x1CB, 0},  {0x1CC, 0x1CC, -1}, {0x1F1, 0x1F1, 1},
    {0x1F2, 0x1F2, 0},  {0x1F3, 0x1F3, -1}, {0x10D0, 0x10FF, 0}};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool exceptional(const struct exception *table, size_t count, uint32_t *rune)
{
    for (size_t i = 0; i < count; i++)
        if (*rune >= table[i].from && *rune <= table[i].to) {
            *rune = (uint32_t)((int32_t)*rune + table[i].delta);
            return true;
        }
    return false;
}

uint32_t es_rune_upper(uint32_t rune)
{
    if (rune < 0x80)
        return rune >= 'a' && rune <= 'z' ? rune - 32 : rune;
    return exceptional(uppers, COUNT(uppers), &rune) ? rune : convert(rune, "\\U$0");
}

uint32_t es_rune_lower(uint32_t rune)
{
    if (rune < 0x80)
        return rune >= 'A' && rune <= 'Z' ? rune + 32 : rune;
    return exceptional(lowers, COUNT(lowers), &rune) ? rune : convert(rune, "\\L$0");
}

uint32_t es_rune_title(uint32_t rune)
{
    return exceptional(titles, COUNT(titles), &rune) ? rune : es_rune_upper(rune);
}
