#include "core/controller/template_source.h"

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"

const struct es_template_source es_template_config_map = {
    &es_kind_config_map, "configMap", "error in configmap", "failed to merge configmap template: "};
const struct es_template_source es_template_secret = {&es_kind_secret, "secret", "error in secret",
                                                      "failed to merge secret template: "};

int es_template_read_source(struct es_env *env, const struct es_template_source *from, const char *ns,
                            const char *name, struct es_template_seen *seen, json_t **ret,
                            struct es_error *err)
{
    bool own = seen && from == &es_template_secret && es_streq(name, seen->made);
    int rc = es_cluster_get(env->cluster, from->kind, ns, name, ret, err);

    if (seen && !own && rc == 0)
        es_stamp_add(&seen->stamp, *ret);
    else if (seen && !own && rc == ES_E_NOT_FOUND)
        es_stamp_add_missing(&seen->stamp);
    return rc;
}

static int look_at(struct es_env *env, const char *ns, const struct es_template_source *from,
                   const json_t *entry, struct es_template_seen *seen, struct es_error *err)
{
    const json_t *ref = json_object_get(entry, from->member);
    json_t *object = NULL;

    if (!ref)
        return 0;
    int rc = es_template_read_source(env, from, ns, es_obj_str(ref, "name"), seen, &object, err);
    json_decref(object);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

int es_template_look(struct es_env *env, const char *ns, const json_t *template,
                     struct es_template_seen *seen, struct es_error *err)
{
    json_t *entry;
    size_t i;

    json_array_foreach (es_obj_at(template, "templateFrom"), i, entry) {
        int rc = look_at(env, ns, &es_template_config_map, entry, seen, err);
        if (rc == 0)
            rc = look_at(env, ns, &es_template_secret, entry, seen, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int es_template_check_engine(const json_t *template, struct es_error *err)
{
    const char *version = es_obj_str(template, "engineVersion");

    if (!*version || es_streq(version, "v2"))
        return 0;
    return es_error_set(err, ES_E_CONFIG, "unsupported template engine version: %s", version);
}

int es_template_read_item(const struct es_template_source *from, const json_t *object, const char *key,
                          json_t **ret, struct es_error *err)
{
    json_t *value = json_object_get(json_object_get(object, "data"), key);
    struct es_blob blob = {0};

    if (!json_is_string(value))
        return es_error_set(err, ES_E_CONFIG, "%s %s: missing key %s", from->missing, es_obj_name(object),
                            key);
    if (from->kind == &es_kind_config_map) {
        *ret = json_incref(value);
        return 0;
    }
    int rc =
        es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value), NULL);
    *ret = rc == 0 ? json_stringn(blob.ptr ? (const char *)blob.ptr : "", blob.len) : NULL;
    es_blob_fini(&blob);
    return *ret ? 0
                : es_error_set(err, ES_E_CONFIG, "%s %s: key %s is no text", from->missing,
                               es_obj_name(object), key);
}
