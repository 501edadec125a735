/* The functions that text/template has by itself. */
#include <string.h>

#include "core/base/text.h"
#include "core/secret/runes.h"
#include "core/template/functions.h"
#include "core/template/print.h"

/* index, slice, len */

static bool index_of(struct es_tcall *c, const struct es_tvalue *v, const struct es_tvalue *item, size_t *ret)
{
    size_t len = es_tvalue_len(item);
    enum es_tkind kind = es_tvalue_kind(v);
    uint64_t at = v->u;

    if (kind <= ES_TK_NIL) {
        es_tcall_fail(c, "cannot index slice/array with nil");
        return false;
    }
    if (kind != ES_TK_INT && kind != ES_TK_UINT) {
        es_tcall_fail(c, "cannot index slice/array with type %s", es_tvalue_type_name(v));
        return false;
    }
    if ((kind == ES_TK_INT && v->i < 0) || at > len) {
        /* The index may be made from a value, but is none. */
        es_tcall_fail(c, "index out of range: %lld", (long long)v->i);
        return false;
    }
    if (at == len)
        es_tcall_fail(c, "reflect: %s index out of range", es_tvalue_kind_name(item));
    *ret = (size_t)at;
    return at < len;
}

static bool index_map(struct es_tcall *c, struct es_tvalue *item, const struct es_tvalue *key)
{
    if (key->type <= ES_T_NIL) {
        es_tcall_fail(c, "value is nil; should be of type string");
        return false;
    }
    if (key->type != ES_T_STRING) {
        es_tcall_fail(c, "value has type %s; should be string", es_tvalue_type_name(key));
        return false;
    }
    struct es_tvalue *found = es_tmap_get(item->map, key->s.ptr, key->s.len);
    bool boxed = item->type == ES_T_MAP_ANY;
    *item = found ? *found : es_tvalue_zero_of(item->type);
    item->boxed = boxed;
    return true;
}

static bool index_once(struct es_tcall *c, struct es_tvalue *item, const struct es_tvalue *key)
{
    size_t at;

    switch (es_tvalue_kind(item)) {
    case ES_TK_NIL:
    case ES_TK_NONE:
        es_tcall_fail(c, "index of nil pointer");
        return false;
    case ES_TK_STRING:
    case ES_TK_LIST:
        if (!index_of(c, key, item, &at))
            return false;
        *item = item->type == ES_T_STRING
                    ? (struct es_tvalue){.type = ES_T_UINT8, .u = (unsigned char)item->s.ptr[at]}
                    : es_tlist_at(item, at);
        return true;
    case ES_TK_MAP:
        return index_map(c, item, key);
    default:
        es_tcall_fail(c, "can't index item of type %s", es_tvalue_type_name(item));
        return false;
    }
}

static void do_index(struct es_tcall *c)
{
    struct es_tvalue item = c->args[0];

    if (item.type <= ES_T_NIL) {
        es_tcall_fail(c, "index of untyped nil");
        return;
    }
    for (size_t i = 1; i < c->count; i++)
        if (!index_once(c, &item, &c->args[i]))
            return;
    c->ret = item;
}

static void len(struct es_tcall *c)
{
    const struct es_tvalue *v = &c->args[0];
    enum es_tkind kind = es_tvalue_kind(v);

    if (kind == ES_TK_NONE)
        es_tcall_fail(c, "reflect: call of reflect.Value.Type on zero Value");
    else if (kind == ES_TK_NIL)
        es_tcall_fail(c, "len of nil pointer");
    else if (kind == ES_TK_STRING || kind == ES_TK_LIST || kind == ES_TK_MAP)
        c->ret = es_tint((int64_t)es_tvalue_len(v));
    else
        es_tcall_fail(c, "len of type %s", es_tvalue_type_name(v));
}

/* Logic and comparison */

static void not(struct es_tcall * c)
{
    c->ret = es_tbool(!es_tvalue_truth(&c->args[0]));
}

static bool is_basic(enum es_tkind kind)
{
    return kind >= ES_TK_BOOL && kind <= ES_TK_STRING;
}

