/* What the controllers watch, what of it is kept, and what a change leads to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/controller.h"
#include "core/controller/generic_watch.h"
#include "core/controller/store_table.h"
#include "core/controller/tally.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"
#include "core/secret/target.h"

/* ---- marks ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    uint64_t pair[2] = {h, v};
    return es_hash64(pair, sizeof pair);
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    return mix(h, es_hash64(text, strlen(text)));
}

/* Independent of the members' order. */
static uint64_t mix_strings(uint64_t h, const json_t *object)
{
    const char *name;
    json_t *value;
    uint64_t sum = json_object_size(object);

    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        sum += mix_text(es_hash64(name, strlen(name)), text);
    }
    return mix(h, sum);
}

static uint64_t mark_metadata(const json_t *kept)
{
    uint64_t h = (uint64_t)es_obj_int(kept, "metadata", "generation");
    h = mix_text(h, es_obj_str(kept, "metadata", "uid"));
    h = mix_strings(h, es_obj_at(kept, "metadata", "labels"));
    h = mix_strings(h, es_obj_at(kept, "metadata", "annotations"));
    return mix(h, es_obj_deleting(kept));
}

/* ---- ExternalSecrets ---- */

static void mark_external_secret(const json_t *kept, struct es_marks *ret)
{
    json_t *finalizer;
    size_t i;

    ret->spec = mark_metadata(kept);
    json_array_foreach (es_obj_at(kept, "metadata", "finalizers"), i, finalizer)
        ret->state = mix_text(ret->state, json_is_string(finalizer) ? json_string_value(finalizer) : "");
}

static void term(struct es_terms *t, const char *what, const char *a, const char *b)
{
    char text[640];
    if (snprintf(text, sizeof text, "%s:%s/%s", what, a, b) < (int)sizeof text)
        es_terms_add(t, text);
}

static void store_term(struct es_terms *t, const char *ns, const json_t *ref)
{
    const char *name = es_obj_str(ref, "name");
    bool cluster = es_streq(es_obj_str(ref, "kind"), es_kind_cluster_secret_store.kind);
    if (*name)
        term(t, "store", cluster ? "" : ns, name);
}

static void target_term(struct es_terms *t, const char *ns, const json_t *kept)
{
    char text[ES_GENERIC_TERM_MAX];
    const json_t *manifest = es_obj_at(kept, "spec", "target", "manifest");

    if (manifest)
        es_terms_add(t, es_generic_term(text, es_obj_str(manifest, "apiVersion"),
                                        es_obj_str(manifest, "kind"), ns, es_target_name(kept)));
    else
        term(t, "target", ns, es_target_name(kept));
}

static void index_external_secret(const json_t *kept, struct es_terms *t)
{
    static const char *const lists[] = {"data", "dataFrom"};
    const char *ns = es_obj_namespace(kept);
    json_t *entry;
    size_t i;

    target_term(t, ns, kept);
    store_term(t, ns, es_obj_at(kept, "spec", "secretStoreRef"));
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        json_array_foreach (es_obj_at(kept, "spec", lists[l]), i, entry)
            store_term(t, ns, es_obj_at(entry, "sourceRef", "storeRef"));
}

static void external_secret_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                    const json_t *kept)
{
    struct es_env *env = ctx;
    /* Finalizers alone are news only when ours is missing: its appearance is our
     * own doing, whoever tells of it first, and must not cut a backoff short. */
    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE) || !es_obj_has_finalizer(kept, ES_FINALIZER))
        env->enqueue(env->enqueue_ctx, ES_EXTERNAL_SECRET, ns, name);
}

static void enqueue_external_secret(void *ctx, const char *ns, const char *name)
{
    struct es_env *env = ctx;
    env->enqueue(env->enqueue_ctx, ES_EXTERNAL_SECRET, ns, name);
}

static void wake_dependents(struct es_env *env, const char *what, const char *ns, const char *name)
{
    char text[640];
    if (env->external_secrets && snprintf(text, sizeof text, "%s:%s/%s", what, ns, name) < (int)sizeof text)
        es_cache_each(env->external_secrets, text, enqueue_external_secret, env);
}

/* ---- stores ---- */

static void mark_store(const json_t *kept, struct es_marks *ret)
{
    ret->spec = mark_metadata(kept);
    ret->state = es_streq(es_obj_str(es_obj_condition(kept, "Ready"), "status"), "True");
}

static void store_changed(struct es_env *env, const struct es_kind *kind, enum es_controller_id id,
                          const char *ns, const char *name, unsigned what)
{
    char prefix[640];

    es_store_forget(env, kind, ns, name);
    if (what & ES_CHANGED_GONE &&
        snprintf(prefix, sizeof prefix, "%s/%s/%s|", kind->kind, ns, name) < (int)sizeof prefix)
        es_pool_drop(env->pool, prefix);
    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE))
        env->enqueue(env->enqueue_ctx, id, ns, name);
    /* A store that became ready or was edited ends its dependents' backoff. */
    wake_dependents(env, "store", ns, name);
}

static void secret_store_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                 const json_t *kept)
{
    (void)kept;
    store_changed(ctx, &es_kind_secret_store, ES_SECRET_STORE, ns, name, what);
}

