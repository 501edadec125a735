#include "core/template/yaml_scalar.h"

#include <string.h>

#include "core/base/text.h"
#include "core/base/yaml.h"

#define WIDTH 80

struct scalar {
    struct es_buf *out;
    const char *text;
    size_t len;
    int indent;
};

/* What of its content decides the style. */
struct traits {
    bool indicators;  /* would mean something to a reader */
    bool edge_blank;  /* begins or ends with a blank or a line end */
    bool ends_blank;  /* ends with a space */
    bool space_break; /* a space before a line end */
    bool break_space; /* and behind */
    bool special;     /* has to be escaped */
    bool lines;
};

static bool is_break(uint32_t c)
{
    return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

static bool is_printable(uint32_t c)
{
    if (c == '\n' || (c >= 0x20 && c <= 0x7e))
        return true;
    return c >= 0xA0 && c <= 0xFFFD && !(c >= 0xD800 && c <= 0xDFFF) && c != 0xFEFF;
}

static uint32_t rune_at(const struct scalar *s, size_t at, size_t *ret_len)
{
    uint32_t rune;

    *ret_len = es_utf8_decode(s->text + at, s->len - at, &rune);
    if (*ret_len)
        return rune;
    *ret_len = 1;
    return 0xFFFD;
}

static bool blank_at(const struct scalar *s, size_t at)
{
    size_t len;

    if (at >= s->len)
        return true;
    uint32_t c = rune_at(s, at, &len);
    return c == ' ' || c == '\t' || is_break(c);
}

static bool is_indicator(const struct scalar *s, size_t at, uint32_t c, size_t behind)
{
    if (c >= 0x80 || c == 0)
        return false;
    if (at == 0 && strchr("#,[]{}&*!|>'\"%@`", (int)c))
        return true;
    if (at == 0 && (c == '?' || c == '-') && blank_at(s, behind))
        return true;
    if (c == ':')
        return blank_at(s, behind);
    return c == '#' && at > 0 && blank_at(s, at - 1);
}

static struct traits traits_of(const struct scalar *s)
{
    struct traits t = {0};
    bool after_space = false, after_break = false;
    size_t len;

    t.indicators = s->len >= 3 && (memcmp(s->text, "---", 3) == 0 || memcmp(s->text, "...", 3) == 0);
    for (size_t i = 0; i < s->len; i += len) {
        uint32_t c = rune_at(s, i, &len);
        bool space = c == ' ', line = is_break(c), edge = i == 0 || i + len == s->len;
        t.indicators |= is_indicator(s, i, c, i + len);
        t.special |= !is_printable(c);
        t.lines |= line;
        t.edge_blank |= edge && (space || line);
        t.ends_blank |= space && i + len == s->len;
        t.break_space |= space && after_break;
        t.space_break |= line && after_space;
        after_space = space;
        after_break = line;
    }
    return t;
}

/* Sexagesimal numbers and dates, which YAML 1.1 knows and JSON does not. */
static bool is_clock_or_date(const char *s, size_t len)
{
    size_t i = len && (*s == '-' || *s == '+'), digits = i, colons = 0, dashes = 0;

    for (; i < len && ((s[i] >= '0' && s[i] <= '9') || strchr("_:-", s[i])); i++) {
        colons += s[i] == ':';
        dashes += s[i] == '-';
    }
    if (i <= digits || s[digits] < '0' || s[digits] > '9')
        return false;
    if (colons && !dashes)
        return i == len || s[i] == '.';
    return dashes == 2 && !colons && digits == 0 && s[4] == '-' && (i == len || strchr("Tt ", s[i]));
}

static size_t column(const struct scalar *s)
{
    size_t n = 0;

    for (size_t i = s->out->len; i > 0 && s->out->ptr[i - 1] != '\n'; i--)
        n += ((unsigned char)s->out->ptr[i - 1] & 0xC0) != 0x80;
    return n;
}

static void new_line(const struct scalar *s)
{
    es_buf_addc(s->out, '\n');
    for (int i = 0; i < s->indent; i++)
        es_buf_addc(s->out, ' ');
}

/* May the line end instead of this space? */
static bool folds(const struct scalar *s, size_t at)
{
    return s->indent >= 0 && column(s) > WIDTH && at > 0 && at + 1 < s->len && s->text[at - 1] != ' ';
}

static void add_rune(const struct scalar *s, uint32_t c)
{
    char text[4];
    es_buf_add(s->out, text, es_utf8_encode(c, text));
}

/* Plain and in single quotes. */
static void write_flowing(const struct scalar *s, bool quoted)
{
    size_t len;

    if (quoted)
        es_buf_addc(s->out, '\'');
    for (size_t i = 0; i < s->len; i += len) {
        uint32_t c = rune_at(s, i, &len);
        if (c == ' ' && folds(s, i) && s->text[i + 1] != ' ') {
            new_line(s);
            continue;
        }
        if (quoted && c == '\'')
            es_buf_addc(s->out, '\'');
        add_rune(s, c);
    }
    if (quoted)
        es_buf_addc(s->out, '\'');
}

static void write_escape(const struct scalar *s, uint32_t c)
{
    static const struct {
        uint32_t rune;
        char letter;
    } letters[] = {{0, '0'},     {7, 'a'},    {8, 'b'},      {9, 't'},     {10, 'n'},
                   {11, 'v'},    {12, 'f'},   {13, 'r'},     {0x1b, 'e'},  {'"', '"'},
                   {'\\', '\\'}, {0x85, 'N'}, {0x2028, 'L'}, {0x2029, 'P'}};

    es_buf_addc(s->out, '\\');
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].rune == c) {
            es_buf_addc(s->out, letters[i].letter);
            return;
        }
    if (c <= 0xFF)
        es_buf_addf(s->out, "x%02X", (unsigned)c);
    else
        es_buf_addf(s->out, c <= 0xFFFF ? "u%04X" : "U%08X", (unsigned)c);
}

