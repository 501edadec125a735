/* Where a PushSecret pushes to: spec.secretStoreRefs, and which part of dataTo is for
 * which store (specification: push-and-cluster, sections 1.3 and 1.4). */
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/pushsecret_own.h"
#include "core/kube/obj.h"

/* Of a reference; an empty kind is SecretStore. */
static const struct es_kind *kind_of(const json_t *ref)
{
    return es_streq(es_obj_str(ref, "kind"), es_kind_cluster_secret_store.kind)
               ? &es_kind_cluster_secret_store
               : &es_kind_secret_store;
}

static struct es_cache *cache_of(struct es_env *env, const struct es_kind *kind)
{
    return kind->namespaced ? env->secret_stores : env->cluster_secret_stores;
}

/* ---- finding ---- */

void es_push_stores_fini(struct es_env *env, struct es_push_stores *s)
{
    for (size_t i = 0; i < s->count; i++)
        es_store_release(env, s->items[i]);
    es_mem_free(s->items);
    *s = (struct es_push_stores){0};
}

static bool is_there(const struct es_push_stores *s, const struct es_store *store)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i]->kind == store->kind && es_streq(s->items[i]->name, store->name))
            return true;
    return false;
}

/* Consumes the use of the store. */
static int keep(struct es_push_pass *p, struct es_push_stores *s, const struct es_store *take_store,
                struct es_error *err)
{
    const struct es_store **grown = NULL;

    if (es_obj_deleting(take_store->object) || !es_store_is_ours(p->env, take_store) ||
        is_there(s, take_store)) {
        es_store_release(p->env, take_store);
        return 0;
    }
    grown = es_mem_realloc(s->items, (s->count + 1) * sizeof *grown);
    if (!grown) {
        es_store_release(p->env, take_store);
        return es_error_nomem(err);
    }
    s->items = grown;
    s->items[s->count++] = take_store;
    return 0;
}

static int find_named(struct es_push_pass *p, struct es_push_stores *s, const json_t *ref,
                      struct es_error *err)
{
    const struct es_kind *kind = kind_of(ref);
    const char *name = es_obj_str(ref, "name");
    const struct es_store *store = NULL;

    if (!*name)
        return es_error_set(err, ES_E_CONFIG, "refStore Name must be provided");
    int rc = es_store_find(p->env, kind, kind->namespaced ? p->ns : "", name, &store, err);
    if (rc == 0)
        return keep(p, s, store, err);
    es_error_wrap(err, "could not get %s \"%s\", ", kind->kind, name);
    return err->code = rc == ES_E_NOT_FOUND ? ES_E_CONFIG : rc;
}

struct search {
    struct es_push_pass *p;
    const struct es_kind *kind;
    const json_t *selector;
    const char **names; /* of those that match */
    size_t count, cap;
    int rc;
    struct es_error *err;
};

static int note_name(struct search *s, const char *name)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 8;
        const char **grown = es_mem_realloc(s->names, cap * sizeof *grown);
        if (!grown)
            return es_error_nomem(s->err);
        s->names = grown;
        s->cap = cap;
    }
    s->names[s->count] = es_mem_strdup(name);
    return s->names[s->count++] ? 0 : es_error_nomem(s->err);
}

static void look_at(void *ctx, const char *ns, const char *name)
{
    struct search *s = ctx;
    const struct es_store *store = NULL;

    if (s->rc < 0 || (s->kind->namespaced && !es_streq(ns, s->p->ns)) ||
        es_store_get(s->p->env, s->kind, ns, name, &store, NULL) < 0)
        return;
    s->rc = es_label_selector_match(s->selector, es_obj_at(store->object, "metadata", "labels"), s->err);
    if (s->rc == 1)
        s->rc = note_name(s, name);
    es_store_release(s->p->env, store);
}

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static int find_by_labels(struct es_push_pass *p, struct es_push_stores *s, const json_t *ref,
                          struct es_error *err)
{
    struct search search = {
        .p = p, .kind = kind_of(ref), .selector = es_obj_at(ref, "labelSelector"), .err = err};
    /* Said even when there is no store to try it on. */
    int rc = es_label_selector_match(search.selector, NULL, err);

