/* Numbers and strings under fmt's verbs and flags. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/secret/runes.h"
#include "core/template/print.h"

static size_t count_runes(const char *text, size_t len)
{
    size_t count = 0;
    uint32_t rune;

    for (size_t i = 0; i < len; count++) {
        size_t n = es_utf8_decode(text + i, len - i, &rune);
        i += n ? n : 1;
    }
    return count;
}

static void fill(struct es_buf *out, char c, long count)
{
    while (count-- > 0 && !es_buf_failed(out))
        es_buf_addc(out, c);
}

void es_tverb_pad(const struct es_tverb *f, const char *text, size_t len)
{
    long missing = f->has_width ? f->width - (long)count_runes(text, len) : 0;

    if (!f->minus)
        fill(f->out, f->zero ? '0' : ' ', missing);
    es_buf_add(f->out, text, len);
    if (f->minus)
        fill(f->out, ' ', missing);
}

/* Integers */

/* Room for 64 binary digits, a prefix and a sign; more only comes from a precision. */
#define INT_TEXT_MAX 80

static void int_text(const struct es_tverb *f, struct es_buf *out, uint64_t n, bool negative, int base,
                     bool upper, bool octal_prefix)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[INT_TEXT_MAX];
    size_t at = sizeof text;
    int precision = f->has_precision ? f->precision : 0;

    if (!f->has_precision && f->zero && !f->minus && f->has_width)
        precision = f->width - (negative || f->plus || f->space);
    uint64_t rest = n;
    do {
        text[--at] = digits[rest % (uint64_t)base];
        rest /= (uint64_t)base;
    } while (rest);
    if (negative || f->plus || f->space)
        es_buf_addc(out, negative ? '-' : f->plus ? '+' : ' ');
    long zeros = precision - (long)(sizeof text - at);
    if (octal_prefix)
        es_buf_adds(out, "0o");
    else if (f->sharp && base == 2)
        es_buf_adds(out, "0b");
    else if (f->sharp && base == 16)
        es_buf_adds(out, upper ? "0X" : "0x");
    if (f->sharp && base == 8 && zeros <= 0 && text[at] != '0')
        es_buf_addc(out, '0');
    fill(out, '0', zeros);
    es_buf_add(out, text + at, sizeof text - at);
    OPENSSL_cleanse(text, sizeof text);
}

static void print_int(const struct es_tverb *f, uint64_t n, bool negative, int base, bool upper, bool octal)
{
    struct es_tverb padding = *f;
    struct es_buf text;

    padding.zero = false;
    if (f->has_precision && f->precision == 0 && n == 0) {
        fill(f->out, ' ', f->has_width ? f->width : 0);
        return;
    }
    es_buf_init(&text, f->out->max);
    int_text(f, &text, n, negative, base, upper, octal);
    es_tverb_pad(&padding, es_buf_str(&text), text.len);
    es_buf_fini(&text);
}

static uint32_t as_rune(uint64_t n, bool negative)
{
    return negative || n > 0x10FFFF || (n >= 0xD800 && n <= 0xDFFF) ? 0xFFFD : (uint32_t)n;
}

static void print_rune(const struct es_tverb *f, uint64_t n, bool negative, bool quoted)
{
    char text[4];
    struct es_buf out;
    size_t len = es_utf8_encode(as_rune(n, negative), text);

    if (!quoted) {
        es_tverb_pad(f, text, len);
        return;
    }
    es_buf_init(&out, 64);
    es_go_quote_bytes(&out, text, len, ES_GO_QUOTE_RUNE | (f->plus ? ES_GO_QUOTE_ASCII : 0));
    es_tverb_pad(f, es_buf_str(&out), out.len);
    es_buf_fini(&out);
}

static void print_unicode(const struct es_tverb *f, uint64_t n, bool negative)
{
    struct es_tverb padding = *f;
    struct es_buf out;
    char text[4];
    int digits = f->has_precision && f->precision > 4 ? f->precision : 4;
    uint64_t value = negative ? 0 - n : n;

    padding.zero = false;
    es_buf_init(&out, f->out->max);
    es_buf_addf(&out, "U+%0*llX", digits, (unsigned long long)value);
    if (f->sharp && !negative && n <= 0x10FFFF && es_rune_is(ES_RUNE_PRINT, (uint32_t)n)) {
        es_buf_adds(&out, " '");
        es_buf_add(&out, text, es_utf8_encode((uint32_t)n, text));
        es_buf_addc(&out, '\'');
    }
    es_tverb_pad(&padding, es_buf_str(&out), out.len);
    es_buf_fini(&out);
}

