#include "core/cluster/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/shelf.h"
#include "core/cluster/writes.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"

struct es_cluster {
    const struct es_house *house;
    void *self;
    const struct es_gate *gate; /* or NULL; set before es_cluster_start */
    struct es_shelf *shelf;
    struct es_writes *writes;
    bool started; /* constant once there is more than one thread */
};

int es_cluster_new(struct es_cluster **ret, const struct es_house *house, void *take_self,
                   struct es_error *err)
{
    struct es_cluster *c = calloc(1, sizeof *c);

    if (c) {
        c->shelf = es_shelf_new();
        c->writes = es_writes_new();
    }
    if (!c || !c->shelf || !c->writes) {
        if (c) {
            es_shelf_free(c->shelf);
            es_writes_free(c->writes);
        }
        free(c);
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
    es_shelf_free(c->shelf);
    es_writes_free(c->writes);
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

/* ---- watches ---- */

/* On the shelf first: from there it comes down without waiting for a list. */
static int watch_late(struct es_cluster *c, struct es_cache *cache, struct es_error *err)
{
    int rc = c->house->watch(c->self, cache, err);
    if (rc < 0)
        es_shelf_take(c->shelf, cache);
    return rc;
}

int es_cluster_watch(struct es_cluster *c, const struct es_cache_opts *opts, struct es_cache **ret,
                     struct es_error *err)
{
    struct es_cache *cache = NULL;
    int rc = es_cache_new(&cache, opts, err);

    if (rc == 0) {
        es_cache_mind_writes(cache, c->writes);
        rc = es_shelf_put(c->shelf, cache, err);
    }
    if (rc == 0 && c->started)
        rc = watch_late(c, cache, err);
    if (rc < 0) {
        es_cache_free(cache);
        return rc;
    }
    *ret = cache;
    return 0;
}

void es_cluster_unwatch(struct es_cluster *c, struct es_cache *take_cache)
{
    if (!take_cache)
        return;
    c->house->unwatch(c->self, take_cache);
    es_shelf_take(c->shelf, take_cache);
    es_cache_free(take_cache);
}

struct start {
    struct es_cluster *c;
    struct es_error *err;
    int rc;
};

static bool start_one(void *ctx, struct es_cache *cache)
{
    struct start *s = ctx;
    s->rc = s->c->house->watch(s->c->self, cache, s->err);
    return s->rc == 0;
}

int es_cluster_start(struct es_cluster *c, struct es_error *err)
{
    struct start s = {.c = c, .err = err};

    es_shelf_close(c->shelf);
    c->started = true;
    es_shelf_each_fixed(c->shelf, start_one, &s);
    return s.rc;
}

static bool is_synced(void *ctx, struct es_cache *cache)
{
    (void)ctx;
    return es_cache_synced(cache);
}

bool es_cluster_synced(struct es_cluster *c)
{
    return es_shelf_each_fixed(c->shelf, is_synced, NULL);
}

struct troubles {
    es_trouble_fn *fn;
    void *ctx;
};

static bool tell_trouble(void *ctx, struct es_cache *cache)
{
    const struct troubles *t = ctx;
    struct es_error err = ES_ERROR_INIT;

    return !es_cache_trouble(cache, &err) || t->fn(t->ctx, es_cache_opts_of(cache)->kind, &err);
}

void es_cluster_each_trouble(struct es_cluster *c, es_trouble_fn *fn, void *ctx)
{
    es_shelf_each(c->shelf, tell_trouble, &(struct troubles){fn, ctx});
}

static bool is_well(void *ctx, struct es_cache *cache)
{
    return !es_cache_trouble(cache, ctx);
}

bool es_cluster_trouble(struct es_cluster *c, struct es_error *err)
{
    return !es_shelf_each(c->shelf, is_well, err);
}

int es_cluster_resolve(struct es_cluster *c, const char *api_version, const char *kind,
                       const struct es_kind **ret, struct es_error *err)
{
    return c->house->resolve(c->self, api_version, kind, ret, err);
}

/* ---- objects ---- */

static bool takes_answers(const struct es_cache *cache, const struct es_kind *kind)
{
    const struct es_cache_opts *opts = es_cache_opts_of(cache);
    return !opts->metadata_only && es_kind_same(opts->kind, kind);
}

static bool is_of_no_use(void *ctx, struct es_cache *cache)
{
    return !takes_answers(cache, ctx);
}

static bool is_cached(struct es_cluster *c, const struct es_kind *kind)
{
    return !es_shelf_each(c->shelf, is_of_no_use, (void *)(uintptr_t)kind);
}

int es_cluster_get(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                   json_t **ret, struct es_error *err)
{
    return c->house->get(c->self, kind, ns, name, ret, err);
}

static int order_by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return strcmp(es_obj_name(*x), es_obj_name(*y));
}

/* The same order every time: what comes of them is the same too. */
static json_t *sorted_by_name(json_t *items)
{
    size_t count = json_array_size(items);
    json_t *sorted = json_array(), **order = es_mem_calloc(count + 1, sizeof *order);
    int failed = !sorted || !order;

    for (size_t i = 0; !failed && i < count; i++)
        order[i] = json_array_get(items, i);
    if (!failed)
        qsort(order, count, sizeof *order, order_by_name);
    for (size_t i = 0; !failed && i < count; i++)
        failed = json_array_append(sorted, order[i]);
    es_mem_free(order);
    if (failed) {
        json_decref(sorted);
        return NULL;
    }
    return sorted;
}

int es_cluster_list(struct es_cluster *c, const struct es_kind *kind, const char *ns, const json_t *selector,
                    json_t **ret_items, struct es_error *err)
{
    json_t *items = NULL;
    int rc = c->house->list(c->self, kind, ns, selector, &items, err);
    json_t *sorted = rc == 0 ? sorted_by_name(items) : NULL;

    json_decref(items);
    if (rc == 0 && !sorted)
        return es_error_nomem(err);
    *ret_items = sorted;
    return rc;
}

struct answer {
    const struct es_kind *kind;
    const json_t *object;
    bool silent;
};

static bool put_answer(void *ctx, struct es_cache *cache)
{
    const struct answer *a = ctx;
    if (takes_answers(cache, a->kind) && es_cache_selects(cache, a->object))
        es_cache_put(cache, a->object, a->silent);
    return true;
}

/* Puts a write's answer into the caches and hands it to the caller, if it asked. */
static int settle(struct es_cluster *c, const struct es_kind *kind, json_t *answer, bool silent, json_t **ret)
{
    if (answer)
        es_shelf_each(c->shelf, put_answer, &(struct answer){kind, answer, silent});
    if (ret)
        *ret = answer;
    else
        json_decref(answer);
    return 0;
}

/* Where the answer goes: nowhere, if neither cache nor caller want it. */
static json_t **wanted(struct es_cluster *c, const struct es_kind *kind, json_t **answer, json_t **ret)
{
    return ret || is_cached(c, kind) ? answer : NULL;
}

/* Past the gate; from here to `end` the watch's echo waits for the answer. */
static int begin(struct es_cluster *c, struct es_write *write, const struct es_kind *kind, const char *ns,
                 const char *name, struct es_error *err)
{
    int rc = es_cluster_may_write(c, err);

    *write = (struct es_write){.kind = kind, .ns = ns ? ns : "", .name = name};
    if (rc == 0)
        es_writes_begin(c->writes, write);
    return rc;
}

static int end(struct es_cluster *c, struct es_write *write, int rc)
{
    es_writes_end(c->writes, write);
    return rc;
}

int es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns, const json_t *obj,
                      const char *manager, json_t **ret, struct es_error *err)
{
    struct es_write write;
    json_t *answer = NULL;
    int rc = begin(c, &write, kind, ns, es_obj_name(obj), err);

    if (rc < 0)
        return rc;
    rc = c->house->create(c->self, kind, ns, obj, manager, wanted(c, kind, &answer, ret), err);
    return end(c, &write, rc < 0 ? rc : settle(c, kind, answer, true, ret));
}

