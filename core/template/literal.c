/* Literals as Go's strconv reads them. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/template/literal.h"
#include "core/template/parse.h"

/* Strings and characters */

int es_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* What is no digit is above every base. */
static int digit_of(char c)
{
    int digit = es_hex_digit(c);
    return digit < 0 ? 99 : digit;
}

/* `count` digits at *at. False: they are not there. */
static bool read_digits(struct es_ttext s, size_t *at, size_t count, int base, uint32_t *ret)
{
    uint32_t n = 0;

    if (s.len - *at < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        int d = digit_of(s.ptr[*at + i]);
        if (d >= base)
            return false;
        n = n * (uint32_t)base + (uint32_t)d;
    }
    *at += count;
    *ret = n;
    return true;
}

/* Behind the backslash. *ret_byte: what was written is a byte, not a character. */
static bool read_escape(struct es_ttext s, size_t *at, char quote, uint32_t *ret, bool *ret_byte)
{
    static const char letters[] = "abfnrtv\\", meant[] = "\a\b\f\n\r\t\v\\";
    char c = *at < s.len ? s.ptr[(*at)++] : '\0';
    const char *known = c ? strchr(letters, c) : NULL;

    *ret_byte = false;
    if (known) {
        *ret = (unsigned char)meant[known - letters];
        return true;
    }
    switch (c) {
    case 'x':
        *ret_byte = true;
        return read_digits(s, at, 2, 16, ret);
    case 'u':
    case 'U':
        return read_digits(s, at, c == 'u' ? 4 : 8, 16, ret) && *ret <= 0x10FFFF &&
               (*ret < 0xD800 || *ret > 0xDFFF);
    case '\'':
    case '"':
        *ret = (unsigned char)c;
        return c == quote;
    default:
        *ret_byte = true;
        --*at;
        return c >= '0' && c <= '7' && read_digits(s, at, 3, 8, ret) && *ret <= 255;
    }
}

/* A byte that is no UTF-8 becomes U+FFFD. Returns the length in `out`. */
static size_t copy_rune(struct es_ttext s, size_t from, char *out, size_t *ret_at)
{
    uint32_t rune;
    size_t n = es_utf8_decode(s.ptr + from, s.len - from, &rune);

    *ret_at = from + (n ? n : 1);
    return es_utf8_encode(n ? rune : 0xFFFD, out);
}

static bool unquote_double(struct es_ttext s, char *out, size_t *ret_len)
{
    size_t n = 0;
    uint32_t rune;
    bool byte;

    for (size_t at = 0; at < s.len;) {
        char c = s.ptr[at++];
        if (c == '"' || c == '\n')
            return false;
        if (c != '\\') {
            n += copy_rune(s, at - 1, out + n, &at);
            continue;
        }
        if (!read_escape(s, &at, '"', &rune, &byte))
            return false;
        if (byte)
            out[n++] = (char)rune;
        else
            n += es_utf8_encode(rune, out + n);
    }
    *ret_len = n;
    return true;
}

/* Carriage returns vanish. */
static void unquote_raw(struct es_ttext s, char *out, size_t *ret_len)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '\r')
            out[n++] = s.ptr[i];
    *ret_len = n;
}

bool es_tparser_unquote(struct es_tparser *p, struct es_ttext literal, struct es_ttext *ret)
{
    struct es_ttext inner = {literal.ptr + 1, literal.len - 2};
    char *out = es_arena_alloc(p->arena, literal.len * 3);
    size_t len = 0;

    if (!out) {
        es_tparser_nomem(p);
        return false;
    }
    if (*literal.ptr == '`') {
        unquote_raw(inner, out, &len);
    } else if (!unquote_double(inner, out, &len)) {
        es_tparser_fail(p, "invalid syntax");
        return false;
    }
    *ret = (struct es_ttext){out, len};
    return true;
}

enum rune_literal { RUNE_OK, RUNE_BAD, RUNE_AND_MORE };

