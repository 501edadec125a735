#include "core/cluster/managed_fields.h"

#include <stdio.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

/* The maps whose members have owners: where they are in the object, and the
 * same way in fieldsV1. */
static const struct tracked {
    const char *outer, *inner; /* outer NULL: at the top */
} tracked[] = {{NULL, "data"}, {"metadata", "labels"}, {"metadata", "annotations"}};
#define TRACKED (sizeof tracked / sizeof *tracked)

static json_t *map_of(const json_t *object, const struct tracked *t)
{
    return t->outer ? es_obj_at(object, t->outer, t->inner) : es_obj_at(object, t->inner);
}

static json_t *child(json_t *fields, const char *name, bool make)
{
    char f[2 + 253 + 1 + 63 + 1]; /* a label: prefix/name */
    snprintf(f, sizeof f, "f:%s", name);
    json_t *c = json_object_get(fields, f);
    if (!c && make) {
        c = json_object();
        if (json_object_set_new(fields, f, c) < 0)
            return NULL;
    }
    return c;
}

static json_t *fields_of(json_t *fields, const struct tracked *t, bool make)
{
    json_t *at = t->outer ? child(fields, t->outer, make) : fields;
    return at ? child(at, t->inner, make) : NULL;
}

/* Nobody owns what is not there any more, and what `manager` has changed is
 * nobody else's. */
static void release(json_t *entries, const struct tracked *t, const json_t *now, const json_t *before)
{
    json_t *entry, *owned, *value;
    const char *f;
    void *next;
    size_t i;

    json_array_foreach (entries, i, entry) {
        owned = fields_of(json_object_get(entry, "fieldsV1"), t, false);
        json_object_foreach_safe (owned, next, f, value) {
            const char *key = f + 2;
            json_t *is = json_object_get(now, key);
            if (!is || !json_equal(is, json_object_get(before, key)))
                json_object_del(owned, f);
        }
    }
}

static json_t *entry_of(json_t *entries, const char *manager)
{
    json_t *entry;
    size_t i;

    json_array_foreach (entries, i, entry)
        if (es_streq(es_obj_str(entry, "manager"), manager))
            return entry;
    entry = json_pack("{s:s,s:s,s:s,s:{}}", "manager", manager, "operation", "Update", "fieldsType",
                      "FieldsV1", "fieldsV1");
    return json_array_append_new(entries, entry) == 0 ? entry : NULL;
}

static int claim(json_t *entry, const struct tracked *t, const json_t *now, const json_t *before)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)now, key, value) {
        if (json_equal(value, json_object_get(before, key)))
            continue;
        json_t *owned = fields_of(json_object_get(entry, "fieldsV1"), t, true);
        if (!owned || !child(owned, key, true))
            return ES_E_NOMEM;
    }
    return 0;
}

int es_managed_fields_update(json_t *object, const json_t *old, const char *manager)
{
    json_t *entries = es_obj_at(object, "metadata", "managedFields");

    if (!manager)
        return 0;
    if (!json_is_array(entries)) {
        entries = json_array();
        if (es_obj_set(object, entries, "metadata", "managedFields") < 0)
            return ES_E_NOMEM;
    }
    json_t *entry = entry_of(entries, manager);
    if (!entry)
        return ES_E_NOMEM;
    for (size_t i = 0; i < TRACKED; i++) {
        const json_t *now = map_of(object, &tracked[i]), *before = map_of(old, &tracked[i]);
        release(entries, &tracked[i], now, before);
        if (claim(entry, &tracked[i], now, before) < 0)
            return ES_E_NOMEM;
    }
    return 0;
}
