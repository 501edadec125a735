/* core/cluster/cluster.h: the world as controllers see it.
 *
 * Behind it stands a real API server (kube_house.h) or a folder of manifests
 * (local_house.h). All functions block and may be called on any thread. Codes
 * and texts are those of core/kube/client.h.
 *
 * The write gate. Where several replicas run, one of them writes: the one that
 * can be sure of the lease at this moment (core/ops/election.h). Everything
 * that writes passes the gate, which is asked twice: here, so that no work is
 * done in vain, and by the transport when the first byte would leave
 * (core/http/http.h), however long a request was queued, throttled or waiting
 * for a connection. A barred write fails with ES_E_CANCELLED and has not
 * happened. What neither can catch are bytes that the kernel had taken
 * before the process was stopped for longer than the lease: an API server that
 * reads them later compares the resourceVersion or uid that a write carries, so
 * updates and deletions name one wherever they can. A write that goes anywhere
 * else than through this file, such as a value pushed to a provider, asks
 * es_cluster_may_write first. */
#ifndef ES_CLUSTER_CLUSTER_H
#define ES_CLUSTER_CLUSTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/gate.h"
#include "core/base/values.h"
#include "core/cluster/cache.h"
#include "core/kube/kind.h"

struct es_cluster;
struct es_event;

/* What a house implements. `ret` may always be NULL. */
struct es_house {
    int (*get)(void *self, const struct es_kind *kind, const char *ns, const char *name, json_t **ret,
               struct es_error *err);
    /* Each object of a kind that `selector` (metav1.LabelSelector, or NULL: all)
     * matches. */
    int (*list)(void *self, const struct es_kind *kind, const char *ns, const json_t *selector,
                json_t **ret_items, struct es_error *err);
    int (*create)(void *self, const struct es_kind *kind, const char *ns, const json_t *obj,
                  const char *manager, json_t **ret, struct es_error *err);
    int (*update)(void *self, const struct es_kind *kind, const char *ns, const char *name, const json_t *obj,
                  const char *manager, json_t **ret, struct es_error *err);
    int (*patch)(void *self, const struct es_kind *kind, const char *ns, const char *name,
                 const char *subresource, const json_t *merge_patch, const char *manager, json_t **ret,
                 struct es_error *err);
    /* A patch that names the resourceVersion that it is for; the answer's text as in
     * update_status. NULL: `patch` serves. */
    int (*patch_version)(void *self, const struct es_kind *kind, const char *ns, const char *name,
                         const json_t *merge_patch, char **ret_text, size_t *ret_len, struct es_error *err);
    int (*remove)(void *self, const struct es_kind *kind, const char *ns, const char *name, const char *uid,
                  struct es_error *err);
    /* PUT of the status subresource, guarded by the object's resourceVersion. The
     * answer's text, without managedFields, is freed with es_mem_free. NULL: `patch`
     * serves. */
    int (*update_status)(void *self, const struct es_kind *kind, const char *ns, const char *name,
                         const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err);
    int (*sa_token)(void *self, const char *ns, const char *name, const json_t *token_request, json_t **ret,
                    struct es_error *err);
    /* What apiVersion and kind stand for. The kind belongs to the house. */
    int (*resolve)(void *self, const char *api_version, const char *kind, const struct es_kind **ret,
                   struct es_error *err);
    /* The house asks the gate at the last moment before a write. NULL: it has no
     * such moment. */
    void (*set_gate)(void *self, const struct es_gate *gate);
    /* Begins to feed the cache, until unwatch or stop. */
    int (*watch)(void *self, struct es_cache *cache, struct es_error *err);
    /* Returns when the cache is not fed any more. */
    void (*unwatch)(void *self, struct es_cache *cache);
    /* No call returns anything but ES_E_CANCELLED from now on. */
    void (*stop)(void *self);
    void (*free)(void *self);
};

/* `self` is consumed even on failure. */
int es_cluster_new(struct es_cluster **ret, const struct es_house *house, void *take_self,
                   struct es_error *err);
void es_cluster_stop(struct es_cluster *c); /* see es_house.stop */
void es_cluster_free(struct es_cluster *c); /* ends the watches, frees the caches */