/* 'x' */
static enum rune_literal read_rune(struct es_ttext literal, uint32_t *ret)
{
    struct es_ttext s = {literal.ptr + 1, literal.len - 2};
    size_t at = 0;
    bool byte;

    if (s.len == 0)
        return RUNE_BAD;
    if (*s.ptr == '\\') {
        at = 1;
        if (!read_escape(s, &at, '\'', ret, &byte))
            return RUNE_BAD;
        return at == s.len ? RUNE_OK : RUNE_AND_MORE;
    }
    at = es_utf8_decode(s.ptr, s.len, ret);
    if (at == 0) {
        at = 1;
        *ret = 0xFFFD;
    }
    return at == s.len ? RUNE_OK : RUNE_AND_MORE;
}

/* Numbers */

/* Underscores may stand between digits and behind a prefix. */
static bool underscores_ok(const char *s, size_t len)
{
    char before = '^';
    size_t i = len && (*s == '+' || *s == '-');
    bool hex = false;

    if (len - i >= 2 && s[i] == '0' && strchr("bBoOxX", s[i + 1])) {
        hex = (s[i + 1] | 32) == 'x';
        i += 2;
        before = '0';
    }
    for (; i < len; i++) {
        bool digit = (s[i] >= '0' && s[i] <= '9') || (hex && digit_of(s[i]) < 16);
        if (digit)
            before = '0';
        else if (s[i] == '_' ? before != '0' : before == '_')
            return false;
        else
            before = s[i] == '_' ? '_' : '!';
    }
    return before != '_';
}

bool es_go_parse_uint(const char *s, size_t len, int base, uint64_t *ret)
{
    uint64_t n = 0;
    bool any = false, prefixed = base == 0, large = false;

    if (prefixed && !underscores_ok(s, len))
        return false;
    if (prefixed) {
        base = 10;
        if (len >= 2 && *s == '0') {
            char mark = (char)(s[1] | 32);
            base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
            size_t skip = mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1;
            s += skip;
            len -= skip;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '_' && prefixed)
            continue;
        int d = digit_of(s[i]);
        if (d >= base)
            return false;
        large = large || __builtin_mul_overflow(n, (uint64_t)base, &n) ||
                __builtin_add_overflow(n, (uint64_t)d, &n);
        any = true;
    }
    if (any)
        *ret = large ? UINT64_MAX : n;
    return any && !large;
}

bool es_go_parse_int(const char *s, size_t len, int base, int64_t *ret)
{
    uint64_t n = 0;
    bool negative = len && *s == '-';
    size_t sign = len && (*s == '-' || *s == '+');
    uint64_t most = (uint64_t)INT64_MAX + negative;
    bool fits = es_go_parse_uint(s + sign, len - sign, base, &n) && n <= most;

    if (!fits && n <= most)
        return false; /* bad syntax leaves n as it was */
    n = fits ? n : most;
    *ret = negative ? (int64_t)(0 - n) : (int64_t)n;
    return fits;
}

/* Is it a number in Go's eyes? strtod would take more: blanks, "nan(x)", ... */
static bool float_shape(const char *s, size_t len)
{
    size_t i = len && (*s == '+' || *s == '-'), digits = 0;
    bool hex = len - i >= 2 && s[i] == '0' && (s[i + 1] | 32) == 'x', dot = false;

    i += hex ? 2 : 0;
    for (; i < len; i++) {
        if (digit_of(s[i]) < (hex ? 16 : 10))
            digits++;
        else if (s[i] == '.' && !dot)
            dot = true;
        else if (s[i] != '_')
            break;
    }
    if (!digits)
        return false;
    if (i == len)
        return !hex; /* hexadecimal needs its exponent */
    if ((s[i] | 32) != (hex ? 'p' : 'e'))
        return false;
    i++;
    i += i < len && (s[i] == '+' || s[i] == '-');
    size_t from = i;
    while (i < len && s[i] >= '0' && s[i] <= '9')
        i++;
    return i == len && i > from;
}

