/* Regular expressions, in RE2's syntax. */
#include <string.h>

#include "core/base/regex.h"
#include "core/template/functions.h"

/* A NUL ends what the expressions of base read: none may be inside. */
static const char *c_string(struct es_tcall *c, const struct es_tvalue *v)
{
    if (memchr(v->s.ptr, '\0', v->s.len)) {
        es_tcall_fail(c, "error parsing regexp: it has a NUL byte");
        return NULL;
    }
    char *copy = es_tcall_alloc(c, v->s.len + 1);
    if (copy)
        memcpy(copy, v->s.ptr, v->s.len);
    return copy;
}

/* The first argument. NULL after a failure: the plain functions of sprig panic with
 * more words than the must ones return. */
static struct es_regex *compile(struct es_tcall *c)
{
    bool must = strncmp(c->name, "must", 4) == 0;
    struct es_error err = ES_ERROR_INIT;
    struct es_regex *re = NULL;
    const char *pattern = c_string(c, &c->args[0]);

    if (!pattern || es_regex_new(&re, pattern, &err) == 0)
        return re;
    if (must)
        es_tcall_fail(c, "%s", err.text);
    else
        es_tcall_fail(c, "regexp: Compile(`%.*s`): %s",
                      (int)(c->args[0].s.len < 200 ? c->args[0].s.len : 200), c->args[0].s.ptr, err.text);
    return NULL;
}

/* Where what was found goes: at most `max` of them, below 0 all. */
struct finds {
    struct es_tcall *call;
    const struct es_tvalue *text;
    int64_t max;
    size_t (*spans)[2];
    size_t count, cap;
};

static bool note(void *ctx, size_t from, size_t to)
{
    struct finds *f = ctx;

    if (f->max >= 0 && (uint64_t)f->max <= f->count)
        return false;
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 8;
        size_t(*more)[2] = es_tcall_alloc(f->call, cap * sizeof *more);
        if (!more || !es_tcall_spend(f->call, cap))
            return false;
        if (f->count)
            memcpy(more, f->spans, f->count * sizeof *more);
        f->spans = more;
        f->cap = cap;
    }
    f->spans[f->count][0] = from;
    f->spans[f->count++][1] = to;
    return true;
}

static bool find(struct finds *f)
{
    struct es_regex *re = compile(f->call);
    struct es_error err = ES_ERROR_INIT;

    if (!re)
        return false;
    if (f->max != 0 && es_regex_each(re, f->text->s.ptr, f->text->s.len, note, f, &err) < 0)
        es_tcall_fail(f->call, "%s", err.text);
    es_regex_free(re);
    return !f->call->failed;
}

static void match(struct es_tcall *c)
{
    struct finds f = {.call = c, .text = &c->args[1], .max = 1};

    if (find(&f))
        c->ret = es_tbool(f.count > 0);
}

/* An expression that cannot be read fits nothing. */
static void match_or_not(struct es_tcall *c)
{
    match(c);
    if (c->failed)
        c->ret = es_tbool(false);
    c->failed = false;
}

static void find_first(struct es_tcall *c)
{
    struct finds f = {.call = c, .text = &c->args[1], .max = 1};

    if (find(&f))
        c->ret = f.count ? es_tsubstring(f.text, f.spans[0][0], f.spans[0][1]) : es_tstring("", 0);
}

static void find_all(struct es_tcall *c)
{
    struct finds f = {.call = c, .text = &c->args[1], .max = c->args[2].i};

    if (!find(&f))
        return;
    struct es_tlist *list = es_tcall_list(c, f.count);
    for (size_t i = 0; list && i < f.count; i++)
        list->items[i] = es_tsubstring(f.text, f.spans[i][0], f.spans[i][1]);
    es_tcall_return_list(c, ES_T_LIST_STRING, list);
}

/* What lies between. Nothing is split off by a match that is empty and at the very
 * beginning, nor does anything follow one that begins at the end. */
static size_t pieces(const struct finds *f, struct es_tvalue *items)
{
    size_t begin = 0, end = 0, n = 0;

    for (size_t i = 0; i < f->count; i++) {
        if (f->max > 0 && n == (size_t)f->max - 1)
            break;
        end = f->spans[i][0];
        if (f->spans[i][1] != 0)
            items[n++] = es_tsubstring(f->text, begin, end);
        begin = f->spans[i][1];
    }
    if (end != f->text->s.len)
        items[n++] = es_tsubstring(f->text, begin, f->text->s.len);
    return n;
}

static void split(struct es_tcall *c)
{
    struct finds f = {.call = c, .text = &c->args[1], .max = c->args[2].i};

    if (!find(&f))
        return;
    struct es_tlist *list = es_tcall_list(c, f.count + 1);
    if (!list)
        return;
    if (f.max == 0) {
        list->count = 0;
    } else if (f.text->s.len == 0 && c->args[0].s.len > 0) {
        list->items[0] = *f.text;
        list->count = 1;
    } else {
        list->count = pieces(&f, list->items);
    }
    es_tcall_return_list(c, ES_T_LIST_STRING, list);
}

static void replace_by(struct es_tcall *c, const char *replacement)
{
    struct es_regex *re = replacement ? compile(c) : NULL;
    struct es_error err = ES_ERROR_INIT;
    struct es_buf out;

    if (!re)
        return;
    es_tcall_buf(&out);
    if (es_regex_replace_all(re, c->args[1].s.ptr, c->args[1].s.len, replacement, &out, &err) < 0) {
        es_tcall_fail(c, "%s", err.text);
        es_buf_fini(&out);
    } else {
        es_tcall_return_buf(c, &out);
    }
    es_regex_free(re);
}

static void replace_all(struct es_tcall *c)
{
    replace_by(c, c_string(c, &c->args[2]));
}

/* "$" stands for itself. */
static void replace_literal(struct es_tcall *c)
{
    const struct es_tvalue *text = &c->args[2];
    char *doubled = es_tcall_alloc(c, text->s.len * 2 + 1);
    size_t n = 0;

    for (size_t i = 0; doubled && i < text->s.len; i++) {
        if (text->s.ptr[i] == '$')
            doubled[n++] = '$';
        doubled[n++] = text->s.ptr[i];
    }
    replace_by(c, doubled);
}

static void quote_meta(struct es_tcall *c)
{
    const struct es_tvalue *text = &c->args[0];
    struct es_buf out;

    es_tcall_buf(&out);
    for (size_t i = 0; i < text->s.len; i++) {
        char b = text->s.ptr[i];
        if (b && strchr("\\.+*?()|[]{}^$", b))
            es_buf_addc(&out, '\\');
        es_buf_addc(&out, b);
    }
    es_tcall_return_buf(c, &out);
}

static const struct es_tfunction functions[] = {
    {"regexMatch", "ss", match_or_not},
    {"mustRegexMatch", "ss", match},
    {"regexFind", "ss", find_first},
    {"mustRegexFind", "ss", find_first},
    {"regexFindAll", "ssi", find_all},
    {"mustRegexFindAll", "ssi", find_all},
    {"regexSplit", "ssi", split},
    {"mustRegexSplit", "ssi", split},
    {"regexReplaceAll", "sss", replace_all},
    {"mustRegexReplaceAll", "sss", replace_all},
    {"regexReplaceAllLiteral", "sss", replace_literal},
    {"mustRegexReplaceAllLiteral", "sss", replace_literal},
    {"regexQuoteMeta", "s", quote_meta},
};

const struct es_tfunction_table es_tfunctions_regex = ES_TFUNCTION_TABLE(functions);
