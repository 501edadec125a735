/* Integers and strings under fmt's verbs and flags. */
#include <stdio.h>
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

void es_tverb_fill(struct es_buf *out, char c, long count)
{
    while (count-- > 0 && !es_buf_failed(out))
        es_buf_addc(out, c);
}

void es_tverb_pad(const struct es_tverb *f, const char *text, size_t len)
{
    long missing = f->has_width ? f->width - (long)count_runes(text, len) : 0;

    if (!f->minus)
        es_tverb_fill(f->out, f->zero ? '0' : ' ', missing);
    es_buf_add(f->out, text, len);
    if (f->minus)
        es_tverb_fill(f->out, ' ', missing);
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
    es_tverb_fill(out, '0', zeros);
    es_buf_add(out, text + at, sizeof text - at);
    OPENSSL_cleanse(text, sizeof text);
}

static void print_int(const struct es_tverb *f, uint64_t n, bool negative, int base, bool upper, bool octal)
{
    struct es_tverb padding = *f;
    struct es_buf text;

    padding.zero = false;
    if (f->has_precision && f->precision == 0 && n == 0) {
        es_tverb_fill(f->out, ' ', f->has_width ? f->width : 0);
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
