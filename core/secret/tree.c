#include "core/secret/tree.h"

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"

/* ---- copies ---- */

json_t *es_tree_copy_object(const json_t *object, const char *left_out)
{
    json_t *copy = json_object();
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        if (left_out && es_streq(name, left_out))
            continue;
        if (json_object_set_new_nocheck(copy, name, es_tree_copy(value)) < 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

static json_t *copy_array(const json_t *array)
{
    json_t *copy = json_array();
    size_t i;
    json_t *one;

    json_array_foreach (array, i, one) {
        if (json_array_append_new(copy, es_tree_copy(one)) < 0) {
            json_decref(copy);
            return NULL;
        }
    }
    return copy;
}

json_t *es_tree_copy(json_t *value)
{
    if (json_is_object(value))
        return es_tree_copy_object(value, NULL);
    return json_is_array(value) ? copy_array(value) : json_incref(value);
}

json_t *es_tree_copy_sendable(const json_t *existing)
{
    json_t *copy = es_tree_copy_object(existing, "metadata");
    json_t *meta = es_tree_copy_object(es_obj_at(existing, "metadata"), "managedFields");

    if (json_object_set_new_nocheck(copy, "metadata", meta) < 0) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

/* ---- members ---- */

json_t *es_tree_member(json_t *parent, const char *name)
{
    json_t *member = json_object_get(parent, name);

    if (json_is_object(member))
        return member;
    member = json_object();
    return json_object_set_new(parent, name, member) < 0 ? NULL : member;
}

int es_tree_add_strings(json_t *parent, const char *name, const json_t *strings)
{
    if (json_object_size(strings) == 0)
        return 0;
    json_t *into = es_tree_member(parent, name);
    return into ? json_object_update(into, (json_t *)strings) : -1;
}

/* ---- what was written the last time ---- */

static void remove_fields(json_t *from, const json_t *fields)
{
    const char *field;
    json_t *unused;

    json_object_foreach ((json_t *)fields, field, unused)
        if (es_str_starts(field, "f:"))
            json_object_del(from, field + 2);
}

int es_tree_drop_stale(json_t *object, const json_t *existing, const json_t *external_secret,
                       struct es_error *err)
{
    char manager[ES_FIELD_MANAGER_MAX];
    json_t *meta = es_obj_at(object, "metadata");
    size_t i;
    const json_t *entry;
    int rc = es_field_manager(manager, es_obj_name(external_secret), err);

    if (rc < 0)
        return rc;
    json_array_foreach (es_obj_at(existing, "metadata", "managedFields"), i, entry) {
        if (!es_streq(es_obj_str(entry, "manager"), manager))
            continue;
        const json_t *fields = es_obj_at(entry, "fieldsV1");
        remove_fields(es_obj_at(object, "data"), es_obj_at(fields, "f:data"));
        remove_fields(es_obj_at(meta, "labels"), es_obj_at(fields, "f:metadata", "f:labels"));
        remove_fields(es_obj_at(meta, "annotations"), es_obj_at(fields, "f:metadata", "f:annotations"));
    }
    return 0;
}

bool es_tree_wrote(const json_t *existing, const char *manager, const char *member)
{
    size_t i;
    const json_t *entry;
    const char *field;
    json_t *unused;

    json_array_foreach (es_obj_at(existing, "metadata", "managedFields"), i, entry)
        if (es_streq(es_obj_str(entry, "manager"), manager))
            json_object_foreach (es_obj_at(entry, "fieldsV1"), field, unused)
                if (es_str_starts(field, "f:") && es_streq(field + 2, member))
                    return true;
    return false;
}

/* ---- comparing ---- */

static bool is_nothing(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_object(v) && !json_object_size(v)) ||
           (json_is_array(v) && !json_array_size(v));
}

bool es_tree_same(const json_t *a, const json_t *b)
{
    bool no_a = is_nothing(a), no_b = is_nothing(b);
    return no_a || no_b ? no_a == no_b : json_equal((json_t *)a, (json_t *)b);
}

static bool is_listed(const char *const *names, const char *name)
{
    while (*names && !es_streq(*names, name))
        names++;
    return *names;
}

static bool is_part_of(const json_t *a, const json_t *b, const char *const *except)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)a, name, value)
        if (!is_listed(except, name) && !es_tree_same(value, json_object_get(b, name)))
            return false;
    return true;
}

bool es_tree_same_members(const json_t *a, const json_t *b, const char *const *except)
{
    return is_part_of(a, b, except) && is_part_of(b, a, except);
}
