#include "core/cluster/kube_house.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/cluster/shelf.h"
#include "core/kube/discovery.h"
#include "core/kube/selector.h"
#include "core/kube/watch.h"

#define WATCHES_MAX (ES_SHELF_FIXED_MAX + ES_SHELF_LOOSE_MAX)

struct feed {
    struct es_cache *cache; /* NULL: free */
    struct es_watch *watch;
};

struct kube_house {
    struct es_kube *kube;
    char *ns; /* or NULL */
    struct es_discovery *discovery;
    pthread_mutex_t lock; /* guards the feeds */
    struct feed feeds[WATCHES_MAX];
};

static int house_get(void *self, const struct es_kind *kind, const char *ns, const char *name, json_t **ret,
                     struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_get(h->kube, kind, ns, name, ret, err);
}

static int keep_item(void *ctx, json_t *object)
{
    return json_array_append(ctx, object) < 0 ? ES_E_NOMEM : 0;
}

static void drop_items(void *ctx)
{
    json_array_clear(ctx);
}

static int house_list(void *self, const struct es_kind *kind, const char *ns, const json_t *selector,
                      json_t **ret_items, struct es_error *err)
{
    struct kube_house *h = self;
    char *text = NULL;
    int rc = selector ? es_label_selector_text(selector, &text, err) : 0;
    const struct es_kube_list_opts opts = {.label_selector = text};
    json_t *items = rc == 0 ? json_array() : NULL;

    if (rc == 0)
        rc = items ? es_kube_list(h->kube, kind, ns, &opts, keep_item, drop_items, items, NULL, err)
                   : es_error_nomem(err);
    es_mem_free(text);
    if (rc < 0)
        json_decref(items);
    else
        *ret_items = items;
    return rc;
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
                               const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_update_status(h->kube, kind, ns, name, obj, ret_text, ret_len, err);
}

static int house_patch(void *self, const struct es_kind *kind, const char *ns, const char *name,
                       const char *subresource, const json_t *patch, const char *manager, json_t **ret,
                       struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_patch(h->kube, kind, ns, name, subresource, ES_PATCH_MERGE, patch, manager, ret, err);
}

static int house_patch_version(void *self, const struct es_kind *kind, const char *ns, const char *name,
                               const json_t *patch, char **ret_text, size_t *ret_len, struct es_error *err)
{
    struct kube_house *h = self;
    return es_kube_patch_unparsed(h->kube, kind, ns, name, patch, ret_text, ret_len, err);
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

static int house_resolve(void *self, const char *api_version, const char *kind, const struct es_kind **ret,
                         struct es_error *err)
{
    struct kube_house *h = self;
    return es_discovery_resolve(h->discovery, api_version, kind, ret, err);
}

/* The feed of a cache, or with NULL the first free one. */
static struct feed *feed_locked(struct kube_house *h, const struct es_cache *cache)
{
    for (size_t i = 0; i < WATCHES_MAX; i++)
        if (h->feeds[i].cache == cache)
            return &h->feeds[i];
    return NULL;
}

static int house_watch(void *self, struct es_cache *cache, struct es_error *err)
{
    struct kube_house *h = self;
    const struct es_cache_opts *opts = es_cache_opts_of(cache);
    struct es_watch_opts watch = {.kind = opts->kind,
                                  .ns = opts->kind->namespaced ? h->ns : NULL,
                                  .label_selector = opts->label_selector,
                                  .metadata_only = opts->metadata_only};
    struct es_watch_sink sink = es_cache_sink(cache);
    struct es_watch *started = NULL;

    int rc = es_watch_new(&started, h->kube, &watch, &sink, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&h->lock);
    struct feed *feed = feed_locked(h, NULL);
    if (feed)
        *feed = (struct feed){cache, started};
    pthread_mutex_unlock(&h->lock);
    if (feed)
        return 0;
    es_watch_free(started);
    return es_error_set(err, ES_E_TOO_LARGE, "more than %d watches", WATCHES_MAX);
}

static void house_unwatch(void *self, struct es_cache *cache)
{
    struct kube_house *h = self;
    struct es_watch *watch = NULL;

    pthread_mutex_lock(&h->lock);
    struct feed *feed = feed_locked(h, cache);
    if (feed) {
        watch = feed->watch;
        *feed = (struct feed){0};
    }
    pthread_mutex_unlock(&h->lock);
    es_watch_free(watch); /* joins: not under the lock */
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
    for (size_t i = 0; i < WATCHES_MAX; i++)
        es_watch_free(h->feeds[i].watch);
    es_discovery_free(h->discovery);
    es_kube_free(h->kube);
    pthread_mutex_destroy(&h->lock);
    es_mem_free(h->ns);
    free(h);
}

static const struct es_house kube_house = {
    .get = house_get,
    .list = house_list,
    .create = house_create,
    .update = house_update,
    .update_status = house_update_status,
    .patch = house_patch,
    .patch_version = house_patch_version,
    .remove = house_remove,
    .sa_token = house_sa_token,
    .resolve = house_resolve,
    .set_gate = house_set_gate,
    .watch = house_watch,
    .unwatch = house_unwatch,
    .stop = house_stop,
    .free = house_free,
};

int es_cluster_new_kube(struct es_cluster **ret, struct es_kube *take_kube,
                        const struct es_kube_house_opts *opts, struct es_error *err)
{
    struct kube_house *h = calloc(1, sizeof *h);
    char *ns = opts->ns ? es_mem_strdup(opts->ns) : NULL;
    struct es_discovery *discovery = es_discovery_new(take_kube, &es_system_clock);

    if (!h || !discovery || (opts->ns && !ns)) {
        free(h);
        es_mem_free(ns);
        es_discovery_free(discovery);
        es_kube_free(take_kube);
        return es_error_nomem(err);
    }
    h->kube = take_kube;
    h->ns = ns;
    h->discovery = discovery;
    pthread_mutex_init(&h->lock, NULL);
    return es_cluster_new(ret, &kube_house, h, err);
}
