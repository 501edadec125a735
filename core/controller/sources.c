#include "core/controller/sources.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/push_watched.h"
#include "core/controller/source_watch.h"
#include "core/controller/template_watched.h"
#include "core/controller/watched.h"
#include "core/kube/obj.h"

#define KINDS (ES_READ_SERVICE_ACCOUNT + 1)
#define ID_MAX 640

/* PENDING: somebody is reading it just now, and nobody has before. UNSURE: the read
 * failed, so that any news may be what helps. */
enum seen { PENDING, SEEN, UNSURE };

/* That a reader depends on a source, and in which version. */
struct link {
    struct source *source;
    struct es_reader *reader;
    struct link *next_of_source, *next_of_reader;
    enum seen state;
    char rv[ES_RV_MAX]; /* SEEN: "" when it is not there */
};

/* An object that somebody depends on; it goes with its last link. */
struct source {
    enum es_kube_read what;
    uint64_t news; /* grows with whatever is heard of it */
    bool gone;     /* what was heard last, and when */
    char rv[ES_RV_MAX];
    uint32_t list; /* the last full list that had it */
    struct link *links;
    char id[]; /* a digit for the kind, then namespace/name */
};

/* A version of a store that somebody has opened, or tried to. */
struct known_store {
    char *key; /* "Kind/ns/name" */
    const struct es_kind *kind;
    char *ns, *name, *version, *rv;
    struct es_reader *readers;
};

struct es_reader {
    char *key, *consumer;
    struct known_store *store; /* NULL: superseded, notes nothing any more */
    uint64_t edition;
    int users; /* whoever holds it, the store among them */
    struct link *links;
    struct es_reader *next; /* of the store */
};

struct es_sources {
    struct es_env *env;
    struct es_source_watches *watches;
    pthread_mutex_t lock;  /* guards all that follows and what it points to */
    struct es_map by_id;   /* source.id -> source */
    struct es_map stores;  /* known_store.key -> known_store */
    struct es_map readers; /* es_reader.key -> es_reader, those with a store */
    size_t counts[KINDS];  /* sources */
    uint32_t lists[KINDS]; /* full lists begun */
    uint64_t editions;
};

/* ---- life ---- */