    if (rc < 0)
        return es_error_wrap(err, "could not convert labels: ");
    if (es_cache_each_all(cache_of(p->env, search.kind), look_at, &search) < 0)
        search.rc = es_error_nomem(err);
    if (search.count)
        qsort(search.names, search.count, sizeof *search.names, by_text);
    for (size_t i = 0; i < search.count; i++) {
        const struct es_store *store = NULL;
        if (search.rc >= 0 && search.names[i] &&
            es_store_get(p->env, search.kind, search.kind->namespaced ? p->ns : "", search.names[i], &store,
                         NULL) == 0)
            search.rc = keep(p, s, store, err);
        es_mem_free((void *)(uintptr_t)search.names[i]);
    }
    es_mem_free(search.names);
    return search.rc < 0 ? search.rc : 0;
}

static void stamp(struct es_push_stores *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const uint64_t pair[2] = {s->stamp, es_hash64(s->items[i]->uid, strlen(s->items[i]->uid))};
        int64_t ms;
        s->stamp = es_hash64(pair, sizeof pair);
        if (es_time_parse(es_obj_str(s->items[i]->object, "metadata", "creationTimestamp"), &ms) == 0 &&
            ms > s->created_unix_ms)
            s->created_unix_ms = ms;
    }
}

int es_push_stores_find(struct es_push_pass *p, struct es_push_stores *ret, struct es_error *err)
{
    struct es_push_stores s = {0};
    const json_t *ref;
    size_t i;
    int rc = 0;

    json_array_foreach (es_obj_at(p->ps, "spec", "secretStoreRefs"), i, ref) {
        if (!cache_of(p->env, kind_of(ref))) /* switched off: another operator serves them */
            continue;
        rc = es_obj_at(ref, "labelSelector") ? find_by_labels(p, &s, ref, err) : find_named(p, &s, ref, err);
        if (rc < 0)
            break;
    }
    if (rc < 0) {
        es_push_stores_fini(p->env, &s);
        return rc;
    }
    stamp(&s);
    *ret = s;
    return 0;
}

/* ---- dataTo ---- */

static bool is_referred_to(const json_t *spec, const json_t *wanted)
{
    const json_t *ref;
    size_t i;

    json_array_foreach (es_obj_at(spec, "secretStoreRefs"), i, ref)
        if (*es_obj_str(ref, "name") && kind_of(ref) == kind_of(wanted) &&
            es_streq(es_obj_str(ref, "name"), es_obj_str(wanted, "name")))
            return true;
    return false;
}

int es_push_check_data_to(const json_t *spec, struct es_error *err)
{
    const json_t *data_to;
    size_t i;

    json_array_foreach (es_obj_at(spec, "dataTo"), i, data_to) {
        const json_t *ref = es_obj_at(data_to, "storeRef");
        const char *name = es_obj_str(ref, "name");
        if (!ref)
            return es_error_set(err, ES_E_CONFIG, "dataTo[%zu]: storeRef is required", i);
        if (!*name && !es_obj_at(ref, "labelSelector"))
            return es_error_set(err, ES_E_CONFIG, "dataTo[%zu]: storeRef must have name or labelSelector", i);
        if (*name && !is_referred_to(spec, ref))
            return es_error_set(err, ES_E_CONFIG, "dataTo[%zu]: storeRef \"%s\" not found in secretStoreRefs",
                                i, name);
    }
    return 0;
}

int es_push_applies(const json_t *data_to, const struct es_store *store, struct es_error *err)
{
    const json_t *ref = es_obj_at(data_to, "storeRef");
    const char *name = es_obj_str(ref, "name");

    if (*name)
        return kind_of(ref) == store->kind && es_streq(name, store->name);
    int rc = es_label_selector_match(es_obj_at(ref, "labelSelector"),
                                     es_obj_at(store->object, "metadata", "labels"), err);
    if (rc < 0)
        return es_error_wrap(err, "invalid labelSelector: ");
    return rc && kind_of(ref) == store->kind;
}

int es_push_match_data_to(const json_t *spec, const struct es_push_stores *stores, struct es_error *err)
{
    const json_t *data_to;
    size_t i;

    json_array_foreach (es_obj_at(spec, "dataTo"), i, data_to) {
        int rc = *es_obj_str(data_to, "storeRef", "name") ? 1 : 0;
        for (size_t k = 0; rc == 0 && k < stores->count; k++)
            rc = es_push_applies(data_to, stores->items[k], err);
        if (rc < 0)
            return es_error_wrap(err, "dataTo[%zu]: ", i);
        if (rc == 0)
            return es_error_set(err, ES_E_CONFIG,
                                "dataTo[%zu]: labelSelector does not match any store in secretStoreRefs", i);
    }
    return 0;
}
