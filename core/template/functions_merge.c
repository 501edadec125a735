/* Dicts into one another, and copies of anything. */
#include "core/template/functions.h"

#define DEPTH_MAX 64

static bool too_deep(struct es_tcall *c, int depth)
{
    if (depth > DEPTH_MAX)
        es_tcall_fail(c, "nested more than %d deep", DEPTH_MAX);
    return c->failed || !es_tcall_spend(c, 1);
}

/* Dicts in dicts are merged too. Of two other values the first stays, unless it is
 * empty; or, overwriting, the second counts. A nil never does. */
static void merge_into(struct es_tcall *c, struct es_tmap *into, const struct es_tmap *from, bool overwrite,
                       int depth)
{
    if (too_deep(c, depth) || into == from)
        return;
    for (size_t i = 0; i < from->count && !c->failed; i++) {
        const struct es_tentry *e = &from->entries[i];
        struct es_tvalue *have = es_tmap_get(into, e->key.s.ptr, e->key.s.len);
        if (have && have->type == ES_T_MAP_ANY && e->value.type == ES_T_MAP_ANY)
            merge_into(c, have->map, e->value.map, overwrite, depth + 1);
        else if (e->value.type > ES_T_NIL && (!have || overwrite || !es_tvalue_truth(have)))
            es_tcall_map_set(c, into, &e->key, &e->value);
    }
}

static void merge_all(struct es_tcall *c, bool overwrite)
{
    if (!c->args[0].map->entries) {
        es_tcall_fail(c, "assignment to entry in nil map");
        return;
    }
    for (size_t i = 1; i < c->count; i++)
        merge_into(c, c->args[0].map, c->args[i].map, overwrite, 0);
    c->ret = c->args[0];
}

static void merge(struct es_tcall *c)
{
    merge_all(c, false);
}

static void merge_overwrite(struct es_tcall *c)
{
    merge_all(c, true);
}

static struct es_tvalue copy_of(struct es_tcall *c, const struct es_tvalue *v, int depth);

static struct es_tvalue copy_list(struct es_tcall *c, const struct es_tvalue *v, int depth)
{
    struct es_tlist *list = es_tcall_list(c, v->list->count);

    for (size_t i = 0; list && i < v->list->count; i++)
        list->items[i] = copy_of(c, &v->list->items[i], depth + 1);
    return list ? (struct es_tvalue){.type = v->type, .list = list} : es_tnil();
}

static struct es_tvalue copy_map(struct es_tcall *c, const struct es_tvalue *v, int depth)
{
    struct es_tmap *map = es_tcall_map(c, v->map->count);

    for (size_t i = 0; map && i < v->map->count; i++) {
        struct es_tvalue one = copy_of(c, &v->map->entries[i].value, depth + 1);
        es_tcall_map_set(c, map, &v->map->entries[i].key, &one);
    }
    return map ? (struct es_tvalue){.type = v->type, .map = map} : es_tnil();
}

static struct es_tvalue copy_of(struct es_tcall *c, const struct es_tvalue *v, int depth)
{
    enum es_tkind kind = es_tvalue_kind(v);

    if (too_deep(c, depth))
        return es_tnil();
    if (kind == ES_TK_MAP)
        return copy_map(c, v, depth);
    if (kind == ES_TK_LIST && v->type != ES_T_BYTES)
        return copy_list(c, v, depth);
    return *v;
}

static void deep_copy(struct es_tcall *c)
{
    if (c->args[0].type <= ES_T_NIL)
        es_tcall_fail(c, "reflect: call of reflect.Value.Type on zero Value");
    else
        c->ret = copy_of(c, &c->args[0], 0);
}

static const struct es_tfunction functions[] = {
    {"merge", "mm*", merge},
    {"mustMerge", "mm*", merge},
    {"mergeOverwrite", "mm*", merge_overwrite},
    {"mustMergeOverwrite", "mm*", merge_overwrite},
    {"deepCopy", "a", deep_copy},
    {"mustDeepCopy", "a", deep_copy},
};

const struct es_tfunction_table es_tfunctions_merge = ES_TFUNCTION_TABLE(functions);
