#include "core/controller/template_source.h"

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"

const struct es_template_source es_template_config_map = {
    &es_kind_config_map, "configMap", "error in configmap", "failed to merge configmap template: "};
const struct es_template_source es_template_secret = {&es_kind_secret, "secret", "error in secret",
                                                      "failed to merge secret template: "};

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
