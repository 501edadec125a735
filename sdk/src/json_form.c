/* How values come out: strings without escapes, numbers in short, and texts
 * back into strings. */
#include "json_scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT 0xFFFDu

esp_bytes esp_json_inner(esp_bytes string)
{
    return string.len < 2 ? esp_span(NULL, 0) : esp_span(string.ptr + 1, string.len - 2);
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The number behind `\u` at `at`, -1 if there are not four hex digits. */
static int32_t hex4(esp_bytes text, size_t at)
{
    if (text.len < 4 || at > text.len - 4)
        return -1;
    int32_t unit = 0;
    for (size_t i = at; i < at + 4; i++) {
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static void add_utf8(struct esp_text *out, uint32_t rune)
{
    uint8_t b[4];
    size_t len;
    if (rune < 0x80) {
        b[0] = (uint8_t)rune;
        len = 1;
    } else if (rune < 0x800) {
        b[0] = (uint8_t)(0xC0 | rune >> 6);
        b[1] = (uint8_t)(0x80 | (rune & 0x3F));
        len = 2;
    } else if (rune < 0x10000) {
        b[0] = (uint8_t)(0xE0 | rune >> 12);
        b[1] = (uint8_t)(0x80 | (rune >> 6 & 0x3F));
        b[2] = (uint8_t)(0x80 | (rune & 0x3F));
        len = 3;
    } else {
        b[0] = (uint8_t)(0xF0 | rune >> 18);
        b[1] = (uint8_t)(0x80 | (rune >> 12 & 0x3F));
        b[2] = (uint8_t)(0x80 | (rune >> 6 & 0x3F));
        b[3] = (uint8_t)(0x80 | (rune & 0x3F));
        len = 4;
    }
    esp_text_add(out, esp_span(b, len));
    esp_wipe(b, sizeof b);
}

static bool is_surrogate(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDFFF;
}

/* `at` is behind `\u`. Appends the character and returns the offset behind it; a
 * surrogate takes the next escape with it and is U+FFFD unless both are a pair. */
static size_t unescape_unicode(esp_bytes text, size_t at, struct esp_text *out)
{
    int32_t unit = hex4(text, at);
    if (unit < 0) {
        esp_text_adds(out, "\\u");
        return at;
    }
    at += 4;
    uint32_t rune = (uint32_t)unit;
    if (is_surrogate(unit)) {
        rune = REPLACEMENT;
        int32_t low = -1;
        if (text.len - at >= 6 && text.ptr[at] == '\\' && text.ptr[at + 1] == 'u')
            low = hex4(text, at + 2);
        if (low >= 0)
            at += 6;
        if (unit < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF)
            rune = 0x10000u + (((uint32_t)unit - 0xD800u) << 10) + ((uint32_t)low - 0xDC00u);
    }
    add_utf8(out, rune);
    return at;
}

void esp_json_unescape(esp_bytes inner, struct esp_text *out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    size_t at = 0;
    while (at < inner.len) {
        const uint8_t *slash = memchr(inner.ptr + at, '\\', inner.len - at);
        size_t stop = slash ? (size_t)(slash - inner.ptr) : inner.len;
        esp_text_add(out, esp_span(inner.ptr + at, stop - at));
        if (!slash)
            return;
        at = stop + 1;
        if (at == inner.len) {
            esp_text_addc(out, '\\');
            return;
        }
        uint8_t c = inner.ptr[at++];
        const char *known = memchr(from, c, sizeof from - 1);
        if (c == 'u')
            at = unescape_unicode(inner, at, out);
        else if (known)
            esp_text_addc(out, to[known - from]);
        else {
            esp_text_addc(out, '\\');
            esp_text_addc(out, (char)c);
        }
    }
}

/* strtod wants a terminator. The copy is wiped: numbers can be secrets too. A number of more
 * characters than a double could ever need is taken for malformed. */
bool esp_json_double(esp_bytes text, double *ret)
{
    char copy[512];
    *ret = 0;
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    char *end = copy;
    double value = 0;
    if (strspn(copy, "0123456789+-.eE") == text.len)
        value = strtod(copy, &end);
    bool whole = end == copy + text.len;
    esp_wipe(copy, text.len);
    if (whole)
        *ret = value;
    return whole;
}

static bool is_integer(esp_bytes raw)
{
    for (size_t i = raw.len > 0 && raw.ptr[0] == '-'; i < raw.len; i++)
        if (raw.ptr[i] < '0' || raw.ptr[i] > '9')
            return false;
    return true;
}

/* `digits` are the significant ones, the point stands behind the first `point` of
 * them (which may lie outside). */
static void add_decimal(struct esp_text *out, const char *digits, size_t count, int point)
{
    if (point <= 0) {
        esp_text_adds(out, "0.");
        for (int i = point; i < 0; i++)
            esp_text_addc(out, '0');
        esp_text_add(out, esp_span(digits, count));
        return;
    }
    for (size_t i = 0; i < (size_t)point; i++)
        esp_text_addc(out, i < count ? digits[i] : '0');
    if (count > (size_t)point) {
        esp_text_addc(out, '.');
        esp_text_add(out, esp_span(digits + point, count - (size_t)point));
    }
}

/* The shortest decimal that reads back as the same double. */
static void add_double(struct esp_text *out, double value)
{
    char text[40];
    if (!isfinite(value)) {
        esp_text_adds(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    const char *exponent = strchr(text, 'e');
    char digits[24];
    size_t count = 0;
    for (const char *p = text; p < exponent; p++)
        if (*p >= '0' && *p <= '9')
            digits[count++] = *p;
    if (text[0] == '-')
        esp_text_addc(out, '-');
    int point = (int)strtol(exponent + 1, NULL, 10) + 1;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (count == 1 && digits[0] == '0')
        point = 1;
    add_decimal(out, digits, count, point);
    esp_wipe(text, sizeof text);
    esp_wipe(digits, sizeof digits);
}

void esp_json_string_form(const struct node *node, struct esp_text *out)
{
    double number;
    switch (node->kind) {
    case ESP_JSON_NONE:
    case ESP_JSON_NULL:
        return;
    case ESP_JSON_STRING:
        esp_json_unescape(esp_json_inner(node->raw), out);
        return;
    case ESP_JSON_NUMBER:
        if (!is_integer(node->raw) && esp_json_double(node->raw, &number)) {
            add_double(out, number);
            return;
        }
        break;
    case ESP_JSON_TRUE:
    case ESP_JSON_FALSE:
    case ESP_JSON_OBJECT:
    case ESP_JSON_ARRAY:
        break;
    }
    esp_text_add(out, node->raw);
}

void esp_json_plain(esp_bytes value, struct esp_text *out)
{
    struct node node = esp_json_document(value);
    if (node.kind == ESP_JSON_STRING)
        esp_json_unescape(esp_json_inner(node.raw), out);
    else if (node.kind != ESP_JSON_NULL)
        esp_text_add(out, node.raw);
}

/* The length of the well-formed UTF-8 sequence at `at`, 0 if there is none. */
static size_t utf8_length(esp_bytes text, size_t at)
{
    const uint8_t *p = text.ptr + at;
    size_t left = text.len - at;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < len)
        return 0;
    uint8_t low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return len;
}

static void add_escaped(struct esp_text *out, uint8_t c)
{
    static const char names[] = "b\bf\fn\nr\rt\t\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof names - 1; i += 2) {
        if ((uint8_t)names[i + 1] == c) {
            esp_text_addc(out, '\\');
            esp_text_addc(out, names[i]);
            return;
        }
    }
    esp_text_addf(out, "\\u%04x", c);
}

/* What is escaped beyond what JSON asks for. */
enum flavour { PLAIN, GO, GO_HTML };

/* Appends the character at `at`, as it is or escaped; returns its length. */
static size_t quote_character(esp_bytes text, size_t at, enum flavour flavour, struct esp_text *out)
{
    uint8_t c = text.ptr[at];
    if (c < ' ' || c == '"' || c == '\\' || (flavour == GO_HTML && (c == '<' || c == '>' || c == '&'))) {
        add_escaped(out, c);
        return 1;
    }
    if (c < 0x80) {
        esp_text_addc(out, (char)c);
        return 1;
    }
    size_t len = utf8_length(text, at);
    if (len == 0) {
        esp_text_adds(out, flavour != PLAIN ? "\\ufffd" : "\xEF\xBF\xBD");
        return 1;
    }
    esp_bytes character = esp_span(text.ptr + at, len);
    if (flavour != PLAIN && esp_equal_str(character, "\xE2\x80\xA8"))
        esp_text_adds(out, "\\u2028");
    else if (flavour != PLAIN && esp_equal_str(character, "\xE2\x80\xA9"))
        esp_text_adds(out, "\\u2029");
    else
        esp_text_add(out, character);
    return len;
}

static void quote(esp_bytes text, enum flavour flavour, struct esp_text *out)
{
    esp_text_addc(out, '"');
    for (size_t at = 0; at < text.len && !esp_text_failed(out);)
        at += quote_character(text, at, flavour, out);
    esp_text_addc(out, '"');
}

void esp_json_quote(esp_bytes text, struct esp_text *out)
{
    quote(text, PLAIN, out);
}

void esp_json_quote_html(esp_bytes text, struct esp_text *out)
{
    quote(text, GO_HTML, out);
}

void esp_json_quote_go(esp_bytes text, struct esp_text *out)
{
    quote(text, GO, out);
}
