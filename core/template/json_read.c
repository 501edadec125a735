#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/template/json.h"
#include "core/template/literal.h"

#define DEPTH_MAX 128

struct reader {
    struct es_arena *arena;
    const char *text;
    size_t len, at;
    char *error;
};

static bool fail(struct reader *r, const char *why)
{
    snprintf(r->error, ES_TJSON_ERROR_MAX, "%s", why);
    return false;
}

/* A byte that does not belong here, or the end. */
static bool unexpected(struct reader *r, const char *where)
{
    char shown[8] = "";
    unsigned char c = r->at < r->len ? (unsigned char)r->text[r->at] : 0;

    if (r->at >= r->len)
        return fail(r, "unexpected end of JSON input");
    if (c == '\'' || c == '\\')
        snprintf(shown, sizeof shown, "\\%c", c);
    else if (c >= 0x20 && c < 0x7f)
        snprintf(shown, sizeof shown, "%c", c);
    else if (c == '\n' || c == '\t' || c == '\r')
        snprintf(shown, sizeof shown, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
    else if (c < 0xA1 || c == 0xAD)
        snprintf(shown, sizeof shown, c < 0x80 ? "\\x%02x" : "\\u%04x", c);
    else
        shown[es_utf8_encode(c, shown)] = '\0';
    snprintf(r->error, ES_TJSON_ERROR_MAX, "invalid character '%s' %s", shown, where);
    return false;
}

static char peek(const struct reader *r)
{
    return r->at < r->len ? r->text[r->at] : '\0';
}

static bool take(struct reader *r, char c)
{
    if (r->at >= r->len || r->text[r->at] != c)
        return false;
    r->at++;
    return true;
}

static void skip_spaces(struct reader *r)
{
    while (r->at < r->len && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at])
        r->at++;
}

/* Strings */

static bool hex4(struct reader *r, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = peek(r);
        int digit = es_hex_digit(c);
        if (digit < 0)
            return unexpected(r, "in \\u hexadecimal character escape");
        *ret = *ret << 4 | (uint32_t)digit;
    }
    return true;
}

/* Two escapes may be one character; half of such a pair is U+FFFD. */
static bool unicode_escape(struct reader *r, struct es_buf *out)
{
    uint32_t rune, low;
    char text[4];

    if (!hex4(r, &rune))
        return false;
    if (rune >= 0xD800 && rune < 0xDC00 && r->len - r->at >= 6 && r->text[r->at] == '\\' &&
        r->text[r->at + 1] == 'u') {
        struct reader ahead = *r;
        char ignored[ES_TJSON_ERROR_MAX];
        ahead.at += 2;
        ahead.error = ignored;
        if (hex4(&ahead, &low) && low >= 0xDC00 && low < 0xE000) {
            rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
            r->at = ahead.at;
        }
    }
    es_buf_add(out, text, es_utf8_encode(rune, text));
    return true;
}

static bool escape(struct reader *r, struct es_buf *out)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char c = peek(r);
    const char *known = c ? strchr(letters, c) : NULL;

    if (!known && c != 'u')
        return unexpected(r, "in string escape code");
    r->at++;
    if (!known)
        return unicode_escape(r, out);
    es_buf_addc(out, meant[known - letters]);
    return true;
}

static bool string_into(struct reader *r, struct es_buf *out)
{
    uint32_t rune;

    for (;;) {
        if (take(r, '"'))
            return true;
        if (r->at >= r->len || (unsigned char)r->text[r->at] < 0x20)
            return unexpected(r, "in string literal");
        if (take(r, '\\')) {
            if (!escape(r, out))
                return false;
            continue;
        }
        size_t n = es_utf8_decode(r->text + r->at, r->len - r->at, &rune);
        if (n)
            es_buf_add(out, r->text + r->at, n);
        else
            es_buf_adds(out, "\xEF\xBF\xBD");
        r->at += n ? n : 1;
    }
}

/* Behind the quote. */
static bool string(struct reader *r, struct es_tvalue *ret)
{
    struct es_buf out;

    es_buf_init(&out, (size_t)8 << 20);
    bool ok = string_into(r, &out);
    if (ok) {
        const char *copy = es_buf_failed(&out) ? NULL : es_arena_dup(r->arena, es_buf_str(&out), out.len);
        *ret = es_tstring(copy, out.len);
        ok = copy || fail(r, "out of memory");
    }
    es_buf_fini(&out);
    return ok;
}

/* Numbers and words */

