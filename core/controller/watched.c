/* What the controllers watch, what of it is kept, and what a change leads to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/controller.h"
#include "core/controller/denied.h"
#include "core/controller/generic_watch.h"
#include "core/controller/provision.h"
#include "core/controller/provision_news.h"
#include "core/controller/push_claims.h"
#include "core/controller/push_watched.h"
#include "core/controller/read_terms.h"
#include "core/controller/sources.h"
#include "core/controller/store_hold.h"
#include "core/controller/store_table.h"
#include "core/controller/tally.h"
#include "core/controller/template_watched.h"
#include "core/controller/watched.h"
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

uint64_t es_mark_metadata(const json_t *kept)
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

    ret->spec = es_mark_metadata(kept);
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
    es_provision_index_child(kept, t);
    es_template_terms(t, ns, es_obj_at(kept, "spec", "target", "template"));
    store_term(t, ns, es_obj_at(kept, "spec", "secretStoreRef"));
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        json_array_foreach (es_obj_at(kept, "spec", lists[l]), i, entry)
            store_term(t, ns, es_obj_at(entry, "sourceRef", "storeRef"));
    /* Last: when there are too many, only the sharing of reads suffers. */
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        json_array_foreach (es_obj_at(kept, "spec", lists[l]), i, entry) {
            char text[ES_READ_TERM_MAX];
            if (es_read_term(text, kept, entry))
                es_terms_add(t, text);
        }
}

static void external_secret_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                    const json_t *kept)
{
    struct es_env *env = ctx;
    if (what & ES_CHANGED_GONE)
        es_denied_forget(env->denied, ES_EXTERNAL_SECRET, ns, name);
    es_provision_child_changed(env, ES_EXTERNAL_SECRET, ns, name, what, kept);
    /* Finalizers alone are news only when ours is missing: its appearance is our
     * own doing, whoever tells of it first, and must not cut a backoff short. */
    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE) || !es_obj_has_finalizer(kept, ES_FINALIZER))
        env->enqueue(env->enqueue_ctx, ES_EXTERNAL_SECRET, ns, name);
}

/* All are woken by one event, so one read serves them, also when the first reads
 * before the last is woken. */
struct waking {
    struct es_env *env;
    enum es_controller_id id;
    int64_t since_ms;
    const char *only_ns; /* "": all namespaces */
    size_t count;
};

static void wake(void *ctx, const char *ns, const char *name)
{
    struct waking *w = ctx;

    if (*w->only_ns && !es_streq(ns, w->only_ns))
        return;
    w->count++;
    w->env->enqueue_since(w->env->enqueue_ctx, w->id, ns, name, w->since_ms);
}

static size_t wake_all(struct es_env *env, const char *what, const char *ns, const char *name,
                       const char *only_ns)
{
    struct waking w = {.env = env,
                       .id = ES_EXTERNAL_SECRET,
                       .since_ms = env->clock->mono_ms(env->clock->ctx),
                       .only_ns = only_ns};
    char text[640];

    if (env->external_secrets && snprintf(text, sizeof text, "%s:%s/%s", what, ns, name) < (int)sizeof text)
        es_cache_each(env->external_secrets, text, wake, &w);
    return w.count;
}

static size_t wake_pushers(struct es_env *env, const char *ns, const char *name, const char *only_ns)
{
    struct waking w = {.env = env,
                       .id = ES_PUSH_SECRET,
                       .since_ms = env->clock->mono_ms(env->clock->ctx),
                       .only_ns = only_ns};
    char by_name[ES_PUSH_TERM_MAX], by_labels[ES_PUSH_TERM_MAX];

    if (!env->push_secrets)
        return 0;
    es_push_store_terms(by_name, by_labels, ns, name);
    es_cache_each(env->push_secrets, by_name, wake, &w);
    es_cache_each(env->push_secrets, by_labels, wake, &w);
    return w.count;
}

