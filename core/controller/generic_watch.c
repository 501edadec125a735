#include "core/controller/generic_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/manifest.h"

#define LOGGER "controllers.ExternalSecret"
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000

struct watched {
    struct es_env *env;
    const struct es_kind *kind;
    struct es_cache *cache; /* NULL: not begun, or it could not */
    size_t users;
    bool starting;
    struct watched *next;
};

/* An ExternalSecret with a generic target. */
struct user {
    struct watched *watched;
    uint64_t content;
    int64_t repaired_ms,
        pause_ms; /* the last repair (monotonic), and how long the next has to wait; 0: none yet */
    char key[];
};

struct es_generic_watches {
    struct es_env *env;
    pthread_mutex_t lock; /* guards what follows, watched and users included */
    struct es_map users;  /* "ns/name" -> user */
    struct watched *first;
    unsigned user_count; /* atomic, to be read without the lock */
};

/* ---- what is kept of an object, and whom it wakes ---- */

static int digest(json_t **object)
{
    char content[ES_SHA3_224_HEX_MAX];
    json_t *o = *object;

    es_manifest_hash(content, o);
    json_t *kept = json_pack("{s:{s:s,s:s,s:s,s:s},s:b,s:s}", "metadata", "namespace", es_obj_namespace(o),
                             "name", es_obj_name(o), "uid", es_obj_str(o, "metadata", "uid"),
                             "resourceVersion", es_obj_str(o, "metadata", "resourceVersion"), "intact",
                             es_manifest_is_intact(o), "content", content);
    if (!kept)
        return ES_E_NOMEM;
    json_decref(o);
    *object = kept;
    return 0;
}

/* What controllers write into the status of an object says nothing about its content. */
static void mark(const json_t *kept, struct es_marks *ret)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%s|%s|%d", es_obj_str(kept, "metadata", "uid"),
                     es_obj_str(kept, "content"), es_obj_bool(kept, "intact"));
    ret->spec = es_hash64(text, n > 0 ? strlen(text) : 0);
}

const char *es_generic_term(char out[ES_GENERIC_TERM_MAX], const char *api_version, const char *kind,
                            const char *ns, const char *name)
{
    snprintf(out, ES_GENERIC_TERM_MAX, "manifest:%s/%s/%s/%s", api_version, kind, ns, name);
    return out;
}

static void wake(void *ctx, const char *ns, const char *name)
{
    struct es_env *env = ctx;
    env->enqueue(env->enqueue_ctx, ES_EXTERNAL_SECRET, ns, name);
}

static void changed(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    struct watched *w = ctx;
    char api_version[128], term[ES_GENERIC_TERM_MAX];

    if (!(what & ES_CHANGED_GONE) && es_obj_bool(kept, "intact"))
        return;
    es_kind_api_version(w->kind, api_version);
    es_cache_each(w->env->external_secrets, es_generic_term(term, api_version, w->kind->kind, ns, name), wake,
                  w->env);
}

/* ---- watches ---- */

static struct watched *find_locked(struct es_generic_watches *g, const struct es_kind *kind)
{
    struct watched *w = g->first;
    while (w && w->kind != kind)
        w = w->next;
    return w;
}

static struct watched *add_locked(struct es_generic_watches *g, const struct es_kind *kind)
{
    struct watched *w = es_mem_calloc(1, sizeof *w);

    if (!w)
        return NULL;
    *w = (struct watched){.env = g->env, .kind = kind, .next = g->first};
    g->first = w;
    return w;
}

/* One user less; returns the watch when it was the last and nobody finds it any more. */
static struct watched *leave_locked(struct es_generic_watches *g, struct watched *w)
{
    if (!w || --w->users)
        return NULL;
    struct watched **at = &g->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    return w;
}

/* Not under the lock: it joins a thread. */
static void end(struct es_generic_watches *g, struct watched *w)
{
    if (!w)
        return;
    if (w->cache)
        es_log(ES_INFO, LOGGER, "no target is of this kind any more, its watch ends",
               ES_F_STR("group", w->kind->group), ES_F_STR("kind", w->kind->kind));
    es_cluster_unwatch(g->env->cluster, w->cache);
    es_mem_free(w);
}

static struct es_cache *start(struct es_generic_watches *g, struct watched *w)
{
    struct es_cache_opts opts = {.kind = w->kind,
                                 .label_selector = ES_LABEL_MANAGED "=true",
                                 .digest = digest,
                                 .marks = mark,
                                 .changed = changed,
                                 .ctx = w};
    struct es_error err = ES_ERROR_INIT;
    struct es_cache *cache = NULL;

    int rc = es_cluster_watch(g->env->cluster, &opts, &cache, &err);
    es_log(
        rc < 0 ? ES_WARN : ES_INFO, LOGGER,
        rc < 0
            ? "targets of this kind are not watched: what is changed by hand is repaired at the next refresh"
            : "targets of this kind are watched",
        ES_F_STR("group", w->kind->group), ES_F_STR("kind", w->kind->kind), ES_F_STR("error", err.text));
    pthread_mutex_lock(&g->lock);
    w->cache = cache;
    w->starting = false;
    pthread_mutex_unlock(&g->lock);
    return cache;
}

/* ---- users ---- */

static struct user *user_new(const char *key)
{
    size_t len = strlen(key) + 1;
    struct user *u = es_mem_calloc(1, sizeof *u + len);

