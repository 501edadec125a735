#include "core/cluster/cluster.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define CACHES_MAX 16

struct es_cluster {
    const struct es_house *house;
    void *self;
    const struct es_gate *gate; /* or NULL; set before es_cluster_start */
    /* Filled before es_cluster_start, constant from then on. */
    struct es_cache *caches[CACHES_MAX];
    size_t cache_count;
};

int es_cluster_new(struct es_cluster **ret, const struct es_house *house, void *take_self,
                   struct es_error *err)
{
    struct es_cluster *c = calloc(1, sizeof *c);
    if (!c) {
        house->free(take_self);
        return es_error_nomem(err);
    }
    c->house = house;
    c->self = take_self;
    *ret = c;
    return 0;
}

void es_cluster_stop(struct es_cluster *c)
{
    c->house->stop(c->self);
}

void es_cluster_free(struct es_cluster *c)
{
    if (!c)
        return;
    /* The house first: its watches feed the caches. */
    c->house->free(c->self);
    for (size_t i = 0; i < c->cache_count; i++)
        es_cache_free(c->caches[i]);
    free(c);
}

void es_cluster_set_gate(struct es_cluster *c, const struct es_gate *gate)
{
    c->gate = gate;
    if (c->house->set_gate)
        c->house->set_gate(c->self, gate);
}

int es_cluster_may_write(struct es_cluster *c, struct es_error *err)
{
    const char *why = es_gate_barred(c->gate);
    return why ? es_error_set(err, ES_E_CANCELLED, "%s", why) : 0;
}

int es_cluster_watch(struct es_cluster *c, const struct es_cache_opts *opts, struct es_cache **ret,
                     struct es_error *err)
{
    struct es_cache *cache;

    if (c->cache_count == CACHES_MAX)
        return es_error_set(err, ES_E_INTERNAL, "more than %d watched resources", CACHES_MAX);
    int rc = es_cache_new(&cache, opts, err);
    if (rc < 0)
        return rc;
    c->caches[c->cache_count++] = cache;
    *ret = cache;
    return 0;
}

int es_cluster_start(struct es_cluster *c, struct es_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->cache_count; i++)
        rc = c->house->watch(c->self, c->caches[i], err);
    return rc;
}

bool es_cluster_synced(struct es_cluster *c)
{
    for (size_t i = 0; i < c->cache_count; i++)
        if (!es_cache_synced(c->caches[i]))
            return false;
    return true;
}

bool es_cluster_trouble(struct es_cluster *c, struct es_error *err)
{
    for (size_t i = 0; i < c->cache_count; i++)
        if (es_cache_trouble(c->caches[i], err)) {
            es_error_wrap(err, "watching %s: ", es_cache_opts_of(c->caches[i])->kind->plural);
            return true;
        }
    return false;
}

static struct es_cache *cache_of(const struct es_cluster *c, const struct es_kind *kind)
{
    for (size_t i = 0; i < c->cache_count; i++)
        if (es_cache_opts_of(c->caches[i])->kind == kind)
            return c->caches[i];
    return NULL;
}

int es_cluster_get(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                   json_t **ret, struct es_error *err)
{
    return c->house->get(c->self, kind, ns, name, ret, err);
}

/* Puts a write's answer into the cache and hands it to the caller, if it asked. */
static int settle(struct es_cluster *c, const struct es_kind *kind, json_t *answer, bool silent, json_t **ret)
{
    struct es_cache *cache = cache_of(c, kind);
    if (cache && answer)
        es_cache_put(cache, answer, silent);
    if (ret)
        *ret = answer;
    else
        json_decref(answer);
    return 0;
}

/* Where the answer goes: nowhere, if neither cache nor caller want it. */
static json_t **wanted(struct es_cluster *c, const struct es_kind *kind, json_t **answer, json_t **ret)
{
    return ret || cache_of(c, kind) ? answer : NULL;
}

