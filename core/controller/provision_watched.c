/* Which change wakes which ClusterExternalSecret or ClusterPushSecret. */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/controller/provision_news.h"
#include "core/controller/provision_own.h"
#include "core/controller/watched.h"
#include "core/kube/obj.h"

static const struct es_provisioner *const all[] = {&es_provision_external_secrets,
                                                   &es_provision_push_secrets};
#define ALL (sizeof all / sizeof *all)

struct es_cache *es_provision_parents(const struct es_env *env, const struct es_provisioner *how)
{
    return how->id == ES_CLUSTER_EXTERNAL_SECRET ? env->cluster_external_secrets : env->cluster_push_secrets;
}

struct es_cache *es_provision_children(const struct es_env *env, const struct es_provisioner *how)
{
    return how->child_id == ES_EXTERNAL_SECRET ? env->external_secrets : env->push_secrets;
}

static const struct es_provisioner *of_parent(const char *kind)
{
    for (size_t i = 0; i < ALL; i++)
        if (es_streq(all[i]->kind->kind, kind))
            return all[i];
    return NULL;
}

/* ---- terms ---- */

void es_provision_owner_term(char out[ES_PROVISION_TERM_MAX], const char *kind, const char *parent)
{
    snprintf(out, ES_PROVISION_TERM_MAX, "provisioned-by:%s/%s", kind, parent);
}

void es_provision_name_term(char out[ES_PROVISION_TERM_MAX], const char *child)
{
    snprintf(out, ES_PROVISION_TERM_MAX, "child:%s", child);
}

void es_provision_held_term(char out[ES_PROVISION_TERM_MAX], const char *finalizer)
{
    snprintf(out, ES_PROVISION_TERM_MAX, "held:%s", finalizer);
}

static void index_parent(const struct es_provisioner *how, const json_t *kept, struct es_terms *t)
{
    char text[ES_PROVISION_TERM_MAX];
    es_provision_name_term(text, es_provision_child_name(how, kept));
    es_terms_add(t, text);
}

void es_cluster_external_secret_index(const json_t *kept, struct es_terms *t)
{
    index_parent(&es_provision_external_secrets, kept, t);
}

void es_cluster_push_secret_index(const json_t *kept, struct es_terms *t)
{
    index_parent(&es_provision_push_secrets, kept, t);
}

void es_provision_index_child(const json_t *kept, struct es_terms *t)
{
    char text[ES_PROVISION_TERM_MAX];
    const json_t *owner = es_obj_controller(kept);

    if (!of_parent(es_obj_str(owner, "kind")))
        return;
    es_provision_owner_term(text, es_obj_str(owner, "kind"), es_obj_str(owner, "name"));
    es_terms_add(t, text);
}

static bool is_ours(const char *finalizer)
{
    for (size_t i = 0; i < ALL; i++)
        if (all[i]->namespace_finalizer && es_str_starts(finalizer, all[i]->namespace_finalizer))
            return true;
    return false;
}

json_t *es_provision_finalizers(const json_t *ns_object)
{
    json_t *list = NULL, *one;
    size_t i;

    json_array_foreach (es_obj_at(ns_object, "metadata", "finalizers"), i, one) {
        if (!json_is_string(one) || !is_ours(json_string_value(one)))
            continue;
        if (!list)
            list = json_array();
        json_array_append(list, one);
    }
    return list;
}

void es_provision_index_namespace(const json_t *kept, struct es_terms *t)
{
    char text[ES_PROVISION_TERM_MAX];
    json_t *one;
    size_t i;

    json_array_foreach (es_obj_at(kept, "metadata", "finalizers"), i, one) {
        es_provision_held_term(text, json_string_value(one));
        es_terms_add(t, text);
    }
}

/* ---- changes ---- */

/* A finalizer of ours that somebody took away is put back. */
void es_provision_mark_parent(const json_t *kept, struct es_marks *ret)
{
    ret->spec = es_mark_metadata(kept);
    ret->state = es_obj_has_finalizer(kept, es_provision_external_secrets.own_finalizer);
}

/* A pass over all that the parent selects. */
static void look_everywhere(struct es_env *env, enum es_controller_id id, const char *parent)
{
    es_provision_news_all(env->provision_news, id, parent);
    env->enqueue(env->enqueue_ctx, id, "", parent);
}

static void look_at(struct es_env *env, enum es_controller_id id, const char *parent, const char *ns)
{
    es_provision_news_at(env->provision_news, id, parent, ns);
    env->enqueue(env->enqueue_ctx, id, "", parent);
}

static void parent_changed(struct es_env *env, const struct es_provisioner *how, const char *name,
                           unsigned what, const json_t *kept)
{
    bool bare = how->own_finalizer && !es_obj_has_finalizer(kept, how->own_finalizer);

    if (what & (ES_CHANGED_SPEC | ES_CHANGED_GONE) || bare)
        look_everywhere(env, how->id, name);
}

void es_cluster_external_secret_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                        const json_t *kept)
{
    (void)ns;
    parent_changed(ctx, &es_provision_external_secrets, name, what, kept);
}

void es_cluster_push_secret_changed(void *ctx, const char *ns, const char *name, unsigned what,
                                    const json_t *kept)
{
    (void)ns;
    parent_changed(ctx, &es_provision_push_secrets, name, what, kept);
}

struct waking {
    struct es_env *env;
    enum es_controller_id id;
    const char *ns; /* or NULL: everywhere */
};

static void wake(void *ctx, const char *none, const char *parent)
{
    struct waking *w = ctx;

    (void)none;
    if (w->ns)
        look_at(w->env, w->id, parent, w->ns);
    else
        look_everywhere(w->env, w->id, parent);
}

/* Told by the answer to a write of ours or by the watch, an edit is one: the answer to a write that
 * names no version may be all that tells of somebody else's. What the parent itself has written is
 * told to nobody. */
void es_provision_child_changed(struct es_env *env, enum es_controller_id child, const char *ns,
                                const char *name, unsigned what, const json_t *kept)
{
    char text[ES_PROVISION_TERM_MAX];
    const json_t *owner = es_obj_controller(kept);

    if (!(what & (ES_CHANGED_SPEC | ES_CHANGED_GONE)))
        return;
    for (size_t i = 0; i < ALL; i++) {
        struct es_cache *parents = es_provision_parents(env, all[i]);
        if (!parents || all[i]->child_id != child)
            continue;
        if (es_streq(es_obj_str(owner, "kind"), all[i]->kind->kind))
            look_at(env, all[i]->id, es_obj_str(owner, "name"), ns);
        else if (what & ES_CHANGED_GONE) {
            es_provision_name_term(text, name);
            es_cache_each(parents, text, wake, &(struct waking){env, all[i]->id, ns});
        }
    }
}

static void wake_all(struct es_env *env, const char *ns)
{
    for (size_t i = 0; i < ALL; i++)
        if (es_provision_parents(env, all[i]))
            es_cache_each_all(es_provision_parents(env, all[i]), wake, &(struct waking){env, all[i]->id, ns});
}

void es_provision_all_again(struct es_env *env)
{
    wake_all(env, NULL);
}

void es_provision_namespace_changed(struct es_env *env, const char *name)
{
    wake_all(env, name);
}
