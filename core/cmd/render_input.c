#include "core/cmd/render_input.h"

#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cmd/secret_view.h"
#include "core/kube/kind.h"
#include "core/kube/kubeconfig.h"
#include "core/kube/obj.h"

int es_render_read_file(struct es_blob *ret, const char *path, struct es_error *err)
{
    return es_kube_read_file(ret, es_streq(path, "-") ? "/dev/stdin" : path, err);
}

static int load(struct es_yaml *ret, const char *path, struct es_error *err)
{
    struct es_blob text = {0};
    int rc = es_render_read_file(&text, path, err);

    if (rc == 0)
        rc = es_yaml_parse(ret, path, text.ptr ? (const char *)text.ptr : "", text.len, err);
    es_blob_fini(&text);
    return rc;
}

/* ---- values ---- */

static int add_base64(struct es_values *into, const char *key, const json_t *value, const char *path,
                      int line, struct es_error *err)
{
    struct es_blob blob = {0};
    size_t bad = 0;
    int rc =
        es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value), &bad);

    if (rc == 0)
        rc = es_values_move(into, key, &blob);
    es_blob_fini(&blob);
    if (rc == ES_E_INVALID)
        return es_error_set(err, ES_E_CONFIG, "%s:%d: the value of %s is no base64 at byte %zu", path, line,
                            key, bad);
    return rc < 0 ? es_error_nomem(err) : 0;
}

static int add_map(struct es_values *into, const struct es_yaml_doc *doc, const json_t *map, const char *path,
                   bool base64, struct es_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)map, key, value) {
        int line = es_yaml_line_of_key(doc, map, key);
        if (!json_is_string(value))
            return es_error_set(err, ES_E_CONFIG,
                                "%s:%d: the value of %s is no text, and templates see texts only: quote it",
                                path, line, key);
        if (base64) {
            int rc = add_base64(into, key, value, path, line, err);
            if (rc < 0)
                return rc;
        } else if (es_values_set(into, key, json_string_value(value), json_string_length(value)) < 0) {
            return es_error_nomem(err);
        }
    }
    return 0;
}

static int add_document(struct es_values *into, const struct es_yaml_doc *doc, const char *path, bool base64,
                        struct es_error *err)
{
    const json_t *root = doc->root;

    if (!json_is_object(root))
        return es_error_set(err, ES_E_CONFIG, "%s:%d: values are a map of keys to texts, or a Secret", path,
                            doc->line);
    if (!es_streq(es_obj_str(root, "kind"), "Secret") || !es_streq(es_obj_str(root, "apiVersion"), "v1"))
        return add_map(into, doc, root, path, base64, err);
    int rc = add_map(into, doc, json_object_get(root, "data"), path, true, err);
    return rc < 0 ? rc : add_map(into, doc, json_object_get(root, "stringData"), path, false, err);
}

int es_render_read_values(struct es_values *into, const char *path, bool base64, struct es_error *err)
{
    struct es_yaml yaml = {0};
    int rc = load(&yaml, path, err);

    for (size_t i = 0; rc == 0 && i < yaml.count; i++)
        rc = add_document(into, &yaml.docs[i], path, base64, err);
    es_yaml_fini(&yaml);
    return rc;
}

int es_render_read_pair(struct es_values *into, const char *pair, bool file, struct es_error *err)
{
    const char *equals = strchr(pair, '='), *flag = file ? "--set-file" : "--set";
    struct es_blob value = {0};

    if (!equals || equals == pair)
        return es_error_set(err, ES_E_CONFIG, "render: %s takes KEY=%s", flag, file ? "FILE" : "VALUE");
    char *key = es_strf("%.*s", (int)(equals - pair), pair);
    int rc = !key   ? es_error_nomem(err)
             : file ? es_render_read_file(&value, equals + 1, err)
             : es_blob_set(&value, equals + 1, strlen(equals + 1)) < 0 ? es_error_nomem(err)
                                                                       : 0;
    if (rc == 0 && es_values_move(into, key, &value) < 0)
        rc = es_error_nomem(err);
    es_blob_fini(&value);
    es_mem_free(key);
    return rc;
}

/* ---- ConfigMaps and Secrets ---- */

static bool is_source(const json_t *object)
{
    const struct es_kind *kind = es_kind_find(es_obj_str(object, "apiVersion"), es_obj_str(object, "kind"));
    return kind == &es_kind_config_map || kind == &es_kind_secret;
}

static int add_object(json_t *objects, const struct es_yaml_doc *doc, const char *path, struct es_error *err)
{
    if (!*es_obj_name(doc->root))
        return es_error_set(err, ES_E_CONFIG, "%s:%d: metadata.name is missing", path, doc->line);
    if (es_view_encode(doc->root) < 0 || json_array_append(objects, doc->root) < 0)
        return es_error_nomem(err);
    return 0;
}

int es_render_add_objects(json_t *objects, const struct es_yaml *yaml, const char *path, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < yaml->count; i++)
        if (is_source(yaml->docs[i].root))
            rc = add_object(objects, &yaml->docs[i], path, err);
    return rc;
}

int es_render_read_objects(json_t *objects, const char *path, struct es_error *err)
{
    struct es_yaml yaml = {0};
    int rc = load(&yaml, path, err);

    for (size_t i = 0; rc == 0 && i < yaml.count; i++)
        if (!is_source(yaml.docs[i].root))
            rc = es_error_set(err, ES_E_CONFIG, "%s:%d: templateFrom reads ConfigMaps and Secrets only", path,
                              yaml.docs[i].line);
    if (rc == 0)
        rc = es_render_add_objects(objects, &yaml, path, err);
    es_yaml_fini(&yaml);
    return rc;
}
