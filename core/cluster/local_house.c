#include "core/cluster/local_house.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/managed_fields.h"
#include "core/cluster/shelf.h"
#include "core/kube/kind_set.h"
#include "core/kube/obj.h"

#define CACHES_MAX (ES_SHELF_FIXED_MAX + ES_SHELF_LOOSE_MAX)

/* Objects are kept as trees that only this file touches; what goes out and
 * comes in is copied. */
struct record {
    const struct es_kind *kind;
    char *key; /* "Kind.group/ns/name" */
    json_t *object;
};

struct es_local {
    pthread_mutex_t lock;     /* guards what follows */
    struct es_map map;        /* key -> record */
    struct es_kind_set kinds; /* those of records and answers, whoever asked for them */
    uint64_t revision, uids;
    struct es_cache *caches[CACHES_MAX];
    struct es_watch_sink sinks[CACHES_MAX];
    size_t cache_count;
    bool stopped;

    /* Changes that the watches have to hear of, in the order in which they were
     * made: a deletion told before the write that it followed would read as
     * a new object. So one thread at a time tells; the others wait until it has
     * told what they did. */
    struct change *pending, **pending_tail;
    uint64_t noted, told; /* changes so far */
    bool telling;
    pthread_t teller; /* while telling */
    pthread_cond_t progress;
};

struct change {
    struct change *next;
    const struct es_kind *kind;
    enum es_watch_event event;
    json_t *object; /* a copy */
};

/* ---- keys and copies ---- */

static char *record_key(const struct es_kind *kind, const char *ns, const char *name)
{
    return es_strf("%s.%s/%s/%s", kind->kind, kind->group, kind->namespaced ? ns : "", name);
}

static struct record *find_locked(struct es_local *l, const struct es_kind *kind, const char *ns,
                                  const char *name)
{
    char *key = record_key(kind, ns, name);
    struct record *r = key ? es_map_get(&l->map, key) : NULL;
    es_mem_free(key);
    return r;
}

static int not_found(const struct es_kind *kind, const char *name, struct es_error *err)
{
    return es_error_set(err, ES_E_NOT_FOUND, "%s%s%s \"%s\" not found", kind->plural, *kind->group ? "." : "",
                        kind->group, name);
}

static int conflict(const struct es_kind *kind, const char *name, const char *why, struct es_error *err)
{
    return es_error_set(err, ES_E_CONFLICT, "Operation cannot be fulfilled on %s%s%s \"%s\": %s",
                        kind->plural, *kind->group ? "." : "", kind->group, name, why);
}

static void record_free(struct record *r)
{
    if (!r)
        return;
    json_decref(r->object);
    es_mem_free(r->key);
    free(r);
}

/* ---- telling the watches ---- */

static struct change *change_new(const struct record *r, enum es_watch_event event)
{
    struct change *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->kind = r->kind;
    c->event = event;
    c->object = json_deep_copy(r->object);
    return c;
}

static void change_free(struct change *c)
{
    json_decref(c->object);
    free(c);
}

static void note_locked(struct es_local *l, const struct record *r, enum es_watch_event event)
{
    struct change *c = change_new(r, event);

    if (!c)
        return;
    *l->pending_tail = c;
    l->pending_tail = &c->next;
    l->noted++;
}

/* What a watch of metadata sends of an object. */
static json_t *metadata_of(const json_t *object)
{
    return json_pack("{s:O?,s:O?,s:o?}", "apiVersion", json_object_get(object, "apiVersion"), "kind",
                     json_object_get(object, "kind"), "metadata",
                     json_deep_copy(json_object_get(object, "metadata")));
}

static void tell(const struct es_cache *cache, const struct es_watch_sink *sink, enum es_watch_event event,
                 const json_t *object)
{
    json_t *copy = es_cache_opts_of(cache)->metadata_only ? metadata_of(object) : json_deep_copy(object);

    if (event == ES_WATCH_SET && !es_cache_selects(cache, object))
        event = ES_WATCH_GONE;
    if (copy)
        sink->event(sink->ctx, event, copy);
    json_decref(copy);
}

/* Waits for its turn to tell; false when there is nothing left to tell. */
static bool begin_telling_locked(struct es_local *l, uint64_t until)
{
    while (l->telling && l->told < until)
        pthread_cond_wait(&l->progress, &l->lock);
    if (l->telling || l->told >= until)
        return false;
    l->telling = true;
    l->teller = pthread_self();
    return true;
}

