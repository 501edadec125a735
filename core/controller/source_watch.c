#include "core/controller/source_watch.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/log.h"
#include "core/controller/push_watched.h"
#include "core/controller/sources.h"
#include "core/controller/template_watched.h"
#include "core/kube/obj.h"
#include "core/secret/target.h"

#define KINDS (ES_READ_SERVICE_ACCOUNT + 1)

/* Our own targets change all the time and stand in a cache of their own. */
static const struct {
    const struct es_kind *kind;
    const char *label_selector;
} watched[KINDS] = {
    [ES_READ_SECRET] = {&es_kind_secret, ES_LABEL_MANAGED "!=true"},
    [ES_READ_CONFIG_MAP] = {&es_kind_config_map, NULL},
    [ES_READ_SERVICE_ACCOUNT] = {&es_kind_service_account, NULL},
};

struct source_watch {
    struct es_env *env;
    enum es_kube_read what;
    struct es_watch_sink sink;
    struct es_cache *cache; /* NULL: not watched */
    bool busy;              /* somebody begins or ends it */
};

struct es_source_watches {
    pthread_mutex_t lock; /* guards cache and busy of each */
    struct source_watch watches[KINDS];
};

bool es_source_elsewhere(struct es_env *env, enum es_kube_read what, const char *ns, const char *name,
                         char rv[ES_RV_MAX])
{
    return what == ES_READ_SECRET && env->targets && es_cache_rv(env->targets, ns, name, rv);
}

/* ---- what the watch says ---- */

static void on_restart(void *ctx)
{
    const struct source_watch *w = ctx;
    es_sources_list_begins(w->env, w->what);
}

static void on_event(void *ctx, enum es_watch_event event, json_t *object)
{
    const struct source_watch *w = ctx;
    const char *ns = es_obj_namespace(object), *name = es_obj_name(object);
    char rv[ES_RV_MAX];

    /* What got our label leaves this watch, and is still there. */
    if (event == ES_WATCH_GONE && es_source_elsewhere(w->env, w->what, ns, name, rv))
        es_sources_news(w->env, w->what, ns, name, rv, false);
    else
        es_sources_news(w->env, w->what, ns, name, es_obj_str(object, "metadata", "resourceVersion"),
                        event == ES_WATCH_GONE);
}

static void on_synced(void *ctx)
{
    const struct source_watch *w = ctx;
    es_sources_list_ended(w->env, w->what);
    /* What was deleted meanwhile is not in the list. */
    if (w->what == ES_READ_SECRET)
        es_push_sources_unsure(w->env);
    es_template_sources_unsure(w->env, w->what);
}

/* ---- life ---- */

struct es_source_watches *es_source_watches_new(struct es_env *env)
{
    struct es_source_watches *all = calloc(1, sizeof *all);

    if (!all)
        return NULL;
    pthread_mutex_init(&all->lock, NULL);
    for (int what = 0; what < KINDS; what++) {
        struct source_watch *w = &all->watches[what];
        w->env = env;
        w->what = (enum es_kube_read)what;
        w->sink =
            (struct es_watch_sink){.restart = on_restart, .event = on_event, .synced = on_synced, .ctx = w};
    }
    return all;
}

void es_source_watches_free(struct es_source_watches *all)
{
    if (!all)
        return;
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* Whether the caller may begin (end) it now: nobody else does, and it is not
 * there (it is). */
static bool claim(struct es_source_watches *all, struct source_watch *w, bool there)
{
    pthread_mutex_lock(&all->lock);
    bool mine = !w->busy && (w->cache != NULL) == there;
    if (mine)
        w->busy = true;
    pthread_mutex_unlock(&all->lock);
    return mine;
}

static void settle(struct es_source_watches *all, struct source_watch *w, struct es_cache *cache)
{
    pthread_mutex_lock(&all->lock);
    w->cache = cache;
    w->busy = false;
    pthread_mutex_unlock(&all->lock);
}

void es_source_watches_begin(struct es_source_watches *all, enum es_kube_read what)
{
    struct source_watch *w = &all->watches[what];
    struct es_cache_opts opts = {.kind = watched[what].kind,
                                 .label_selector = watched[what].label_selector,
                                 .metadata_only = true,
                                 .listener = &w->sink};
    struct es_cache *cache = NULL;
    struct es_error err = ES_ERROR_INIT;

    if (!claim(all, w, false))
        return;
    if (es_cluster_watch(w->env->cluster, &opts, &cache, &err) < 0)
        es_log(ES_WARN, "controllers.SecretStore",
               "what stores are opened with and templates are made of is not watched: changes are noticed "
               "when an interval is over",
               ES_F_STR("resource", watched[what].kind->plural), ES_F_STR("error", err.text));
    settle(all, w, cache);
}

void es_source_watches_end(struct es_source_watches *all, enum es_kube_read what)
{
    struct source_watch *w = &all->watches[what];

    if (!claim(all, w, true))
        return;
    es_cluster_unwatch(w->env->cluster, w->cache);
    settle(all, w, NULL);
}