    if (u)
        memcpy(u->key, key, len);
    return u;
}

static struct user *user_locked(struct es_generic_watches *g, const char *key)
{
    struct user *u = es_map_get(&g->users, key);

    if (u)
        return u;
    u = user_new(key);
    if (!u || es_map_put(&g->users, u->key, u, NULL) < 0) {
        es_mem_free(u);
        return NULL;
    }
    __atomic_add_fetch(&g->user_count, 1, __ATOMIC_RELAXED);
    return u;
}

/* Moves the user to the kind's watch; *ret_ended is the one that it left last. */
static struct watched *move_locked(struct es_generic_watches *g, struct user *u, const struct es_kind *kind,
                                   struct watched **ret_ended)
{
    struct watched *w = find_locked(g, kind);

    if (w && u->watched == w)
        return w;
    if (!w)
        w = add_locked(g, kind);
    if (!w)
        return NULL;
    w->users++;
    *ret_ended = leave_locked(g, u->watched);
    u->watched = w;
    u->content = 0;
    return w;
}

struct es_cache *es_generic_watches_use(struct es_generic_watches *g, const char *ns, const char *name,
                                        const struct es_kind *kind)
{
    char *key = es_key_of(ns, name);
    struct watched *ended = NULL, *w = NULL;
    bool mine = false;

    pthread_mutex_lock(&g->lock);
    struct user *u = key ? user_locked(g, key) : NULL;
    if (u)
        w = move_locked(g, u, kind, &ended);
    struct es_cache *cache = w ? w->cache : NULL;
    if (w && !cache && !w->starting)
        w->starting = mine = true;
    pthread_mutex_unlock(&g->lock);
    es_mem_free(key);
    end(g, ended);
    return mine ? start(g, w) : cache;
}

void es_generic_watches_release(struct es_generic_watches *g, const char *ns, const char *name)
{
    struct watched *ended = NULL;

    if (!__atomic_load_n(&g->user_count, __ATOMIC_RELAXED))
        return;
    char *key = es_key_of(ns, name);
    pthread_mutex_lock(&g->lock);
    struct user *u = key ? es_map_remove(&g->users, key) : NULL;
    if (u) {
        __atomic_sub_fetch(&g->user_count, 1, __ATOMIC_RELAXED);
        ended = leave_locked(g, u->watched);
    }
    pthread_mutex_unlock(&g->lock);
    es_mem_free(u);
    es_mem_free(key);
    end(g, ended);
}

bool es_generic_watches_is_watched(struct es_generic_watches *g, const struct es_kind *kind)
{
    pthread_mutex_lock(&g->lock);
    const struct watched *w = find_locked(g, kind);
    bool is = w && w->cache;
    pthread_mutex_unlock(&g->lock);
    return is;
}

static uint64_t content_of(struct es_generic_watches *g, const char *ns, const char *name, bool set,
                           uint64_t content)
{
    char *key = es_key_of(ns, name);
    uint64_t result = 0;

    pthread_mutex_lock(&g->lock);
    struct user *u = key ? es_map_get(&g->users, key) : NULL;
    if (u && set)
        u->content = content;
    if (u)
        result = u->content;
    pthread_mutex_unlock(&g->lock);
    es_mem_free(key);
    return result;
}

void es_generic_watches_note(struct es_generic_watches *g, const char *ns, const char *name, uint64_t content)
{
    content_of(g, ns, name, true, content);
}

uint64_t es_generic_watches_noted(struct es_generic_watches *g, const char *ns, const char *name)
{
    return content_of(g, ns, name, false, 0);
}

static int64_t repair_in_locked(struct user *u, int64_t now_ms)
{
    int64_t since_ms = now_ms - u->repaired_ms;

    if (u->pause_ms && since_ms < u->pause_ms)
        return u->pause_ms - since_ms;
    bool calm = !u->pause_ms || since_ms > 10 * u->pause_ms;
    int64_t pause_ms = calm ? PAUSE_MIN_MS : 2 * u->pause_ms;
    u->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
    u->repaired_ms = now_ms;
    return 0;
}

int64_t es_generic_watches_repair_in(struct es_generic_watches *g, const char *ns, const char *name,
                                     int64_t now_mono_ms)
{
    char *key = es_key_of(ns, name);

    pthread_mutex_lock(&g->lock);
    struct user *u = key ? es_map_get(&g->users, key) : NULL;
    int64_t wait_ms = u ? repair_in_locked(u, now_mono_ms) : 0;
    pthread_mutex_unlock(&g->lock);
    es_mem_free(key);
    return wait_ms;
}

/* ---- life ---- */

struct es_generic_watches *es_generic_watches_new(struct es_env *env)
{
    struct es_generic_watches *g = es_mem_calloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->env = env;
    pthread_mutex_init(&g->lock, NULL);
    return g;
}

void es_generic_watches_free(struct es_generic_watches *g)
{
    struct user *u;

    if (!g)
        return;
    for (size_t pos = 0; (u = es_map_next(&g->users, &pos));)
        es_mem_free(u);
    es_map_fini(&g->users);
    while (g->first) {
        struct watched *w = g->first;
        g->first = w->next;
        es_mem_free(w);
    }
    pthread_mutex_destroy(&g->lock);
    es_mem_free(g);
}
