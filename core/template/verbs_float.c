/* Floats under fmt's verbs and flags. */
#include <math.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/template/print.h"

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
    es_tverb_fill(out, '0', digits);
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