int es_cluster_update(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                      const json_t *obj, const char *manager, json_t **ret, struct es_error *err)
{
    struct es_write write;
    json_t *answer = NULL;
    int rc = begin(c, &write, kind, ns, name, err);

    if (rc < 0)
        return rc;
    rc = c->house->update(c->self, kind, ns, name, obj, manager, wanted(c, kind, &answer, ret), err);
    return end(c, &write, rc < 0 ? rc : settle(c, kind, answer, true, ret));
}

int es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                     const char *subresource, const json_t *merge_patch, const char *manager, json_t **ret,
                     struct es_error *err)
{
    struct es_write write;
    json_t *answer = NULL;
    int rc = begin(c, &write, kind, ns, name, err);

    if (rc < 0)
        return rc;
    rc = c->house->patch(c->self, kind, ns, name, subresource, merge_patch, manager,
                         wanted(c, kind, &answer, ret), err);
    /* A patch is no compare-and-swap: the answer may hold somebody's edit that
     * the watch has not told us of yet. It must not pass unnoticed. */
    return end(c, &write, rc < 0 ? rc : settle(c, kind, answer, false, ret));
}

struct guarded {
    const struct es_kind *kind;
    const json_t *sent; /* in the version that it has now */
    const char *text;
    size_t len;
};

