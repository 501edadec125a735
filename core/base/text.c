#include "core/base/text.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/mem.h"

bool es_streq(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

bool es_strieq(const char *a, const char *b)
{
    return strcasecmp(a ? a : "", b ? b : "") == 0;
}

bool es_str_empty(const char *s)
{
    return !s || !*s;
}

bool es_str_starts(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool es_str_ends(const char *s, const char *suffix)
{
    size_t a = s ? strlen(s) : 0, b = strlen(suffix);
    return !b || (a >= b && memcmp(s + a - b, suffix, b) == 0);
}

char *es_strf(const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = n < 0 ? NULL : es_mem_alloc((size_t)n + 1);
    if (text)
        vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

size_t es_utf8_decode(const char *s, size_t len, uint32_t *rune)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;

    if (!len)
        return 0;
    if (p[0] < 0x80) {
        *rune = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;
    if (!n || n > len || p[0] > 0xF4)
        return 0;
    uint32_t r = p[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        r = r << 6 | (p[i] & 0x3Fu);
    }
    if (r < least[n] || r > 0x10FFFF || (r >= 0xD800 && r <= 0xDFFF))
        return 0;
    *rune = r;
    return n;
}

size_t es_utf8_encode(uint32_t r, char out[4])
{
    if (r > 0x10FFFF || (r >= 0xD800 && r <= 0xDFFF))
        r = 0xFFFD;
    if (r < 0x80) {
        out[0] = (char)r;
        return 1;
    }
    size_t n = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, r >>= 6)
        out[i] = (char)(0x80 | (r & 0x3F));
    out[0] = (char)(((0xF00u >> n) & 0xF0u) | r);
    return n;
}

bool es_utf8_valid(const char *s, size_t len)
{
    uint32_t rune;
    for (size_t i = 0; i < len;) {
        size_t n = es_utf8_decode(s + i, len - i, &rune);
        if (!n)
            return false;
        i += n;
    }
    return true;
}

int es_parse_i64(const char *s, int64_t *ret)
{
    char *end;

    if (es_str_empty(s) || !((*s >= '0' && *s <= '9') || *s == '-'))
        return -1;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || *end || end == s)
        return -1;
    *ret = v;
    return 0;
}

/* Writes the shortest digits as "-d.ddde+xx". Every decimal of 15 (6) digits
 * survives the way through a double (float), so only longer ones are tried
 * one by one; subnormal numbers carry fewer and start at one. */
static void shortest_exponential(double v, int bits, char *out, size_t size)
{
    bool single = bits == 32;
    int last = single ? 8 : 16;
    int first = single ? 5 : 14;

    if (fabs(v) < (single ? (double)FLT_MIN : DBL_MIN))
        first = 0;
    for (int places = first; places <= last; places++) {
        snprintf(out, size, "%.*e", places, v);
        if (single ? strtof(out, NULL) == (float)v : strtod(out, NULL) == v)
            return;
    }
}

char *es_float_format(double v, int bits, int exponent_from, char out[ES_FLOAT_TEXT_MAX])
{
    char raw[40], digits[20];
    size_t n = 0;

    if (bits == 32)
        v = (double)(float)v;
    const char *word = isnan(v)   ? "NaN"
                       : isinf(v) ? (v > 0 ? "+Inf" : "-Inf")
                       : v == 0   ? (signbit(v) ? "-0" : "0")
                                  : NULL;
    if (word) {
        snprintf(out, ES_FLOAT_TEXT_MAX, "%s", word);
        return out;
    }
    shortest_exponential(v, bits, raw, sizeof raw);
    char *e = strchr(raw, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    for (const char *p = raw; p < e; p++)
        if (*p >= '0' && *p <= '9')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    const char *sign = v < 0 ? "-" : "";
    int point = exponent + 1; /* digits before the decimal point */
    if (exponent < -4 || exponent >= exponent_from)
        snprintf(out, ES_FLOAT_TEXT_MAX, "%s%c%s%se%c%02d", sign, digits[0], n > 1 ? "." : "", digits + 1,
                 exponent < 0 ? '-' : '+', abs(exponent));
    else if (point <= 0)
        snprintf(out, ES_FLOAT_TEXT_MAX, "%s0.%.*s%s", sign, -point, "0000", digits);
    else if ((size_t)point >= n)
        snprintf(out, ES_FLOAT_TEXT_MAX, "%s%s%.*s", sign, digits, point - (int)n, "00000000000000000000000");
    else
        snprintf(out, ES_FLOAT_TEXT_MAX, "%s%.*s.%s", sign, point, digits, digits + point);
    return out;
}

static bool all_digits(const char *s)
{
    return s && *s && strspn(s, "0123456789") == strlen(s);
}

int es_rv_compare(const char *a, const char *b)
{
    if (es_streq(a, b))
        return 0;
    if (!all_digits(a) || !all_digits(b))
        return -1;
    a += strspn(a, "0");
    b += strspn(b, "0");
    size_t la = strlen(a), lb = strlen(b);
    return la != lb ? (la < lb ? -1 : 1) : strcmp(a, b);
}
