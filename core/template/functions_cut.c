/* Parts of text, and text in lines. sprig counts bytes here, not characters. */
#include <string.h>

#include "core/base/text.h"
#include "core/secret/runes.h"
#include "core/template/functions.h"

static void out_of_range(struct es_tcall *c, int64_t from, int64_t to, size_t len)
{
    if (to < 0)
        es_tcall_fail(c, "runtime error: slice bounds out of range [:%lld]", (long long)to);
    else if ((uint64_t)to > len)
        es_tcall_fail(c, "runtime error: slice bounds out of range [:%lld] with length %zu", (long long)to,
                      len);
    else
        es_tcall_fail(c, "runtime error: slice bounds out of range [%lld:%lld]", (long long)from,
                      (long long)to);
}

static void slice(struct es_tcall *c, const struct es_tvalue *s, int64_t from, int64_t to)
{
    if (to < 0 || (uint64_t)to > s->s.len || from > to || from < 0)
        out_of_range(c, from, to, s->s.len);
    else
        c->ret = es_tsubstring(s, (size_t)from, (size_t)to);
}

static void substr(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[2];
    int64_t from = c->args[0].i, to = c->args[1].i, len = (int64_t)s->s.len;

    if (from < 0)
        slice(c, s, 0, to);
    else
        slice(c, s, from, to < 0 || to > len ? len : to);
}

static void truncate_text(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[1];
    int64_t n = c->args[0].i, len = (int64_t)s->s.len;

    if (n < 0 && len + n > 0)
        c->ret = es_tsubstring(s, (size_t)(len + n), s->s.len);
    else
        c->ret = n >= 0 && len > n ? es_tsubstring(s, 0, (size_t)n) : *s;
}

/* A window of `width` bytes with dots where something was cut away. */
static void abbreviate(struct es_tcall *c, const struct es_tvalue *s, int64_t offset, int64_t width)
{
    int64_t len = (int64_t)s->s.len;
    struct es_buf out;

    if (len <= width) {
        c->ret = *s;
        return;
    }
    if (offset > len)
        offset = len;
    if (len - offset < width - 3)
        offset = len - (width - 3);
    es_tcall_buf(&out);
    if (offset <= 4) {
        es_buf_add(&out, s->s.ptr, (size_t)width - 3);
        es_buf_adds(&out, "...");
    } else if (offset + width - 3 < len) {
        es_buf_adds(&out, "...");
        es_buf_add(&out, s->s.ptr + offset, (size_t)width - 6);
        es_buf_adds(&out, "...");
    } else {
        es_buf_adds(&out, "...");
        es_buf_add(&out, s->s.ptr + (len - (width - 3)), (size_t)width - 3);
    }
    es_tcall_return_buf(c, &out);
}

static void abbrev(struct es_tcall *c)
{
    if (c->args[0].i < 4)
        c->ret = c->args[1];
    else
        abbreviate(c, &c->args[1], 0, c->args[0].i);
}

static void abbrevboth(struct es_tcall *c)
{
    int64_t left = c->args[0].i, right = c->args[1].i;

    if (right < 4 || (left > 0 && right < 7))
        c->ret = c->args[2];
    else
        abbreviate(c, &c->args[2], left, right);
}

/* The library behind sprig takes each byte for a character, as Latin-1 does: what is not ASCII comes out
 * doubly encoded, or goes when a part of it looks like a space. People's values were made that way. */
static bool is_latin1_space(unsigned char b)
{
    return b == ' ' || (b >= '\t' && b <= '\r') || b == 0x85 || b == 0xA0;
}

static void add_latin1(struct es_buf *out, unsigned char b)
{
    if (b >= 0x80)
        es_buf_addc(out, (char)(0xC0 | b >> 6));
    es_buf_addc(out, (char)(b >= 0x80 ? 0x80 | (b & 0x3F) : b));
}

static void nospace(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];
    struct es_buf out;

    es_tcall_buf(&out);
    for (size_t i = 0; i < s->s.len; i++)
        if (!is_latin1_space((unsigned char)s->s.ptr[i]))
            add_latin1(&out, (unsigned char)s->s.ptr[i]);
    es_tcall_return_buf(c, &out);
}

