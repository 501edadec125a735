#include "core/secret/gotext.h"

#include <math.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/secret/runes.h"

/* Bounds the recursion on the small stacks of worker threads. */
#define DEPTH_MAX 512

/* A decimal number: 0.d1d2d3... times ten to the power of `point`. */
struct decimal {
    char digits[24];
    int count, point;
    bool negative;
};

static void read_decimal(struct decimal *d, const char *text)
{
    const char *p = text;

    *d = (struct decimal){.negative = *p == '-'};
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->count++] = *p;
    d->point = *p == 'e' ? (int)strtol(p + 1, NULL, 10) + 1 : 1;
    while (d->count > 1 && d->digits[d->count - 1] == '0')
        d->count--;
}

/* Adds one to the last digit of d.ddde+x; not when that takes another digit. */
static bool round_up(char *text)
{
    for (char *p = strchr(text, 'e'); p-- > text;) {
        if (*p >= '0' && *p < '9') {
            ++*p;
            return true;
        }
        if (*p == '9')
            *p = '0';
    }
    return false;
}

/* Above a power of two the floats lie twice as far apart as below, so that
 * what is not the nearest decimal of this length may still read back right. */
static bool reads_back(char *text, double value)
{
    int exponent;

    if (strtod(text, NULL) == value)
        return true;
    return fabs(frexp(value, &exponent)) == 0.5 && round_up(text) && strtod(text, NULL) == value;
}

static void shortest(struct decimal *d, double value)
{
    char text[40];

    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (reads_back(text, value))
            break;
    }
    read_decimal(d, text);
    OPENSSL_cleanse(text, sizeof text);
}

static char *put_many(char *p, char c, int count)
{
    for (int i = 0; i < count; i++)
        *p++ = c;
    return p;
}

static char *put_digits(char *p, const char *digits, int count)
{
    memcpy(p, digits, (size_t)count);
    return p + count;
}

static char *put_fixed(char *p, const struct decimal *d)
{
    if (d->point <= 0) {
        *p++ = '0';
        *p++ = '.';
        p = put_many(p, '0', -d->point);
        return put_digits(p, d->digits, d->count);
    }
    if (d->count <= d->point) {
        p = put_digits(p, d->digits, d->count);
        return put_many(p, '0', d->point - d->count);
    }
    p = put_digits(p, d->digits, d->point);
    *p++ = '.';
    return put_digits(p, d->digits + d->point, d->count - d->point);
}

static char *put_exponent(char *p, const struct decimal *d, enum es_go_style style)
{
    int exponent = d->point - 1;

    *p++ = d->digits[0];
    if (d->count > 1) {
        *p++ = '.';
        p = put_digits(p, d->digits + 1, d->count - 1);
    }
    /* Two digits at least, but JSON takes the zero out of e-07. */
    if (style == ES_GO_JSON && exponent < 0)
        return p + snprintf(p, 8, "e%d", exponent);
    return p + snprintf(p, 8, "e%+03d", exponent);
}

size_t es_go_float(char out[ES_GO_FLOAT_MAX], double value, enum es_go_style style)
{
    static const struct {
        int low, high; /* the exponents written without one */
    } fixed[] = {[ES_GO_FIXED] = {-400, 400}, [ES_GO_GENERAL] = {-4, 5}, [ES_GO_JSON] = {-6, 20}};
    struct decimal d;
    char *p = out;

    shortest(&d, value);
    if (d.negative)
        *p++ = '-';
    int exponent = value == 0 ? 0 : d.point - 1;
    if (exponent < fixed[style].low || exponent > fixed[style].high)
        p = put_exponent(p, &d, style);
    else
        p = put_fixed(p, &d);
    *p = '\0';
    OPENSSL_cleanse(&d, sizeof d);
    return (size_t)(p - out);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct es_go_member *)a)->key, ((const struct es_go_member *)b)->key);
}

int es_go_members(struct es_go_member **ret, size_t *ret_count, const json_t *object)
{
    size_t count = json_object_size(object), n = 0;
    struct es_go_member *members = es_mem_calloc(count, sizeof *members);
    bool sorted = true;

    if (!members)
        return ES_E_NOMEM;
    for (void *it = json_object_iter((json_t *)object); it;
         it = json_object_iter_next((json_t *)object, it)) {
        members[n] = (struct es_go_member){json_object_iter_key(it), json_object_iter_value(it)};
        sorted = sorted && (n == 0 || by_key(&members[n - 1], &members[n]) < 0);
        n++;
    }
    /* What comes from an API server is sorted already. */
    if (!sorted)
        qsort(members, n, sizeof *members, by_key);
    *ret = members;
    *ret_count = n;
    return 0;
}

