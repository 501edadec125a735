#include "core/plugin/per_namespace.h"

#include <string.h>

static bool only_texts(const json_t *list)
{
    size_t i;
    json_t *text;

    json_array_foreach (list, i, text)
        if (!json_is_string(text))
            return false;
    return json_is_array(list);
}

bool es_per_namespace_is_sound(const json_t *keyword)
{
    const char *name;
    json_t *values;

    json_object_foreach ((json_t *)keyword, name, values)
        if (!only_texts(values))
            return false;
    return json_is_object(keyword);
}

static bool holds(const json_t *list, const json_t *value)
{
    size_t i;
    json_t *text;

    json_array_foreach (list, i, text)
        if (json_equal(text, value))
            return true;
    return false;
}

static bool speaks_of(const json_t *keyword, const json_t *block)
{
    const char *name;
    json_t *values;

    json_object_foreach ((json_t *)keyword, name, values)
        if (holds(values, json_object_get(block, name)))
            return true;
    return false;
}

/* Asked once for each version of a store, and nearly all schemas do without: those are not parsed. */
bool es_per_namespace(const char *schema, const json_t *block)
{
    if (!schema || !strstr(schema, "\"" ES_PER_NAMESPACE "\""))
        return false;
    json_t *root = json_loads(schema, 0, NULL);
    /* Without memory nobody can tell: then it is safe to keep namespaces apart. */
    bool apart = !root || speaks_of(json_object_get(root, ES_PER_NAMESPACE), block);
    json_decref(root);
    return apart;
}
