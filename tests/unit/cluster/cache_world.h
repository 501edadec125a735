/* A cache of ExternalSecrets with a diary of what it told, for the tests of caches. */
#ifndef TESTS_CLUSTER_CACHE_WORLD_H
#define TESTS_CLUSTER_CACHE_WORLD_H

#include "cluster_test.h"

#include "core/cluster/cache.h"

struct world {
    struct es_cache *cache;
    struct es_watch_sink sink;
    char diary[2048];
};

static inline void write_down(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    struct world *w = ctx;
    size_t len = strlen(w->diary);

    snprintf(w->diary + len, sizeof w->diary - len, "%s%s/%s:%s%s%s%s=%s", len ? " " : "", ns, name,
             what & ES_CHANGED_SPEC ? "S" : "", what & ES_CHANGED_STATE ? "s" : "",
             what & ES_CHANGED_GONE ? "G" : "", what & ES_CHANGED_OWN ? "o" : "",
             es_obj_str(kept, "metadata", "resourceVersion"));
}

static inline void mark(const json_t *kept, struct es_marks *ret)
{
    ret->spec = (uint64_t)es_obj_int(kept, "metadata", "generation");
    ret->state = (uint64_t)es_obj_int(kept, "status", "n");
}

static inline void index_stores(const json_t *kept, struct es_terms *t)
{
    const char *a = es_obj_str(kept, "spec", "a"), *b = es_obj_str(kept, "spec", "b");
    if (*a)
        es_terms_add(t, a);
    if (*b)
        es_terms_add(t, b);
}

static inline struct world *world_new(const struct es_cache_opts *more)
{
    struct world *w = calloc(1, sizeof *w);
    struct es_cache_opts opts = more ? *more : (struct es_cache_opts){.marks = mark, .index = index_stores};
    struct es_error err = ES_ERROR_INIT;

    assert_non_null(w);
    opts.kind = &es_kind_external_secret;
    opts.changed = write_down;
    opts.ctx = w;
    check_ok(es_cache_new(&w->cache, &opts, &err), &err);
    w->sink = es_cache_sink(w->cache);
    return w;
}

static inline void world_free(struct world *w)
{
    es_cache_free(w->cache);
    free(w);
}

/* What was told since the last question. */
static inline void assert_told(struct world *w, const char *want)
{
    assert_string_equal(w->diary, want);
    w->diary[0] = '\0';
}

static inline json_t *version(const char *name, int rv, int generation, int state)
{
    char text[400];
    snprintf(text, sizeof text,
             "{'metadata':{'resourceVersion':'%d','uid':'uid-%s','generation':%d,'managedFields':[1,2]},"
             "'spec':{'a':'store-%d','b':'%s'},'status':{'n':%d}}",
             rv, name, generation, generation, name, state);
    return object(&es_kind_external_secret, "ns", name, text);
}

static inline void set(struct world *w, const char *name, int rv, int generation, int state)
{
    json_t *o = version(name, rv, generation, state);
    w->sink.event(w->sink.ctx, ES_WATCH_SET, o);
    json_decref(o);
}

static inline void gone(struct world *w, const char *name, int rv)
{
    json_t *o = version(name, rv, 1, 0);
    w->sink.event(w->sink.ctx, ES_WATCH_GONE, o);
    json_decref(o);
}

static inline void put(struct world *w, const char *name, int rv, int generation, int state)
{
    json_t *o = version(name, rv, generation, state);
    es_cache_put(w->cache, o, false);
    assert_int_equal(json_array_size(es_obj_at(o, "metadata", "managedFields")), 2); /* it was borrowed */
    json_decref(o);
}

static inline void synced(struct world *w)
{
    w->sink.synced(w->sink.ctx);
}

static inline void restart(struct world *w)
{
    w->sink.restart(w->sink.ctx);
}

/* The resourceVersion that is kept, or "none". */
static inline void assert_kept(struct world *w, const char *name, const char *want)
{
    char rv[ES_RV_MAX] = "none";
    es_cache_rv(w->cache, "ns", name, rv);
    assert_string_equal(rv, want);
}

static inline void collect(void *ctx, const char *ns, const char *name)
{
    char *out = ctx;
    size_t len = strlen(out);
    snprintf(out + len, 256 - len, "%s%s/%s", len ? " " : "", ns, name);
}

static inline void assert_found(struct world *w, const char *term, const char *want)
{
    char found[256] = "";
    assert_int_equal(es_cache_each(w->cache, term, collect, found), 0);
    assert_string_equal(found, want);
}

#endif