static void end_telling_locked(struct es_local *l)
{
    l->telling = false;
    pthread_cond_broadcast(&l->progress);
}

/* Lets go of the lock while it tells: the sinks may call back. */
static void tell_pending_locked(struct es_local *l)
{
    struct change *c;

    while ((c = l->pending)) {
        size_t count = l->cache_count;
        l->pending = c->next;
        if (!l->pending)
            l->pending_tail = &l->pending;
        pthread_mutex_unlock(&l->lock);
        for (size_t i = 0; i < count; i++)
            if (es_kind_same(es_cache_opts_of(l->caches[i])->kind, c->kind))
                tell(l->caches[i], &l->sinks[i], c->event, c->object);
        change_free(c);
        pthread_mutex_lock(&l->lock);
        l->told++;
        pthread_cond_broadcast(&l->progress);
    }
}

/* Returns when the watches have heard of all changes so far. In a sink that is
 * left to the teller, which is further up on the stack. */
static void publish(struct es_local *l)
{
    pthread_mutex_lock(&l->lock);
    bool nested = l->telling && pthread_equal(l->teller, pthread_self());
    if (!nested && begin_telling_locked(l, l->noted)) {
        tell_pending_locked(l);
        end_telling_locked(l);
    }
    pthread_mutex_unlock(&l->lock);
}

/* ---- storing ---- */

/* A new resourceVersion; on the first one also uid and time. */
static int stamp_locked(struct es_local *l, json_t *object)
{
    char rv[32], uid[48], now[ES_TIME_TEXT_MAX];

    snprintf(rv, sizeof rv, "%llu", (unsigned long long)++l->revision);
    if (es_obj_set(object, json_string(rv), "metadata", "resourceVersion") < 0)
        return ES_E_NOMEM;
    if (*es_obj_str(object, "metadata", "uid"))
        return 0;
    snprintf(uid, sizeof uid, "00000000-0000-4000-8000-%012llx", (unsigned long long)++l->uids);
    if (es_obj_set(object, json_string(uid), "metadata", "uid") < 0)
        return ES_E_NOMEM;
    return es_obj_set(object, json_string(es_time_format(es_unix_ms(), now)), "metadata",
                      "creationTimestamp");
}

static int insert_locked(struct es_local *l, const struct es_kind *kind, json_t *object, struct record **ret)
{
    struct record *r = calloc(1, sizeof *r);

    if (json_object_get(object, "spec") &&
        es_obj_set(object, json_integer(1), "metadata", "generation") < 0) {
        free(r);
        return ES_E_NOMEM;
    }
    if (r)
        r->key = record_key(kind, es_obj_namespace(object), es_obj_name(object));
    if (r)
        r->kind = es_kind_set_put(&l->kinds, kind);
    if (!r || !r->key || !r->kind || stamp_locked(l, object) < 0 ||
        es_map_put(&l->map, r->key, r, NULL) < 0) {
        record_free(r);
        return ES_E_NOMEM;
    }
    r->object = json_incref(object);
    *ret = r;
    return 0;
}

/* Replaces the tree of a record by `object`, which is borrowed. */
static int replace_locked(struct es_local *l, struct record *r, json_t *object)
{
    bool spec_changed = !json_equal(json_object_get(object, "spec"), json_object_get(r->object, "spec"));
    int64_t generation = es_obj_int(r->object, "metadata", "generation") + spec_changed;

    if (stamp_locked(l, object) < 0)
        return ES_E_NOMEM;
    if (json_object_get(object, "spec") &&
        es_obj_set(object, json_integer(generation ? generation : 1), "metadata", "generation") < 0)
        return ES_E_NOMEM;
    json_incref(object);
    json_decref(r->object);
    r->object = object;
    return 0;
}

static int delete_locked(struct es_local *l, struct record *r);

static bool is_owned_by(const json_t *object, const char *uid)
{
    json_t *ref;
    size_t i;

    json_array_foreach (es_obj_at(object, "metadata", "ownerReferences"), i, ref)
        if (es_streq(es_obj_str(ref, "uid"), uid))
            return true;
    return false;
}

/* What the garbage collector of a cluster does: dependents follow their owner. */
static void collect_dependents_locked(struct es_local *l, const char *uid)
{
    struct record *r;

    for (size_t pos = 0; (r = es_map_next(&l->map, &pos));)
        if (is_owned_by(r->object, uid) && !es_obj_deleting(r->object)) {
            if (delete_locked(l, r) < 0)
                return;
            pos = 0; /* the map may have changed */
        }
}