static void write_double(const struct scalar *s)
{
    size_t len;

    es_buf_addc(s->out, '"');
    for (size_t i = 0; i < s->len; i += len) {
        uint32_t c = rune_at(s, i, &len);
        if (!is_printable(c) || is_break(c) || c == '"' || c == '\\') {
            write_escape(s, c);
        } else if (c == ' ' && folds(s, i)) {
            new_line(s);
            if (s->text[i + 1] == ' ')
                es_buf_addc(s->out, '\\');
        } else {
            add_rune(s, c);
        }
    }
    es_buf_addc(s->out, '"');
}

static void write_literal(const struct scalar *s)
{
    bool at_start = true, ends = is_break((unsigned char)s->text[s->len - 1]);

    es_buf_addc(s->out, '|');
    if (s->text[0] == ' ' || s->text[0] == '\n')
        es_buf_addc(s->out, '2');
    if (!ends)
        es_buf_addc(s->out, '-');
    else if (s->len == 1 || s->text[s->len - 2] == '\n')
        es_buf_addc(s->out, '+');
    es_buf_addc(s->out, '\n');
    for (size_t i = 0; i + ends < s->len; i++) {
        for (int n = 0; at_start && s->text[i] != '\n' && n < s->indent; n++)
            es_buf_addc(s->out, ' ');
        es_buf_addc(s->out, s->text[i]);
        at_start = s->text[i] == '\n';
    }
}

void es_tyaml_scalar(struct es_buf *out, const struct es_tvalue *text, int indent, bool space)
{
    struct scalar s = {.out = out, .text = text->s.ptr, .len = text->s.len, .indent = indent};
    struct traits t = traits_of(&s);
    bool blanks_at_lines = t.space_break || t.special;
    bool is_text = s.len && es_yaml_is_text(s.text, s.len) && !is_clock_or_date(s.text, s.len);

    if (space)
        es_buf_addc(out, ' ');
    if (memchr(s.text, '\n', s.len)) {
        if (indent < 0 || t.ends_blank || blanks_at_lines)
            write_double(&s);
        else
            write_literal(&s);
    } else if (!is_text || t.break_space || blanks_at_lines) {
        write_double(&s);
    } else {
        write_flowing(&s, t.lines || t.indicators || t.edge_blank);
    }
}
