#include <math.h>
#include <openssl/crypto.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/secret/gotext.h"
#include "core/template/json.h"

#define DEPTH_MAX 128

struct writer {
    struct es_buf *out;
    const struct es_tjson_style *style;
    const char *error;
};

static void write(struct writer *w, const struct es_tvalue *v, int depth);

static void new_line(struct writer *w, int depth)
{
    if (!w->style->indent)
        return;
    es_buf_addc(w->out, '\n');
    for (int i = 0; i < depth; i++)
        es_buf_adds(w->out, "  ");
}

static void write_list(struct writer *w, const struct es_tvalue *v, int depth)
{
    size_t count = es_tvalue_len(v);

    es_buf_addc(w->out, '[');
    for (size_t i = 0; i < count && !w->error; i++) {
        struct es_tvalue one = es_tlist_at(v, i);
        if (i)
            es_buf_addc(w->out, ',');
        new_line(w, depth + 1);
        write(w, &one, depth + 1);
    }
    if (count)
        new_line(w, depth);
    es_buf_addc(w->out, ']');
}

static void write_map(struct writer *w, const struct es_tmap *m, int depth)
{
    es_buf_addc(w->out, '{');
    for (size_t i = 0; i < m->count && !w->error; i++) {
        const struct es_tentry *e = &m->entries[i];
        if (i)
            es_buf_addc(w->out, ',');
        new_line(w, depth + 1);
        es_go_json_string(w->out, e->key.s.ptr, e->key.s.len, w->style->escape_html);
        es_buf_adds(w->out, w->style->indent ? ": " : ":");
        write(w, &e->value, depth + 1);
    }
    if (m->count)
        new_line(w, depth);
    es_buf_addc(w->out, '}');
}

static void write_float(struct writer *w, double f)
{
    char text[ES_GO_FLOAT_MAX];

    if (!isfinite(f)) {
        w->error = isnan(f) ? "json: unsupported value: NaN" : "json: unsupported value: Inf";
        return;
    }
    es_buf_add(w->out, text, es_go_float(text, f, ES_GO_JSON));
    OPENSSL_cleanse(text, sizeof text);
}

static void write_object(struct writer *w, const struct es_tvalue *v)
{
    struct es_arena scratch = {0};

    es_arena_init(&scratch, (size_t)1 << 20);
    const struct es_tclass *class = v->object->class;
    struct es_tvalue text = (class->json ? class->json : class->text)(&scratch, v->object);
    es_go_json_string(w->out, text.s.ptr, text.s.len, w->style->escape_html);
    es_arena_fini(&scratch);
}

static void write_bytes(struct writer *w, const struct es_tvalue *v)
{
    es_buf_addc(w->out, '"');
    es_base64_encode(w->out, v->s.ptr, v->s.len);
    es_buf_addc(w->out, '"');
}

static void write(struct writer *w, const struct es_tvalue *v, int depth)
{
    if (depth > DEPTH_MAX) {
        w->error = "json: unsupported value: nested too deeply";
        return;
    }
    switch (es_tvalue_kind(v)) {
    case ES_TK_NONE:
    case ES_TK_NIL:
        es_buf_adds(w->out, "null");
        break;
    case ES_TK_BOOL:
        es_buf_adds(w->out, v->b ? "true" : "false");
        break;
    case ES_TK_INT:
        es_buf_addf(w->out, "%lld", (long long)v->i);
        break;
    case ES_TK_UINT:
        es_buf_addf(w->out, "%llu", (unsigned long long)v->u);
        break;
    case ES_TK_FLOAT:
        write_float(w, v->f);
        break;
    case ES_TK_STRING:
        es_go_json_string(w->out, v->s.ptr, v->s.len, w->style->escape_html);
        break;
    case ES_TK_LIST:
        if (v->type == ES_T_BYTES)
            write_bytes(w, v);
        else
            write_list(w, v, depth);
        break;
    case ES_TK_MAP:
        write_map(w, v->map, depth);
        break;
    case ES_TK_OBJECT:
        write_object(w, v);
        break;
    }
}

const char *es_tjson_write(struct es_buf *out, const struct es_tvalue *v, const struct es_tjson_style *style)
{
    struct writer w = {.out = out, .style = style};

    write(&w, v, 0);
    return w.error;
}
