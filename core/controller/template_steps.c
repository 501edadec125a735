/* target.template where the target is of any kind (spec: externalsecret, section 9).
 *
 * What ConfigMaps and Secrets give is collected first, as pairs, and then goes to
 * the target's place pair by pair. */
#include <string.h>

#include "core/base/text.h"
#include "core/controller/template_source.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"

struct filling {
    struct es_env *env;
    const char *ns;
    const struct es_values *values;
    struct es_template_seen *seen;
    json_t *steps;
    struct es_error *err;
};

/* ---- ConfigMaps and Secrets ---- */

/* Adds what an item gives to `pairs`, as steps for data. */
static int collect_item(struct filling *f, const struct es_template_source *from, const json_t *object,
                        const json_t *item, const char *decoding, json_t *pairs)
{
    const char *key = es_obj_str(item, "key"), *as = es_obj_str(item, "templateAs");
    struct es_blob out = {0};
    json_t *text = NULL;
    int rc = es_template_read_item(from, object, key, &text, f->err);

    if (rc == 0)
        rc = es_template_text(f->env, key, text, f->values, &out, f->err);
    if (rc == 0 && es_streq(as, "KeysAndValues")) {
        rc = es_manifest_add_document(pairs, "", key, &out, decoding, f->err);
    } else if (rc == 0 && *as && !es_streq(as, "Values")) {
        rc =
            es_error_set(f->err, ES_E_CONFIG, "unknown scope '%s': expected 'Values' or 'KeysAndValues'", as);
    } else if (rc == 0) {
        rc = es_blob_decode(&out, decoding, f->err);
        if (rc < 0)
            es_error_wrap(f->err, "failed to decode rendered template value for key %s: ", key);
        else
            rc = es_manifest_add_value(pairs, "", key, &out, f->err);
    }
    es_blob_fini(&out);
    json_decref(text);
    return rc;
}

static int collect(struct filling *f, const struct es_template_source *from, const json_t *entry,
                   json_t *pairs)
{
    const json_t *ref = json_object_get(entry, from->member), *item;
    const char *decoding = es_obj_str(entry, "valuesDecodingStrategy");
    json_t *object = NULL;
    size_t i;

    if (!ref)
        return 0;
    int rc = es_template_read_source(f->env, from, f->ns, es_obj_str(ref, "name"), f->seen, &object, f->err);
    if (rc == 0)
        json_array_foreach (json_object_get(ref, "items"), i, item) {
            rc = collect_item(f, from, object, item, decoding, pairs);
            if (rc < 0)
                break;
        }
    json_decref(object);
    return rc < 0 ? es_error_wrap(f->err, "%s", from->failure) : 0;
}

static int put_pairs(struct filling *f, const char *target, const json_t *pairs)
{
    const json_t *pair;
    size_t i;
    int rc = 0;

    json_array_foreach (pairs, i, pair) {
        const json_t *text = json_object_get(pair, "text");
        struct es_blob blob = {0};
        if (es_blob_set(&blob, json_string_value(text), json_string_length(text)) < 0)
            rc = es_error_nomem(f->err);
        else
            rc = es_manifest_add_value(f->steps, target, es_obj_str(pair, "key"), &blob, f->err);
        es_blob_fini(&blob);
        if (rc < 0)
            return es_error_wrap(f->err, "failed to apply merged templates to path %s: ", target);
    }
    return 0;
}

static int add_sources(struct filling *f, const json_t *entry, const char *target)
{
    json_t *pairs = json_array();
    int rc = pairs ? collect(f, &es_template_config_map, entry, pairs) : es_error_nomem(f->err);

    if (rc == 0)
        rc = collect(f, &es_template_secret, entry, pairs);
    if (rc == 0)
        rc = put_pairs(f, target, pairs);
    json_decref(pairs);
    return rc;
}

/* ---- literals and data ---- */

static int add_literal(struct filling *f, const json_t *entry, const char *target)
{
    const json_t *literal = json_object_get(entry, "literal");
    struct es_blob out = {0};

    if (!literal)
        return 0;
    int rc = es_template_text(f->env, "literal", literal, f->values, &out, f->err);
    if (rc == 0)
        rc = es_manifest_add_document(f->steps, target, "target.template.templateFrom.literal", &out,
                                      es_obj_str(entry, "valuesDecodingStrategy"), f->err);
    es_blob_fini(&out);
    return rc < 0 ? es_error_wrap(f->err, "failed to execute literal template: ") : 0;
}

static int add_from(struct filling *f, const json_t *from)
{
    const json_t *entry;
    size_t i;

    json_array_foreach (from, i, entry) {
        const char *target = es_obj_str(entry, "target");
        if (!*target)
            target = "Data";
        int rc = add_literal(f, entry, target);
        if (rc == 0)
            rc = add_sources(f, entry, target);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_data(struct filling *f, const json_t *data)
{
    const char *key;
    json_t *text;

    json_object_foreach ((json_t *)(uintptr_t)data, key, text) {
        struct es_blob out = {0};
        int rc = es_template_text(f->env, key, text, f->values, &out, f->err);
        if (rc == 0)
            rc = es_manifest_add_value(f->steps, "", key, &out, f->err);
        es_blob_fini(&out);
        if (rc < 0)
            return es_error_wrap(f->err, "failed to execute template.data: ");
    }
    return 0;
}

int es_template_steps(struct es_env *env, const json_t *es, const struct es_values *values,
                      struct es_template_seen *seen, json_t **ret_steps, struct es_error *err)
{
    const json_t *template = es_obj_at(es, "spec", "target", "template");
    const json_t *data = es_obj_at(template, "data"), *from = es_obj_at(template, "templateFrom");
    struct filling f = {.env = env, .ns = es_obj_namespace(es), .values = values, .seen = seen, .err = err};
    int rc = es_template_check_engine(template, err);

    if (rc < 0 || (!json_object_size(data) && !json_array_size(from)))
        return rc;
    f.steps = json_array();
    rc = f.steps ? add_from(&f, from) : es_error_nomem(err);
    if (rc == 0)
        rc = add_data(&f, data);
    if (rc < 0) {
        json_decref(f.steps);
        return rc;
    }
    *ret_steps = f.steps;
    return 0;
}
