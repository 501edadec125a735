/* Upper and lower case, and words. */
#include <string.h>

#include "core/base/text.h"
#include "core/secret/runes.h"
#include "core/template/functions.h"

/* Text as characters, one after the other; what is no UTF-8 is U+FFFD, byte by byte. */
struct reader {
    const struct es_tvalue *s;
    size_t at;
};

static bool read_rune(struct reader *r, uint32_t *ret)
{
    if (r->at >= r->s->s.len)
        return false;
    size_t n;
    *ret = es_tstring_rune(r->s, r->at, &n);
    r->at += n;
    return true;
}

static void put_rune(struct es_buf *out, uint32_t rune)
{
    char text[4];
    es_buf_add(out, text, es_utf8_encode(rune, text));
}

static void convert(struct es_tcall *c, uint32_t (*map)(uint32_t rune))
{
    struct reader r = {.s = &c->args[0]};
    struct es_buf out;
    uint32_t rune;

    es_tcall_buf(&out);
    while (read_rune(&r, &rune))
        put_rune(&out, map(rune));
    es_tcall_return_buf(c, &out);
}

static void upper(struct es_tcall *c)
{
    convert(c, es_rune_upper);
}

static void lower(struct es_tcall *c)
{
    convert(c, es_rune_lower);
}

/* What does not end a word, for title. */
static bool is_inner(uint32_t rune)
{
    if (rune < 0x80)
        return rune == '_' || es_rune_is(ES_RUNE_LETTER, rune) || es_rune_is(ES_RUNE_DIGIT, rune);
    return es_rune_is(ES_RUNE_LETTER, rune) || es_rune_is(ES_RUNE_DIGIT, rune) ||
           !es_rune_is(ES_RUNE_SPACE, rune);
}

/* The first character of each word is mapped; `goes_on` tells what a word is made of. */
static void convert_begins(struct es_tcall *c, uint32_t (*map)(uint32_t rune), bool (*goes_on)(uint32_t rune))
{
    struct reader r = {.s = &c->args[0]};
    struct es_buf out;
    uint32_t rune;
    bool begins = true;

    es_tcall_buf(&out);
    while (read_rune(&r, &rune)) {
        put_rune(&out, begins ? map(rune) : rune);
        begins = !goes_on(rune);
    }
    es_tcall_return_buf(c, &out);
}

static void title(struct es_tcall *c)
{
    convert_begins(c, es_rune_title, is_inner);
}

static bool is_no_space(uint32_t rune)
{
    return !es_rune_is(ES_RUNE_SPACE, rune);
}

static void untitle(struct es_tcall *c)
{
    convert_begins(c, es_rune_lower, is_no_space);
}

static void swapcase(struct es_tcall *c)
{
    struct reader r = {.s = &c->args[0]};
    struct es_buf out;
    uint32_t rune;
    bool space = true;

    es_tcall_buf(&out);
    while (read_rune(&r, &rune)) {
        if (es_rune_is(ES_RUNE_UPPER, rune) || es_rune_is(ES_RUNE_TITLE, rune)) {
            put_rune(&out, es_rune_lower(rune));
            space = false;
        } else if (es_rune_is(ES_RUNE_LOWER, rune)) {
            put_rune(&out, space ? es_rune_title(rune) : es_rune_upper(rune));
            space = false;
        } else {
            put_rune(&out, rune);
            space = es_rune_is(ES_RUNE_SPACE, rune);
        }
    }
    es_tcall_return_buf(c, &out);
}

/* camelcase */

static bool is_connector(uint32_t rune)
{
    return rune == '-' || rune == '_' || es_rune_is(ES_RUNE_SPACE, rune);
}

/* Connectors at the front stay; the first letter is raised. False: that was all. */
static bool camel_begin(struct reader *r, struct es_buf *out, uint32_t *ret)
{
    while (read_rune(r, ret)) {
        if (!is_connector(*ret))
            return true;
        put_rune(out, *ret);
    }
    return false;
}

static void camelcase(struct es_tcall *c)
{
    struct reader r = {.s = &c->args[0]};
    struct es_buf out;
    uint32_t now = 0, before;

    es_tcall_buf(&out);
    if (camel_begin(&r, &out, &now)) {
        bool capitals = es_rune_is(ES_RUNE_UPPER, now); /* so far the word is all capitals */
        now = es_rune_upper(now);
        for (before = now; read_rune(&r, &now); before = now) {
            if (is_connector(now) && is_connector(before)) {
                put_rune(&out, before);
            } else if (is_connector(before)) {
                capitals = es_rune_is(ES_RUNE_UPPER, now);
                now = es_rune_upper(now);
            } else {
                put_rune(&out, before);
                if (capitals && es_rune_is(ES_RUNE_UPPER, now))
                    now = es_rune_lower(now);
                else
                    capitals = false;
            }
        }
        put_rune(&out, before);
    } else if (c->args[0].s.len) {
        put_rune(&out, now);
    }
    es_tcall_return_buf(c, &out);
}

/* snakecase and kebabcase: text is cut into words of a kind, which then get
 * connectors between them. */

enum word_kind { WORD_NONE, WORD_NUMBER, WORD_UPPER, WORD_LETTERS, WORD_CONNECTOR, WORD_PUNCT, WORD_OTHER };

struct word {
    enum word_kind kind;
    const char *ptr;
    size_t len;
};