size_t es_wake_dependents(struct es_env *env, const char *ns, const char *name, const char *only_ns)
{
    return wake_all(env, "store", ns, name, only_ns) + wake_pushers(env, ns, name, only_ns);
}

/* ---- PushSecrets ---- */

/* A finalizer of ours that went is looked for, see es_push_secret_changed. */
static void mark_push_secret(const json_t *kept, struct es_marks *ret)
{
    ret->spec = es_mark_metadata(kept);
    ret->state = es_obj_has_finalizer(kept, ES_PUSH_FINALIZER);
}

/* ---- stores ---- */

static void mark_store(const json_t *kept, struct es_marks *ret)
{
    ret->spec = es_mark_metadata(kept);
    ret->state = es_streq(es_obj_str(es_obj_condition(kept, "Ready"), "status"), "True");
}

static void store_changed(struct es_env *env, const struct es_kind *kind, enum es_controller_id id,
                          const char *ns, const char *name, unsigned what, const json_t *kept)
{
    char prefix[640];

    es_store_forget(env, kind, ns, name);
    es_sources_store_changed(env, kind, ns, name, what & ES_CHANGED_GONE ? NULL : kept);
    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE) &&
        snprintf(prefix, sizeof prefix, "%s/%s/%s|", kind->kind, ns, name) < (int)sizeof prefix) {
        es_reads_forget(env->reads, prefix);
        if (what & ES_CHANGED_GONE)
            es_pool_drop(env->pool, prefix);
    }
    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE))
        env->enqueue(env->enqueue_ctx, id, ns, name);
    /* A store that became ready or was edited ends its dependents' backoff. */
    es_wake_dependents(env, ns, name, "");
}

static void secret_store_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                 const json_t *kept)
{
    store_changed(ctx, &es_kind_secret_store, ES_SECRET_STORE, ns, name, what, kept);
}

static void cluster_store_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                  const json_t *kept)
{
    store_changed(ctx, &es_kind_cluster_secret_store, ES_CLUSTER_SECRET_STORE, ns, name, what, kept);
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
    bool gone = what & ES_CHANGED_GONE;
    /* A target may also be what a store is opened with. */
    es_sources_news(ctx, ES_READ_SECRET, ns, name,
                    gone ? NULL : es_obj_str(kept, "metadata", "resourceVersion"), gone);
    if (gone || !es_obj_bool(kept, "intact"))
        wake_all(ctx, "target", ns, name, "");
}

/* ---- namespaces ---- */

static int digest_namespace(json_t **object)
{
    json_t *labels = es_obj_at(*object, "metadata", "labels"), *ours = es_provision_finalizers(*object);
    json_t *kept =
        json_pack("{s:{s:s,s:s},s:b}", "metadata", "name", es_obj_name(*object), "resourceVersion",
                  es_obj_str(*object, "metadata", "resourceVersion"), "ending", es_obj_deleting(*object));
    int failed =
        !kept || (labels && json_object_set(json_object_get(kept, "metadata"), "labels", labels) < 0);
    failed |= ours && json_object_set(json_object_get(kept, "metadata"), "finalizers", ours) < 0;
    json_decref(ours);
    if (failed) {
        json_decref(kept);
        return ES_E_NOMEM;
    }
    json_decref(*object);
    *object = kept;
    return 0;
}

/* Marked by its labels and its end alone, so that nothing else about it wakes anybody. */
static void mark_namespace(const json_t *kept, struct es_marks *ret)
{
    ret->spec = mix_strings(0, es_obj_at(kept, "metadata", "labels"));
    ret->state = es_obj_bool(kept, "ending");
}