static bool put_guarded(void *ctx, struct es_cache *cache)
{
    const struct guarded *g = ctx;
    if (takes_answers(cache, g->kind) && es_cache_selects(cache, g->sent))
        es_cache_put_text(cache, g->sent, g->text, g->len);
    return true;
}

/* A webhook of the cluster may have changed the object on its way: what people write has a new
 * generation then. */
static bool is_as_sent(const json_t *sent, const char *metadata, size_t metadata_len)
{
    size_t len;
    const char *generation = es_kube_member(metadata, metadata_len, "generation", &len);

    return (generation ? strtoll(generation, NULL, 10) : 0) == es_obj_int(sent, "metadata", "generation");
}

/* Nobody will be told by the watch, since the cache has that version by then. */
static int settle_changed(struct es_cluster *c, const struct es_kind *kind, json_t *sent, const char *text,
                          size_t len, struct es_error *err)
{
    json_t *answer = NULL;
    int rc = es_kube_parse(&answer, text, len, err);

    if (rc < 0)
        return rc;
    if (json_object_clear(sent) < 0 || json_object_update(sent, answer) < 0)
        rc = es_error_nomem(err);
    settle(c, kind, answer, false, NULL);
    return rc;
}

/* The object was the newest version, so the answer is what was sent but for its own
 * version: there is nothing in it to look for, and it is not parsed. */
static int settle_guarded(struct es_cluster *c, const struct es_kind *kind, json_t *sent, const char *text,
                          size_t len, struct es_error *err)
{
    char rv[ES_RV_MAX] = "";
    size_t metadata_len;
    const char *metadata = text ? es_kube_member(text, len, "metadata", &metadata_len) : NULL;

    if (!metadata || !es_kube_plain_member(metadata, metadata_len, "resourceVersion", rv, sizeof rv))
        return es_error_set(err, ES_E_INTERNAL, "the API server's answer is no %s", kind->kind);
    if (!is_as_sent(sent, metadata, metadata_len))
        return settle_changed(c, kind, sent, text, len, err);
    if (es_obj_set(sent, json_string(rv), "metadata", "resourceVersion") < 0)
        return es_error_nomem(err);
    es_shelf_each(c->shelf, put_guarded, &(struct guarded){kind, sent, text, len});
    return 0;
}

/* Replaces the status, or with a patch changes the metadata, of `obj` in the version that it has. */
static int write_guarded(struct es_cluster *c, const struct es_kind *kind, json_t *obj, const json_t *patch,
                         struct es_error *err)
{
    struct es_write write;
    char *text = NULL;
    size_t len = 0;
    int rc = begin(c, &write, kind, es_obj_namespace(obj), es_obj_name(obj), err);

    if (rc < 0)
        return rc;
    json_t *names = json_incref(json_object_get(obj, "metadata")); /* `write` points into it */
    if (patch)
        rc = c->house->patch_version(c->self, kind, write.ns, write.name, patch, &text, &len, err);
    else
        rc = c->house->update_status(c->self, kind, write.ns, write.name, obj, &text, &len, err);
    if (rc >= 0 && patch && es_json_merge_patch(obj, patch) < 0)
        rc = es_error_nomem(err);
    if (rc >= 0)
        rc = settle_guarded(c, kind, obj, text, len, err);
    es_mem_free(text);
    end(c, &write, rc);
    json_decref(names);
    return rc;
}

int es_cluster_patch_metadata(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                              const json_t *merge_patch, struct es_error *err)
{
    if (!c->house->patch_version)
        return es_error_set(err, ES_E_UNSUPPORTED, "there are only patches whose answer is parsed");
    return write_guarded(c, kind, obj, merge_patch, err);
}

int es_cluster_update_status(struct es_cluster *c, const struct es_kind *kind, json_t *obj,
                             struct es_error *err)
{
    if (!c->house->update_status)
        return es_error_set(err, ES_E_UNSUPPORTED, "there is no status to replace, only to patch");
    return write_guarded(c, kind, obj, NULL, err);
}

struct removal {
    const struct es_kind *kind;
    const char *ns, *name, *uid;
};

static bool forget_removed(void *ctx, struct es_cache *cache)
{
    const struct removal *r = ctx;
    if (takes_answers(cache, r->kind))
        es_cache_remove(cache, r->ns, r->name, r->uid);
    return true;
}

int es_cluster_remove(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                      const char *uid, struct es_error *err)
{
    int rc = es_cluster_may_write(c, err);
    if (rc == 0)
        rc = c->house->remove(c->self, kind, ns, name, uid, err);
    /* Without a uid the entry may be that of a successor: left to the watch. */
    if ((rc == 0 || rc == ES_E_NOT_FOUND) && uid)
        es_shelf_each(c->shelf, forget_removed, &(struct removal){kind, ns, name, uid});
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