static void remove_locked(struct es_local *l, struct record *r)
{
    stamp_locked(l, r->object);
    es_map_remove(&l->map, r->key);
    note_locked(l, r, ES_WATCH_GONE);
    collect_dependents_locked(l, es_obj_str(r->object, "metadata", "uid"));
    record_free(r);
}

/* At once, or when the last finalizer is gone. */
static int delete_locked(struct es_local *l, struct record *r)
{
    char now[ES_TIME_TEXT_MAX];

    if (!json_array_size(es_obj_at(r->object, "metadata", "finalizers"))) {
        remove_locked(l, r);
        return 0;
    }
    if (es_obj_deleting(r->object))
        return 0;
    es_time_format(es_unix_ms(), now);
    if (es_obj_set(r->object, json_string(now), "metadata", "deletionTimestamp") < 0 ||
        stamp_locked(l, r->object) < 0)
        return ES_E_NOMEM;
    note_locked(l, r, ES_WATCH_SET);
    return 0;
}

/* After every write: an object in deletion goes with its last finalizer. */
static void settle_locked(struct es_local *l, struct record *r)
{
    if (es_obj_deleting(r->object) && !json_array_size(es_obj_at(r->object, "metadata", "finalizers")))
        remove_locked(l, r);
    else
        note_locked(l, r, ES_WATCH_SET);
}

/* ---- the house ---- */

static int refuse_if_stopped_locked(const struct es_local *l, struct es_error *err)
{
    return l->stopped ? es_error_set(err, ES_E_CANCELLED, "stopped") : 0;
}

static int house_get(void *self, const struct es_kind *kind, const char *ns, const char *name, json_t **ret,
                     struct es_error *err)
{
    struct es_local *l = self;

    pthread_mutex_lock(&l->lock);
    struct record *r = find_locked(l, kind, ns, name);
    int rc = refuse_if_stopped_locked(l, err);
    json_t *copy = rc == 0 && r ? json_deep_copy(r->object) : NULL;
    pthread_mutex_unlock(&l->lock);
    if (rc < 0)
        return rc;
    if (!r)
        return not_found(kind, name, err);
    if (!copy)
        return es_error_nomem(err);
    *ret = copy;
    return 0;
}

static int set_type_meta(json_t *object, const struct es_kind *kind, const char *ns)
{
    char api_version[128];

    if (es_obj_set(object, json_string(es_kind_api_version(kind, api_version)), "apiVersion") < 0 ||
        es_obj_set(object, json_string(kind->kind), "kind") < 0)
        return ES_E_NOMEM;
    return kind->namespaced ? es_obj_set(object, json_string(ns), "metadata", "namespace")
                            : es_obj_unset(object, "metadata", "namespace");
}

/* A caller may send a copy of another object; who it is, the server says. */
static void drop_identity(json_t *object)
{
    static const char *const fields[] = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
                                         "managedFields"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        es_obj_unset(object, "metadata", fields[i]);
}

static int house_create(void *self, const struct es_kind *kind, const char *ns, const json_t *obj,
                        const char *manager, json_t **ret, struct es_error *err)
{
    struct es_local *l = self;
    struct record *r = NULL;
    json_t *object = json_deep_copy(obj);
    const char *name = es_obj_name(obj);

    drop_identity(object);
    pthread_mutex_lock(&l->lock);
    int rc = refuse_if_stopped_locked(l, err);
    if (rc == 0 && find_locked(l, kind, ns, name))
        rc = es_error_set(err, ES_E_EXISTS, "%s \"%s\" already exists", kind->plural, name);
    if (rc == 0 &&
        (!object || set_type_meta(object, kind, ns) < 0 ||
         es_managed_fields_update(object, NULL, manager) < 0 || insert_locked(l, kind, object, &r) < 0))
        rc = es_error_nomem(err);
    if (rc == 0) {
        note_locked(l, r, ES_WATCH_SET);
        if (ret)
            *ret = json_deep_copy(r->object);
    }
    json_decref(object); /* the record's too, so under its lock */
    pthread_mutex_unlock(&l->lock);
    publish(l);
    return rc;
}

/* Finds the record and checks what the caller believes about it. */
static int find_checked_locked(struct es_local *l, const struct es_kind *kind, const char *ns,
                               const char *name, const json_t *metadata, struct record **ret,
                               struct es_error *err)
{
    const char *rv = es_obj_str(metadata, "resourceVersion"), *uid = es_obj_str(metadata, "uid");
    int rc = refuse_if_stopped_locked(l, err);

