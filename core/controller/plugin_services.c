#include "core/controller/plugin_services.h"

#include "core/base/text.h"
#include "core/controller/source_read.h"
#include "core/controller/store_table.h"
#include "core/template/template.h"

static int kube_read(void *ctx, const struct es_authority *who, enum es_kube_read what, const char *ns,
                     const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    return es_source_read(ctx, who->reader, what, ns, name, key, ret, err);
}

static int sa_token(void *ctx, const struct es_authority *who, const char *ns, const char *name,
                    const char *const *audiences, size_t count, int64_t ttl_s, struct es_blob *ret,
                    struct es_error *err)
{
    return es_source_token(ctx, who->reader, ns, name, audiences, count, ttl_s, ret, err);
}

/* Templates of plugins and of rewrites: the usual delimiters, and what is missing is
 * no error. */
static int render(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                  struct es_blob *ret, struct es_error *err)
{
    const struct es_env *env = ctx;
    const struct es_template_opts opts = {.clock = env->clock};

    return es_template_run(name, text, len, data, &opts, ret, err);
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
    services->render = render;
    services->plugin_lost = plugin_lost;
    services->ctx = env;
}
