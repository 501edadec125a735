/* target.template.templateFrom where the target is a Secret (spec: externalsecret, 7.3). */
#include "core/base/text.h"
#include "core/controller/template_source.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"

/* One entry, and where its pairs go. */
struct entry {
    struct es_env *env;
    const char *ns;
    const struct es_values *values;
    struct es_template_seen *seen;
    struct es_rendered_template *into;
    const char *target, *decoding;
    struct es_error *err;
};

static int put_text(json_t **map, const char *key, const struct es_blob *value, struct es_error *err)
{
    if (!*map)
        *map = json_object();
    json_t *text = json_stringn(value->ptr ? (const char *)value->ptr : "", value->len);
    if (!text)
        return es_error_set(err, ES_E_CONFIG, "the value of %s is not UTF-8 once rendered", key);
    return json_object_set_new(*map, key, text) < 0 ? es_error_nomem(err) : 0;
}

/* The admission of templates has seen to it that the target is one of the three. */
static int put_pair(void *ctx, const char *key, struct es_blob *value, struct es_error *err)
{
    struct entry *e = ctx;

    if (es_strieq(e->target, "Labels"))
        return put_text(&e->into->labels, key, value, err);
    if (es_strieq(e->target, "Annotations"))
        return put_text(&e->into->annotations, key, value, err);
    return es_values_move(&e->into->data, key, value) < 0 ? es_error_nomem(err) : 0;
}

static int add_value(struct entry *e, const char *key, struct es_blob *out)
{
    if (es_blob_decode(out, e->decoding, e->err) < 0)
        return es_error_wrap(e->err, "failed to decode rendered template value for key %s: ", key);
    return put_pair(e, key, out, e->err);
}

static int add_item(struct entry *e, const struct es_template_source *from, const json_t *object,
                    const json_t *item)
{
    const char *key = es_obj_str(item, "key"), *as = es_obj_str(item, "templateAs");
    struct es_blob out = {0};
    json_t *text = NULL;
    int rc = es_template_read_item(from, object, key, &text, e->err);

    if (rc == 0)
        rc = es_template_text(e->env, key, text, e->values, &out, e->err);
    if (rc == 0 && es_streq(as, "KeysAndValues"))
        rc = es_manifest_pairs(key, &out, e->decoding, put_pair, e, e->err);
    else if (rc == 0 && *as && !es_streq(as, "Values"))
        rc =
            es_error_set(e->err, ES_E_CONFIG, "unknown scope '%s': expected 'Values' or 'KeysAndValues'", as);
    else if (rc == 0)
        rc = add_value(e, key, &out);
    es_blob_fini(&out);
    json_decref(text);
    return rc;
}

static int add_source(struct entry *e, const struct es_template_source *from, const json_t *template_from)
{
    const json_t *ref = json_object_get(template_from, from->member), *item;
    json_t *object = NULL;
    size_t i;

    if (!ref)
        return 0;
    int rc = es_template_read_source(e->env, from, e->ns, es_obj_str(ref, "name"), e->seen, &object, e->err);
    if (rc == 0)
        json_array_foreach (json_object_get(ref, "items"), i, item) {
            rc = add_item(e, from, object, item);
            if (rc < 0)
                break;
        }
    json_decref(object);
    return rc;
}

static int add_literal(struct entry *e, const json_t *template_from)
{
    const json_t *literal = json_object_get(template_from, "literal");
    struct es_blob out = {0};

    if (!literal)
        return 0;
    int rc = es_template_text(e->env, "literal", literal, e->values, &out, e->err);
    if (rc == 0)
        rc = es_manifest_pairs("literal", &out, e->decoding, put_pair, e, e->err);
    es_blob_fini(&out);
    return rc;
}

int es_template_add_from(struct es_env *env, const char *ns, const json_t *template_from,
                         const struct es_values *values, struct es_template_seen *seen,
                         struct es_rendered_template *into, struct es_error *err)
{
    struct entry e = {.env = env, .ns = ns, .values = values, .seen = seen, .into = into, .err = err};
    const json_t *one;
    size_t i;

    json_array_foreach (template_from, i, one) {
        e.target = es_obj_str(one, "target");
        e.decoding = es_obj_str(one, "valuesDecodingStrategy");
        int rc = add_source(&e, &es_template_config_map, one);
        if (rc == 0)
            rc = add_source(&e, &es_template_secret, one);
        if (rc == 0)
            rc = add_literal(&e, one);
        if (rc < 0)
            return es_error_wrap(err, "error fetching templateFrom data: ");
    }
    return 0;
}