static bool incompatible(struct es_tcall *c, const struct es_tvalue *a, const struct es_tvalue *b)
{
    es_tcall_fail(c, "incompatible types for comparison: %s and %s", es_tvalue_type_name(a),
                  es_tvalue_type_name(b));
    return false;
}

static bool equal_basic(const struct es_tvalue *a, const struct es_tvalue *b, enum es_tkind kind)
{
    switch (kind) {
    case ES_TK_BOOL:
        return a->b == b->b;
    case ES_TK_FLOAT:
        return a->f == b->f;
    case ES_TK_STRING:
        return es_tstring_compare(a, b) == 0;
    default:
        return a->u == b->u;
    }
}

/* What is neither a number nor text: nothing, lists, maps. */
static bool equal_other(struct es_tcall *c, const struct es_tvalue *a, const struct es_tvalue *b)
{
    bool a_nil = a->type <= ES_T_NIL, b_nil = b->type <= ES_T_NIL;
    enum es_tkind one = es_tvalue_kind(a), two = es_tvalue_kind(b);

    if (a_nil || b_nil)
        return a_nil == b_nil;
    if (one != two) {
        es_tcall_fail(c, "non-comparable types %s, %s", es_tvalue_type_name(a), es_tvalue_type_name(b));
        return false;
    }
    if (two == ES_TK_LIST || two == ES_TK_MAP) {
        es_tcall_fail(c, "non-comparable type %s", es_tvalue_type_name(b));
        return false;
    }
    return a->object == b->object;
}

static bool equal(struct es_tcall *c, const struct es_tvalue *a, const struct es_tvalue *b)
{
    enum es_tkind one = es_tvalue_kind(a), two = es_tvalue_kind(b);
    bool one_basic = is_basic(one), two_basic = is_basic(two);

    if (!one_basic && !two_basic)
        return equal_other(c, a, b);
    if (one == two)
        return equal_basic(a, b, one);
    if (one == ES_TK_INT && two == ES_TK_UINT)
        return a->i >= 0 && a->u == b->u;
    if (one == ES_TK_UINT && two == ES_TK_INT)
        return b->i >= 0 && a->u == b->u;
    if (a->type <= ES_T_NIL || b->type <= ES_T_NIL)
        return false;
    return incompatible(c, a, b);
}

static void eq(struct es_tcall *c)
{
    bool found = false;

    if (c->count < 2) {
        es_tcall_fail(c, "missing argument for comparison");
        return;
    }
    for (size_t i = 1; i < c->count && !found && !c->failed; i++)
        found = equal(c, &c->args[0], &c->args[i]);
    c->ret = es_tbool(found);
}

static void ne(struct es_tcall *c)
{
    c->ret = es_tbool(!equal(c, &c->args[0], &c->args[1]));
}

static bool less(struct es_tcall *c, const struct es_tvalue *a, const struct es_tvalue *b)
{
    enum es_tkind one = es_tvalue_kind(a), two = es_tvalue_kind(b);

    if (!is_basic(one) || !is_basic(two)) {
        es_tcall_fail(c, "invalid type for comparison");
        return false;
    }
    if (one == ES_TK_INT && two == ES_TK_UINT)
        return a->i < 0 || a->u < b->u;
    if (one == ES_TK_UINT && two == ES_TK_INT)
        return b->i >= 0 && a->u < b->u;
    if (one != two)
        return incompatible(c, a, b);
    switch (one) {
    case ES_TK_FLOAT:
        return a->f < b->f;
    case ES_TK_INT:
        return a->i < b->i;
    case ES_TK_UINT:
        return a->u < b->u;
    case ES_TK_STRING:
        return es_tstring_compare(a, b) < 0;
    default:
        es_tcall_fail(c, "invalid type for comparison");
        return false;
    }
}

static void lt(struct es_tcall *c)
{
    c->ret = es_tbool(less(c, &c->args[0], &c->args[1]));
}

static bool less_or_equal(struct es_tcall *c)
{
    return less(c, &c->args[0], &c->args[1]) || (!c->failed && equal(c, &c->args[0], &c->args[1]));
}

static void le(struct es_tcall *c)
{
    c->ret = es_tbool(less_or_equal(c));
}

static void gt(struct es_tcall *c)
{
    c->ret = es_tbool(!less_or_equal(c));
}

