/* Text as a whole: trim, compare, join and split. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/secret/runes.h"
#include "core/template/functions.h"
#include "core/template/print.h"
#include "core/template/text_of.h"

/* Trimming */

static size_t last_rune(const struct es_tvalue *s, size_t end)
{
    size_t at = end - 1, len;

    while (at > 0 && end - at < 4 && ((unsigned char)s->s.ptr[at] & 0xc0) == 0x80)
        at--;
    es_tstring_rune(s, at, &len);
    return at + len == end ? at : end - 1;
}

typedef bool in_set(uint32_t rune, const struct es_tvalue *set);

static struct es_tvalue trim_while(const struct es_tvalue *s, const struct es_tvalue *set, in_set *is_in)
{
    size_t from = 0, to = s->s.len, len;

    while (from < to && is_in(es_tstring_rune(s, from, &len), set))
        from += len;
    while (to > from) {
        size_t at = last_rune(s, to);
        if (!is_in(es_tstring_rune(s, at, &len), set))
            break;
        to = at;
    }
    return es_tsubstring(s, from, to);
}

static bool is_space(uint32_t rune, const struct es_tvalue *set)
{
    (void)set;
    return es_rune_is(ES_RUNE_SPACE, rune);
}

static bool is_one_of(uint32_t rune, const struct es_tvalue *set)
{
    size_t len;

    for (size_t i = 0; i < set->s.len; i += len)
        if (es_tstring_rune(set, i, &len) == rune)
            return true;
    return false;
}

static void trim(struct es_tcall *c)
{
    c->ret = trim_while(&c->args[0], NULL, is_space);
}

static void trim_all(struct es_tcall *c)
{
    c->ret = trim_while(&c->args[1], &c->args[0], is_one_of);
}

static bool starts(const struct es_tvalue *s, const struct es_tvalue *with)
{
    return s->s.len >= with->s.len && memcmp(s->s.ptr, with->s.ptr, with->s.len) == 0;
}

static bool ends(const struct es_tvalue *s, const struct es_tvalue *with)
{
    return s->s.len >= with->s.len &&
           memcmp(s->s.ptr + (s->s.len - with->s.len), with->s.ptr, with->s.len) == 0;
}

static void trim_prefix(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[1], *prefix = &c->args[0];
    c->ret = starts(s, prefix) ? es_tsubstring(s, prefix->s.len, s->s.len) : *s;
}

static void trim_suffix(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[1], *suffix = &c->args[0];
    c->ret = ends(s, suffix) ? es_tsubstring(s, 0, s->s.len - suffix->s.len) : *s;
}

static void has_prefix(struct es_tcall *c)
{
    c->ret = es_tbool(starts(&c->args[1], &c->args[0]));
}

static void has_suffix(struct es_tcall *c)
{
    c->ret = es_tbool(ends(&c->args[1], &c->args[0]));
}

/* Searching */

/* Where `part` is at or behind `from`; the length of `s` if nowhere. */
static size_t find(const struct es_tvalue *s, size_t from, const struct es_tvalue *part)
{
    const char *at = part->s.len <= s->s.len - from
                         ? memmem(s->s.ptr + from, s->s.len - from, part->s.ptr, part->s.len)
                         : NULL;
    return at ? (size_t)(at - s->s.ptr) : SIZE_MAX;
}

static void contains(struct es_tcall *c)
{
    c->ret = es_tbool(find(&c->args[1], 0, &c->args[0]) != SIZE_MAX);
}

/* Before each character and at the end, when nothing is what is replaced. */
static void replace_nothing(struct es_buf *out, const struct es_tvalue *s, const struct es_tvalue *by)
{
    size_t len;

    for (size_t i = 0; i < s->s.len; i += len) {
        es_tstring_rune(s, i, &len);
        es_buf_add(out, by->s.ptr, by->s.len);
        es_buf_add(out, s->s.ptr + i, len);
    }
    es_buf_add(out, by->s.ptr, by->s.len);
}

