#include "xml.h"

#include <string.h>

/* What comes next in a document. */
enum kind { END, BAD, TEXT, RAW, OPEN, CLOSE, EMPTY, OTHER };

struct token {
    enum kind kind;
    esp_bytes text; /* of TEXT and RAW as written, of a tag its name */
};

static bool starts(esp_bytes text, const char *what)
{
    return esp_starts_with(text, esp_str(what));
}

/* Where `what` begins in `text`; text.len when it does not. */
static size_t find(esp_bytes text, const char *what)
{
    const void *at = text.len ? memmem(text.ptr, text.len, what, strlen(what)) : NULL;
    return at ? (size_t)((const uint8_t *)at - text.ptr) : text.len;
}

static esp_bytes from(esp_bytes text, size_t at)
{
    return esp_span(text.ptr + at, text.len - at);
}

/* A construct that begins with `open` and ends with `close`; its inside is the text. */
static struct token section(esp_bytes *rest, const char *open, const char *close, enum kind kind)
{
    esp_bytes inside = from(*rest, strlen(open));
    size_t len = find(inside, close);
    if (len == inside.len)
        return (struct token){.kind = BAD};
    *rest = from(inside, len + strlen(close));
    return (struct token){kind, esp_span(inside.ptr, len)};
}

/* The end of a tag: a > that is not in the quotes of an attribute. */
static size_t tag_end(esp_bytes text)
{
    char quote = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.ptr[i];
        if (quote)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return i;
    }
    return text.len;
}

static esp_bytes name_of(esp_bytes tag)
{
    size_t len = 0;
    while (len < tag.len && !strchr(" \t\r\n/", tag.ptr[len]))
        len++;
    return esp_span(tag.ptr, len);
}

static struct token tag(esp_bytes *rest)
{
    size_t end = tag_end(*rest);
    if (end == rest->len || end < 2)
        return (struct token){.kind = BAD};
    esp_bytes inside = esp_span(rest->ptr + 1, end - 1);
    *rest = from(*rest, end + 1);
    if (inside.ptr[0] == '/')
        return (struct token){CLOSE, name_of(from(inside, 1))};
    bool empty = inside.ptr[inside.len - 1] == '/';
    return (struct token){empty ? EMPTY : OPEN, name_of(inside)};
}

static struct token next(esp_bytes *rest)
{
    if (rest->len == 0)
        return (struct token){.kind = END};
    if (rest->ptr[0] != '<') {
        size_t len = find(*rest, "<");
        esp_bytes text = esp_span(rest->ptr, len);
        *rest = from(*rest, len);
        return (struct token){TEXT, text};
    }
    if (starts(*rest, "<!--"))
        return section(rest, "<!--", "-->", OTHER);
    if (starts(*rest, "<![CDATA["))
        return section(rest, "<![CDATA[", "]]>", RAW);
    if (starts(*rest, "<?"))
        return section(rest, "<?", "?>", OTHER);
    if (starts(*rest, "<!"))
        return (struct token){.kind = BAD};
    return tag(rest);
}

/* ---- references ---- */

static const struct {
    const char *name;
    char value;
} named[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

/* "#10" or "#xA". Only ASCII: the texts that we read are keys, times and codes. */
static bool number(esp_bytes name, char *ret)
{
    bool hex = starts(name, "#x");
    unsigned value = 0;
    size_t at = hex ? 2 : 1;
    if (!starts(name, "#") || at == name.len)
        return false;
    for (; at < name.len; at++) {
        const char *digits = "0123456789abcdefABCDEF", *digit = strchr(digits, name.ptr[at]);
        unsigned n = digit ? (unsigned)(digit - digits) : 99;
        n = n > 15 ? n - 6 : n;
        if (!digit || !name.ptr[at] || n >= (hex ? 16U : 10U) || value > 127)
            return false;
        value = value * (hex ? 16 : 10) + n;
    }
    *ret = (char)value;
    return value > 0 && value < 128;
}

static bool resolve(esp_bytes name, char *ret)
{
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (esp_equal_str(name, named[i].name)) {
            *ret = named[i].value;
            return true;
        }
    return number(name, ret);
}

static bool add_text(esp_bytes text, struct esp_text *out)
{
    while (text.len) {
        size_t plain = find(text, "&");
        esp_text_add(out, esp_span(text.ptr, plain));
        text = from(text, plain);
        if (text.len == 0)
            break;
        size_t end = find(text, ";");
        char c;
        if (end == text.len || !resolve(esp_span(text.ptr + 1, end - 1), &c))
            return false;
        esp_text_addc(out, c);
        text = from(text, end + 1);
    }
    return true;
}

/* ---- the element ---- */

/* Behind its tag: everything up to the one that closes it. */
static bool inside(esp_bytes *rest, const char *element, struct esp_text *out)
{
    for (;;) {
        struct token t = next(rest);
        if (t.kind == CLOSE)
            return esp_equal_str(t.text, element);
        if (t.kind == RAW)
            esp_text_add(out, t.text);
        else if (t.kind != OTHER && (t.kind != TEXT || !add_text(t.text, out)))
            return false;
    }
}

/* Whether what is open is closed until the end: an answer that breaks off is none. */
static bool ends_well(esp_bytes rest, long depth)
{
    for (;;) {
        struct token t = next(&rest);
        if (t.kind == END || t.kind == BAD)
            return t.kind == END && depth == 0;
        depth += t.kind == OPEN ? 1 : t.kind == CLOSE ? -1 : 0;
        if (depth < 0)
            return false;
    }
}

bool aws_xml_text(esp_bytes xml, const char *element, struct esp_text *out)
{
    for (long depth = 0;;) {
        struct token t = next(&xml);
        if (t.kind == END || t.kind == BAD)
            return false;
        if (t.kind == OPEN && esp_equal_str(t.text, element))
            return inside(&xml, element, out) && ends_well(xml, depth);
        if (t.kind == EMPTY && esp_equal_str(t.text, element))
            return ends_well(xml, depth);
        depth += t.kind == OPEN ? 1 : t.kind == CLOSE ? -1 : 0;
    }
}