static void ge(struct es_tcall *c)
{
    c->ret = es_tbool(!less(c, &c->args[0], &c->args[1]));
}

/* Printing */

static void print(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    es_tprint_all(&out, c->args, c->count);
    es_tcall_return_buf(c, &out);
}

static void println(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    es_tprint_line(&out, c->args, c->count);
    es_tcall_return_buf(c, &out);
}

static void printf_(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    es_tprint_format(&out, c->args[0].s.ptr, c->args[0].s.len, c->args + 1, c->count - 1);
    es_tcall_return_buf(c, &out);
}

/* Escapers: of the operands printed together, where nil is "<no value>". */

static void operands_text(struct es_tcall *c, struct es_buf *out)
{
    es_tcall_buf(out);
    for (size_t i = 0; i < c->count; i++)
        if (c->args[i].type <= ES_T_NIL)
            es_tcall_return_text(c, "<no value>"), c->args[i] = c->ret;
    es_tprint_all(out, c->args, c->count);
}

static void html(struct es_tcall *c)
{
    static const char *const names[128] = {
        ['"'] = "&#34;", ['\''] = "&#39;", ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;"};
    struct es_buf text, out;

    operands_text(c, &text);
    es_tcall_buf(&out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char b = (unsigned char)text.ptr[i];
        if (b == 0)
            es_buf_adds(&out, "\xEF\xBF\xBD");
        else if (b < 128 && names[b])
            es_buf_adds(&out, names[b]);
        else
            es_buf_addc(&out, (char)b);
    }
    es_buf_fini(&text);
    es_tcall_return_buf(c, &out);
}

static void js_rune(struct es_buf *out, uint32_t rune, const char *bytes, size_t len)
{
    if (rune == '\\' || rune == '\'' || rune == '"') {
        es_buf_addc(out, '\\');
        es_buf_addc(out, (char)rune);
    } else if (rune == '<' || rune == '>' || rune == '&' || rune == '=' || rune < ' ') {
        es_buf_addf(out, "\\u%04X", (unsigned)rune);
    } else if (rune < 0x80 || es_rune_is(ES_RUNE_PRINT, rune)) {
        es_buf_add(out, bytes, len);
    } else {
        es_buf_addf(out, "\\u%04X", (unsigned)rune);
    }
}

static void js(struct es_tcall *c)
{
    struct es_buf text, out;

    operands_text(c, &text);
    es_tcall_buf(&out);
    for (size_t i = 0; i < text.len;) {
        uint32_t rune;
        size_t n = es_utf8_decode(text.ptr + i, text.len - i, &rune);
        js_rune(&out, n ? rune : 0xFFFD, text.ptr + i, n ? n : 1);
        i += n ? n : 1;
    }
    es_buf_fini(&text);
    es_tcall_return_buf(c, &out);
}

static void urlquery(struct es_tcall *c)
{
    struct es_buf text, out;

    operands_text(c, &text);
    es_tcall_buf(&out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char b = (unsigned char)text.ptr[i];
        bool plain = (b >= '0' && b <= '9') || ((b | 32) >= 'a' && (b | 32) <= 'z');
        if (plain || (b && strchr("-_.~", b)))
            es_buf_addc(&out, (char)b);
        else if (b == ' ')
            es_buf_addc(&out, '+');
        else
            es_buf_addf(&out, "%%%02X", b);
    }
    es_buf_fini(&text);
    es_tcall_return_buf(c, &out);
}

static const struct es_tfunction functions[] = {
    {"and", "vv*", NULL},   {"or", "vv*", NULL},        {"call", "vv*", NULL},
    {"not", "v", not },     {"eq", "vv*", eq},          {"ne", "vv", ne},
    {"lt", "vv", lt},       {"le", "vv", le},           {"gt", "vv", gt},
    {"ge", "vv", ge},       {"index", "vv*", do_index}, {"len", "v", len},
    {"print", "a*", print}, {"println", "a*", println}, {"printf", "sa*", printf_},
    {"html", "a*", html},   {"js", "a*", js},           {"urlquery", "a*", urlquery},
};

const struct es_tfunction_table es_tfunctions_builtin = ES_TFUNCTION_TABLE(functions);