static void replace(struct es_tcall *c)
{
    const struct es_tvalue *old = &c->args[0], *by = &c->args[1], *s = &c->args[2];
    struct es_buf out;
    size_t from = 0, at;

    es_tcall_buf(&out);
    if (old->s.len == 0) {
        replace_nothing(&out, s, by);
    } else {
        for (; (at = find(s, from, old)) != SIZE_MAX && !es_buf_failed(&out); from = at + old->s.len) {
            es_buf_add(&out, s->s.ptr + from, at - from);
            es_buf_add(&out, by->s.ptr, by->s.len);
        }
        es_buf_add(&out, s->s.ptr + from, s->s.len - from);
    }
    es_tcall_return_buf(c, &out);
}

/* Several in one */

static void repeat(struct es_tcall *c)
{
    const struct es_tvalue *s = &c->args[1];
    struct es_buf out;

    if (c->args[0].i < 0) {
        es_tcall_fail(c, "strings: negative Repeat count");
        return;
    }
    es_tcall_buf(&out);
    for (int64_t i = 0; s->s.len && i < c->args[0].i && !es_buf_failed(&out); i++)
        es_buf_add(&out, s->s.ptr, s->s.len);
    es_tcall_return_buf(c, &out);
}

static void quote(struct es_tcall *c)
{
    struct es_buf out;
    bool first = true;

    es_tcall_buf(&out);
    for (size_t i = 0; i < c->count; i++) {
        if (c->args[i].type <= ES_T_NIL)
            continue;
        if (!first)
            es_buf_addc(&out, ' ');
        first = false;
        struct es_tvalue text = es_tcall_text_of(c, &c->args[i]);
        es_go_quote_bytes(&out, text.s.ptr, text.s.len, 0);
    }
    es_tcall_return_buf(c, &out);
}

/* All but nil, printed, each between `quote`s, with spaces between them. */
static void join_printed(struct es_tcall *c, const char *quote)
{
    struct es_buf out;
    bool first = true;

    es_tcall_buf(&out);
    for (size_t i = 0; i < c->count; i++) {
        if (c->args[i].type <= ES_T_NIL)
            continue;
        es_buf_adds(&out, first ? quote : " ");
        es_buf_adds(&out, first ? "" : quote);
        first = false;
        es_tprint_verb_v(&out, &c->args[i]);
        es_buf_adds(&out, quote);
    }
    es_tcall_return_buf(c, &out);
}

static void squote(struct es_tcall *c)
{
    join_printed(c, "'");
}

static void cat(struct es_tcall *c)
{
    join_printed(c, "");
}

static void to_string(struct es_tcall *c)
{
    if (c->args[0].type == ES_T_NIL)
        es_tcall_return_text(c, "<nil>");
    else
        c->ret = es_tcall_text_of(c, &c->args[0]);
}

static void plural(struct es_tcall *c)
{
    c->ret = c->args[2].i == 1 ? c->args[0] : c->args[1];
}

static void hello(struct es_tcall *c)
{
    es_tcall_return_text(c, "Hello!");
}

/* Lists of strings */

bool es_tcall_texts_of(struct es_tcall *c, const struct es_tvalue *v, struct es_tvalue *ret)
{
    bool is_list = es_tvalue_kind(v) == ES_TK_LIST;
    size_t count = is_list ? es_tvalue_len(v) : v->type != ES_T_NIL, n = 0;
    struct es_tlist *list = es_tcall_list(c, count);

    if (!list)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct es_tvalue one = is_list ? es_tlist_at(v, i) : *v;
        if (one.type > ES_T_NIL)
            list->items[n++] = es_tcall_text_of(c, &one);
    }
    list->count = n;
    *ret = (struct es_tvalue){.type = ES_T_LIST_STRING, .list = list};
    return true;
}

static void to_strings(struct es_tcall *c)
{
    es_tcall_texts_of(c, &c->args[0], &c->ret);
}

static int by_text(const void *a, const void *b)
{
    return es_tstring_compare(a, b);
}

static void sort_alpha(struct es_tcall *c)
{
    struct es_tvalue texts;

    if (c->args[0].type == ES_T_NIL) {
        struct es_tlist *list = es_tcall_list(c, 1);
        if (list)
            list->items[0] = es_tstring("<nil>", 5);
        es_tcall_return_list(c, ES_T_LIST_STRING, list);
        return;
    }
    if (!es_tcall_texts_of(c, &c->args[0], &texts))
        return;
    if (es_tcall_spend(c, texts.list->count * 16))
        qsort(texts.list->items, texts.list->count, sizeof *texts.list->items, by_text);
    c->ret = texts;
}