static bool is_special(const char *s, size_t len, double *ret)
{
    static const struct {
        const char *text;
        double value;
    } specials[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    bool negative = len && *s == '-';
    size_t sign = len && (*s == '-' || *s == '+');

    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        if (strlen(specials[i].text) != len - sign ||
            strncasecmp(specials[i].text, s + sign, len - sign) != 0)
            continue;
        *ret = negative ? -specials[i].value : specials[i].value;
        return !(sign && isnan(specials[i].value));
    }
    return false;
}

bool es_go_parse_float(const char *s, size_t len, double *ret)
{
    char text[400];
    size_t n = 0;

    if (is_special(s, len, ret))
        return true;
    if (len >= sizeof text || !float_shape(s, len) || (memchr(s, '_', len) && !underscores_ok(s, len)))
        return false;
    for (size_t i = 0; i < len; i++)
        if (s[i] != '_')
            text[n++] = s[i];
    text[n] = '\0';
    *ret = strtod(text, NULL);
    return isfinite(*ret);
}

static bool has_any(struct es_ttext s, const char *set)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr(set, s.ptr[i]))
            return true;
    return false;
}

/* A float that is a whole number serves as an integer too. */
static bool read_float(struct es_tparser *p, struct es_ttext text, struct es_tnumber *n)
{
    if (!es_go_parse_float(text.ptr, text.len, &n->f))
        return true;
    if (!has_any(text, ".eEpP")) {
        es_tparser_fail(p, "integer overflow: \"%.*s\"", (int)text.len, text.ptr);
        return false;
    }
    n->is_float = true;
    if (n->f >= -0x1p63 && n->f < 0x1p63 && (double)(int64_t)n->f == n->f) {
        n->is_int = true;
        n->i = (int64_t)n->f;
    }
    if (n->f >= 0 && n->f < 0x1p64 && (double)(uint64_t)n->f == n->f) {
        n->is_uint = true;
        n->u = (uint64_t)n->f;
    }
    return true;
}

static bool read_number(struct es_tparser *p, struct es_ttext text, struct es_tnumber *n)
{
    n->is_uint = es_go_parse_uint(text.ptr, text.len, 0, &n->u);
    n->is_int = es_go_parse_int(text.ptr, text.len, 0, &n->i);
    if (n->is_int && n->i == 0)
        n->is_uint = true;
    if (n->is_int || n->is_uint) {
        n->is_float = true;
        n->f = n->is_int ? (double)n->i : (double)n->u;
        return true;
    }
    if (!read_float(p, text, n))
        return false;
    if (n->is_float)
        return true;
    es_tparser_fail(p, "illegal number syntax: \"%.*s\"", (int)text.len, text.ptr);
    return false;
}

static bool read_char(struct es_tparser *p, struct es_ttext text, struct es_tnumber *n)
{
    uint32_t rune = 0;

    switch (read_rune(text, &rune)) {
    case RUNE_BAD:
        es_tparser_fail(p, "invalid syntax");
        return false;
    case RUNE_AND_MORE:
        es_tparser_fail(p, "malformed character constant: %.*s", (int)text.len, text.ptr);
        return false;
    case RUNE_OK:
        break;
    }
    *n = (struct es_tnumber){
        .is_int = true, .is_uint = true, .is_float = true, .i = rune, .u = rune, .f = rune};
    return true;
}

struct es_tnode *es_tparser_number(struct es_tparser *p, const struct es_ttoken *t)
{
    struct es_tnode *n = es_tparser_node(p, ES_NODE_NUMBER, t->pos);

    if (!n)
        return NULL;
    n->text = (struct es_ttext){t->ptr, t->len};
    if (t->type == ES_TOKEN_CHAR_CONSTANT)
        return read_char(p, n->text, &n->number) ? n : NULL;
    double imaginary;
    if (t->type == ES_TOKEN_COMPLEX ||
        (t->ptr[t->len - 1] == 'i' && es_go_parse_float(t->ptr, t->len - 1, &imaginary)))
        return es_tparser_fail(p, "complex numbers are not supported: \"%.*s\"", (int)t->len, t->ptr);
    return read_number(p, n->text, &n->number) ? n : NULL;
}