static void namespace_changed(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    (void)ns;
    (void)what;
    (void)kept;
    es_denied_wake(ctx, name);
    es_provision_namespace_changed(ctx, name);
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
    [ES_PUSH_SECRET] = {.name = "pushsecret",
                        .logger = "controllers.PushSecret",
                        .kind = &es_kind_push_secret,
                        .reconcile = es_push_secret_reconcile},
    [ES_CLUSTER_EXTERNAL_SECRET] = {.name = "clusterexternalsecret",
                                    .logger = "controllers.ClusterExternalSecret",
                                    .kind = &es_kind_cluster_external_secret,
                                    .reconcile = es_cluster_external_secret_reconcile},
    [ES_CLUSTER_PUSH_SECRET] = {.name = "clusterpushsecret",
                                .logger = "controllers.ClusterPushSecret",
                                .kind = &es_kind_cluster_push_secret,
                                .reconcile = es_cluster_push_secret_reconcile},
};

static int watch_all(struct es_env *env, struct es_error *err)
{
    const struct {
        bool wanted;
        struct es_cache **cache;
        struct es_cache_opts opts;
    } plan[] = {
        {env->settings.secret_stores,
         &env->secret_stores,
         {.kind = &es_kind_secret_store,
          .index = es_store_hold_index_store,
          .marks = mark_store,
          .changed = secret_store_changed}},
        {env->settings.cluster_stores,
         &env->cluster_secret_stores,
         {.kind = &es_kind_cluster_secret_store,
          .index = es_store_hold_index_store,
          .marks = mark_store,
          .changed = cluster_store_changed}},
        {!env->settings.ns,
         &env->namespaces,
         {.kind = &es_kind_namespace,
          .digest = digest_namespace,
          .index = es_provision_index_namespace,
          .marks = mark_namespace,
          .changed = namespace_changed}},
        {true,
         &env->external_secrets,
         {.kind = &es_kind_external_secret,
          .packed = true,
          .index = index_external_secret,
          .marks = mark_external_secret,
          .changed = external_secret_changed}},
        {env->settings.push_secrets,
         &env->push_secrets,
         {.kind = &es_kind_push_secret,
          .packed = true,
          .index = es_push_secret_index,
          .marks = mark_push_secret,
          .changed = es_push_secret_changed}},
        /* After the namespaces and the children: a pass wants to see what is there. */
        {env->settings.cluster_external_secrets && !env->settings.ns,
         &env->cluster_external_secrets,
         {.kind = &es_kind_cluster_external_secret,
          .index = es_cluster_external_secret_index,
          .marks = es_provision_mark_parent,
          .changed = es_cluster_external_secret_changed}},
        {env->settings.cluster_push_secrets && env->settings.push_secrets && !env->settings.ns,
         &env->cluster_push_secrets,
         {.kind = &es_kind_cluster_push_secret,
          .index = es_cluster_push_secret_index,
          .marks = es_provision_mark_parent,
          .changed = es_cluster_push_secret_changed}},
        {true,
         &env->targets,
         {.kind = &es_kind_secret,
          .label_selector = ES_LABEL_MANAGED "=true",
          .packed = true,
          .digest = digest_target,
          .index = index_target,
          .changed = target_changed}},
    };

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

int es_controllers_init(struct es_env *env, struct es_error *err)
{
    env->store_table = es_store_table_new();
    env->sources = es_sources_new(env);
    env->denied = es_denied_new();
    env->generic = es_generic_watches_new(env);
    env->push_claims = es_push_claims_new();
    env->provision_news = es_provision_news_new();
    if (!env->store_table || !env->sources || !env->denied || !env->generic || !env->push_claims ||
        !env->provision_news)
        return es_error_nomem(err);
    if (env->metrics &&
        es_tally_new(&env->tally, env->metrics, env->clock, env->settings.metric_labels, err) < 0)
        return err->code;
    return watch_all(env, err);
}

void es_controllers_fini(struct es_env *env)
{
    es_store_table_free(env->store_table);
    es_sources_free(env->sources);
    es_denied_free(env->denied);
    env->store_table = NULL;
    env->sources = NULL;
    env->denied = NULL;
    es_generic_watches_free(env->generic);
    env->generic = NULL;
    es_push_claims_free(env->push_claims);
    env->push_claims = NULL;
    es_provision_news_free(env->provision_news);
    env->provision_news = NULL;
    es_tally_free(env->tally);
    env->tally = NULL;
}
