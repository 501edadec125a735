#include "core/controller/offline.h"

#include "core/base/codec.h"
#include "core/base/text.h"
#include "core/controller/pushsecret_own.h"
#include "core/controller/template.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"
#include "core/secret/target.h"

#define DATA_MAX ((size_t)16 << 20)

/* ---- ExternalSecrets ---- */

/* One that may create its target. */
static json_t *creating(const json_t *es)
{
    json_t *copy = json_deep_copy(es);

    if (copy && es_obj_set(copy, json_string("Owner"), "spec", "target", "creationPolicy") == 0)
        return copy;
    json_decref(copy);
    return NULL;
}

static int render_secret(struct es_env *env, const json_t *es, const struct es_values *values, json_t **ret,
                         struct es_error *err)
{
    struct es_rendered_template rendered = {0};
    struct es_target_change change = {0};
    enum es_target_fault fault;
    bool has = false;
    int rc = es_template_render(env, es, values, NULL, &rendered, &has, err);

    if (rc == 0)
        rc = es_target_shape(&change, es, NULL, values, has ? &rendered : NULL, &fault, err);
    es_template_fini(&rendered);
    if (rc == 0)
        *ret = change.object;
    return rc;
}

/* Of a kind that nobody has to have installed. */
static int render_manifest(struct es_env *env, const json_t *es, const json_t *manifest,
                           const struct es_values *values, json_t **ret, struct es_error *err)
{
    char group[ES_API_NAME_MAX], version[ES_API_NAME_MAX];
    const struct es_kind kind = {.group = group,
                                 .version = version,
                                 .plural = "",
                                 .kind = es_obj_str(manifest, "kind"),
                                 .namespaced = true};
    struct es_manifest_change change = {0};
    enum es_target_fault fault;
    json_t *steps = NULL;

    if (!*kind.kind || !es_kind_split(es_obj_str(manifest, "apiVersion"), group, version))
        return es_error_set(err, ES_E_CONFIG, "target.manifest names no apiVersion and kind");
    int rc = es_kind_same(&kind, &es_kind_secret) ? es_target_check_template(es, err) : 0;
    if (rc == 0)
        rc = es_template_steps(env, es, values, NULL, &steps, err);
    if (rc == 0)
        rc = es_manifest_shape(&change, es, &kind, NULL, values, steps, &fault, err);
    json_decref(steps);
    if (rc == 0)
        *ret = change.object;
    return rc;
}

static int render_external_secret(struct es_env *env, const json_t *given, const struct es_values *values,
                                  json_t **ret, struct es_error *err)
{
    json_t *es = creating(given);
    const json_t *manifest = es_obj_at(es, "spec", "target", "manifest");
    int rc = !es        ? es_error_nomem(err)
             : manifest ? render_manifest(env, es, manifest, values, ret, err)
                        : render_secret(env, es, values, ret, err);

    json_decref(es);
    return rc;
}

/* ---- PushSecrets ---- */

static json_t *encoded(const struct es_values *values)
{
    json_t *data = json_object();
    struct es_buf text;
    int failed = data ? 0 : -1;

    es_buf_init(&text, DATA_MAX);
    for (size_t i = 0; i < values->count && !failed; i++) {
        es_buf_reset(&text);
        es_base64_encode(&text, values->items[i].blob.ptr, values->items[i].blob.len);
        failed = es_buf_failed(&text) ||
                 json_object_set_new(data, values->items[i].key, json_stringn(es_buf_str(&text), text.len));
    }
    es_buf_fini(&text);
    if (!failed)
        return data;
    json_decref(data);
    return NULL;
}

static json_t *secret_of(const json_t *from, const char *type, const struct es_values *values)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:o}", "apiVersion", "v1", "kind", "Secret", "metadata",
                     "name", es_obj_name(from), "namespace", es_obj_namespace(from), "type", type, "data",
                     encoded(values));
}

static int render_push_secret(struct es_env *env, const json_t *ps, const struct es_values *values,
                              json_t **ret, struct es_error *err)
{
    struct es_push_pass p = {
        .env = env, .ns = es_obj_namespace(ps), .name = es_obj_name(ps), .ps = (json_t *)(uintptr_t)ps};
    json_t *source = secret_of(ps, "Opaque", values), *made = NULL;
    struct es_push_source pushed = {0};
    int rc = source ? es_push_source_make(&p, source, &pushed, err) : es_error_nomem(err);

    if (rc == 0)
        made = secret_of(ps, *pushed.type ? pushed.type : "Opaque", &pushed.values);
    if (rc == 0 && (!made || es_obj_set(made, json_incref(pushed.labels), "metadata", "labels") < 0 ||
                    es_obj_set(made, json_incref(pushed.annotations), "metadata", "annotations") < 0))
        rc = es_error_nomem(err);
    if (rc == 0)
        *ret = json_incref(made);
    es_push_source_fini(&pushed);
    json_decref(source);
    json_decref(made);
    return rc;
}

/* ---- both ---- */

static void drop_if_empty(json_t *meta, const char *member)
{
    if (!json_object_size(json_object_get(meta, member)))
        json_object_del(meta, member);
}

static void drop_marks(json_t *object)
{
    json_t *meta = es_obj_at(object, "metadata");

    es_obj_unset(object, "metadata", "labels", ES_LABEL_MANAGED);
    es_obj_unset(object, "metadata", "labels", ES_LABEL_CREATED_BY);
    es_obj_unset(object, "metadata", "annotations", ES_ANNOTATION_DATA_HASH);
    es_obj_unset(object, "metadata", "ownerReferences");
    drop_if_empty(meta, "labels");
    drop_if_empty(meta, "annotations");
}

int es_offline_render(struct es_env *env, const json_t *object, const struct es_values *values, json_t **ret,
                      struct es_error *err)
{
    const char *kind = es_obj_str(object, "kind");
    int rc;

    if (es_streq(kind, es_kind_external_secret.kind))
        rc = render_external_secret(env, object, values, ret, err);
    else if (es_streq(kind, es_kind_push_secret.kind))
        rc = render_push_secret(env, object, values, ret, err);
    else
        return es_error_set(err, ES_E_UNSUPPORTED, "unsupported template kind %s", kind);
    if (rc == 0)
        drop_marks(*ret);
    return rc;
}
