#include "core/controller/store_hold.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/controller/finalizer.h"
#include "core/controller/store_table.h"
#include "core/kube/obj.h"

#define TERM_MAX 640

/* ---- terms ---- */

static bool is_cluster(const char *kind)
{
    return es_streq(kind, es_kind_cluster_secret_store.kind);
}

/* "holds:SecretStore/ns/name" */
static const char *store_term(char out[TERM_MAX], const char *kind, const char *ns, const char *name)
{
    snprintf(out, TERM_MAX, "holds:%s/%s/%s", kind, is_cluster(kind) ? "" : ns, name);
    return out;
}

/* Of those that hold stores by their labels, which have to be looked at one by one. */
static const char *labels_term(char out[TERM_MAX], const char *kind, const char *ns)
{
    snprintf(out, TERM_MAX, "holds-by-labels:%s/%s", kind, is_cluster(kind) ? "" : ns);
    return out;
}

static const char *held_term(char out[TERM_MAX], const char *ns)
{
    snprintf(out, TERM_MAX, "held:%s", ns);
    return out;
}

/* A reference without a kind means both. */
static void index_ref(const json_t *ref, const char *kind, const char *ns, struct es_terms *terms)
{
    const char *wanted = es_obj_str(ref, "kind");
    char term[TERM_MAX];

    if (*wanted && !es_streq(wanted, kind))
        return;
    if (es_obj_at(ref, "labelSelector"))
        es_terms_add(terms, labels_term(term, kind, ns));
    else
        es_terms_add(terms, store_term(term, kind, ns, es_obj_str(ref, "name")));
}

static void index_noted(const char *id, const char *ns, struct es_terms *terms)
{
    const char *kinds[] = {es_kind_secret_store.kind, es_kind_cluster_secret_store.kind};
    char term[TERM_MAX];

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i]);
        if (strncmp(id, kinds[i], len) == 0 && id[len] == '/')
            es_terms_add(terms, store_term(term, kinds[i], ns, id + len + 1));
    }
}

void es_store_hold_index_push(const json_t *ps, struct es_terms *terms)
{
    const char *ns = es_obj_namespace(ps), *id;
    json_t *ref, *entries;
    size_t i;

    if (!es_streq(es_obj_str(ps, "spec", "deletionPolicy"), "Delete"))
        return;
    json_array_foreach (es_obj_at(ps, "spec", "secretStoreRefs"), i, ref) {
        index_ref(ref, es_kind_secret_store.kind, ns, terms);
        index_ref(ref, es_kind_cluster_secret_store.kind, ns, terms);
    }
    json_object_foreach (es_obj_at(ps, "status", "syncedPushSecrets"), id, entries)
        index_noted(id, ns, terms);
}

void es_store_hold_index_store(const json_t *store, struct es_terms *terms)
{
    char term[TERM_MAX];

    if (es_obj_has_finalizer(store, ES_STORE_FINALIZER))
        es_terms_add(terms, held_term(term, es_obj_namespace(store)));
}

/* ---- is it held? ---- */

struct look {
    struct es_env *env;
    const struct es_store *store;
    bool held;
};

static void look_at_labels(void *ctx, const char *ns, const char *name)
{
    struct look *l = ctx;
    json_t *ps = NULL, *ref;
    size_t i;

    if (l->held || es_cache_get(l->env->push_secrets, ns, name, &ps, NULL) < 0)
        return;
    json_array_foreach (es_obj_at(ps, "spec", "secretStoreRefs"), i, ref) {
        const char *kind = es_obj_str(ref, "kind");
        if ((!*kind || es_streq(kind, l->store->kind->kind)) &&
            es_label_selector_match(es_obj_at(ref, "labelSelector"),
                                    es_obj_at(l->store->object, "metadata", "labels"), NULL) == 1)
            l->held = true;
    }
    json_decref(ps);
}

static bool is_held(struct es_env *env, const struct es_store *s)
{
    struct look look = {.env = env, .store = s};
    char term[TERM_MAX];

    if (es_cache_has_other(env->push_secrets, store_term(term, s->kind->kind, s->ns, s->name), "", ""))
        return true;
    /* Without memory for the walk it keeps what it has. */
    if (es_cache_each(env->push_secrets, labels_term(term, s->kind->kind, s->ns), look_at_labels, &look) < 0)
        return es_obj_has_finalizer(s->object, ES_STORE_FINALIZER);
    return look.held;
}

/* ---- finalizers ---- */

int es_store_hold(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                  struct es_error *err)
{
    const struct es_store *s = NULL;
    int rc = env->push_secrets ? es_store_get(env, kind, ns, name, &s, err) : 0;

    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? 0 : rc;
    if (!s)
        return 0;
    bool held = es_store_is_ours(env, s) && is_held(env, s);
    bool has = es_obj_has_finalizer(s->object, ES_STORE_FINALIZER);
    if (held != has && es_store_is_ours(env, s) && !(held && es_obj_deleting(s->object))) {
        json_t *object = json_deep_copy(s->object); /* the store's own is shared */
        rc = object ? es_finalizer_set(env, kind, ES_STORE_FINALIZER, held, &object, err)
                    : es_error_nomem(err);
        json_decref(object);
        if (rc < 0 && rc != ES_E_NOT_FOUND)
            es_error_wrap(err, "could not update finalizers of %s \"%s\": ", kind->kind, name);
    }
    es_store_release(env, s);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

struct letting_go {
    struct es_env *env;
    const struct es_kind *kind;
    struct es_error *err;
    int rc;
};

static void look_again(void *ctx, const char *ns, const char *name)
{
    struct letting_go *l = ctx;
    struct es_error err = ES_ERROR_INIT;
    int rc = es_store_hold(l->env, l->kind, ns, name, &err);

    if (rc < 0 && l->rc == 0) {
        l->rc = rc;
        *l->err = err;
    }
}

int es_store_let_go(struct es_env *env, const char *ns, struct es_error *err)
{
    struct letting_go l = {.env = env, .kind = &es_kind_secret_store, .err = err};
    char term[TERM_MAX];

    if (env->secret_stores && es_cache_each(env->secret_stores, held_term(term, ns), look_again, &l) < 0)
        return es_error_nomem(err);
    l.kind = &es_kind_cluster_secret_store;
    if (env->cluster_secret_stores &&
        es_cache_each(env->cluster_secret_stores, held_term(term, ""), look_again, &l) < 0)
        return es_error_nomem(err);
    return l.rc;
}
