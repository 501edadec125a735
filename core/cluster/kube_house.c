#include "core/cluster/kube_house.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/kube/watch.h"

#define WATCHES_MAX 16

struct kube_house {
    struct es_kube *kube;
    char *ns; /* or NULL */
    struct es_watch *watches[WATCHES_MAX];
    size_t watch_count;
};

static int house_get(void *self, const struct es_kind *kind, const char *ns, const char *name, json_t **ret,
                     struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_get(h->kube, kind, ns, name, ret, err);
}

static int house_create(void *self, const struct es_kind *kind, const char *ns, const json_t *obj,
                        const char *manager, json_t **ret, struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_create(h->kube, kind, ns, obj, manager, ret, err);
}

static int house_update(void *self, const struct es_kind *kind, const char *ns, const char *name,
                        const json_t *obj, const char *manager, json_t **ret, struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_update(h->kube, kind, ns, name, NULL, obj, manager, ret, err);
}

static int house_update_status(void *self, const struct es_kind *kind, const char *ns, const char *name,
                               const json_t *obj, json_t **ret, struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_update(h->kube, kind, ns, name, "status", obj, NULL, ret, err);
}

static int house_patch(void *self, const struct es_kind *kind, const char *ns, const char *name,
                       const char *subresource, const json_t *patch, const char *manager, json_t **ret,
                       struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_patch(h->kube, kind, ns, name, subresource, ES_PATCH_MERGE, patch, manager, ret, err);
}

static int house_remove(void *self, const struct es_kind *kind, const char *ns, const char *name,
                        const char *uid, struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_delete(h->kube, kind, ns, name, uid, err);
}

static int house_sa_token(void *self, const char *ns, const char *name, const json_t *request, json_t **ret,
                          struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_create_sub(h->kube, &es_kind_service_account, ns, name, "token", request, ret, err);
}

static int house_watch(void *self, struct es_cache *cache, struct es_error *err)
{
    struct kube_house *h = self;
    const struct es_cache_opts *opts = es_cache_opts_of(cache);
    struct es_watch_opts watch = {.kind = opts->kind,
                                  .ns = opts->kind->namespaced ? h->ns : NULL,
                                  .label_selector = opts->label_selector};
    struct es_watch_sink sink = es_cache_sink(cache);

    if (h->watch_count == WATCHES_MAX)
        return es_error_set(err, ES_E_INTERNAL, "more than %d watches", WATCHES_MAX);
    int rc = es_watch_new(&h->watches[h->watch_count], h->kube, &watch, &sink, err);
    if (rc == 0)
        h->watch_count++;
    return rc;
}

static void house_set_gate(void *self, const struct es_gate *gate)
{
    struct kube_house *h = self;
    es_kube_set_gate(h->kube, gate);
}

static void house_stop(void *self)
{
    struct kube_house *h = self;
    es_kube_stop(h->kube);
}

static void house_free(void *self)
{
    struct kube_house *h = self;
    for (size_t i = 0; i < h->watch_count; i++)
        es_watch_free(h->watches[i]);
    es_kube_free(h->kube);
    es_mem_free(h->ns);
    free(h);
}

static const struct es_house kube_house = {
    .get = house_get,
    .create = house_create,
    .update = house_update,
    .update_status = house_update_status,
    .patch = house_patch,
    .remove = house_remove,
    .sa_token = house_sa_token,
    .set_gate = house_set_gate,
    .watch = house_watch,
    .stop = house_stop,
    .free = house_free,
};

int es_cluster_new_kube(struct es_cluster **ret, struct es_kube *take_kube,
                        const struct es_kube_house_opts *opts, struct es_error *err)
{
    struct kube_house *h = calloc(1, sizeof *h);
    char *ns = opts->ns ? es_mem_strdup(opts->ns) : NULL;

    if (!h || (opts->ns && !ns)) {
        free(h);
        es_mem_free(ns);
        es_kube_free(take_kube);
        return es_error_nomem(err);
    }
    h->kube = take_kube;
    h->ns = ns;
    return es_cluster_new(ret, &kube_house, h, err);
}
