#include "core/template/value.h"

#include <string.h>

#include "core/base/text.h"

#define DEPTH_MAX 64

static const struct {
    const char *name, *kind_name;
    enum es_tkind kind;
} types[] = {
    [ES_T_NONE] = {"<nil>", "invalid", ES_TK_NONE},
    [ES_T_NIL] = {"interface {}", "invalid", ES_TK_NIL},
    [ES_T_BOOL] = {"bool", "bool", ES_TK_BOOL},
    [ES_T_INT] = {"int", "int", ES_TK_INT},
    [ES_T_INT32] = {"int32", "int32", ES_TK_INT},
    [ES_T_INT64] = {"int64", "int64", ES_TK_INT},
    [ES_T_UINT8] = {"uint8", "uint8", ES_TK_UINT},
    [ES_T_UINT32] = {"uint32", "uint32", ES_TK_UINT},
    [ES_T_UINT64] = {"uint64", "uint64", ES_TK_UINT},
    [ES_T_FLOAT64] = {"float64", "float64", ES_TK_FLOAT},
    [ES_T_STRING] = {"string", "string", ES_TK_STRING},
    [ES_T_DURATION] = {"time.Duration", "int64", ES_TK_INT},
    [ES_T_MONTH] = {"time.Month", "int", ES_TK_INT},
    [ES_T_WEEKDAY] = {"time.Weekday", "int", ES_TK_INT},
    [ES_T_LIST_ANY] = {"[]interface {}", "slice", ES_TK_LIST},
    [ES_T_LIST_STRING] = {"[]string", "slice", ES_TK_LIST},
    [ES_T_LIST_INT] = {"[]int", "slice", ES_TK_LIST},
    [ES_T_LIST_LIST] = {"[][]interface {}", "slice", ES_TK_LIST},
    [ES_T_BYTES] = {"[]uint8", "slice", ES_TK_LIST},
    [ES_T_MAP_ANY] = {"map[string]interface {}", "map", ES_TK_MAP},
    [ES_T_MAP_STRING] = {"map[string]string", "map", ES_TK_MAP},
    [ES_T_MAP_MAP_STRING] = {"map[string]map[string]string", "map", ES_TK_MAP},
    [ES_T_OBJECT] = {"struct", "struct", ES_TK_OBJECT},
};

enum es_tkind es_tvalue_kind(const struct es_tvalue *v)
{
    return types[v->type].kind;
}

const char *es_ttype_name(enum es_ttype type)
{
    return types[type].name;
}

const char *es_tvalue_type_name(const struct es_tvalue *v)
{
    return v->type == ES_T_OBJECT ? v->object->class->type : types[v->type].name;
}

const char *es_tvalue_kind_name(const struct es_tvalue *v)
{
    return v->type == ES_T_OBJECT ? v->object->class->kind : types[v->type].kind_name;
}

size_t es_tvalue_len(const struct es_tvalue *v)
{
    switch (es_tvalue_kind(v)) {
    case ES_TK_STRING:
        return v->s.len;
    case ES_TK_LIST:
        return v->type == ES_T_BYTES ? v->s.len : v->list->count;
    case ES_TK_MAP:
        return v->map->count;
    default:
        return 0;
    }
}

bool es_tvalue_truth(const struct es_tvalue *v)
{
    switch (es_tvalue_kind(v)) {
    case ES_TK_NONE:
    case ES_TK_NIL:
        return false;
    case ES_TK_BOOL:
        return v->b;
    case ES_TK_INT:
        return v->i != 0;
    case ES_TK_UINT:
        return v->u != 0;
    case ES_TK_FLOAT:
        return v->f != 0;
    case ES_TK_OBJECT:
        return true;
    default:
        return es_tvalue_len(v) > 0;
    }
}

struct es_tvalue es_tsubstring(const struct es_tvalue *s, size_t from, size_t to)
{
    if (to > s->s.len)
        to = s->s.len;
    if (from > to)
        from = to;
    return es_tstring(s->s.ptr + from, to - from);
}

uint32_t es_tstring_rune(const struct es_tvalue *s, size_t at, size_t *ret_len)
{
    uint32_t rune;

    *ret_len = es_utf8_decode(s->s.ptr + at, s->s.len - at, &rune);
    if (*ret_len)
        return rune;
    *ret_len = 1;
    return 0xFFFD;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    int order = common ? memcmp(a, b, common) : 0;

    if (order != 0)
        return order;
    return (a_len > b_len) - (a_len < b_len);
}

bool es_tstring_is(const struct es_tvalue *s, const char *text)
{
    return compare(s->s.ptr, s->s.len, text, strlen(text)) == 0;
}

int es_tstring_compare(const struct es_tvalue *a, const struct es_tvalue *b)
{
    return compare(a->s.ptr, a->s.len, b->s.ptr, b->s.len);
}

struct es_tlist *es_tlist_new(struct es_arena *a, size_t count)
{
    struct es_tlist *list = es_arena_alloc(a, sizeof *list);

    if (!list || count > SIZE_MAX / sizeof *list->items)
        return NULL;
    list->items = es_arena_alloc(a, count * sizeof *list->items);
    list->count = count;
    return list->items ? list : NULL;
}

