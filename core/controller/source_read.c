#include "core/controller/source_read.h"

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/controller/sources.h"
#include "core/kube/obj.h"

static int take_secret(const json_t *secret, const char *key, struct es_blob *ret, struct es_error *err)
{
    const json_t *value = es_obj_at(secret, "data", key);

    if (!json_is_string(value))
        return es_error_set(err, ES_E_NOT_FOUND, "cannot find secret data for key: \"%s\"", key);
    if (es_base64_decode(ret, ES_BASE64_STD, json_string_value(value), json_string_length(value), NULL) < 0)
        return es_error_set(err, ES_E_INTERNAL, "the Secret %s/%s holds no base64 at key %s",
                            es_obj_namespace(secret), es_obj_name(secret), key);
    return 0;
}

static int take_config_map(const json_t *map, const char *key, struct es_blob *ret, struct es_error *err)
{
    const json_t *value = es_obj_at(map, "data", key);

    if (!json_is_string(value))
        return es_error_set(err, ES_E_NOT_FOUND, "the ConfigMap %s/%s has no key \"%s\"",
                            es_obj_namespace(map), es_obj_name(map), key);
    return es_blob_set(ret, json_string_value(value), json_string_length(value)) < 0 ? es_error_nomem(err)
                                                                                     : 0;
}

static int take_whole(const json_t *object, const char *key, struct es_blob *ret, struct es_error *err)
{
    size_t len = 0;
    char *text = es_json_text(object, &len);
    int rc = text && es_blob_set(ret, text, len) == 0 ? 0 : es_error_nomem(err);

    (void)key;
    es_mem_free(text);
    return rc;
}

/* A member of the object, or {} when it has none: readers need not ask. */
static json_t *part_of(const json_t *object, const char *name)
{
    json_t *part = json_object_get(object, name);
    return json_is_object(part) ? json_incref(part) : json_object();
}

/* What ESP_KUBE_SECRET_OBJECT promises, and nothing more: who wrote the Secret, and
 * when, is no business of a plugin's. */
static int take_secret_object(const json_t *secret, const char *key, struct es_blob *ret,
                              struct es_error *err)
{
    const json_t *meta = json_object_get(secret, "metadata");
    json_t *object = json_pack("{s:{s:s,s:s,s:o,s:o},s:s,s:o}", "metadata", "name", es_obj_name(secret),
                               "namespace", es_obj_namespace(secret), "labels", part_of(meta, "labels"),
                               "annotations", part_of(meta, "annotations"), "type",
                               es_obj_str(secret, "type"), "data", part_of(secret, "data"));
    int rc = object ? take_whole(object, key, ret, err) : es_error_nomem(err);

    json_decref(object);
    return rc;
}

static const struct {
    const struct es_kind *kind;
    const char *called; /* in the texts, which are the reference's */
    int (*take)(const json_t *object, const char *key, struct es_blob *ret, struct es_error *err);
} readable[] = {
    [ES_READ_SECRET] = {&es_kind_secret, "Kubernetes secret", take_secret},
    [ES_READ_CONFIG_MAP] = {&es_kind_config_map, "ConfigMap", take_config_map},
    [ES_READ_SERVICE_ACCOUNT] = {&es_kind_service_account, "ServiceAccount", take_whole},
    [ES_READ_SECRET_OBJECT] = {&es_kind_secret, "Kubernetes secret", take_secret_object},
};

/* A store that is closed at the very end finds no cluster any more. */
static int no_cluster(struct es_error *err)
{
    return es_error_set(err, ES_E_CANCELLED, "the cluster is not served any more");
}

int es_source_read(struct es_env *env, struct es_reader *reader, enum es_kube_read what, const char *ns,
                   const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    json_t *object = NULL;

    if (!env->cluster)
        return no_cluster(err);
    if ((size_t)what >= sizeof readable / sizeof *readable)
        return es_error_set(err, ES_E_UNSUPPORTED, "this kind of object cannot be read");
    /* What is watched is the Secret, in whichever form it was read. */
    const enum es_kube_read source = what == ES_READ_SECRET_OBJECT ? ES_READ_SECRET : what;
    uint64_t reading = reader ? es_sources_reading(env, reader, source, ns, name) : 0;
    int rc = es_cluster_get(env->cluster, readable[what].kind, ns, name, &object, err);
    if (reader)
        es_sources_read(env, reader, source, ns, name,
                        rc == 0                ? es_obj_str(object, "metadata", "resourceVersion")
                        : rc == ES_E_NOT_FOUND ? ""
                                               : NULL,
                        reading);
    if (rc < 0)
        return es_error_wrap(err, "cannot get %s \"%s\" from namespace \"%s\": ", readable[what].called, name,
                             ns);
    rc = readable[what].take(object, key, ret, err);
    json_decref(object);
    return rc;
}

int es_source_token(struct es_env *env, struct es_reader *reader, const char *ns, const char *name,
                    const char *const *audiences, size_t count, int64_t ttl_s, struct es_blob *ret,
                    struct es_error *err)
{
    if (!env->cluster)
        return no_cluster(err);
    int rc = es_cluster_sa_token(env->cluster, ns, name, audiences, count, ttl_s, ret, err);
    if (rc == ES_E_NOT_FOUND && reader) {
        /* Once more, now that its coming would be noticed. */
        uint64_t reading = es_sources_reading(env, reader, ES_READ_SERVICE_ACCOUNT, ns, name);
        rc = es_cluster_sa_token(env->cluster, ns, name, audiences, count, ttl_s, ret, err);
        es_sources_read(env, reader, ES_READ_SERVICE_ACCOUNT, ns, name, rc == ES_E_NOT_FOUND ? "" : NULL,
                        reading);
    }
    return rc < 0 ? es_error_wrap(
                        err,
                        "cannot request Kubernetes service account token for service account \"%s\": ", name)
                  : 0;
}
