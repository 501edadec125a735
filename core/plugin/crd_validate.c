#include "core/plugin/crd_validate.h"

#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/plugin/crd_check.h"
#include "core/plugin/crd_own.h"

static const json_t *schema_of(const struct es_crds *crds, const json_t *object, struct es_error *err)
{
    const char *api_version = json_string_value(json_object_get(object, "apiVersion"));
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const json_t *schema = es_crds_schema(crds, api_version, kind);

    if (!schema)
        es_error_set(err, ES_E_NOT_FOUND, "there is no kind \"%.80s\" in \"%.80s\"", kind ? kind : "",
                     api_version ? api_version : "");
    return schema;
}

/* ---- checks */

static bool is_given(const char *key)
{
    return strcmp(key, "apiVersion") == 0 || strcmp(key, "kind") == 0;
}

/* The outermost object is an API object: its metadata has a schema that no
 * definition spells out. */
static void check_object(struct es_crd_walk *w, const struct es_crds *crds, const json_t *schema,
                         const json_t *object)
{
    const json_t *fields = json_object_get(schema, "properties");
    const char *key;
    json_t *value;

    if (!json_object_get(object, "metadata"))
        es_crd_walk_member(w, crds->meta, object, "metadata");
    json_object_foreach ((json_t *)object, key, value) {
        if (is_given(key))
            continue;
        bool meta = strcmp(key, "metadata") == 0;
        const json_t *field = meta ? crds->meta : json_object_get(fields, key);
        if (!json_is_null(value) || meta)
            es_crd_walk_member(w, field, object, key);
    }
}

int es_crd_check(const struct es_crds *crds, const json_t *object, es_crd_problem_fn *fn, void *ctx,
                 struct es_error *err)
{
    const json_t *schema = schema_of(crds, object, err);
    struct es_crd_walk w = {.patterns = &crds->patterns, .fn = fn, .ctx = ctx};

    if (!schema)
        return ES_E_NOT_FOUND;
    check_object(&w, crds, schema, object);
    return w.problems < INT32_MAX ? (int)w.problems : INT32_MAX;
}

/* ---- defaults */

static int put_defaults(const json_t *schema, json_t *value, unsigned depth);

static int put_default(const json_t *field, json_t *object, const char *key)
{
    const json_t *have = json_object_get(object, key);
    const json_t *value = json_object_get(field, "default");

    if (json_is_null(have) && !json_is_true(json_object_get(field, "nullable"))) {
        json_object_del(object, key);
        have = NULL;
    }
    if (have || !value)
        return 0;
    return json_object_set_new(object, key, json_deep_copy(value)) < 0 ? ES_E_NOMEM : 0;
}

static int put_in_object(const json_t *schema, json_t *object, unsigned depth)
{
    const json_t *fields = json_object_get(schema, "properties");
    const json_t *rest = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *item;
    int rc = 0;

    json_object_foreach ((json_t *)fields, key, item) {
        rc = put_default(item, object, key);
        if (rc == 0)
            rc = put_defaults(item, json_object_get(object, key), depth + 1);
        if (rc < 0)
            return rc;
    }
    if (json_is_object(rest))
        json_object_foreach (object, key, item) {
            rc = put_defaults(rest, item, depth + 1);
            if (rc < 0)
                return rc;
        }
    return 0;
}

static int put_defaults(const json_t *schema, json_t *value, unsigned depth)
{
    size_t i;
    json_t *item;

    if (depth > 2 * ES_CRD_MAX_DEPTH)
        return 0;
    if (json_is_object(value))
        return put_in_object(schema, value, depth);
    json_array_foreach (value, i, item) {
        int rc = put_defaults(json_object_get(schema, "items"), item, depth + 1);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int es_crd_default(const struct es_crds *crds, json_t *object, struct es_error *err)
{
    const json_t *schema = schema_of(crds, object, err);

    if (!schema)
        return ES_E_NOT_FOUND;
    return put_defaults(schema, object, 0) < 0 ? es_error_nomem(err) : 0;
}

/* ---- both */

static void add_line(void *ctx, const struct es_crd_problem *p)
{
    struct es_buf *lines = ctx;
    es_buf_addf(lines, "%s%s: %s", lines->len ? "\n" : "", p->path, p->text);
}

int es_crd_validate(const struct es_crds *crds, json_t *object, struct es_error *err)
{
    struct es_buf lines;

    es_buf_init(&lines, (size_t)256 * 1024);
    int rc = es_crd_check(crds, object, add_line, &lines, err);
    if (rc > 0)
        rc = es_error_set(err, ES_E_INVALID, "%s", es_buf_str(&lines));
    else if (rc == 0)
        rc = es_crd_default(crds, object, err);
    es_buf_fini(&lines);
    return rc;
}
