#include "core/template/yaml_write.h"

#include <math.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/secret/gotext.h"
#include "core/secret/runes.h"
#include "core/template/json.h"
#include "core/template/yaml_scalar.h"

#define DEPTH_MAX 64
#define SIMPLE_KEY_MAX 128

struct writer {
    struct es_buf *out;
    bool failed;
};

static void write_node(struct writer *w, const struct es_tvalue *v, int indent, bool in_map, int depth);

static void spaces(struct writer *w, int count)
{
    for (int i = 0; i < count; i++)
        es_buf_addc(w->out, ' ');
}

/* Numbers: whole ones as such, as they come out of JSON text. */
static void write_float(struct writer *w, double f)
{
    char text[ES_GO_FLOAT_MAX];

    if (!isfinite(f)) {
        w->failed = true;
        return;
    }
    es_go_float(text, f, ES_GO_JSON);
    bool whole = !strpbrk(text, ".e") && f >= -0x1p63 && f < 0x1p64;
    if (f == 0)
        memcpy(text, "0", 2);
    es_buf_add(w->out, text, whole ? strlen(text) : es_go_float(text, f, ES_GO_GENERAL));
    OPENSSL_cleanse(text, sizeof text);
}

static void write_list(struct writer *w, const struct es_tvalue *v, int indent, bool in_map, int depth)
{
    /* A list in a map stands where the map does. */
    int at = in_map ? indent - 2 : indent;

    for (size_t i = 0; i < es_tvalue_len(v) && !w->failed; i++) {
        struct es_tvalue one = es_tlist_at(v, i);
        if (i || in_map) {
            es_buf_addc(w->out, '\n');
            spaces(w, at);
        }
        es_buf_addc(w->out, '-');
        write_node(w, &one, at + 2, false, depth + 1);
    }
}

/* The order of go-yaml: letters as people sort them, numbers by their size. */

static bool digit_at(const struct es_tvalue *s, size_t at)
{
    return at < s->s.len && s->s.ptr[at] >= '0' && s->s.ptr[at] <= '9';
}

static uint32_t rune_at(const struct es_tvalue *s, size_t at)
{
    uint32_t rune;
    return es_utf8_decode(s->s.ptr + at, s->s.len - at, &rune) ? rune : 0xFFFD;
}

