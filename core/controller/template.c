#include "core/controller/template.h"

#include <string.h>

#include "core/base/text.h"
#include "core/kube/obj.h"

void es_template_fini(struct es_rendered_template *t)
{
    es_values_fini(&t->data);
    json_decref(t->labels);
    json_decref(t->annotations);
    *t = (struct es_rendered_template){0};
}

/* The fetched values as the data object that templates see. */
static json_t *template_data(const struct es_values *values)
{
    json_t *data = json_object();
    for (size_t i = 0; data && i < values->count; i++) {
        const struct es_value *v = &values->items[i];
        json_t *text = json_stringn_nocheck(
            (const char *)(v->blob.ptr ? v->blob.ptr : (const unsigned char *)""), v->blob.len);
        if (!text || json_object_set_new(data, v->key, text) < 0) {
            json_decref(data);
            return NULL;
        }
    }
    return data;
}

int es_template_text(struct es_env *env, const char *what, const char *key, const json_t *text,
                     const struct es_values *values, struct es_blob *ret, struct es_error *err)
{
    const struct es_services *services = es_registry_services(env->registry);
    const char *source = json_is_string(text) ? json_string_value(text) : "";
    size_t len = json_is_string(text) ? json_string_length(text) : 0;

    if (!memmem(source, len, "{{", 2))
        return es_blob_set(ret, source, len) < 0 ? es_error_nomem(err) : 0;
    if (!services->render)
        return es_error_set(
            err, ES_E_UNSUPPORTED,
            "could not execute template: %s.%s has template actions, and this build of esod renders none",
            what, key);
    json_t *data = template_data(values);
    if (!data)
        return es_error_nomem(err);
    int rc = services->render(services->ctx, source, len, data, ret, err);
    json_decref(data);
    return rc < 0 ? es_error_wrap(err, "could not execute template: ") : 0;
}

static int render_strings(struct es_env *env, const char *what, const json_t *source,
                          const struct es_values *values, json_t **ret, struct es_error *err)
{
    const char *key;
    json_t *text;

    if (!source)
        return 0;
    *ret = json_object();
    if (!*ret)
        return es_error_nomem(err);
    json_object_foreach ((json_t *)(uintptr_t)source, key, text) {
        struct es_blob out = {0};
        int rc = es_template_text(env, what, key, text, values, &out, err);
        json_t *value = rc == 0 ? json_stringn(out.ptr ? (const char *)out.ptr : "", out.len) : NULL;
        es_blob_fini(&out);
        if (rc < 0)
            return rc;
        if (!value)
            return es_error_set(err, ES_E_CONFIG, "%s.%s is not UTF-8 once rendered", what, key);
        if (json_object_set_new(*ret, key, value) < 0)
            return es_error_nomem(err);
    }
    return 0;
}

static int render_data(struct es_env *env, const json_t *source, const struct es_values *values,
                       struct es_values *ret, struct es_error *err)
{
    const char *key;
    json_t *text;

    json_object_foreach ((json_t *)(uintptr_t)source, key, text) {
        struct es_blob out = {0};
        int rc = es_template_text(env, "target.template.data", key, text, values, &out, err);
        if (rc == 0 && es_values_move(ret, key, &out) < 0)
            rc = es_error_nomem(err);
        es_blob_fini(&out);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int es_template_render(struct es_env *env, const json_t *es, const struct es_values *values,
                       struct es_rendered_template *ret, bool *ret_has, struct es_error *err)
{
    const json_t *t = es_obj_at(es, "spec", "target", "template");
    const json_t *data = es_obj_at(t, "data"), *from = es_obj_at(t, "templateFrom");
    struct es_rendered_template out = {0};
    int rc;

    *ret_has = t != NULL;
    if (!t)
        return 0;
    rc = es_target_check_template(es, err);
    if (rc == 0 && json_array_size(from))
        rc = es_error_set(
            err, ES_E_UNSUPPORTED,
            "error fetching templateFrom data: target.template.templateFrom needs the template language, "
            "which this build of esod does not have");
    out.includes_values = es_streq(es_obj_str(t, "mergePolicy"), "Merge") ||
                          (!json_object_size(data) && !json_array_size(from));
    if (rc == 0)
        rc = render_data(env, data, values, &out.data, err);
    if (rc == 0)
        rc = render_strings(env, "target.template.metadata.labels", es_obj_at(t, "metadata", "labels"),
                            values, &out.labels, err);
    if (rc == 0)
        rc = render_strings(env, "target.template.metadata.annotations",
                            es_obj_at(t, "metadata", "annotations"), values, &out.annotations, err);
    if (rc < 0) {
        es_template_fini(&out);
        return es_error_wrap(err, "could not apply template: ");
    }
    *ret = out;
    return 0;
}