static void cluster_store_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                  const json_t *kept)
{
    (void)kept;
    store_changed(ctx, &es_kind_cluster_secret_store, ES_CLUSTER_SECRET_STORE, ns, name, what);
}

/* ---- targets ---- */

/* A Secret shrinks to what decides whether it is still as we left it. */
static int digest_target(json_t **object)
{
    char hash[ES_SHA3_224_HEX_MAX];
    json_t *s = *object;

    if (es_hash_secret_data(hash, es_obj_at(s, "data"), NULL) < 0)
        hash[0] = '\0';
    const char *noted = es_obj_str(s, "metadata", "annotations", ES_ANNOTATION_DATA_HASH);
    bool intact =
        es_streq(es_obj_str(s, "metadata", "labels", ES_LABEL_MANAGED), "true") && es_streq(noted, hash);
    json_t *kept = json_pack("{s:{s:s,s:s,s:s,s:s},s:b,s:s}", "metadata", "namespace", es_obj_namespace(s),
                             "name", es_obj_name(s), "uid", es_obj_str(s, "metadata", "uid"),
                             "resourceVersion", es_obj_str(s, "metadata", "resourceVersion"), "intact",
                             intact, "createdBy", es_obj_str(s, "metadata", "labels", ES_LABEL_CREATED_BY));
    if (!kept)
        return ES_E_NOMEM;
    json_decref(s);
    *object = kept;
    return 0;
}

static void index_target(const json_t *kept, struct es_terms *t)
{
    const char *creator = es_obj_str(kept, "createdBy");
    if (*creator)
        term(t, "created-by", es_obj_namespace(kept), creator);
}

/* A target that is as we left it needs nobody: most of these events are echoes of
 * our own writes. */
static void target_changed(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    if (what & ES_CHANGED_GONE || !es_obj_bool(kept, "intact"))
        wake_dependents(ctx, "target", ns, name);
}

/* ---- namespaces ---- */

static int digest_namespace(json_t **object)
{
    json_t *labels = es_obj_at(*object, "metadata", "labels");
    json_t *kept =
        json_pack("{s:{s:s,s:s},s:b}", "metadata", "name", es_obj_name(*object), "resourceVersion",
                  es_obj_str(*object, "metadata", "resourceVersion"), "ending", es_obj_deleting(*object));
    if (!kept || (labels && json_object_set(json_object_get(kept, "metadata"), "labels", labels) < 0)) {
        json_decref(kept);
        return ES_E_NOMEM;
    }
    json_decref(*object);
    *object = kept;
    return 0;
}

/* ---- all of it ---- */

const struct es_controller es_controllers[ES_CONTROLLERS] = {
    [ES_EXTERNAL_SECRET] = {.name = "externalsecret",
                            .logger = "controllers.ExternalSecret",
                            .kind = &es_kind_external_secret,
                            .reconcile = es_external_secret_reconcile},
    [ES_SECRET_STORE] = {.name = "secretstore",
                         .logger = "controllers.SecretStore",
                         .kind = &es_kind_secret_store,
                         .reconcile = es_secret_store_reconcile},
    [ES_CLUSTER_SECRET_STORE] = {.name = "clustersecretstore",
                                 .logger = "controllers.ClusterSecretStore",
                                 .kind = &es_kind_cluster_secret_store,
                                 .reconcile = es_cluster_secret_store_reconcile},
};

int es_controllers_init(struct es_env *env, struct es_error *err)
{
    const struct {
        bool wanted;
        struct es_cache **cache;
        struct es_cache_opts opts;
    } plan[] = {
        {env->settings.secret_stores,
         &env->secret_stores,
         {.kind = &es_kind_secret_store, .marks = mark_store, .changed = secret_store_changed}},
        {env->settings.cluster_stores,
         &env->cluster_secret_stores,
         {.kind = &es_kind_cluster_secret_store, .marks = mark_store, .changed = cluster_store_changed}},
        {!env->settings.ns, &env->namespaces, {.kind = &es_kind_namespace, .digest = digest_namespace}},
        {true,
         &env->external_secrets,
         {.kind = &es_kind_external_secret,
          .index = index_external_secret,
          .marks = mark_external_secret,
          .changed = external_secret_changed}},
        {true,
         &env->targets,
         {.kind = &es_kind_secret,
          .label_selector = ES_LABEL_MANAGED "=true",
          .digest = digest_target,
          .index = index_target,
          .changed = target_changed}},
    };

    env->store_table = es_store_table_new();
    env->generic = es_generic_watches_new(env);
    if (!env->store_table || !env->generic)
        return es_error_nomem(err);
    if (env->metrics && es_tally_new(&env->tally, env->metrics, env->settings.metric_labels, err) < 0)
        return err->code;
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        if (!plan[i].wanted)
            continue;
        struct es_cache_opts opts = plan[i].opts;
        opts.ctx = env;
        int rc = es_cluster_watch(env->cluster, &opts, plan[i].cache, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

void es_controllers_fini(struct es_env *env)
{
    es_store_table_free(env->store_table);
    env->store_table = NULL;
    es_generic_watches_free(env->generic);
    env->generic = NULL;
    es_tally_free(env->tally);
    env->tally = NULL;
}