static int by_size(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* Two texts that differ at `at`, where neither has a letter. A zero there counts as the
 * beginning of a number only if none came before. */
static int compare_numbers(const struct es_tvalue *a, const struct es_tvalue *b, size_t at)
{
    uint64_t an = 0, bn = 0;
    size_t ai = at, bi = at;

    if (a->s.ptr[at] == '0' || b->s.ptr[at] == '0')
        for (size_t i = at; i > 0 && digit_at(a, i - 1); i--)
            if (a->s.ptr[i - 1] != '0')
                an = bn = 1;
    for (; digit_at(a, ai); ai++)
        an = an * 10 + (uint64_t)(a->s.ptr[ai] - '0');
    for (; digit_at(b, bi); bi++)
        bn = bn * 10 + (uint64_t)(b->s.ptr[bi] - '0');
    if (an != bn)
        return by_size(an, bn);
    return ai != bi ? by_size(ai, bi) : by_size(rune_at(a, at), rune_at(b, at));
}

static int compare_keys(const void *left, const void *right)
{
    const struct es_tvalue *a = &(*(const struct es_tentry *const *)left)->key;
    const struct es_tvalue *b = &(*(const struct es_tentry *const *)right)->key;
    size_t at = 0;

    while (at < a->s.len && at < b->s.len && a->s.ptr[at] == b->s.ptr[at])
        at++;
    while (at > 0 && at < a->s.len && ((unsigned char)a->s.ptr[at] & 0xC0) == 0x80)
        at--; /* the beginning of the character that differs */
    if (at == a->s.len || at == b->s.len)
        return by_size(a->s.len, b->s.len);
    uint32_t one = rune_at(a, at), other = rune_at(b, at);
    bool letter = es_rune_is(ES_RUNE_LETTER, one), other_letter = es_rune_is(ES_RUNE_LETTER, other);
    if (letter && other_letter)
        return by_size(one, other);
    if (letter || other_letter)
        return other_letter ? -1 : 1;
    return compare_numbers(a, b, at);
}

/* False: the key and its value stand on lines of their own. */
static bool write_key(struct writer *w, const struct es_tvalue *key, int indent)
{
    bool simple = key->s.len <= SIMPLE_KEY_MAX && !memchr(key->s.ptr, '\n', key->s.len);

    if (!simple)
        es_buf_addc(w->out, '?');
    es_tyaml_scalar(w->out, key, simple ? -1 : indent + 2, !simple);
    if (!simple) {
        es_buf_addc(w->out, '\n');
        spaces(w, indent);
    }
    es_buf_addc(w->out, ':');
    return simple;
}

static void write_map(struct writer *w, const struct es_tmap *m, int indent, bool in_map, int depth)
{
    const struct es_tentry **sorted = es_mem_calloc(m->count, sizeof *sorted);

    w->failed |= !sorted;
    for (size_t i = 0; sorted && i < m->count; i++)
        sorted[i] = &m->entries[i];
    if (sorted)
        qsort(sorted, m->count, sizeof *sorted, compare_keys);
    for (size_t i = 0; i < m->count && !w->failed; i++) {
        if (i || in_map) {
            es_buf_addc(w->out, '\n');
            spaces(w, indent);
        } else if (depth > 0) {
            es_buf_addc(w->out, ' ');
        }
        bool simple = write_key(w, &sorted[i]->key, indent);
        write_node(w, &sorted[i]->value, indent + 2, simple, depth + 1);
    }
    es_mem_free(sorted);
}

static void write_text(struct writer *w, const struct es_tvalue *v, int indent, int depth)
{
    struct es_buf text;
    struct es_tvalue shown = *v;

    es_buf_init(&text, w->out->max);
    if (v->type == ES_T_BYTES) {
        es_base64_encode(&text, v->s.ptr, v->s.len);
        shown = es_tstring(es_buf_str(&text), text.len);
    }
    es_tyaml_scalar(w->out, &shown, indent, depth > 0);
    es_buf_fini(&text);
}

/* A time is the text that JSON has for it. */
static void write_object(struct writer *w, const struct es_tobject *object, int indent, int depth)
{
    struct es_arena scratch = {0};

    es_arena_init(&scratch, (size_t)1 << 16);
    struct es_tvalue text = object->class->json(&scratch, object);
    es_tyaml_scalar(w->out, &text, indent, depth > 0);
    es_arena_fini(&scratch);
}

static void write_word(struct writer *w, const struct es_tvalue *v, int depth)
{
    if (depth > 0)
        es_buf_addc(w->out, ' ');
    switch (es_tvalue_kind(v)) {
    case ES_TK_BOOL:
    case ES_TK_INT:
    case ES_TK_UINT: /* written as in JSON; floats are not */
        es_tjson_write(w->out, v, &(const struct es_tjson_style){0});
        break;
    case ES_TK_FLOAT:
        write_float(w, v->f);
        break;
    case ES_TK_LIST:
        es_buf_adds(w->out, "[]");
        break;
    case ES_TK_MAP:
        es_buf_adds(w->out, "{}");
        break;
    default:
        es_buf_adds(w->out, "null");
        break;
    }
}

/* `indent`: of what continues a line, and of maps and lists in here. */
static void write_node(struct writer *w, const struct es_tvalue *v, int indent, bool in_map, int depth)
{
    enum es_tkind kind = es_tvalue_kind(v);

    if (depth > DEPTH_MAX || (kind == ES_TK_OBJECT && !v->object->class->json))
        w->failed = true;
    else if (kind == ES_TK_OBJECT)
        write_object(w, v->object, indent, depth);
    else if (kind == ES_TK_STRING || v->type == ES_T_BYTES)
        write_text(w, v, indent, depth);
    else if (kind == ES_TK_LIST && v->list->count) {
        if (depth > 0 && !in_map)
            es_buf_addc(w->out, ' ');
        write_list(w, v, indent, in_map, depth);
    } else if (kind == ES_TK_MAP && v->map->count)
        write_map(w, v->map, indent, in_map, depth);
    else
        write_word(w, v, depth);
}

bool es_tyaml_write(struct es_buf *out, const struct es_tvalue *v)
{
    struct writer w = {.out = out};
    bool text = es_tvalue_kind(v) == ES_TK_STRING || v->type == ES_T_BYTES;

    write_node(&w, v, text ? 2 : 0, false, 0);
    es_buf_addc(out, '\n');
    return !w.failed;
}