    if (rc < 0)
        return rc;
    struct record *r = find_locked(l, kind, ns, name);
    if (!r)
        return not_found(kind, name, err);
    if (*uid && !es_streq(uid, es_obj_str(r->object, "metadata", "uid")))
        return conflict(kind, name, "Precondition failed: the object is another one now (uid)", err);
    if (*rv && !es_streq(rv, es_obj_str(r->object, "metadata", "resourceVersion")))
        return conflict(kind, name,
                        "the object has been modified; please apply your changes to the latest version", err);
    *ret = r;
    return 0;
}

/* Members that only the server writes stay as they are. */
static int keep_server_fields(json_t *object, const json_t *old)
{
    static const char *const fields[] = {"uid", "creationTimestamp", "generation", "deletionTimestamp",
                                         "managedFields"};

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        json_t *value = es_obj_at(old, "metadata", fields[i]);
        if (value && es_obj_set(object, json_deep_copy(value), "metadata", fields[i]) < 0)
            return ES_E_NOMEM;
    }
    return 0;
}

/* `object` (a copy of ours) becomes the record's state. */
static int write_locked(struct es_local *l, struct record *r, json_t *object, const char *manager,
                        json_t **ret, struct es_error *err)
{
    if (!object || keep_server_fields(object, r->object) < 0 ||
        es_managed_fields_update(object, r->object, manager) < 0 || replace_locked(l, r, object) < 0)
        return es_error_nomem(err);
    if (ret)
        *ret = json_deep_copy(r->object);
    settle_locked(l, r);
    return 0;
}

static int house_update(void *self, const struct es_kind *kind, const char *ns, const char *name,
                        const json_t *obj, const char *manager, json_t **ret, struct es_error *err)
{
    struct es_local *l = self;
    struct record *r = NULL;
    json_t *object = json_deep_copy(obj);

    pthread_mutex_lock(&l->lock);
    int rc = find_checked_locked(l, kind, ns, name, json_object_get(obj, "metadata"), &r, err);
    if (rc == 0 && object && set_type_meta(object, kind, ns) == 0)
        rc = write_locked(l, r, object, manager, ret, err);
    else if (rc == 0)
        rc = es_error_nomem(err);
    json_decref(object); /* the record's too, so under its lock */
    pthread_mutex_unlock(&l->lock);
    publish(l);
    return rc;
}

static int house_patch(void *self, const struct es_kind *kind, const char *ns, const char *name,
                       const char *subresource, const json_t *patch, const char *manager, json_t **ret,
                       struct es_error *err)
{
    struct es_local *l = self;
    struct record *r = NULL;
    json_t *object = NULL, *part = NULL;

    pthread_mutex_lock(&l->lock);
    int rc = find_checked_locked(l, kind, ns, name, json_object_get(patch, "metadata"), &r, err);
    if (rc == 0) {
        object = json_deep_copy(r->object);
        /* A subresource takes its own member and leaves the rest alone. */
        part = subresource ? json_pack("{s:O*}", subresource, json_object_get(patch, subresource))
                           : json_deep_copy(patch);
        if (!object || !part || es_json_merge_patch(object, part) < 0)
            rc = es_error_nomem(err);
        else
            rc = write_locked(l, r, object, manager, ret, err);
    }
    json_decref(part);
    json_decref(object); /* the record's too, so under its lock */
    pthread_mutex_unlock(&l->lock);
    publish(l);
    return rc;
}

static int house_remove(void *self, const struct es_kind *kind, const char *ns, const char *name,
                        const char *uid, struct es_error *err)
{
    struct es_local *l = self;
    struct record *r = NULL;
    json_t *precondition = uid ? json_pack("{s:s}", "uid", uid) : NULL;

    pthread_mutex_lock(&l->lock);
    int rc = find_checked_locked(l, kind, ns, name, precondition, &r, err);
    if (rc == 0 && delete_locked(l, r) < 0)
        rc = es_error_nomem(err);
    pthread_mutex_unlock(&l->lock);
    json_decref(precondition);
    publish(l);
    return rc;
}

static int house_sa_token(void *self, const char *ns, const char *name, const json_t *request, json_t **ret,
                          struct es_error *err)
{
    (void)self;
    (void)ns;
    (void)request;
    (void)ret;
    return es_error_set(err, ES_E_UNSUPPORTED,
                        "a folder of manifests has no tokens for service account \"%s\"", name);
}

