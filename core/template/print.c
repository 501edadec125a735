#include "core/template/print.h"

#include <string.h>

#include "core/base/text.h"
#include "core/template/duration.h"
#include "core/template/literal.h"

/* Maps may hold themselves; and stacks are small. */
#define DEPTH_MAX 64

static void bad_verb(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb)
{
    char text[4];

    es_buf_adds(f->out, "%!");
    es_buf_add(f->out, text, es_utf8_encode(verb, text));
    es_buf_addc(f->out, '(');
    if (es_tvalue_kind(v) <= ES_TK_NIL) {
        es_buf_adds(f->out, "<nil>");
    } else {
        es_buf_adds(f->out, es_tvalue_type_name(v));
        es_buf_addc(f->out, '=');
        es_tverb_print(f, v, 'v', 1);
    }
    es_buf_addc(f->out, ')');
}

static void open_close(const struct es_tverb *f, const struct es_tvalue *v, const char *plain, const char *go)
{
    if (f->sharp_v && *go == '{')
        es_buf_adds(f->out, es_tvalue_type_name(v));
    es_buf_adds(f->out, f->sharp_v ? go : plain);
}

static void print_list(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb, int depth)
{
    open_close(f, v, "[", "{");
    for (size_t i = 0; i < es_tvalue_len(v) && !es_buf_failed(f->out); i++) {
        struct es_tvalue one = es_tlist_at(v, i);
        if (i)
            es_buf_adds(f->out, f->sharp_v ? ", " : " ");
        es_tverb_print(f, &one, verb, depth + 1);
    }
    open_close(f, v, "]", "}");
}

static void print_bytes(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb, int depth)
{
    if (verb != 'v' && verb != 'd' && es_tverb_string(f, v->s.ptr, v->s.len, verb))
        return;
    print_list(f, v, verb == 'v' ? 'd' : verb, depth);
}

static void print_map(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb, int depth)
{
    const struct es_tmap *m = v->map;

    open_close(f, v, "map[", "{");
    for (size_t i = 0; i < m->count && !es_buf_failed(f->out); i++) {
        if (i)
            es_buf_adds(f->out, f->sharp_v ? ", " : " ");
        es_tverb_print(f, &m->entries[i].key, verb, depth + 1);
        es_buf_addc(f->out, ':');
        es_tverb_print(f, &m->entries[i].value, verb, depth + 1);
    }
    open_close(f, v, "]", "}");
}

/* What has a String method goes by it where a string may stand. */
static bool print_by_method(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb)
{
    char text[ES_TDURATION_TEXT_MAX];

    if (f->sharp_v || (verb > 0x7f || !strchr("vsxXq", (int)verb)))
        return false;
    if (!es_tnamed_int_text(v, text))
        return false;
    es_tverb_string(f, text, strlen(text), verb);
    return true;
}

static void print_object(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb)
{
    struct es_arena scratch = {0};

    es_arena_init(&scratch, 1 << 20);
    struct es_tvalue text = v->object->class->text(&scratch, v->object);
    if (!es_tverb_string(f, text.s.ptr, text.s.len, verb))
        es_buf_addf(f->out, "%%!%c(%s)", (int)verb, es_tvalue_type_name(v));
    es_arena_fini(&scratch);
}

static bool print_scalar(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb)
{
    switch (es_tvalue_kind(v)) {
    case ES_TK_BOOL:
        if (verb != 't' && verb != 'v')
            return false;
        es_tverb_pad(f, v->b ? "true" : "false", v->b ? 4 : 5);
        return true;
    case ES_TK_INT:
        return print_by_method(f, v, verb) ||
               es_tverb_int(f, v->i < 0 ? 0 - v->u : v->u, v->i < 0, true, verb);
    case ES_TK_UINT:
        return es_tverb_int(f, v->u, false, false, verb);
    case ES_TK_FLOAT:
        return es_tverb_float(f, v->f, verb);
    default:
        return es_tverb_string(f, v->s.ptr, v->s.len, verb);
    }
}

static void print_nil(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb, int depth)
{
    if (depth > 0 && f->sharp_v)
        es_buf_adds(f->out, "interface {}(nil)");
    else if (depth > 0)
        es_buf_adds(f->out, "<nil>");
    else if (verb == 'v' || verb == 'T')
        es_tverb_pad(f, "<nil>", 5);
    else
        bad_verb(f, v, verb);
}

void es_tverb_print(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb, int depth)
{
    enum es_tkind kind = es_tvalue_kind(v);

    if (depth > DEPTH_MAX)
        f->out->failed = true;
    else if (kind <= ES_TK_NIL)
        print_nil(f, v, verb, depth);
    else if (verb == 'T' && depth == 0)
        es_tverb_string(f, es_tvalue_type_name(v), strlen(es_tvalue_type_name(v)), 's');
    else if ((verb == 'p' || verb == 'w') && depth == 0)
        bad_verb(f, v, verb);
    else if (v->type == ES_T_BYTES)
        print_bytes(f, v, verb, depth);
    else if (kind == ES_TK_LIST)
        print_list(f, v, verb, depth);
    else if (kind == ES_TK_MAP)
        print_map(f, v, verb, depth);
    else if (kind == ES_TK_OBJECT)
        print_object(f, v, verb);
    else if (!print_scalar(f, v, verb))
        bad_verb(f, v, verb);
}

void es_tprint_verb_v(struct es_buf *out, const struct es_tvalue *v)
{
    struct es_tverb f = {.out = out};

    if (v->type == ES_T_STRING)
        es_buf_add(out, v->s.ptr, v->s.len);
    else
        es_tverb_print(&f, v, 'v', 0);
}

void es_tprint(struct es_buf *out, const struct es_tvalue *v)
{
    if (v->type == ES_T_NONE)
        es_buf_adds(out, "<no value>");
    else
        es_tprint_verb_v(out, v);
}

void es_tprint_all(struct es_buf *out, const struct es_tvalue *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i && values[i].type != ES_T_STRING && values[i - 1].type != ES_T_STRING)
            es_buf_addc(out, ' ');
        es_tprint_verb_v(out, &values[i]);
    }
}

void es_tprint_line(struct es_buf *out, const struct es_tvalue *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            es_buf_addc(out, ' ');
        es_tprint_verb_v(out, &values[i]);
    }
    es_buf_addc(out, '\n');
}