struct es_sources *es_sources_new(struct es_env *env)
{
    struct es_sources *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->env = env;
    s->watches = es_source_watches_new(env);
    if (!s->watches) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void reader_unuse_locked(struct es_reader *r)
{
    if (!r || --r->users)
        return;
    es_mem_free(r->key);
    es_mem_free(r->consumer);
    free(r);
}

/* ---- sources and links ---- */

static bool make_id(char id[ID_MAX], enum es_kube_read what, const char *ns, const char *name)
{
    return snprintf(id, ID_MAX, "%d%s/%s", (int)what, ns, name) < ID_MAX;
}

static struct source *find_source_locked(struct es_sources *s, enum es_kube_read what, const char *ns,
                                         const char *name)
{
    char id[ID_MAX];
    return s->by_id.count && make_id(id, what, ns, name) ? es_map_get(&s->by_id, id) : NULL;
}

static struct source *add_source_locked(struct es_sources *s, enum es_kube_read what, const char *ns,
                                        const char *name)
{
    char id[ID_MAX];
    struct source *found = find_source_locked(s, what, ns, name);

    if (found || !make_id(id, what, ns, name))
        return found;
    size_t size = strlen(id) + 1;
    struct source *fresh = calloc(1, sizeof *fresh + size);
    if (!fresh)
        return NULL;
    fresh->what = what;
    fresh->list = s->lists[what] - 1; /* a list that is just being read may have been made before */
    memcpy(fresh->id, id, size);
    if (es_map_put(&s->by_id, fresh->id, fresh, NULL) < 0) {
        free(fresh);
        return NULL;
    }
    s->counts[what]++;
    return fresh;
}

static struct link *find_link(const struct es_reader *r, const struct source *source)
{
    for (struct link *l = r->links; l; l = l->next_of_reader)
        if (l->source == source)
            return l;
    return NULL;
}

static void add_link_locked(struct es_reader *r, struct source *source)
{
    struct link *l = find_link(r, source) ? NULL : calloc(1, sizeof *l);

    if (!l)
        return;
    *l = (struct link){
        .source = source, .reader = r, .next_of_source = source->links, .next_of_reader = r->links};
    source->links = r->links = l;
}

static void drop_if_unused_locked(struct es_sources *s, struct source *source)
{
    if (source->links)
        return;
    es_map_remove(&s->by_id, source->id);
    s->counts[source->what]--;
    free(source);
}

static void drop_links_locked(struct es_sources *s, struct es_reader *r)
{
    struct link *l;

    while ((l = r->links)) {
        struct link **at = &l->source->links;
        while (*at != l)
            at = &(*at)->next_of_source;
        *at = l->next_of_source;
        r->links = l->next_of_reader;
        drop_if_unused_locked(s, l->source);
        free(l);
    }
}

/* ---- stores and their readers ---- */

static void store_free(struct known_store *k)
{
    if (!k)
        return;
    es_mem_free(k->key);
    es_mem_free(k->ns);
    es_mem_free(k->name);
    es_mem_free(k->version);
    es_mem_free(k->rv);
    free(k);
}

/* Its holders may go on with it; what it reads is of no interest any more. */
static void retire_reader_locked(struct es_sources *s, struct es_reader *r)
{
    struct es_reader **at = &r->store->readers;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    r->store = NULL;
    es_map_remove(&s->readers, r->key);
    drop_links_locked(s, r);
    reader_unuse_locked(r);
}

static void retire_readers_locked(struct es_sources *s, struct known_store *k)
{
    while (k->readers)
        retire_reader_locked(s, k->readers);
}

void es_sources_free(struct es_sources *s)
{
    struct known_store *k;

    if (!s)
        return;
    for (size_t pos = 0; (k = es_map_next(&s->stores, &pos));) {
        retire_readers_locked(s, k);
        store_free(k);
    }
    es_map_fini(&s->stores);
    es_map_fini(&s->readers);
    es_map_fini(&s->by_id);
    es_source_watches_free(s->watches);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static char *version_of(const json_t *object)
{
    return es_strf("%s-%lld", es_obj_str(object, "metadata", "uid"),
                   (long long)es_obj_int(object, "metadata", "generation"));
}

static struct known_store *store_new(const struct es_kind *kind, const char *ns, const char *name)
{
    struct known_store *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    k->kind = kind;
    k->key = es_strf("%s/%s/%s", kind->kind, ns, name);
    k->ns = es_mem_strdup(ns);
    k->name = es_mem_strdup(name);
    if (k->key && k->ns && k->name)
        return k;
    store_free(k);
    return NULL;
}

/* The version that the store has now; readers of another one are retired. */
static int set_version_locked(struct es_sources *s, struct known_store *k, const json_t *object)
{
    char *version = version_of(object);
    char *rv = es_mem_strdup(es_obj_str(object, "metadata", "resourceVersion"));

    if (!version || !rv) {
        es_mem_free(version);
        es_mem_free(rv);
        return ES_E_NOMEM;
    }
    if (!es_streq(version, k->version))
        retire_readers_locked(s, k);
    es_mem_free(k->version);
    es_mem_free(k->rv);
    k->version = version;
    k->rv = rv;
    return 0;
}

static struct known_store *add_store_locked(struct es_sources *s, const struct es_store *store)
{
    struct known_store *k = store_new(store->kind, store->ns, store->name);

    if (!k || set_version_locked(s, k, store->object) < 0 || es_map_put(&s->stores, k->key, k, NULL) < 0) {
        store_free(k);
        return NULL;
    }
    return k;
}

static bool is_cached(const struct es_env *env, const struct es_store *store)
{
    struct es_cache *cache = store->kind->namespaced ? env->secret_stores : env->cluster_secret_stores;
    char rv[ES_RV_MAX];
    return cache && es_cache_rv(cache, store->ns, store->name, rv);
}

/* The known store in the caller's version. A store that is gone from the cache is
 * not added again: nobody would tell when to forget it. */
static int find_store_locked(struct es_sources *s, const struct es_store *store, const char *version,
                             struct known_store **ret)
{
    char key[ID_MAX];
    int n = snprintf(key, sizeof key, "%s/%s/%s", store->kind->kind, store->ns, store->name);
    struct known_store *k = n < ID_MAX ? es_map_get(&s->stores, key) : NULL;

    if (!k) {
        if (!is_cached(s->env, store))
            return ES_E_CONFLICT;
        *ret = add_store_locked(s, store);
        return *ret ? 0 : ES_E_NOMEM;
    }
    *ret = k;
    if (es_streq(k->version, version))
        return 0;
    if (es_rv_compare(k->rv, es_obj_str(store->object, "metadata", "resourceVersion")) > 0)
        return ES_E_CONFLICT;
    return set_version_locked(s, k, store->object);
}

static int add_reader_locked(struct es_sources *s, struct known_store *k, const char *consumer,
                             char *take_key, struct es_reader **ret)
{
    struct es_reader *r = calloc(1, sizeof *r);
    char *whose = es_mem_strdup(consumer);

    if (!r || !whose || es_map_put(&s->readers, take_key, r, NULL) < 0) {
        free(r);
        es_mem_free(whose);
        es_mem_free(take_key);
        return ES_E_NOMEM;
    }
    *r = (struct es_reader){.key = take_key,
                            .consumer = whose,
                            .store = k,
                            .edition = ++s->editions,
                            .users = 1,
                            .next = k->readers};
    k->readers = r;
    *ret = r;
    return 0;
}

static int find_reader_locked(struct es_sources *s, const struct es_store *store, const char *version,
                              const char *consumer, struct es_reader **ret)
{
    struct known_store *k = NULL;
    int rc = find_store_locked(s, store, version, &k);

    if (rc < 0)
        return rc;
    char *key = es_strf("%s|%s", k->key, consumer);
    if (!key)
        return ES_E_NOMEM;
    struct es_reader *r = es_map_get(&s->readers, key);
    if (r)
        es_mem_free(key);
    else
        rc = add_reader_locked(s, k, consumer, key, &r);
    if (rc < 0)
        return rc;
    r->users++;
    *ret = r;
    return 0;
}

int es_sources_reader(struct es_env *env, const struct es_store *store, const char *consumer_ns,
                      struct es_reader **ret, struct es_error *err)
{
    struct es_sources *s = env->sources;
    char *version = version_of(store->object);

    if (!version)
        return es_error_nomem(err);
    pthread_mutex_lock(&s->lock);
    int rc = find_reader_locked(s, store, version, consumer_ns, ret);
    pthread_mutex_unlock(&s->lock);
    es_mem_free(version);
    if (rc == ES_E_CONFLICT)
        return es_error_set(err, rc, "%s \"%s\" was changed meanwhile", store->kind->kind, store->name);
    return rc < 0 ? es_error_nomem(err) : 0;
}

void es_reader_release(struct es_env *env, struct es_reader *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&env->sources->lock);
    reader_unuse_locked(r);
    pthread_mutex_unlock(&env->sources->lock);
}

const char *es_reader_key(const struct es_reader *r)
{
    return r->key;
}

uint64_t es_reader_edition(struct es_env *env, const struct es_reader *r)
{
    pthread_mutex_lock(&env->sources->lock);
    uint64_t edition = r->edition;
    pthread_mutex_unlock(&env->sources->lock);
    return edition;
}

void es_sources_store_changed(struct es_env *env, const struct es_kind *kind, const char *ns,
                              const char *name, const json_t *kept)
{
    struct es_sources *s = env->sources;
    char key[ID_MAX];

    if (snprintf(key, sizeof key, "%s/%s/%s", kind->kind, ns, name) >= ID_MAX)
        return;
    pthread_mutex_lock(&s->lock);
    struct known_store *k = es_map_get(&s->stores, key);
    if (k && kept) {
        set_version_locked(s, k, kept); /* without memory: the next reader finds out */
    } else if (k) {
        retire_readers_locked(s, k);
        es_map_remove(&s->stores, key);
        store_free(k);
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- those who have to be told ---- */

/* Readers that were outdated under the lock, to be dealt with without it. */
struct outdated {
    struct es_reader **readers;
    size_t count, cap;
};

/* What is open for it is not used again. Without memory for the list, only those
 * who wait are told late. */
static void outdate_locked(struct es_sources *s, struct es_reader *r, struct outdated *list)
{
    r->edition = ++s->editions;
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 8;
        struct es_reader **grown = realloc(list->readers, cap * sizeof(struct es_reader *));
        if (!grown)
            return;
        list->readers = grown;
        list->cap = cap;
    }
    r->users++;
    list->readers[list->count++] = r;
}

/* Of a reader's store; false when it has none any more. */
static bool copy_store(struct es_sources *s, const struct es_reader *r, const struct es_kind **kind,
                       char ns[256], char name[256])
{
    pthread_mutex_lock(&s->lock);
    const struct known_store *k = r->store;
    if (k) {
        *kind = k->kind;
        snprintf(ns, 256, "%s", k->ns);
        snprintf(name, 256, "%s", k->name);
    }
    pthread_mutex_unlock(&s->lock);
    return k != NULL;
}

/* A namespace that used the store and does so no more is not waited for. */
static void forget_consumer(struct es_sources *s, struct es_reader *r)
{
    pthread_mutex_lock(&s->lock);
    if (r->store)
        retire_reader_locked(s, r);
    pthread_mutex_unlock(&s->lock);
}

/* The store is looked at first, in its own lane; whoever failed retries at once. */
static void wake(struct es_sources *s, struct es_reader *r, enum es_kube_read what, const char *ns,
                 const char *name)
{
    static const char *const kinds[] = {[ES_READ_SECRET] = "Secret",
                                        [ES_READ_CONFIG_MAP] = "ConfigMap",
                                        [ES_READ_SERVICE_ACCOUNT] = "ServiceAccount"};
    struct es_env *env = s->env;
    const struct es_kind *kind = NULL;
    char store_ns[256], store_name[256];

    if (!copy_store(s, r, &kind, store_ns, store_name))
        return;
    es_log(ES_INFO, "controllers.SecretStore", "what the store was opened with has changed",
           ES_F_STR("kind", kind->kind), ES_F_STR("namespace", store_ns), ES_F_STR("name", store_name),
           ES_F_STR("sourceKind", kinds[what]), ES_F_STR("sourceNamespace", ns),
           ES_F_STR("sourceName", name));
    if (!*r->consumer)
        env->enqueue(env->enqueue_ctx, kind->namespaced ? ES_SECRET_STORE : ES_CLUSTER_SECRET_STORE, store_ns,
                     store_name);
    if (es_wake_dependents(env, store_ns, store_name, r->consumer) == 0 && *r->consumer)
        forget_consumer(s, r);
}

static void wake_all(struct es_sources *s, struct outdated *list, enum es_kube_read what, const char *ns,
                     const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        wake(s, list->readers[i], what, ns, name);
        es_reader_release(s->env, list->readers[i]);
    }
    free(list->readers);
}

/* ---- reading ---- */

static void copy_rv(char to[ES_RV_MAX], const char *rv)
{
    snprintf(to, ES_RV_MAX, "%s", rv);
}

/* Is what was heard of the source (NULL: that it is gone, nobody knows since when)
 * newer than what the link stands for? A read that found nothing has no
 * version, so that anything is. */
static bool is_newer(const struct link *l, const char *rv, bool gone)
{
    if (l->state != SEEN)
        return l->state == UNSURE;
    if (gone && !*l->rv)
        return false;
    int order = rv ? es_rv_compare(l->rv, rv) : -1;
    return gone ? order <= 0 : order < 0;
}

uint64_t es_sources_reading(struct es_env *env, struct es_reader *r, enum es_kube_read what, const char *ns,
                            const char *name)
{
    struct es_sources *s = env->sources;
    uint64_t news = 0;

    pthread_mutex_lock(&s->lock);
    bool alive = r->store != NULL;
    struct source *source = alive ? add_source_locked(s, what, ns, name) : NULL;
    if (source) {
        add_link_locked(r, source);
        news = source->news;
        drop_if_unused_locked(s, source); /* there was no memory for the link */
    }
    pthread_mutex_unlock(&s->lock);
    if (alive)
        es_source_watches_begin(s->watches, what);
    return news;
}

/* Notes what was found; true when the reader is outdated by it: it had something
 * else before, or what was found is old news already. */
static bool note_locked(struct link *l, const char *rv, bool heard_meanwhile)
{
    const struct source *source = l->source;
    bool known = l->state == SEEN, changed = false;

    if (!rv) {
        l->state = known ? SEEN : UNSURE;
        return false;
    }
    /* Two reads at once may end in either order: the older one is no news. */
    if (!known || !*rv || !*l->rv || es_rv_compare(l->rv, rv) < 0) {
        changed = known && !es_streq(l->rv, rv);
        copy_rv(l->rv, rv);
        l->state = SEEN;
    }
    if (heard_meanwhile && is_newer(l, *source->rv ? source->rv : NULL, source->gone)) {
        copy_rv(l->rv, source->gone ? "" : source->rv);
        changed = true;
    }
    return changed;
}

void es_sources_read(struct es_env *env, struct es_reader *r, enum es_kube_read what, const char *ns,
                     const char *name, const char *rv, uint64_t reading)
{
    struct es_sources *s = env->sources;
    struct outdated list = {0};

    pthread_mutex_lock(&s->lock);
    struct source *source = r->store ? find_source_locked(s, what, ns, name) : NULL;
    struct link *l = source ? find_link(r, source) : NULL;
    if (l && note_locked(l, rv, source->news != reading))
        outdate_locked(s, r, &list);
    pthread_mutex_unlock(&s->lock);
    wake_all(s, &list, what, ns, name);
}

/* ---- news ---- */

static void hear_locked(struct es_sources *s, struct source *source, const char *rv, bool gone,
                        struct outdated *list)
{
    source->news++;
    source->gone = gone;
    source->list = s->lists[source->what];
    copy_rv(source->rv, rv ? rv : "");
    for (struct link *l = source->links; l; l = l->next_of_source) {
        if (!is_newer(l, rv, gone))
            continue;
        l->state = SEEN;
        copy_rv(l->rv, gone ? "" : rv);
        outdate_locked(s, l->reader, list);
    }
}

void es_sources_news(struct es_env *env, enum es_kube_read what, const char *ns, const char *name,
                     const char *rv, bool gone)
{
    struct es_sources *s = env->sources;
    struct outdated list = {0};

    pthread_mutex_lock(&s->lock);
    struct source *source = find_source_locked(s, what, ns, name);
    if (source)
        hear_locked(s, source, rv, gone, &list);
    pthread_mutex_unlock(&s->lock);
    wake_all(s, &list, what, ns, name);
    if (what == ES_READ_SECRET)
        es_push_source_changed(env, ns, name);
    es_template_source_changed(env, what, ns, name);
}

/* The watches of the other kinds are listeners: they hear of everybody's writes. */
void es_sources_wrote(struct es_env *env, const struct es_kind *kind, const char *ns, const char *name,
                      const char *rv)
{
    if (es_kind_same(kind, &es_kind_secret))
        es_sources_news(env, ES_READ_SECRET, ns, name, rv, !rv);
}

void es_sources_list_begins(struct es_env *env, enum es_kube_read what)
{
    pthread_mutex_lock(&env->sources->lock);
    env->sources->lists[what]++;
    pthread_mutex_unlock(&env->sources->lock);
}

/* The id of one source that the full list did not have, marked as looked at. */
static bool next_unlisted(struct es_sources *s, enum es_kube_read what, char id[ID_MAX])
{
    struct source *source;
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (size_t pos = 0; !found && (source = es_map_next(&s->by_id, &pos));) {
        found = source->what == what && source->list != s->lists[what];
        if (found) {
            source->list = s->lists[what];
            snprintf(id, ID_MAX, "%s", source->id);
        }
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void es_sources_list_ended(struct es_env *env, enum es_kube_read what)
{
    char id[ID_MAX], ns[256], rv[ES_RV_MAX];

    while (next_unlisted(env->sources, what, id)) {
        const char *name = es_key_split(id + 1, ns);
        if (es_source_elsewhere(env, what, ns, name, rv))
            es_sources_news(env, what, ns, name, rv, false);
        else
            es_sources_news(env, what, ns, name, NULL, true);
    }
}

/* ---- housekeeping ---- */

void es_sources_watch(struct es_env *env, enum es_kube_read what)
{
    es_source_watches_begin(env->sources->watches, what);
}

/* PushSecrets read Secrets too, and templates are made of them. */
static bool is_needed(struct es_env *env, enum es_kube_read what)
{
    return es_sources_count(env, what) || es_template_wants(env, what) ||
           (what == ES_READ_SECRET && env->push_secrets && es_cache_count(env->push_secrets));
}

size_t es_sources_count(struct es_env *env, enum es_kube_read what)
{
    pthread_mutex_lock(&env->sources->lock);
    size_t count = env->sources->counts[what];
    pthread_mutex_unlock(&env->sources->lock);
    return count;
}

void es_sources_sweep(struct es_env *env)
{
    for (int i = 0; i < KINDS; i++) {
        enum es_kube_read what = (enum es_kube_read)i;
        if (is_needed(env, what))
            continue;
        es_source_watches_end(env->sources->watches, what);
        /* Whoever came meanwhile found it busy. */
        if (is_needed(env, what))
            es_source_watches_begin(env->sources->watches, what);
    }
}
