#include "core/controller/push_watched.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/controller/denied.h"
#include "core/controller/provision.h"
#include "core/controller/store_hold.h"
#include "core/controller/template_watched.h"
#include "core/kube/obj.h"

static void term(struct es_terms *t, const char *what, const char *ns, const char *name)
{
    char text[ES_PUSH_TERM_MAX];
    if (snprintf(text, sizeof text, "%s:%s/%s", what, ns, name) < (int)sizeof text)
        es_terms_add(t, text);
}

static bool is_cluster(const char *kind)
{
    return es_streq(kind, es_kind_cluster_secret_store.kind);
}

/* ---- terms ---- */

static void source_term(struct es_terms *t, const char *ns, const json_t *secret)
{
    const char *name = es_obj_str(secret, "name");

    if (*name)
        term(t, "source", ns, name);
    else if (es_obj_at(secret, "selector"))
        term(t, "source-by-labels", ns, "");
}

static void store_terms(struct es_terms *t, const char *ns, const json_t *refs)
{
    const json_t *ref;
    size_t i;

    json_array_foreach (refs, i, ref) {
        const char *where = is_cluster(es_obj_str(ref, "kind")) ? "" : ns;
        if (es_obj_at(ref, "labelSelector"))
            term(t, "store-by-labels", where, "");
        else
            term(t, "store", where, es_obj_str(ref, "name"));
    }
}

/* What was pushed may have to be deleted from a store that the spec does not name any more. */
static void noted_terms(struct es_terms *t, const char *ns, const json_t *noted)
{
    const char *id;
    json_t *entries;

    json_object_foreach ((json_t *)(uintptr_t)noted, id, entries) {
        const char *slash = strchr(id, '/');
        if (slash)
            term(t, "store", es_str_starts(id, "ClusterSecretStore/") ? "" : ns, slash + 1);
    }
}

void es_push_secret_index(const json_t *kept, struct es_terms *t)
{
    const char *ns = es_obj_namespace(kept);

    source_term(t, ns, es_obj_at(kept, "spec", "selector", "secret"));
    es_provision_index_child(kept, t);
    es_template_terms(t, ns, es_obj_at(kept, "spec", "template"));
    es_store_hold_index_push(kept, t);
    store_terms(t, ns, es_obj_at(kept, "spec", "secretStoreRefs"));
    noted_terms(t, ns, es_obj_at(kept, "status", "syncedPushSecrets"));
}

void es_push_store_terms(char by_name[ES_PUSH_TERM_MAX], char by_labels[ES_PUSH_TERM_MAX], const char *ns,
                         const char *name)
{
    snprintf(by_name, ES_PUSH_TERM_MAX, "store:%s/%s", ns, name);
    snprintf(by_labels, ES_PUSH_TERM_MAX, "store-by-labels:%s/", ns);
}

/* ---- changes ---- */

void es_push_secret_changed(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    struct es_env *env = ctx;
    bool deletes = es_streq(es_obj_str(kept, "spec", "deletionPolicy"), "Delete");

    if (what & ES_CHANGED_GONE)
        es_denied_forget(env->denied, ES_PUSH_SECRET, ns, name);
    es_provision_child_changed(env, ES_PUSH_SECRET, ns, name, what, kept);
    /* Finalizers alone are news only when ours is missing. */
    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE) ||
        (deletes && !es_obj_has_finalizer(kept, ES_PUSH_FINALIZER)))
        env->enqueue(env->enqueue_ctx, ES_PUSH_SECRET, ns, name);
}

static void wake(void *ctx, const char *ns, const char *name)
{
    struct es_env *env = ctx;
    env->enqueue(env->enqueue_ctx, ES_PUSH_SECRET, ns, name);
}

void es_push_source_changed(struct es_env *env, const char *ns, const char *name)
{
    char text[ES_PUSH_TERM_MAX];

    if (!env->push_secrets)
        return;
    snprintf(text, sizeof text, "source:%s/%s", ns, name);
    es_cache_each(env->push_secrets, text, wake, env);
    snprintf(text, sizeof text, "source-by-labels:%s/", ns);
    es_cache_each(env->push_secrets, text, wake, env);
}

void es_push_sources_unsure(struct es_env *env)
{
    if (env->push_secrets)
        es_cache_each_all(env->push_secrets, wake, env);
}