int es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns, const json_t *obj,
                      const char *manager, json_t **ret, struct es_error *err)
{
    json_t *answer = NULL;
    int rc = es_cluster_may_write(c, err);
    if (rc == 0)
        rc = c->house->create(c->self, kind, ns, obj, manager, wanted(c, kind, &answer, ret), err);
    return rc < 0 ? rc : settle(c, kind, answer, true, ret);
}

int es_cluster_update(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                      const json_t *obj, const char *manager, json_t **ret, struct es_error *err)
{
    json_t *answer = NULL;
    int rc = es_cluster_may_write(c, err);
    if (rc == 0)
        rc = c->house->update(c->self, kind, ns, name, obj, manager, wanted(c, kind, &answer, ret), err);
    return rc < 0 ? rc : settle(c, kind, answer, true, ret);
}

int es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                     const char *subresource, const json_t *merge_patch, const char *manager, json_t **ret,
                     struct es_error *err)
{
    json_t *answer = NULL;
    int rc = es_cluster_may_write(c, err);
    if (rc == 0)
        rc = c->house->patch(c->self, kind, ns, name, subresource, merge_patch, manager,
                             wanted(c, kind, &answer, ret), err);
    /* A patch is no compare-and-swap: the answer may hold somebody's edit that
     * the watch has not told us of yet. It must not pass unnoticed. */
    return rc < 0 ? rc : settle(c, kind, answer, false, ret);
}

int es_cluster_update_status(struct es_cluster *c, const struct es_kind *kind, const json_t *obj,
                             struct es_error *err)
{
    json_t *answer = NULL;

    if (!c->house->update_status)
        return es_error_set(err, ES_E_UNSUPPORTED, "there is no status to replace, only to patch");
    int rc = es_cluster_may_write(c, err);
    if (rc == 0)
        rc = c->house->update_status(c->self, kind, es_obj_namespace(obj), es_obj_name(obj), obj,
                                     wanted(c, kind, &answer, NULL), err);
    return rc < 0 ? rc : settle(c, kind, answer, false, NULL);
}

int es_cluster_remove(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                      const char *uid, struct es_error *err)
{
    int rc = es_cluster_may_write(c, err);
    if (rc == 0)
        rc = c->house->remove(c->self, kind, ns, name, uid, err);
    struct es_cache *cache = cache_of(c, kind);
    /* Without a uid the entry may be that of a successor: left to the watch. */
    if ((rc == 0 || rc == ES_E_NOT_FOUND) && cache && uid)
        es_cache_remove(cache, ns, name, uid);
    return rc;
}

static json_t *token_request(const char *const *audiences, size_t count, int64_t ttl_s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(audiences[i]));
    json_t *spec = json_pack("{s:o}", "audiences", list);
    if (spec && ttl_s > 0)
        json_object_set_new(spec, "expirationSeconds", json_integer(ttl_s));
    return json_pack("{s:s,s:s,s:o}", "apiVersion", "authentication.k8s.io/v1", "kind", "TokenRequest",
                     "spec", spec);
}

int es_cluster_sa_token(struct es_cluster *c, const char *ns, const char *name, const char *const *audiences,
                        size_t audience_count, int64_t ttl_s, struct es_blob *ret, struct es_error *err)
{
    json_t *answer = NULL;
    json_t *request = token_request(audiences, audience_count, ttl_s);
    if (!request)
        return es_error_nomem(err);
    int rc = c->house->sa_token(c->self, ns, name, request, &answer, err);
    if (rc == 0) {
        const char *token = es_obj_str(answer, "status", "token");
        if (!*token)
            rc = es_error_set(err, ES_E_RETRY, "the API server answered a TokenRequest without a token");
        else if (es_blob_set(ret, token, strlen(token)) < 0)
            rc = es_error_nomem(err);
    }
    json_decref(answer);
    json_decref(request);
    return rc;
}