static void join(struct es_tcall *c)
{
    struct es_tvalue texts;
    struct es_buf out;

    if (!es_tcall_texts_of(c, &c->args[1], &texts))
        return;
    es_tcall_buf(&out);
    for (size_t i = 0; i < texts.list->count; i++) {
        if (i)
            es_buf_add(&out, c->args[0].s.ptr, c->args[0].s.len);
        es_buf_add(&out, texts.list->items[i].s.ptr, texts.list->items[i].s.len);
    }
    es_tcall_return_buf(c, &out);
}

/* strings.SplitN: at most `max` parts, below 0 all. An empty separator splits into
 * characters. */
static struct es_tlist *split_text(struct es_tcall *c, const struct es_tvalue *s, const struct es_tvalue *sep,
                                   int64_t max)
{
    size_t most = s->s.len + 1, n = 0, from = 0;

    if (max == 0)
        return es_tcall_list(c, 0);
    if (max > 0 && (uint64_t)max < most)
        most = (size_t)max;
    struct es_tlist *list = es_tcall_list(c, most);
    if (!list)
        return NULL;
    while (n + 1 < most) {
        size_t at, len = sep->s.len;
        if (len == 0) {
            if (from >= s->s.len)
                break;
            es_tstring_rune(s, from, &len);
            if (from + len >= s->s.len)
                break;
            list->items[n++] = es_tsubstring(s, from, from + len);
            from += len;
            continue;
        }
        at = find(s, from, sep);
        if (at == SIZE_MAX)
            break;
        list->items[n++] = es_tsubstring(s, from, at);
        from = at + len;
    }
    if (sep->s.len > 0 || from < s->s.len)
        list->items[n++] = es_tsubstring(s, from, s->s.len);
    list->count = n;
    return list;
}

static void split_list(struct es_tcall *c)
{
    es_tcall_return_list(c, ES_T_LIST_STRING, split_text(c, &c->args[1], &c->args[0], -1));
}

/* {"_0": ..., "_1": ...} */
static void return_numbered(struct es_tcall *c, const struct es_tlist *parts)
{
    struct es_tmap *map = parts ? es_tcall_map(c, parts->count) : NULL;

    for (size_t i = 0; map && i < parts->count; i++) {
        char *name = es_tcall_alloc(c, 24);
        if (!name)
            return;
        struct es_tvalue key = es_tstring(name, (size_t)snprintf(name, 24, "_%zu", i));
        es_tcall_map_set(c, map, &key, &parts->items[i]);
    }
    es_tcall_return_map(c, ES_T_MAP_STRING, map);
}

static void split(struct es_tcall *c)
{
    return_numbered(c, split_text(c, &c->args[1], &c->args[0], -1));
}

static void splitn(struct es_tcall *c)
{
    return_numbered(c, split_text(c, &c->args[2], &c->args[0], c->args[1].i));
}

static const struct es_tfunction functions[] = {
    {"trim", "s", trim},
    {"trimall", "ss", trim_all},
    {"trimAll", "ss", trim_all},
    {"trimPrefix", "ss", trim_prefix},
    {"trimSuffix", "ss", trim_suffix},
    {"hasPrefix", "ss", has_prefix},
    {"hasSuffix", "ss", has_suffix},
    {"contains", "ss", contains},
    {"replace", "sss", replace},
    {"repeat", "is", repeat},
    {"quote", "a*", quote},
    {"squote", "a*", squote},
    {"cat", "a*", cat},
    {"toString", "a", to_string},
    {"plural", "ssi", plural},
    {"hello", "", hello},
    {"toStrings", "a", to_strings},
    {"sortAlpha", "a", sort_alpha},
    {"join", "sa", join},
    {"splitList", "ss", split_list},
    {"split", "ss", split},
    {"splitn", "sis", splitn},
};

const struct es_tfunction_table es_tfunctions_strings = ES_TFUNCTION_TABLE(functions);
