#include "core/controller/store_table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/sources.h"
#include "core/controller/store_ca.h"
#include "core/kube/obj.h"
#include "core/plugin/per_namespace.h"

/* A store with the count of its users; the table is one of them. */
struct loaded {
    struct es_store store;
    json_t *object;
    char *key, *rv;
    int users; /* guarded by the table's lock */
};

struct es_store_table {
    pthread_mutex_t lock;
    struct es_map map; /* "Kind/ns/name" -> loaded */
};

struct es_store_table *es_store_table_new(void)
{
    struct es_store_table *t = calloc(1, sizeof *t);
    if (t)
        pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void loaded_free(struct loaded *l)
{
    if (!l)
        return;
    json_decref(l->object);
    es_mem_free(l->key);
    es_mem_free(l->rv);
    free(l);
}

void es_store_table_free(struct es_store_table *t)
{
    struct loaded *l;

    if (!t)
        return;
    for (size_t pos = 0; (l = es_map_next(&t->map, &pos));)
        loaded_free(l);
    es_map_fini(&t->map);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* A selector that names a thing without saying where: the consumer's namespace
 * decides. */
static bool has_open_reference(const json_t *block, int depth)
{
    const char *name;
    json_t *member;
    size_t i;

    if (depth > 32)
        return true; /* cannot tell: the safe answer */
    if (json_is_array(block)) {
        json_array_foreach (block, i, member)
            if (has_open_reference(member, depth + 1))
                return true;
        return false;
    }
    if (!json_is_object(block))
        return false;
    if (json_is_string(json_object_get(block, "name")) && !*es_obj_str(block, "namespace"))
        return true;
    json_object_foreach ((json_t *)block, name, member)
        if (has_open_reference(member, depth + 1))
            return true;
    return false;
}

static void read_provider(struct es_store *s)
{
    json_t *provider = es_obj_at(s->object, "spec", "provider");
    void *only = json_object_iter(provider);

    s->provider = "";
    if (json_object_size(provider) != 1)
        return;
    s->provider = json_object_iter_key(only);
    s->block = json_object_iter_value(only);
}

/* Whether consumers of different namespaces must not share an instance. */
static bool is_referent(const struct es_env *env, const struct es_store *s)
{
    if (s->kind->namespaced)
        return false;
    const struct es_provider *p = env->registry ? es_registry_provider(env->registry, s->provider) : NULL;
    return has_open_reference(s->block, 0) || (p && es_per_namespace(p->schema, s->block));
}

static struct loaded *load(const struct es_env *env, const struct es_kind *kind, char *take_key,
                           json_t *take_object)
{
    struct loaded *l = calloc(1, sizeof *l);
    char *rv = es_mem_strdup(es_obj_str(take_object, "metadata", "resourceVersion"));

    if (!l || !rv) {
        free(l);
        es_mem_free(rv);
        es_mem_free(take_key);
        json_decref(take_object);
        return NULL;
    }
    l->object = take_object;
    l->key = take_key;
    l->rv = rv;
    struct es_store *s = &l->store;
    s->kind = kind;
    s->object = take_object;
    s->ns = es_obj_namespace(take_object);
    s->name = es_obj_name(take_object);
    s->uid = es_obj_str(take_object, "metadata", "uid");
    s->controller = es_obj_str(take_object, "spec", "controller");
    s->generation = es_obj_int(take_object, "metadata", "generation");
    s->ready = es_streq(es_obj_str(es_obj_condition(take_object, "Ready"), "status"), "True");
    s->judged = es_obj_condition(take_object, "Ready") != NULL;
    read_provider(s);
    s->referent = is_referent(env, s);
    return l;
}

static char *table_key(const struct es_kind *kind, const char *ns, const char *name)
{
    return es_strf("%s/%s/%s", kind->kind, ns, name);
}

/* The loaded version `rv` with one more user, or NULL. */
static struct loaded *borrow(struct es_store_table *t, const char *key, const char *rv)
{
    pthread_mutex_lock(&t->lock);
    struct loaded *l = es_map_get(&t->map, key);
    if (l && es_streq(l->rv, rv))
        l->users++;
    else
        l = NULL;
    pthread_mutex_unlock(&t->lock);
    return l;
}

/* Gives up one use; the lock is held. Returns what has to be freed. */
static struct loaded *drop_locked(struct loaded *l)
{
    return l && --l->users == 0 ? l : NULL;
}

static void publish(struct es_store_table *t, struct loaded *l)
{
    void *old = NULL;

    pthread_mutex_lock(&t->lock);
    l->users = 1; /* the caller */
    if (es_map_put(&t->map, l->key, l, &old) == 0)
        l->users++; /* the table */
    struct loaded *dead = drop_locked(old);
    pthread_mutex_unlock(&t->lock);
    loaded_free(dead);
}

static int hold(struct es_env *env, const struct es_kind *kind, char *take_key, json_t *take_object,
                const struct es_store **ret, struct es_error *err)
{
    struct loaded *l = load(env, kind, take_key, take_object);
    if (!l)
        return es_error_nomem(err);
    publish(env->store_table, l);
    *ret = &l->store;
    return 0;
}

int es_store_get(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                 const struct es_store **ret, struct es_error *err)
{
    struct es_cache *cache = kind->namespaced ? env->secret_stores : env->cluster_secret_stores;
    char rv[ES_RV_MAX];
    json_t *object = NULL;
    char *key = table_key(kind, ns, name);

    if (!key)
        return es_error_nomem(err);
    struct loaded *l = cache && es_cache_rv(cache, ns, name, rv) ? borrow(env->store_table, key, rv) : NULL;
    if (l) {
        es_mem_free(key);
        *ret = &l->store;
        return 0;
    }
    int rc = cache ? es_cache_get(cache, ns, name, &object, err)
                   : es_error_set(err, ES_E_NOT_FOUND, "%s.%s \"%s\" not found: this kind is switched off",
                                  kind->kind, kind->group, name);
    if (rc < 0) {
        es_mem_free(key);
        return rc;
    }
    return hold(env, kind, key, object, ret, err);
}

int es_store_find(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                  const struct es_store **ret, struct es_error *err)
{
    bool watched = kind->namespaced ? env->secret_stores != NULL : env->cluster_secret_stores != NULL;
    struct es_error live_err = ES_ERROR_INIT;
    json_t *object = NULL;
    int rc = es_store_get(env, kind, ns, name, ret, err);

    if (rc != ES_E_NOT_FOUND || !watched || !*name)
        return rc;
    int live = es_cluster_get(env->cluster, kind, ns, name, &object, &live_err);
    if (live == ES_E_NOT_FOUND)
        return rc; /* with the cached reader's text */
    if (live < 0) {
        if (err)
            *err = live_err;
        return live;
    }
    char *key = table_key(kind, ns, name);
    if (!key) {
        json_decref(object);
        return es_error_nomem(err);
    }
    return hold(env, kind, key, object, ret, err);
}

void es_store_release(struct es_env *env, const struct es_store *s)
{
    if (!s)
        return;
    /* The store is the first member of what was loaded. */
    struct loaded *l = (struct loaded *)(uintptr_t)s;
    pthread_mutex_lock(&env->store_table->lock);
    struct loaded *dead = drop_locked(l);
    pthread_mutex_unlock(&env->store_table->lock);
    loaded_free(dead);
}

void es_store_forget(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name)
{
    char *key = table_key(kind, ns, name);
    if (!key)
        return;
    pthread_mutex_lock(&env->store_table->lock);
    struct loaded *dead = drop_locked(es_map_remove(&env->store_table->map, key));
    pthread_mutex_unlock(&env->store_table->lock);
    loaded_free(dead);
    es_mem_free(key);
}

bool es_store_is_ours(const struct es_env *env, const struct es_store *s)
{
    return !*s->controller || es_streq(s->controller, env->settings.controller_class);
}

/* ---- opening ---- */

static int find_provider(struct es_env *env, const struct es_store *s, const struct es_provider **ret,
                         struct es_error *err)
{
    size_t backends = json_object_size(es_obj_at(s->object, "spec", "provider"));
    if (backends != 1)
        return es_error_set(
            err, ES_E_CONFIG,
            "store error for %s: secret stores must only have exactly one backend specified, found %zu",
            s->name, backends);
    *ret = es_registry_provider(env->registry, s->provider);
    if (*ret)
        return 0;

    struct es_buf loaded;
    const struct es_plugin *const *plugins;
    size_t count = es_registry_plugins(env->registry, &plugins);
    es_buf_init(&loaded, 512);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < plugins[i]->provider_count; k++)
            es_buf_addf(&loaded, "%s%s", loaded.len ? ", " : "", plugins[i]->providers[k].name);
    es_error_set(err, ES_E_CONFIG,
                 "store error for %s: failed to find registered store backend for type: %s, name: %s: no "
                 "loaded plugin "
                 "serves the provider \"%s\" (loaded: %s)",
                 s->name, s->provider, s->name, s->provider, loaded.len ? es_buf_str(&loaded) : "none");
    es_buf_fini(&loaded);
    return ES_E_CONFIG;
}

struct opening {
    struct es_env *env;
    const struct es_provider *provider;
    const struct es_store *store;
    const struct es_authority *who;
};

static int open_instance(void *ctx, struct es_instance **ret, struct es_error *err)
{
    const struct opening *o = ctx;
    struct es_open_opts opts = {.retry_settings = es_obj_at(o->store->object, "spec", "retrySettings"),
                                .reads = o->env->reads};
    struct es_blob ca = {0};
    int rc = es_store_ca(o->env, o->store, o->who->reader, &ca, err);

    opts.ca_pem = ca.len ? (const char *)ca.ptr : NULL;
    if (rc == 0)
        rc = es_instance_open(ret, o->env->registry, o->provider, o->who, &opts, err);
    es_blob_fini(&ca);
    return rc;
}

/* A source may change again before the pool is asked: then there is already a
 * newer edition, and that one will do as well. */
static int borrow_newest(struct opening *o, struct es_reader *reader, struct es_instance **ret,
                         struct es_error *err)
{
    uint64_t edition, tried = 0;
    int rc = ES_E_CONFLICT;