static void initials(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[0];
    struct es_buf out;
    bool gap = true;

    es_tcall_buf(&out);
    for (size_t i = 0; i < s->s.len; i++) {
        bool space = is_latin1_space((unsigned char)s->s.ptr[i]);
        if (gap && !space)
            add_latin1(&out, (unsigned char)s->s.ptr[i]);
        gap = space;
    }
    es_tcall_return_buf(c, &out);
}

/* Lines */

static void add_indented(struct es_buf *out, const struct es_tvalue *s, int64_t spaces)
{
    for (int64_t i = 0; i < spaces && !es_buf_failed(out); i++)
        es_buf_addc(out, ' ');
    for (size_t i = 0; i < s->s.len && !es_buf_failed(out); i++) {
        es_buf_addc(out, s->s.ptr[i]);
        for (int64_t n = 0; s->s.ptr[i] == '\n' && n < spaces && !es_buf_failed(out); n++)
            es_buf_addc(out, ' ');
    }
}

static void indent_behind(struct es_tcall *c, const char *before)
{
    struct es_buf out;

    if (c->args[0].i < 0) {
        es_tcall_fail(c, "strings: negative Repeat count");
        return;
    }
    es_tcall_buf(&out);
    es_buf_adds(&out, before);
    add_indented(&out, &c->args[1], c->args[0].i);
    es_tcall_return_buf(c, &out);
}

static void indent(struct es_tcall *c)
{
    indent_behind(c, "");
}

static void nindent(struct es_tcall *c)
{
    indent_behind(c, "\n");
}

static size_t last_space(const struct es_tvalue *s, size_t from, size_t to)
{
    while (to > from)
        if (s->s.ptr[--to] == ' ')
            return to;
    return SIZE_MAX;
}

static size_t next_space(const struct es_tvalue *s, size_t from)
{
    const char *at = memchr(s->s.ptr + from, ' ', s->s.len - from);
    return at ? (size_t)(at - s->s.ptr) : s->s.len;
}

/* One line from *at on. */
static void wrap_line(struct es_buf *out, const struct es_tvalue *s, size_t *at, size_t width,
                      const struct es_tvalue *newline, bool cut_words)
{
    size_t end = last_space(s, *at, *at + width + 1), skip = 1;

    if (end == SIZE_MAX && cut_words) {
        end = *at + width;
        skip = 0;
    } else if (end == SIZE_MAX) {
        end = next_space(s, *at + width);
    }
    es_buf_add(out, s->s.ptr + *at, end - *at);
    if (end < s->s.len || cut_words)
        es_buf_add(out, newline->s.ptr, newline->s.len);
    *at = end < s->s.len ? end + skip : s->s.len;
}

static void wrap_text(struct es_tcall *c, const struct es_tvalue *s, int64_t width,
                      const struct es_tvalue *newline, bool cut_words)
{
    static const struct es_tvalue line_feed = {.type = ES_T_STRING, .s = {"\n", 1}};
    size_t n = width < 1 ? 1 : (size_t)width, at = 0;
    struct es_buf out;

    es_tcall_buf(&out);
    while (s->s.len - at > n && !es_buf_failed(&out)) {
        if (s->s.ptr[at] == ' ')
            at++;
        else
            wrap_line(&out, s, &at, n, newline->s.len ? newline : &line_feed, cut_words);
    }
    es_buf_add(&out, s->s.ptr + at, s->s.len - at);
    es_tcall_return_buf(c, &out);
}

static void wrap(struct es_tcall *c)
{
    static const struct es_tvalue nothing = {.type = ES_T_STRING, .s = {"", 0}};
    wrap_text(c, &c->args[1], c->args[0].i, &nothing, false);
}

static void wrap_with(struct es_tcall *c)
{
    wrap_text(c, &c->args[2], c->args[0].i, &c->args[1], true);
}

static const struct es_tfunction functions[] = {
    {"substr", "iis", substr},         {"trunc", "is", truncate_text}, {"abbrev", "is", abbrev},
    {"abbrevboth", "iis", abbrevboth}, {"nospace", "s", nospace},      {"initials", "s", initials},
    {"indent", "is", indent},          {"nindent", "is", nindent},     {"wrap", "is", wrap},
    {"wrapWith", "iss", wrap_with},
};

const struct es_tfunction_table es_tfunctions_cut = ES_TFUNCTION_TABLE(functions);