/* Chinese characters are no letters that make words. */
static bool is_alphabet(uint32_t rune)
{
    bool chinese = (rune >= 0x4E00 && rune <= 0x9FCC) || (rune >= 0x3400 && rune <= 0x4D85) ||
                   (rune >= 0x20000 && rune <= 0x2B81D);
    return !chinese && es_rune_is(ES_RUNE_LETTER, rune);
}

static enum word_kind kind_of(uint32_t rune)
{
    if (is_connector(rune))
        return WORD_CONNECTOR;
    if (es_rune_is(ES_RUNE_PUNCT, rune))
        return WORD_PUNCT;
    if (es_rune_is(ES_RUNE_UPPER, rune))
        return WORD_UPPER;
    if (is_alphabet(rune))
        return WORD_LETTERS;
    return es_rune_is(ES_RUNE_NUMBER, rune) ? WORD_NUMBER : WORD_OTHER;
}

static void pass_kind(struct reader *r, enum word_kind kind)
{
    struct reader ahead = *r;
    uint32_t rune;

    while (read_rune(&ahead, &rune) && kind_of(rune) == kind)
        *r = ahead;
}

/* Behind the first capital: "Word" is one, and of "HTTPStatus" the "HTTP". */
static void pass_capitals(struct reader *r)
{
    struct reader ahead = *r, last = *r;
    uint32_t rune;

    if (!read_rune(&ahead, &rune))
        return;
    if (kind_of(rune) == WORD_LETTERS) {
        *r = ahead;
        pass_kind(r, WORD_LETTERS);
        return;
    }
    ahead = *r;
    while (read_rune(&ahead, &rune) && kind_of(rune) == WORD_UPPER) {
        last = *r;
        *r = ahead;
    }
    if (r->at < r->s->s.len && kind_of(rune) == WORD_LETTERS)
        *r = last;
}

static struct word next_word(struct reader *r)
{
    size_t from = r->at;
    uint32_t rune;

    if (!read_rune(r, &rune))
        return (struct word){WORD_NONE, "", 0};
    enum word_kind kind = kind_of(rune);
    if (kind == WORD_UPPER)
        pass_capitals(r);
    else
        pass_kind(r, kind);
    return (struct word){kind, r->s->s.ptr + from, r->at - from};
}

static void put_word(struct es_buf *out, const struct word *w, char connector)
{
    struct es_tvalue text = es_tstring(w->ptr, w->len);
    struct reader r = {.s = &text};
    uint32_t rune;

    if (w->kind != WORD_UPPER && w->kind != WORD_CONNECTOR) {
        es_buf_add(out, w->ptr, w->len);
        return;
    }
    while (read_rune(&r, &rune)) {
        if (is_connector(rune))
            es_buf_addc(out, connector);
        else
            put_rune(out, es_rune_is(ES_RUNE_UPPER, rune) ? es_rune_lower(rune) : rune);
    }
}

static bool ends_here(enum word_kind kind)
{
    return kind == WORD_CONNECTOR || kind == WORD_PUNCT;
}

/* Letters and digits that go on behind a number belong to it: "2xx". */
static struct word put_tail(struct reader *r, struct es_buf *out, struct word w, char connector)
{
    while (w.kind == WORD_LETTERS || w.kind == WORD_NUMBER) {
        put_word(out, &w, connector);
        w = next_word(r);
    }
    if (w.kind != WORD_NONE && !ends_here(w.kind))
        es_buf_addc(out, connector);
    return w;
}

/* Behind a word of letters. A number goes with it ("bld4_floor"), unless letters
 * follow the number ("http_2xx"). */
static struct word put_border(struct reader *r, struct es_buf *out, struct word w, char connector)
{
    if (w.kind != WORD_NUMBER) {
        if (!ends_here(w.kind))
            es_buf_addc(out, connector);
        return w;
    }
    if (r->at >= r->s->s.len)
        return w;
    struct word number = w;
    w = next_word(r);
    if (w.kind != WORD_LETTERS) {
        put_word(out, &number, connector);
        if (!ends_here(w.kind))
            es_buf_addc(out, connector);
        return w;
    }
    es_buf_addc(out, connector);
    put_word(out, &number, connector);
    return put_tail(r, out, w, connector);
}

static void words(struct es_tcall *c, char connector)
{
    struct reader r = {.s = &c->args[0]};
    struct es_buf out;
    struct word w = next_word(&r);

    es_tcall_buf(&out);
    while (r.at < r.s->s.len) {
        struct word before = w;
        if (before.kind != WORD_CONNECTOR)
            put_word(&out, &before, connector);
        w = next_word(&r);
        if (before.kind == WORD_CONNECTOR)
            put_word(&out, &before, connector);
        else if (before.kind == WORD_NUMBER)
            w = put_tail(&r, &out, w, connector);
        else if (before.kind != WORD_PUNCT)
            w = put_border(&r, &out, w, connector);
    }
    put_word(&out, &w, connector);
    es_tcall_return_buf(c, &out);
}

static void snakecase(struct es_tcall *c)
{
    words(c, '_');
}

static void kebabcase(struct es_tcall *c)
{
    words(c, '-');
}

static const struct es_tfunction functions[] = {
    {"upper", "s", upper},         {"lower", "s", lower},         {"title", "s", title},
    {"untitle", "s", untitle},     {"swapcase", "s", swapcase},   {"camelcase", "s", camelcase},
    {"snakecase", "s", snakecase}, {"kebabcase", "s", kebabcase},
};

const struct es_tfunction_table es_tfunctions_case = ES_TFUNCTION_TABLE(functions);