bool es_tverb_int(const struct es_tverb *f, uint64_t n, bool negative, bool is_signed, uint32_t verb)
{
    struct es_tverb hex = *f;

    switch (verb) {
    case 'v':
        if (f->sharp_v && !is_signed) {
            hex.sharp = true;
            print_int(&hex, n, false, 16, false, false);
            return true;
        }
        print_int(f, n, negative, 10, false, false);
        return true;
    case 'd':
        print_int(f, n, negative, 10, false, false);
        return true;
    case 'b':
        print_int(f, n, negative, 2, false, false);
        return true;
    case 'o':
    case 'O':
        print_int(f, n, negative, 8, false, verb == 'O');
        return true;
    case 'x':
    case 'X':
        print_int(f, n, negative, 16, verb == 'X', false);
        return true;
    case 'c':
    case 'q':
        print_rune(f, n, negative, verb == 'q');
        return true;
    case 'U':
        print_unicode(f, n, negative);
        return true;
    default:
        return false;
    }
}

/* Floats */

#define FLOAT_TEXT_MAX 1200

/* strconv's 'b': the mantissa as an integer, and the power of two. */
static void binary_text(char *out, size_t cap, double v)
{
    int exponent;
    double mantissa = frexp(v, &exponent);
    long long digits = (long long)ldexp(mantissa, 53);

    exponent -= 53;
    if (v != 0 && exponent < -1074) { /* a subnormal number */
        digits = (long long)ldexp(v, 1074);
        exponent = -1074;
    }
    if (v == 0)
        exponent = -1074;
    snprintf(out, cap, "%s%lldp%+d", signbit(v) && v == 0 ? "-" : "", digits, exponent);
}

/* C writes p+1 where Go writes p+01. */
static void hex_text(char *out, size_t cap, double v, int precision, bool upper)
{
    char text[FLOAT_TEXT_MAX];

    if (precision < 0)
        snprintf(text, sizeof text, upper ? "%A" : "%a", v);
    else
        snprintf(text, sizeof text, upper ? "%.*A" : "%.*a", precision, v);
    char *p = strpbrk(text, "pP");
    char *lead = strpbrk(text, "xX");
    if (p && lead && lead[1] == '2') { /* rounded up to the next power of two */
        lead[1] = '1';
        snprintf(p + 1, sizeof text - (size_t)(p + 1 - text), "%+ld", strtol(p + 1, NULL, 10) + 1);
    }
    if (p && p[1] && p[2] && !p[3])
        snprintf(out, cap, "%.*s%c%c0%c", (int)(p - text), text, *p, p[1], p[2]);
    else
        snprintf(out, cap, "%s", text);
    OPENSSL_cleanse(text, sizeof text);
}

/* Shortest digits in the form of %e or %f. */
static void shortest_text(char *out, size_t cap, double v, char verb)
{
    char plain[ES_FLOAT_TEXT_MAX], digits[ES_FLOAT_TEXT_MAX];
    size_t n = 0;

    es_float_format(v, 64, 6, plain);
    for (const char *p = plain; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && (n || *p != '0'))
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (verb == 'e') {
        snprintf(out, cap, "%.*e", n ? (int)n - 1 : 0, v);
    } else {
        char wide[ES_GO_FLOAT_MAX];
        es_go_float(wide, v, ES_GO_FIXED);
        snprintf(out, cap, "%s", wide);
        OPENSSL_cleanse(wide, sizeof wide);
    }
    OPENSSL_cleanse(plain, sizeof plain);
    OPENSSL_cleanse(digits, sizeof digits);
}

static void float_text(char *out, size_t cap, double v, char verb, int precision)
{
    if (isnan(v) || isinf(v)) {
        es_float_format(v, 64, 6, out);
        return;
    }
    switch (verb) {
    case 'b':
        binary_text(out, cap, v);
        return;
    case 'x':
    case 'X':
        hex_text(out, cap, v, precision, verb == 'X');
        return;
    case 'g':
    case 'G':
        if (precision < 0)
            es_float_format(v, 64, 6, out);
        else
            snprintf(out, cap, "%.*g", precision, v);
        break;
    case 'e':
    case 'E':
        if (precision < 0)
            shortest_text(out, cap, v, 'e');
        else
            snprintf(out, cap, "%.*e", precision, v);
        break;
    default:
        snprintf(out, cap, "%.*f", precision, v);
        break;
    }
    for (char *p = out; verb < 'a' && *p; p++)
        if (*p == 'e')
            *p = 'E';
}

/* "%#g" keeps the point and trailing zeros: as many digits as the precision says. */
static void keep_zeros(struct es_buf *out, const char *text, char verb, int precision)
{
    const char *tail = strpbrk(text, verb == 'x' || verb == 'X' ? "pP" : "eE");
    size_t head = tail ? (size_t)(tail - text) : strlen(text);
    bool general = verb == 'g' || verb == 'G' || verb == 'x', seen = false, dot = false;
    int digits = general ? (precision < 0 ? 6 : precision) : 0;

    for (size_t i = 0; i < head; i++) {
        char c = text[i];
        es_buf_addc(out, c);
        if (c == '.')
            dot = true;
        else {
            seen = seen || c != '0';
            digits -= seen;
        }
    }
    if (!dot)
        es_buf_addc(out, '.');
    /* "0" has one digit that counts, though it is none to begin with. */
    if (!dot && head == 1 && *text == '0')
        digits--;
    fill(out, '0', digits);
    if (tail)
        es_buf_adds(out, tail);
}