static bool digits(struct reader *r, const char *where)
{
    if (peek(r) < '0' || peek(r) > '9')
        return unexpected(r, where);
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return true;
}

static bool number(struct reader *r, struct es_tvalue *ret)
{
    size_t from = r->at;

    take(r, '-');
    if (!take(r, '0') && !digits(r, "in numeric literal"))
        return false;
    if (take(r, '.') && !digits(r, "after decimal point in numeric literal"))
        return false;
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+'))
            take(r, '-');
        if (!digits(r, "in exponent of numeric literal"))
            return false;
    }
    *ret = es_tfloat(0);
    if (es_go_parse_float(r->text + from, r->at - from, &ret->f))
        return true;
    return fail(r, "json: cannot unmarshal number into Go value of type float64");
}

static bool word(struct reader *r, const char *text, struct es_tvalue value, struct es_tvalue *ret)
{
    char where[48];

    for (const char *p = text; *p; p++)
        if (!take(r, *p)) {
            snprintf(where, sizeof where, "in literal %s (expecting '%c')", text, *p);
            return unexpected(r, where);
        }
    *ret = value;
    return true;
}

/* Structures */

static bool value(struct reader *r, struct es_tvalue *ret, int depth);

/* Elements are read into a list that doubles. */
static bool array(struct reader *r, struct es_tvalue *ret, int depth)
{
    struct es_tlist *list = es_tlist_new(r->arena, 0);
    size_t cap = 0;

    *ret = (struct es_tvalue){.type = ES_T_LIST_ANY, .list = list};
    skip_spaces(r);
    if (take(r, ']'))
        return list || fail(r, "out of memory");
    do {
        if (list && list->count == cap) {
            struct es_tlist *more = es_tlist_new(r->arena, cap ? cap * 2 : 4);
            if (more && cap)
                memcpy(more->items, list->items, cap * sizeof *list->items);
            if (more)
                list->items = more->items;
            cap = more ? more->count : SIZE_MAX;
        }
        if (!list || cap == SIZE_MAX)
            return fail(r, "out of memory");
        if (!value(r, &list->items[list->count], depth + 1))
            return false;
        list->count++;
        skip_spaces(r);
    } while (take(r, ','));
    return take(r, ']') || unexpected(r, "after array element");
}

static bool member(struct reader *r, struct es_tmap *map, int depth)
{
    struct es_tvalue key, v;

    skip_spaces(r);
    if (!take(r, '"'))
        return unexpected(r, "looking for beginning of object key string");
    if (!string(r, &key))
        return false;
    skip_spaces(r);
    if (!take(r, ':'))
        return unexpected(r, "after object key");
    if (!value(r, &v, depth + 1))
        return false;
    skip_spaces(r);
    return es_tmap_set(r->arena, map, &key, &v) || fail(r, "out of memory");
}

static bool object(struct reader *r, struct es_tvalue *ret, int depth)
{
    struct es_tmap *map = es_tmap_new(r->arena, 4);

    *ret = (struct es_tvalue){.type = ES_T_MAP_ANY, .map = map};
    if (!map)
        return fail(r, "out of memory");
    skip_spaces(r);
    if (take(r, '}'))
        return true;
    do
        if (!member(r, map, depth))
            return false;
    while (take(r, ','));
    return take(r, '}') || unexpected(r, "after object key:value pair");
}

static bool value(struct reader *r, struct es_tvalue *ret, int depth)
{
    if (depth > DEPTH_MAX)
        return fail(r, "exceeded max depth");
    skip_spaces(r);
    if (take(r, '{'))
        return object(r, ret, depth);
    if (take(r, '['))
        return array(r, ret, depth);
    if (take(r, '"'))
        return string(r, ret);
    switch (peek(r)) {
    case 't':
        return word(r, "true", es_tbool(true), ret);
    case 'f':
        return word(r, "false", es_tbool(false), ret);
    case 'n':
        return word(r, "null", es_tnil(), ret);
    default:
        if (peek(r) == '-' || (peek(r) >= '0' && peek(r) <= '9'))
            return number(r, ret);
        return unexpected(r, "looking for beginning of value");
    }
}

bool es_tjson_read(struct es_arena *a, const char *text, size_t len, struct es_tvalue *ret,
                   char error[ES_TJSON_ERROR_MAX])
{
    struct reader r = {.arena = a, .text = text, .len = len, .error = error};

    if (!value(&r, ret, 0))
        return false;
    skip_spaces(&r);
    return r.at == len || unexpected(&r, "after top-level value");
}