struct es_tvalue es_tlist_at(const struct es_tvalue *list, size_t i)
{
    if (list->type == ES_T_BYTES)
        return (struct es_tvalue){.type = ES_T_UINT8, .u = (unsigned char)list->s.ptr[i]};
    struct es_tvalue v = list->list->items[i];
    v.boxed = list->type == ES_T_LIST_ANY;
    return v;
}

struct es_tmap *es_tmap_new(struct es_arena *a, size_t cap)
{
    struct es_tmap *m = es_arena_alloc(a, sizeof *m);

    if (!m || cap > SIZE_MAX / sizeof *m->entries)
        return NULL;
    m->cap = cap;
    m->entries = es_arena_alloc(a, cap * sizeof *m->entries);
    return m->entries ? m : NULL;
}

/* Where the key is, or where it belongs. */
static size_t place_of(const struct es_tmap *m, const char *key, size_t len, bool *ret_found)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = compare(m->entries[mid].key.s.ptr, m->entries[mid].key.s.len, key, len);
        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *ret_found = false;
    return low;
}

struct es_tvalue *es_tmap_get(const struct es_tmap *m, const char *key, size_t len)
{
    bool found;
    size_t at = place_of(m, key, len, &found);
    return found ? &m->entries[at].value : NULL;
}

static bool make_room(struct es_arena *a, struct es_tmap *m)
{
    if (m->count < m->cap)
        return true;
    size_t cap = m->cap ? m->cap * 2 : 8;
    struct es_tentry *entries = es_arena_alloc(a, cap * sizeof *entries);
    if (!entries)
        return false;
    if (m->count)
        memcpy(entries, m->entries, m->count * sizeof *entries);
    m->entries = entries;
    m->cap = cap;
    return true;
}

bool es_tmap_set(struct es_arena *a, struct es_tmap *m, const struct es_tvalue *key,
                 const struct es_tvalue *value)
{
    bool found;
    size_t at = place_of(m, key->s.ptr, key->s.len, &found);

    if (found) {
        m->entries[at].value = *value;
        return true;
    }
    if (!make_room(a, m))
        return false;
    memmove(m->entries + at + 1, m->entries + at, (m->count - at) * sizeof *m->entries);
    m->entries[at] = (struct es_tentry){.key = *key, .value = *value};
    m->count++;
    return true;
}

void es_tmap_remove(struct es_tmap *m, const char *key, size_t len)
{
    bool found;
    size_t at = place_of(m, key, len, &found);

    if (!found)
        return;
    m->count--;
    memmove(m->entries + at, m->entries + at + 1, (m->count - at) * sizeof *m->entries);
}

/* What Go calls a nil map. Only maps to anything are ever changed. */
static struct es_tmap no_entries;

struct es_tvalue es_tvalue_zero_of(enum es_ttype container)
{
    switch (container) {
    case ES_T_MAP_STRING:
    case ES_T_LIST_STRING:
        return es_tstring("", 0);
    case ES_T_MAP_MAP_STRING:
        return (struct es_tvalue){.type = ES_T_MAP_STRING, .map = &no_entries};
    default:
        return es_tnil();
    }
}

static bool equal_at(const struct es_tvalue *a, const struct es_tvalue *b, int depth);

static bool lists_equal(const struct es_tvalue *a, const struct es_tvalue *b, int depth)
{
    size_t count = es_tvalue_len(a);

    if (count != es_tvalue_len(b))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct es_tvalue one = es_tlist_at(a, i), other = es_tlist_at(b, i);
        if (!equal_at(&one, &other, depth + 1))
            return false;
    }
    return true;
}

static bool maps_equal(const struct es_tmap *a, const struct es_tmap *b, int depth)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (es_tstring_compare(&a->entries[i].key, &b->entries[i].key) != 0 ||
            !equal_at(&a->entries[i].value, &b->entries[i].value, depth + 1))
            return false;
    return true;
}

static bool equal_at(const struct es_tvalue *a, const struct es_tvalue *b, int depth)
{
    enum es_tkind kind = es_tvalue_kind(a), other = es_tvalue_kind(b);

    if (kind <= ES_TK_NIL || other <= ES_TK_NIL)
        return kind <= ES_TK_NIL && other <= ES_TK_NIL;
    if (a->type != b->type || depth > DEPTH_MAX)
        return false;
    switch (kind) {
    case ES_TK_BOOL:
        return a->b == b->b;
    case ES_TK_INT:
    case ES_TK_UINT:
        return a->u == b->u;
    case ES_TK_FLOAT:
        return a->f == b->f;
    case ES_TK_STRING:
        return es_tstring_compare(a, b) == 0;
    case ES_TK_LIST:
        return lists_equal(a, b, depth);
    case ES_TK_MAP:
        return maps_equal(a->map, b->map, depth);
    default:
        return a->object == b->object;
    }
}

bool es_tvalue_deep_equal(const struct es_tvalue *a, const struct es_tvalue *b)
{
    return equal_at(a, b, 0);
}