static void print_float_text(const struct es_tverb *f, const char *text, double v)
{
    struct es_tverb plain = *f;
    struct es_buf out;
    bool negative = *text == '-';
    const char *digits = text + (negative || *text == '+');
    char sign = negative ? '-' : f->plus ? '+' : f->space ? ' ' : '\0';

    es_buf_init(&out, f->out->max);
    if (isnan(v) || isinf(v)) {
        plain.zero = false;
        if (isinf(v) && !sign)
            sign = '+';
        if (isinf(v) && f->space && !f->plus && !negative)
            sign = ' ';
    }
    if (plain.zero && sign && plain.has_width && plain.width > (int)strlen(digits) + 1) {
        es_buf_addc(f->out, sign);
        plain.width--;
        sign = '\0';
    }
    if (sign)
        es_buf_addc(&out, sign);
    es_buf_adds(&out, digits);
    es_tverb_pad(&plain, es_buf_str(&out), out.len);
    es_buf_fini(&out);
}

bool es_tverb_float(const struct es_tverb *f, double v, uint32_t verb)
{
    char text[FLOAT_TEXT_MAX];
    struct es_buf wide;
    int precision;

    if (!strchr("vbgGxXfFeE", (int)verb) || verb > 0x7f || !verb)
        return false;
    char form = verb == 'v' ? 'g' : verb == 'F' ? 'f' : (char)verb;
    precision = f->has_precision ? f->precision : strchr("feE", form) ? 6 : -1;
    if (precision > 800)
        precision = 800;
    float_text(text, sizeof text, v, form, precision);
    if (f->sharp && form != 'b' && isfinite(v)) {
        es_buf_init(&wide, f->out->max);
        bool negative = *text == '-';
        if (negative)
            es_buf_addc(&wide, '-');
        keep_zeros(&wide, text + negative, form, precision);
        print_float_text(f, es_buf_str(&wide), v);
        es_buf_fini(&wide);
    } else {
        print_float_text(f, text, v);
    }
    OPENSSL_cleanse(text, sizeof text);
    return true;
}

/* Strings */

static size_t cut(const struct es_tverb *f, const char *text, size_t len)
{
    size_t at = 0;
    uint32_t rune;

    if (!f->has_precision)
        return len;
    for (int i = 0; i < f->precision && at < len; i++) {
        size_t n = es_utf8_decode(text + at, len - at, &rune);
        at += n ? n : 1;
    }
    return at;
}

static void print_hex(const struct es_tverb *f, const char *text, size_t len, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    struct es_buf out;

    if (f->has_precision && (size_t)f->precision < len)
        len = (size_t)f->precision;
    es_buf_init(&out, f->out->max);
    for (size_t i = 0; i < len; i++) {
        if (f->space && i)
            es_buf_addc(&out, ' ');
        if (f->sharp && (f->space || i == 0))
            es_buf_adds(&out, upper ? "0X" : "0x");
        es_buf_addc(&out, digits[(unsigned char)text[i] >> 4]);
        es_buf_addc(&out, digits[(unsigned char)text[i] & 15]);
    }
    es_tverb_pad(f, es_buf_str(&out), out.len);
    es_buf_fini(&out);
}

/* Can it stand between backquotes? */
static bool can_backquote(const char *text, size_t len)
{
    uint32_t rune;

    for (size_t i = 0; i < len;) {
        size_t n = es_utf8_decode(text + i, len - i, &rune);
        if (n == 0 || rune == 0xFEFF || (rune < ' ' && rune != '\t') || rune == '`' || rune == 0x7f)
            return false;
        i += n;
    }
    return true;
}

static void print_quoted(const struct es_tverb *f, const char *text, size_t len)
{
    struct es_buf out;

    es_buf_init(&out, f->out->max);
    len = cut(f, text, len);
    if (f->sharp && can_backquote(text, len)) {
        es_buf_addc(&out, '`');
        es_buf_add(&out, text, len);
        es_buf_addc(&out, '`');
    } else {
        es_go_quote_bytes(&out, text, len, f->plus ? ES_GO_QUOTE_ASCII : 0);
    }
    es_tverb_pad(f, es_buf_str(&out), out.len);
    es_buf_fini(&out);
}

bool es_tverb_string(const struct es_tverb *f, const char *text, size_t len, uint32_t verb)
{
    switch (verb) {
    case 'v':
        if (f->sharp_v) {
            print_quoted(f, text, len);
            return true;
        }
        es_tverb_pad(f, text, cut(f, text, len));
        return true;
    case 's':
        es_tverb_pad(f, text, cut(f, text, len));
        return true;
    case 'x':
    case 'X':
        print_hex(f, text, len, verb == 'X');
        return true;
    case 'q':
        print_quoted(f, text, len);
        return true;
    default:
        return false;
    }
}