    while (rc == ES_E_CONFLICT && (edition = es_reader_edition(o->env, reader)) != tried) {
        tried = edition;
        rc = es_pool_borrow(o->env->pool, es_reader_key(reader), edition, open_instance, o, ret, err);
    }
    return rc;
}

int es_store_open(struct es_env *env, const struct es_store *s, const char *consumer_ns, int64_t deadline_ms,
                  struct es_open_store *ret, struct es_error *err)
{
    const struct es_provider *provider = NULL;
    int rc = find_provider(env, s, &provider, err);
    if (rc < 0)
        return rc;
    struct es_open_store o = {.store = s,
                              .authority = {.store_kind = s->kind->kind,
                                            .store_namespace = s->ns,
                                            .store_name = s->name,
                                            .store_generation = s->generation,
                                            .consumer_namespace = consumer_ns,
                                            .spec = s->block,
                                            .deadline_ms = deadline_ms,
                                            .cancelled = env->cancelled}};
    struct opening opening = {env, provider, s, &o.authority};
    rc = es_sources_reader(env, s, s->referent ? consumer_ns : "", &o.reader, err);
    if (rc < 0)
        return rc;
    o.authority.reader = o.reader;
    rc = borrow_newest(&opening, o.reader, &o.instance, err);
    if (rc == 0)
        *ret = o;
    else
        es_reader_release(env, o.reader);
    return rc;
}

void es_store_close(struct es_env *env, struct es_open_store *open)
{
    if (open->instance)
        es_pool_return(env->pool, open->instance);
    es_reader_release(env, open->reader);
    open->instance = NULL;
    open->reader = NULL;
}