/* The gate, which must outlive the cluster; without one everything may be
 * written. Before es_cluster_start. */
void es_cluster_set_gate(struct es_cluster *c, const struct es_gate *gate);

/* 0, or ES_E_CANCELLED while this replica must not write. */
int es_cluster_may_write(struct es_cluster *c, struct es_error *err);

/* Creates a cache; what `opts` points to must live as long as it. Before
 * es_cluster_start it is fed from there on. Afterwards it is fed at once, on any
 * thread but not from a cache's callback, and its callback may run before this
 * returns. ES_E_TOO_LARGE: there are ES_SHELF_LOOSE_MAX of these already. */
int es_cluster_watch(struct es_cluster *c, const struct es_cache_opts *opts, struct es_cache **ret,
                     struct es_error *err);

/* Ends and frees a cache that was created after es_cluster_start. Its callback
 * does not run any more when this returns; the caller sees to it that nobody
 * reads it. It may take about 100 ms. Not from a cache's callback. */
void es_cluster_unwatch(struct es_cluster *c, struct es_cache *take_cache);

/* Begins to feed all caches; their callbacks run from here on. */
int es_cluster_start(struct es_cluster *c, struct es_error *err);
bool es_cluster_synced(struct es_cluster *c); /* every cache from before the start has its first full list */

/* The first watch that is in trouble, as a sentence; false when all is well. */
bool es_cluster_trouble(struct es_cluster *c, struct es_error *err);

/* All of them, with the kind that each is about, until `fn` returns false. `err` is borrowed,
 * and may be changed. */
typedef bool es_trouble_fn(void *ctx, const struct es_kind *kind, struct es_error *err);
void es_cluster_each_trouble(struct es_cluster *c, es_trouble_fn *fn, void *ctx);

/* The resource that an apiVersion and a kind stand for. What is not known is asked
 * for each time, since definitions come late: ES_E_NOT_FOUND when there is none,
 * ES_E_INVALID when these are no names. *ret lives as long as the cluster. */
int es_cluster_resolve(struct es_cluster *c, const char *api_version, const char *kind,
                       const struct es_kind **ret, struct es_error *err);

/* Live, never from a cache. */
int es_cluster_get(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                   json_t **ret, struct es_error *err);

/* Those of a namespace that a metav1.LabelSelector matches, as an array sorted by
 * name. Live too. ES_E_CONFIG when that is no selector. */
int es_cluster_list(struct es_cluster *c, const struct es_kind *kind, const char *ns, const json_t *selector,
                    json_t **ret_items, struct es_error *err);

/* Writes: they pass the gate, and before they return, an answer goes into those
 * caches of the kind that keep whole objects and whose selector fits. The others
 * hear of it by their watch. */
int es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns, const json_t *obj,
                      const char *manager, json_t **ret, struct es_error *err);
int es_cluster_update(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                      const json_t *obj, const char *manager, json_t **ret, struct es_error *err);
int es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                     const char *subresource, const json_t *merge_patch, const char *manager, json_t **ret,
                     struct es_error *err);
/* Patches the metadata of `obj`, the whole object in the version that the caller has
 * seen and that the patch names: it gets the change, and the version that it has now; all
 * of the answer, where a webhook has changed what people write, and who watches is told.
 * ES_E_CONFLICT when there is a newer version, ES_E_UNSUPPORTED when the house has no
 * such call. Not for a spec, whose defaults and generation the API server sets. */
int es_cluster_patch_metadata(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                              const json_t *merge_patch, struct es_error *err);

/* Replaces the status by that of `obj`, the whole object in the version that the
 * caller has seen; it gets the version that it has now. An API server takes this for
 * half the work of a patch. ES_E_CONFLICT when there is a newer version,
 * ES_E_UNSUPPORTED when the house has no such call. */
int es_cluster_update_status(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                             struct es_error *err);
int es_cluster_remove(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                      const char *uid, struct es_error *err);

/* TokenRequest (authentication.k8s.io/v1): the token's bytes. */
int es_cluster_sa_token(struct es_cluster *c, const char *ns, const char *name, const char *const *audiences,
                        size_t audience_count, int64_t ttl_s, struct es_blob *ret, struct es_error *err);

#endif
