/* Dicts: map[string]interface{}. set and unset change the one they get. */
#include <string.h>

#include "core/template/functions.h"
#include "core/template/text_of.h"

static void dict(struct es_tcall *c)
{
    static const struct es_tvalue empty = {.type = ES_T_STRING, .s = {"", 0}};
    struct es_tmap *map = es_tcall_map(c, (c->count + 1) / 2);

    for (size_t i = 0; map && i < c->count; i += 2) {
        struct es_tvalue key =
            c->args[i].type <= ES_T_NIL ? es_tstring("<nil>", 5) : es_tcall_text_of(c, &c->args[i]);
        es_tcall_map_set(c, map, &key, i + 1 < c->count ? &c->args[i + 1] : &empty);
    }
    es_tcall_return_map(c, ES_T_MAP_ANY, map);
}

static struct es_tvalue *find(const struct es_tvalue *map, const struct es_tvalue *key)
{
    return es_tmap_get(map->map, key->s.ptr, key->s.len);
}

static void get(struct es_tcall *c)
{
    struct es_tvalue *found = find(&c->args[0], &c->args[1]);
    c->ret = found ? *found : es_tstring("", 0);
}

/* Is it the map that stands in for a nil one? Go panics when that is written to. */
static bool is_writable(struct es_tcall *c, const struct es_tmap *m)
{
    if (!m->entries)
        es_tcall_fail(c, "assignment to entry in nil map");
    return !c->failed;
}

static void set(struct es_tcall *c)
{
    if (!is_writable(c, c->args[0].map))
        return;
    es_tcall_map_set(c, c->args[0].map, &c->args[1], &c->args[2]);
    c->ret = c->args[0];
}

static void unset(struct es_tcall *c)
{
    es_tmap_remove(c->args[0].map, c->args[1].s.ptr, c->args[1].s.len);
    c->ret = c->args[0];
}

static void has_key(struct es_tcall *c)
{
    c->ret = es_tbool(find(&c->args[0], &c->args[1]) != NULL);
}

static void pluck(struct es_tcall *c)
{
    struct es_tlist *list = es_tcall_list(c, c->count - 1);
    size_t n = 0;

    for (size_t i = 1; list && i < c->count; i++) {
        struct es_tvalue *found = find(&c->args[i], &c->args[0]);
        if (found)
            list->items[n++] = *found;
    }
    if (list)
        list->count = n;
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

/* Go's order is any; ours is sorted. */
static void keys(struct es_tcall *c)
{
    size_t total = 0, n = 0;

    for (size_t i = 0; i < c->count; i++)
        total += c->args[i].map->count;
    struct es_tlist *list = es_tcall_list(c, total);
    for (size_t i = 0; list && i < c->count; i++)
        for (size_t k = 0; k < c->args[i].map->count; k++)
            list->items[n++] = c->args[i].map->entries[k].key;
    es_tcall_return_list(c, ES_T_LIST_STRING, list);
}

static void values(struct es_tcall *c)
{
    const struct es_tmap *map = c->args[0].map;
    struct es_tlist *list = es_tcall_list(c, map->count);

    for (size_t i = 0; list && i < map->count; i++)
        list->items[i] = map->entries[i].value;
    es_tcall_return_list(c, ES_T_LIST_ANY, list);
}

static void pick(struct es_tcall *c)
{
    struct es_tmap *map = es_tcall_map(c, c->count - 1);

    for (size_t i = 1; map && i < c->count; i++) {
        struct es_tvalue *found = find(&c->args[0], &c->args[i]);
        if (found)
            es_tcall_map_set(c, map, &c->args[i], found);
    }
    es_tcall_return_map(c, ES_T_MAP_ANY, map);
}

static bool is_named(const struct es_tcall *c, const struct es_tvalue *key)
{
    for (size_t i = 1; i < c->count; i++)
        if (es_tstring_compare(&c->args[i], key) == 0)
            return true;
    return false;
}

static void omit(struct es_tcall *c)
{
    const struct es_tmap *from = c->args[0].map;
    struct es_tmap *map = es_tcall_map(c, from->count);

    for (size_t i = 0; map && i < from->count; i++)
        if (!is_named(c, &from->entries[i].key))
            es_tcall_map_set(c, map, &from->entries[i].key, &from->entries[i].value);
    es_tcall_return_map(c, ES_T_MAP_ANY, map);
}

static void not_a(struct es_tcall *c, const struct es_tvalue *v, const char *wanted)
{
    if (v->type <= ES_T_NIL)
        es_tcall_fail(c, "interface conversion: interface {} is nil, not %s", wanted);
    else
        es_tcall_fail(c, "interface conversion: interface {} is %s, not %s", es_tvalue_type_name(v), wanted);
}

/* dig "a" "b" default dict */
static void dig(struct es_tcall *c)
{
    struct es_tvalue at;

    if (c->count < 3) {
        es_tcall_fail(c, "dig needs at least three arguments");
        return;
    }
    at = c->args[c->count - 1];
    if (at.type != ES_T_MAP_ANY)
        not_a(c, &at, "map[string]interface {}");
    for (size_t i = 0; i < c->count - 2 && !c->failed; i++)
        if (c->args[i].type != ES_T_STRING)
            not_a(c, &c->args[i], "string");
    for (size_t i = 0; i < c->count - 2 && !c->failed; i++) {
        if (at.type != ES_T_MAP_ANY) {
            not_a(c, &at, "map[string]interface {}");
            return;
        }
        struct es_tvalue *found = find(&at, &c->args[i]);
        if (!found) {
            c->ret = c->args[c->count - 2];
            return;
        }
        at = *found;
    }
    c->ret = at;
}

static const struct es_tfunction functions[] = {
    {"dict", "a*", dict},      {"get", "ms", get},      {"set", "msa", set},  {"unset", "ms", unset},
    {"hasKey", "ms", has_key}, {"pluck", "sm*", pluck}, {"keys", "m*", keys}, {"values", "m", values},
    {"pick", "ms*", pick},     {"omit", "ms*", omit},   {"dig", "a*", dig},
};

const struct es_tfunction_table es_tfunctions_dicts = ES_TFUNCTION_TABLE(functions);
