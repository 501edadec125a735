#include "core/template/data.h"

#include <string.h>

#define DEPTH_MAX 128

static bool convert(struct es_arena *a, const json_t *data, enum es_ttype map_type, struct es_tvalue *ret,
                    int depth);

static bool convert_object(struct es_arena *a, const json_t *data, enum es_ttype type, struct es_tvalue *ret,
                           int depth)
{
    struct es_tmap *map = es_tmap_new(a, json_object_size(data));
    enum es_ttype inner = type == ES_T_MAP_MAP_STRING ? ES_T_MAP_STRING : ES_T_MAP_ANY;
    const char *key;
    json_t *member;

    if (!map)
        return false;
    json_object_foreach ((json_t *)(uintptr_t)data, key, member) {
        struct es_tvalue name = es_tstring(key, strlen(key)), value;
        if (!convert(a, member, inner, &value, depth + 1) || !es_tmap_set(a, map, &name, &value))
            return false;
    }
    *ret = (struct es_tvalue){.type = type, .map = map};
    return true;
}

static bool convert_array(struct es_arena *a, const json_t *data, struct es_tvalue *ret, int depth)
{
    struct es_tlist *list = es_tlist_new(a, json_array_size(data));
    size_t i;
    json_t *one;

    if (!list)
        return false;
    json_array_foreach (data, i, one)
        if (!convert(a, one, ES_T_MAP_ANY, &list->items[i], depth + 1))
            return false;
    *ret = (struct es_tvalue){.type = ES_T_LIST_ANY, .list = list};
    return true;
}

static bool convert(struct es_arena *a, const json_t *data, enum es_ttype map_type, struct es_tvalue *ret,
                    int depth)
{
    if (depth > DEPTH_MAX)
        return false;
    switch (json_typeof(data)) {
    case JSON_OBJECT:
        return convert_object(a, data, map_type, ret, depth);
    case JSON_ARRAY:
        return convert_array(a, data, ret, depth);
    case JSON_STRING:
        *ret = es_tstring(json_string_value(data), json_string_length(data));
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        *ret = es_tfloat(json_number_value(data));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *ret = es_tbool(json_is_true(data));
        return true;
    default:
        *ret = es_tnil();
        return true;
    }
}

bool es_tdata_any(struct es_arena *a, const json_t *data, struct es_tvalue *ret)
{
    return convert(a, data, ES_T_MAP_ANY, ret, 0);
}

static bool all_strings(const json_t *data)
{
    const char *key;
    json_t *member;

    json_object_foreach ((json_t *)(uintptr_t)data, key, member)
        if (!json_is_string(member))
            return false;
    return true;
}

static bool all_objects_of_strings(const json_t *data)
{
    const char *key;
    json_t *member;

    json_object_foreach ((json_t *)(uintptr_t)data, key, member)
        if (!json_is_object(member) || !all_strings(member))
            return false;
    return true;
}

bool es_tdata_root(struct es_arena *a, const json_t *data, struct es_tvalue *ret)
{
    enum es_ttype type = all_strings(data)              ? ES_T_MAP_STRING
                         : all_objects_of_strings(data) ? ES_T_MAP_MAP_STRING
                                                        : ES_T_MAP_ANY;
    return convert(a, data, type, ret, 0);
}
