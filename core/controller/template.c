#include "core/controller/template_source.h"

#include <string.h>

#include "core/base/hide.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/template/cache.h"

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

static int read_and_run(const char *key, const char *source, size_t len, const json_t *data,
                        const struct es_template_opts *opts, struct es_blob *ret, struct es_error *err)
{
    struct es_template *t = NULL;
    int rc = es_template_get(&t, key, source, len, opts, err);

    if (rc < 0)
        return es_error_wrap(err, "unable to parse template at key %s: ", key);
    rc = es_template_execute(t, key, data, opts, ret, err);
    es_template_free(t);
    return rc < 0 ? es_error_wrap(err, "unable to execute template at key %s: ", key) : 0;
}

/* A template may say in its own words what is wrong, and quote a value. */
static void hide_values(struct es_error *err, const struct es_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        es_hide_in_error(err, values->items[i].blob.ptr, values->items[i].blob.len);
}

int es_template_text(struct es_env *env, const char *key, const json_t *text, const struct es_values *values,
                     struct es_blob *ret, struct es_error *err)
{
    const struct es_template_opts opts = {.left = env->settings.template_left,
                                          .right = env->settings.template_right,
                                          .missing_key_fails = true,
                                          .clock = env->clock};
    const char *source = json_is_string(text) ? json_string_value(text) : "";
    const char *left = es_template_delimiter(&opts, true);
    size_t len = json_is_string(text) ? json_string_length(text) : 0;

    if (!memmem(source, len, left, strlen(left)))
        return es_blob_set(ret, source, len) < 0 ? es_error_nomem(err) : 0;
    json_t *data = template_data(values);
    if (!data)
        return es_error_nomem(err);
    int rc = read_and_run(key, source, len, data, &opts, ret, err);
    json_decref(data);
    if (rc < 0)
        hide_values(err, values);
    return rc < 0 ? es_error_wrap(err, "could not execute template: ") : 0;
}

static int render_strings(struct es_env *env, const char *what, const json_t *source,
                          const struct es_values *values, json_t **ret, struct es_error *err)
{
    const char *key;
    json_t *text;

    if (!source)
        return 0;
    if (!*ret)
        *ret = json_object(); /* else templateFrom gave some, which these overwrite */
    if (!*ret)
        return es_error_nomem(err);
    json_object_foreach ((json_t *)(uintptr_t)source, key, text) {
        struct es_blob out = {0};
        int rc = es_template_text(env, key, text, values, &out, err);
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
        int rc = es_template_text(env, key, text, values, &out, err);
        if (rc == 0 && es_values_move(ret, key, &out) < 0)
            rc = es_error_nomem(err);
        es_blob_fini(&out);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int es_template_render(struct es_env *env, const json_t *es, const struct es_values *values,
                       struct es_template_seen *seen, struct es_rendered_template *ret, bool *ret_has,
                       struct es_error *err)
{
    const json_t *t = es_obj_at(es, "spec", "target", "template");
    const json_t *data = es_obj_at(t, "data"), *from = es_obj_at(t, "templateFrom");
    struct es_rendered_template out = {0};
    int rc;

    *ret_has = t != NULL;
    if (!t)
        return 0;
    rc = es_target_check_template(es, err);
    out.includes_values = es_streq(es_obj_str(t, "mergePolicy"), "Merge") ||
                          (!json_object_size(data) && !json_array_size(from));
    if (rc == 0)
        rc = es_template_check_engine(t, err);
    if (rc == 0)
        rc = es_template_add_from(env, es_obj_namespace(es), from, values, seen, &out, err);
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
