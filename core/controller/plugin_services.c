#include "core/controller/plugin_services.h"

#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/store_table.h"
#include "core/kube/obj.h"

static int read_secret(struct es_cluster *cluster, const char *ns, const char *name, const char *key,
                       struct es_blob *ret, struct es_error *err)
{
    json_t *secret = NULL;
    int rc = es_cluster_get(cluster, &es_kind_secret, ns, name, &secret, err);

    if (rc < 0)
        return es_error_wrap(err, "cannot get Kubernetes secret \"%s\" from namespace \"%s\": ", name, ns);
    const json_t *value = es_obj_at(secret, "data", key);
    if (!json_is_string(value))
        rc = es_error_set(err, ES_E_NOT_FOUND, "cannot find secret data for key: \"%s\"", key);
    else if (es_base64_decode(ret, ES_BASE64_STD, json_string_value(value), json_string_length(value), NULL) <
             0)
        rc = es_error_set(err, ES_E_INTERNAL, "the Secret %s/%s holds no base64 at key %s", ns, name, key);
    json_decref(secret);
    return rc;
}

static int read_config_map(struct es_cluster *cluster, const char *ns, const char *name, const char *key,
                           struct es_blob *ret, struct es_error *err)
{
    json_t *map = NULL;
    int rc = es_cluster_get(cluster, &es_kind_config_map, ns, name, &map, err);

    if (rc < 0)
        return es_error_wrap(err, "cannot get ConfigMap \"%s\" from namespace \"%s\": ", name, ns);
    const json_t *value = es_obj_at(map, "data", key);
    if (!json_is_string(value))
        rc = es_error_set(err, ES_E_NOT_FOUND, "the ConfigMap %s/%s has no key \"%s\"", ns, name, key);
    else if (es_blob_set(ret, json_string_value(value), json_string_length(value)) < 0)
        rc = es_error_nomem(err);
    json_decref(map);
    return rc;
}

static int read_service_account(struct es_cluster *cluster, const char *ns, const char *name,
                                struct es_blob *ret, struct es_error *err)
{
    json_t *account = NULL;
    size_t len = 0;
    int rc = es_cluster_get(cluster, &es_kind_service_account, ns, name, &account, err);

    if (rc < 0)
        return rc;
    char *text = es_json_text(account, &len);
    if (!text || es_blob_set(ret, text, len) < 0)
        rc = es_error_nomem(err);
    es_mem_free(text);
    json_decref(account);
    return rc;
}

/* A store that is closed at the very end finds no cluster any more. */
static int no_cluster(struct es_error *err)
{
    return es_error_set(err, ES_E_CANCELLED, "the cluster is not served any more");
}

static int kube_read(void *ctx, enum es_kube_read what, const char *ns, const char *name, const char *key,
                     struct es_blob *ret, struct es_error *err)
{
    struct es_cluster *cluster = ((const struct es_env *)ctx)->cluster;

    if (!cluster)
        return no_cluster(err);
    switch (what) {
    case ES_READ_SECRET:
        return read_secret(cluster, ns, name, key, ret, err);
    case ES_READ_CONFIG_MAP:
        return read_config_map(cluster, ns, name, key, ret, err);
    case ES_READ_SERVICE_ACCOUNT:
        return read_service_account(cluster, ns, name, ret, err);
    }
    return es_error_set(err, ES_E_UNSUPPORTED, "this kind of object cannot be read");
}

static int sa_token(void *ctx, const char *ns, const char *name, const char *const *audiences, size_t count,
                    int64_t ttl_s, struct es_blob *ret, struct es_error *err)
{
    struct es_cluster *cluster = ((const struct es_env *)ctx)->cluster;

    if (!cluster)
        return no_cluster(err);
    int rc = es_cluster_sa_token(cluster, ns, name, audiences, count, ttl_s, ret, err);
    return rc < 0 ? es_error_wrap(
                        err,
                        "cannot request Kubernetes service account token for service account \"%s\": ", name)
                  : 0;
}

/* Told where the author of what was hit looks: at the store. */
static void plugin_lost(void *ctx, const struct es_authority *who, const char *why)
{
    struct es_env *env = ctx;
    const struct es_store *store = NULL;
    bool cluster_wide = es_streq(who->store_kind, es_kind_cluster_secret_store.kind);
    const struct es_kind *kind = cluster_wide ? &es_kind_cluster_secret_store : &es_kind_secret_store;

    if (!env->events || !env->store_table || es_str_empty(who->store_name))
        return;
    if (es_store_get(env, kind, who->store_namespace, who->store_name, &store, NULL) < 0)
        return;
    es_event_record(env->events, kind, store->object, ES_EVENT_WARNING, "PluginProcessEnded",
                    cluster_wide ? "cluster-secret-store" : "secret-store", why);
    es_store_release(env, store);
}

void es_plugin_services_init(struct es_services *services, struct es_env *env)
{
    services->kube_read = kube_read;
    services->sa_token = sa_token;
    services->plugin_lost = plugin_lost;
    services->ctx = env;
}