static void put_json_char(struct es_buf *out, unsigned char c)
{
    static const char shorts[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

    if (c == '"' || c == '\\') {
        es_buf_addc(out, '\\');
        es_buf_addc(out, (char)c);
    } else if (c < sizeof shorts && shorts[c]) {
        es_buf_addc(out, '\\');
        es_buf_addc(out, shorts[c]);
    } else {
        es_buf_addf(out, "\\u%04x", c);
    }
}

/* U+2028 and U+2029, which JavaScript takes for line ends. */
static bool is_line_separator(const char *text, size_t len)
{
    return len >= 3 && memcmp(text, "\xe2\x80", 2) == 0 && ((unsigned char)text[2] & 0xfe) == 0xa8;
}

/* A byte that belongs to no character. */
static bool is_stray(const char *text, size_t len, size_t *ret_width)
{
    uint32_t rune;
    size_t n = (unsigned char)*text < 0x80 ? 1 : es_utf8_decode(text, len, &rune);

    *ret_width = n ? n : 1;
    return n == 0;
}

void es_go_json_string(struct es_buf *out, const char *text, size_t len, bool escape_html)
{
    size_t plain = 0, width;

    es_buf_addc(out, '"');
    for (size_t i = 0; i < len; i += width) {
        unsigned char c = (unsigned char)text[i];
        bool separator = is_line_separator(text + i, len - i);
        bool html = escape_html && (c == '<' || c == '>' || c == '&');
        bool stray = is_stray(text + i, len - i, &width);
        if (c >= 0x20 && c != '"' && c != '\\' && !html && !separator && !stray)
            continue;
        es_buf_add(out, text + plain, i - plain);
        if (separator)
            es_buf_adds(out, (unsigned char)text[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
        else if (stray)
            es_buf_adds(out, "\\ufffd");
        else
            put_json_char(out, c);
        plain = i + width;
    }
    es_buf_add(out, text + plain, len - plain);
    es_buf_addc(out, '"');
}

static void put_json(struct es_buf *out, const json_t *value, bool escape_html, int depth);

static void put_json_object(struct es_buf *out, const json_t *object, bool escape_html, int depth)
{
    struct es_go_member *members;
    size_t count;

    if (es_go_members(&members, &count, object) < 0) {
        out->failed = true;
        return;
    }
    es_buf_addc(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            es_buf_addc(out, ',');
        es_go_json_string(out, members[i].key, strlen(members[i].key), escape_html);
        es_buf_addc(out, ':');
        put_json(out, members[i].value, escape_html, depth + 1);
    }
    es_buf_addc(out, '}');
    es_mem_free(members);
}

static void put_json_array(struct es_buf *out, const json_t *array, bool escape_html, int depth)
{
    size_t i;
    json_t *one;

    es_buf_addc(out, '[');
    json_array_foreach (array, i, one) {
        if (i)
            es_buf_addc(out, ',');
        put_json(out, one, escape_html, depth + 1);
    }
    es_buf_addc(out, ']');
}

static void put_json_real(struct es_buf *out, double value)
{
    char text[ES_GO_FLOAT_MAX];
    es_buf_add(out, text, es_go_float(text, value, ES_GO_JSON));
    OPENSSL_cleanse(text, sizeof text);
}

static void put_json(struct es_buf *out, const json_t *value, bool escape_html, int depth)
{
    if (!value || depth > DEPTH_MAX) {
        out->failed = true;
        return;
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_json_object(out, value, escape_html, depth);
        break;
    case JSON_ARRAY:
        put_json_array(out, value, escape_html, depth);
        break;
    case JSON_STRING:
        es_go_json_string(out, json_string_value(value), json_string_length(value), escape_html);
        break;
    case JSON_INTEGER:
        es_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        put_json_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        es_buf_adds(out, "true");
        break;
    case JSON_FALSE:
        es_buf_adds(out, "false");
        break;
    case JSON_NULL:
        es_buf_adds(out, "null");
        break;
    }
}

void es_go_json(struct es_buf *out, const json_t *value, bool escape_html)
{
    put_json(out, value, escape_html, 0);
}

int es_go_is_letter_or_number(uint32_t rune)
{
    return es_rune_is(ES_RUNE_LETTER, rune) || es_rune_is(ES_RUNE_NUMBER, rune);
}

static void quote_rune(struct es_buf *out, uint32_t rune, const char *bytes, size_t len, char quote,
                       unsigned flags)
{
    static const char shorts[] = {
        ['\a'] = 'a', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\v'] = 'v', ['\f'] = 'f', ['\r'] = 'r'};

    if (rune == (uint32_t)quote || rune == '\\')
        es_buf_addf(out, "\\%c", (char)rune);
    else if (rune < 0x80 ? rune >= 0x20 && rune < 0x7f
                         : !(flags & ES_GO_QUOTE_ASCII) && es_rune_is(ES_RUNE_PRINT, rune))
        es_buf_add(out, bytes, len);
    else if (rune < sizeof shorts && shorts[rune])
        es_buf_addf(out, "\\%c", shorts[rune]);
    else if (rune < 0x80)
        es_buf_addf(out, "\\x%02x", (unsigned)rune);
    else if (rune < 0x10000)
        es_buf_addf(out, "\\u%04x", (unsigned)rune);
    else
        es_buf_addf(out, "\\U%08x", (unsigned)rune);
}

void es_go_quote_bytes(struct es_buf *out, const char *text, size_t len, unsigned flags)
{
    char quote = flags & ES_GO_QUOTE_RUNE ? '\'' : '"';

    es_buf_addc(out, quote);
    for (size_t i = 0; i < len;) {
        uint32_t rune;
        size_t n = es_utf8_decode(text + i, len - i, &rune);
        if (n == 0)
            es_buf_addf(out, "\\x%02x", (unsigned char)text[i]);
        else
            quote_rune(out, rune, text + i, n, quote, flags);
        i += n ? n : 1;
    }
    es_buf_addc(out, quote);
}

void es_go_quote(struct es_buf *out, const char *text)
{
    es_go_quote_bytes(out, text, strlen(text), 0);
}
