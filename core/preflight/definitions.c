#include "core/preflight/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/plugin/crd.h"

#define RELEASE "meta.helm.sh/release-name"
#define RELEASE_NAMESPACE "meta.helm.sh/release-namespace"

const struct es_kind es_kind_definition = {.group = "apiextensions.k8s.io",
                                           .version = "v1",
                                           .plural = "customresourcedefinitions",
                                           .kind = "CustomResourceDefinition"};

/* ---- the same? ---- */

static bool is_empty(const json_t *v)
{
    return !v || json_is_null(v) || json_is_false(v) || (json_is_object(v) && json_object_size(v) == 0) ||
           (json_is_array(v) && json_array_size(v) == 0);
}

static bool is_equal(const json_t *a, const json_t *b);

/* The API server leaves out what is empty, as Go's encoder does. */
static bool has_all_of(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)a, key, value) {
        const json_t *other = json_object_get(b, key);
        if (!(is_empty(value) && is_empty(other)) && !is_equal(value, other))
            return false;
    }
    return true;
}

/* What has a counterpart in `a` has been compared. */
static bool has_nothing_else(const json_t *b, const json_t *a)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)b, key, value)
        if (!json_object_get(a, key) && !is_empty(value))
            return false;
    return true;
}

static bool is_equal(const json_t *a, const json_t *b)
{
    json_t *item;
    size_t i;

    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    if (json_is_object(a) && json_is_object(b))
        return has_all_of(a, b) && has_nothing_else(b, a);
    if (!json_is_array(a) || !json_is_array(b))
        return json_equal(a, b);
    if (json_array_size(a) != json_array_size(b))
        return false;
    json_array_foreach (a, i, item)
        if (!is_equal(item, json_array_get(b, i)))
            return false;
    return true;
}

static const json_t *version_of(const json_t *definition, const char *name)
{
    json_t *version;
    size_t i;

    json_array_foreach (es_obj_at(definition, "spec", "versions"), i, version)
        if (es_streq(es_obj_str(version, "name"), name))
            return version;
    return NULL;
}

/* Names are given defaults, so of these only ours count. */
bool es_definition_same(const json_t *ours, const json_t *theirs)
{
    const json_t *versions = es_obj_at(ours, "spec", "versions");
    json_t *version;
    size_t i;

    if (json_array_size(versions) != json_array_size(es_obj_at(theirs, "spec", "versions")) ||
        !has_all_of(es_obj_at(ours, "spec", "names"), es_obj_at(theirs, "spec", "names")) ||
        es_streq(es_obj_str(theirs, "spec", "conversion", "strategy"), "Webhook"))
        return false;
    json_array_foreach (versions, i, version)
        if (!is_equal(version, version_of(theirs, es_obj_str(version, "name"))))
            return false;
    return true;
}

/* ---- whose? ---- */

const char *es_definition_esod(const json_t *theirs)
{
    return es_obj_str(theirs, "metadata", "annotations", ES_CRD_ANNOTATION_VERSION);
}

int es_definition_compare_versions(const char *a, const char *b)
{
    for (int part = 0; part < 3; part++) {
        char *end_a, *end_b;
        long x = strtol(a, &end_a, 10), y = strtol(b, &end_b, 10);
        if (x != y)
            return x < y ? -1 : 1;
        a = *end_a == '.' ? end_a + 1 : "";
        b = *end_b == '.' ? end_b + 1 : "";
    }
    return 0;
}

bool es_definition_release(const json_t *theirs, struct es_buf *out)
{
    const char *name = es_obj_str(theirs, "metadata", "annotations", RELEASE);

    if (!*name)
        return false;
    es_buf_addf(out, "Helm release %s in namespace %s", name,
                es_obj_str(theirs, "metadata", "annotations", RELEASE_NAMESPACE));
    return true;
}

void es_definition_describe(const json_t *theirs, struct es_buf *out)
{
    const char *esod = es_definition_esod(theirs);

    if (*esod)
        es_buf_addf(out, "of esod %s", esod);
    else if (*es_obj_str(theirs, "metadata", "labels", "external-secrets.io/component"))
        es_buf_adds(out, "of the reference operator");
    else
        es_buf_adds(out, "of somebody else");
    if (*es_obj_str(theirs, "metadata", "annotations", RELEASE)) {
        es_buf_adds(out, ", ");
        es_definition_release(theirs, out);
    }
}

/* ---- what it can ---- */

const json_t *es_definition_served(const json_t *definition, const char *version)
{
    const json_t *found = version_of(definition, version);
    return es_obj_bool(found, "served") ? found : NULL;
}

const json_t *es_definition_providers(const json_t *definition, const char *version)
{
    return es_obj_at(version_of(definition, version), "schema", "openAPIV3Schema", "properties", "spec",
                     "properties", "provider", "properties");
}

bool es_definition_established(const json_t *theirs)
{
    return es_streq(es_obj_str(es_obj_condition(theirs, "Established"), "status"), "True") &&
           !es_obj_deleting(theirs);
}