/* What there is of the cache's kind, as a list of changes. */
static struct change *list_locked(const struct es_local *l, const struct es_kind *kind)
{
    struct change *list = NULL;
    struct record *r;

    for (size_t pos = 0; (r = es_map_next(&l->map, &pos));) {
        struct change *c = es_kind_same(r->kind, kind) ? change_new(r, ES_WATCH_SET) : NULL;
        if (c) {
            c->next = list;
            list = c;
        }
    }
    return list;
}

static int house_list(void *self, const struct es_kind *kind, const char *ns, const json_t *selector,
                      json_t **ret_items, struct es_error *err)
{
    struct es_local *l = self;
    json_t *items = json_array();
    struct record *r;
    int rc = 0;

    pthread_mutex_lock(&l->lock);
    for (size_t pos = 0; rc >= 0 && (r = es_map_next(&l->map, &pos));) {
        if (!es_kind_same(r->kind, kind) || (*ns && !es_streq(es_obj_namespace(r->object), ns)))
            continue;
        rc =
            selector ? es_label_selector_match(selector, es_obj_at(r->object, "metadata", "labels"), err) : 1;
        if (rc == 1 && json_array_append_new(items, json_deep_copy(r->object)) < 0)
            rc = es_error_nomem(err);
    }
    pthread_mutex_unlock(&l->lock);
    if (rc < 0) {
        json_decref(items);
        return rc;
    }
    *ret_items = items;
    return 0;
}

static int house_watch(void *self, struct es_cache *cache, struct es_error *err)
{
    struct es_local *l = self;
    struct es_watch_sink sink = es_cache_sink(cache);

    pthread_mutex_lock(&l->lock);
    if (l->cache_count == CACHES_MAX) {
        pthread_mutex_unlock(&l->lock);
        return es_error_set(err, ES_E_INTERNAL, "more than %d watches", CACHES_MAX);
    }
    while (!begin_telling_locked(l, UINT64_MAX))
        ;
    tell_pending_locked(l);
    struct change *list = list_locked(l, es_cache_opts_of(cache)->kind);
    l->caches[l->cache_count] = cache;
    l->sinks[l->cache_count++] = sink;
    pthread_mutex_unlock(&l->lock);
    sink.restart(sink.ctx);
    while (list) {
        struct change *next = list->next;
        tell(cache, &sink, list->event, list->object);
        change_free(list);
        list = next;
    }
    sink.synced(sink.ctx);
    pthread_mutex_lock(&l->lock);
    tell_pending_locked(l); /* what changed since the list */
    end_telling_locked(l);
    pthread_mutex_unlock(&l->lock);
    return 0;
}

/* Waits until nobody tells, which is the only time when the list may change. */
static void house_unwatch(void *self, struct es_cache *cache)
{
    struct es_local *l = self;

    pthread_mutex_lock(&l->lock);
    while (!begin_telling_locked(l, UINT64_MAX))
        ;
    tell_pending_locked(l);
    for (size_t i = 0; i < l->cache_count; i++)
        if (l->caches[i] == cache) {
            l->cache_count--;
            l->caches[i] = l->caches[l->cache_count];
            l->sinks[i] = l->sinks[l->cache_count];
        }
    end_telling_locked(l);
    pthread_mutex_unlock(&l->lock);
}

/* A folder has no definitions to look up. What esod does not know by itself it
 * takes for a namespaced resource with the plural that most have. */
static int house_resolve(void *self, const char *api_version, const char *kind, const struct es_kind **ret,
                         struct es_error *err)
{
    struct es_local *l = self;
    char group[ES_API_NAME_MAX], version[ES_API_NAME_MAX], plural[2 * ES_API_NAME_MAX];
    const struct es_kind *known = es_kind_find(api_version, kind);

    if (!es_kind_split(api_version, group, version))
        return es_error_set(err, ES_E_INVALID, "apiVersion \"%.100s\" is none", api_version);
    int n = snprintf(plural, sizeof plural, "%ss", kind);
    for (int i = 0; i < n && i < (int)sizeof plural; i++)
        plural[i] = (char)tolower((unsigned char)plural[i]);
    struct es_kind guess = {group, version, plural, kind, true, ES_HOLDS_PLAIN};
    pthread_mutex_lock(&l->lock);
    const struct es_kind *own = es_kind_set_put(&l->kinds, known ? known : &guess);
    pthread_mutex_unlock(&l->lock);
    if (!own)
        return es_error_nomem(err);
    *ret = own;
    return 0;
}

static void house_stop(void *self)
{
    struct es_local *l = self;
    pthread_mutex_lock(&l->lock);
    l->stopped = true;
    pthread_mutex_unlock(&l->lock);
}

static void house_free(void *self)
{
    struct es_local *l = self;
    struct record *r;

    for (size_t pos = 0; (r = es_map_next(&l->map, &pos));)
        record_free(r);
    es_map_fini(&l->map);
    es_kind_set_fini(&l->kinds);
    pthread_cond_destroy(&l->progress);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static const struct es_house local_house = {
    .get = house_get,
    .list = house_list,
    .create = house_create,
    .update = house_update,
    .patch = house_patch,
    .remove = house_remove,
    .sa_token = house_sa_token,
    .resolve = house_resolve,
    .watch = house_watch,
    .unwatch = house_unwatch,
    .stop = house_stop,
    .free = house_free,
};

int es_cluster_new_local(struct es_cluster **ret, struct es_local **ret_local, struct es_error *err)
{
    struct es_local *l = calloc(1, sizeof *l);

    if (!l)
        return es_error_nomem(err);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->progress, NULL);
    l->pending_tail = &l->pending;
    int rc = es_cluster_new(ret, &local_house, l, err);
    if (rc == 0)
        *ret_local = l;
    return rc;
}

/* ---- the folder's side ---- */

/* Applied text replaces what was applied before; status and what the server and
 * the controllers added to the metadata stay. */
static int merge_applied(json_t *object, const json_t *old)
{
    json_t *status = json_object_get(old, "status");
    json_t *finalizers = es_obj_at(old, "metadata", "finalizers");

    if (status && json_object_set_new(object, "status", json_deep_copy(status)) < 0)
        return ES_E_NOMEM;
    if (finalizers && es_obj_set(object, json_deep_copy(finalizers), "metadata", "finalizers") < 0)
        return ES_E_NOMEM;
    return 0;
}

int es_local_apply(struct es_local *l, const json_t *applied, struct es_error *err)
{
    const struct es_kind *kind = es_kind_find(es_obj_str(applied, "apiVersion"), es_obj_str(applied, "kind"));
    json_t *object = json_deep_copy(applied);
    const char *ns = *es_obj_namespace(applied) ? es_obj_namespace(applied) : "default";
    int rc = 0;

    if (!kind) {
        json_decref(object);
        return es_error_set(err, ES_E_UNSUPPORTED, "objects of kind %s are not used",
                            es_obj_str(applied, "kind"));
    }
    pthread_mutex_lock(&l->lock);
    struct record *r = find_locked(l, kind, ns, es_obj_name(applied));
    if (!object || set_type_meta(object, kind, ns) < 0 || (r && merge_applied(object, r->object) < 0))
        rc = es_error_nomem(err);
    else if (r)
        rc = write_locked(l, r, object, "kubectl", NULL, err);
    else if (es_managed_fields_update(object, NULL, "kubectl") < 0 || insert_locked(l, kind, object, &r) < 0)
        rc = es_error_nomem(err);
    else
        note_locked(l, r, ES_WATCH_SET);
    json_decref(object); /* the record's too, so under its lock */
    pthread_mutex_unlock(&l->lock);
    publish(l);
    return rc;
}

int es_local_delete(struct es_local *l, const struct es_kind *kind, const char *ns, const char *name,
                    struct es_error *err)
{
    return house_remove(l, kind, ns, name, NULL, err);
}

static int order_by_key(const void *a, const void *b)
{
    return strcmp((*(const struct record *const *)a)->key, (*(const struct record *const *)b)->key);
}

void es_local_each(struct es_local *l, const struct es_kind *kind,
                   bool (*each)(void *ctx, const json_t *object), void *ctx)
{
    struct record *r;
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    struct record **list = calloc(l->map.count + 1, sizeof(struct record *));
    for (size_t pos = 0; list && (r = es_map_next(&l->map, &pos));)
        if (es_kind_same(r->kind, kind))
            list[n++] = r;
    if (list)
        qsort(list, n, sizeof(struct record *), order_by_key);
    for (size_t i = 0; i < n; i++)
        if (!each(ctx, list[i]->object))
            break;
    pthread_mutex_unlock(&l->lock);
    free(list);
}

uint64_t es_local_revision(struct es_local *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t revision = l->revision;
    pthread_mutex_unlock(&l->lock);
    return revision;
}
