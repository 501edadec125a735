#include "core/cluster/cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/index.h"
#include "core/cluster/pack.h"
#include "core/cluster/writes.h"
#include "core/kube/obj.h"

/* An object takes one allocation: behind its terms follow key, version and what
 * is kept of its text. There are as many of these as objects in the cluster, so
 * every byte counts. */
struct entry {
    struct es_marks marks;
    uint64_t note;
    uint32_t epoch;    /* of the last full list that had it */
    uint32_t text_len; /* of the text itself */
    uint32_t kept_len; /* of what is kept: less when it is packed */
    uint16_t key_size; /* with the NUL, as is the next */
    uint8_t rv_size;
    uint8_t link_count;
    struct es_link links[]; /* one for each term */
};

_Static_assert(ES_TERMS_MAX <= UINT8_MAX, "an entry counts its links in a byte");

struct es_terms {
    size_t count;
    uint64_t hash[ES_TERMS_MAX];
};

struct es_cache {
    struct es_cache_opts opts;
    struct es_pack *pack;     /* NULL: texts are kept as they are */
    struct es_writes *writes; /* or NULL */
    pthread_mutex_t lock;     /* guards all fields below */
    struct es_map map;        /* key -> entry */
    struct es_index index;    /* term -> entries */
    uint32_t epoch;
    bool listing, synced;
    char *seen_rv; /* newest resourceVersion that the watch has brought */
    struct es_error trouble;
};

void es_terms_add(struct es_terms *t, const char *term)
{
    uint64_t h = es_term_of(term);

    for (size_t i = 0; i < t->count; i++)
        if (t->hash[i] == h)
            return;
    if (t->count < ES_TERMS_MAX)
        t->hash[t->count++] = h;
}

/* ---- entries ---- */

static char *entry_tail(struct entry *e)
{
    return (char *)&e->links[e->link_count];
}

static const char *entry_key(const struct entry *e)
{
    return (const char *)&e->links[e->link_count];
}

static const char *entry_rv(const struct entry *e)
{
    return entry_key(e) + e->key_size;
}

static const char *entry_kept(const struct entry *e)
{
    return entry_rv(e) + e->rv_size;
}

/* What is to be stored, before it has its place. */
struct parts {
    const char *key, *rv, *kept;
    size_t kept_len, text_len, link_count;
};

/* NULL without memory, or for what no API server sends: a version of more than
 * 250 characters. */
static struct entry *entry_new(const struct parts *p)
{
    size_t key_size = strlen(p->key) + 1, rv_size = strlen(p->rv) + 1;

    if (key_size > UINT16_MAX || rv_size > UINT8_MAX || p->text_len > UINT32_MAX)
        return NULL;
    struct entry *e = malloc(sizeof *e + p->link_count * sizeof *e->links + key_size + rv_size + p->kept_len);
    if (!e)
        return NULL;
    *e = (struct entry){.text_len = (uint32_t)p->text_len,
                        .kept_len = (uint32_t)p->kept_len,
                        .key_size = (uint16_t)key_size,
                        .rv_size = (uint8_t)rv_size,
                        .link_count = (uint8_t)p->link_count};
    memcpy(entry_tail(e), p->key, key_size);
    memcpy(entry_tail(e) + key_size, p->rv, rv_size);
    memcpy(entry_tail(e) + key_size + rv_size, p->kept, p->kept_len);
    return e;
}

/* The entry for an object's text, not yet linked. */
static struct entry *entry_of(struct es_cache *c, struct parts parts, const char *text)
{
    char *packed = c->pack ? es_mem_alloc(parts.text_len) : NULL;

    parts.kept = packed;
    if (packed)
        parts.kept_len = es_pack_in(c->pack, text, parts.text_len, packed);
    if (!parts.kept_len) {
        parts.kept = text;
        parts.kept_len = parts.text_len;
    }
    struct entry *e = entry_new(&parts);
    es_mem_free(packed);
    return e;
}

/* The object again; NULL without memory. `kept` is a copy of the entry's, so
 * that no lock is held meanwhile. */
static json_t *parse_kept(struct es_cache *c, const char *kept, size_t kept_len, size_t text_len)
{
    if (kept_len == text_len)
        return json_loadb(kept, text_len, JSON_ALLOW_NUL, NULL);
    char *text = es_mem_alloc(text_len);
    json_t *object = NULL;
    if (text && es_pack_out(c->pack, kept, kept_len, text, text_len) == 0)
        object = json_loadb(text, text_len, JSON_ALLOW_NUL, NULL);
    es_mem_free(text);
    return object;
}

static void unlink_entry_locked(struct es_cache *c, struct entry *e)
{
    for (uint8_t i = 0; i < e->link_count; i++)
        es_index_remove(&c->index, &e->links[i]);
}

/* Store manifests may hold values in the clear (the fake provider's do). */
static void entry_free(struct entry *e)
{
    es_mem_free(e);
}

static int link_entry_locked(struct es_cache *c, struct entry *e, const struct es_terms *terms)
{
    void *old = NULL;
    uint8_t done = 0;

    for (; done < e->link_count; done++)
        if (es_index_add(&c->index, &e->links[done], terms->hash[done], done) < 0)
            goto fail;
    if (es_map_put(&c->map, entry_key(e), e, &old) < 0)
        goto fail;
    if (old) {
        unlink_entry_locked(c, old);
        entry_free(old);
    }
    return 0;
fail:
    for (uint8_t i = 0; i < done; i++)
        es_index_remove(&c->index, &e->links[i]);
    return ES_E_NOMEM;
}

/* Whose link it is: links stand in a row behind the entry's head. */
static const struct entry *entry_of_link(const struct es_link *link)
{
    const struct es_link *first = link - es_link_ordinal(link);
    return (const struct entry *)((const char *)first - offsetof(struct entry, links));
}

/* ---- life ---- */

int es_cache_new(struct es_cache **ret, const struct es_cache_opts *opts, struct es_error *err)
{
    struct es_cache *c = calloc(1, sizeof *c);
    if (!c)
        return es_error_nomem(err);
    c->opts = *opts;
    if (opts->packed && !(c->pack = es_pack_new())) {
        free(c);
        return es_error_nomem(err);
    }
    pthread_mutex_init(&c->lock, NULL);
    *ret = c;
    return 0;
}

void es_cache_free(struct es_cache *c)
{
    if (!c)
        return;
    struct entry *e;
    for (size_t pos = 0; (e = es_map_next(&c->map, &pos));)
        entry_free(e);
    es_map_fini(&c->map);
    es_index_fini(&c->index);
    es_mem_free(c->seen_rv);
    es_pack_free(c->pack);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct es_cache_opts *es_cache_opts_of(const struct es_cache *c)
{
    return &c->opts;
}

void es_cache_mind_writes(struct es_cache *c, struct es_writes *writes)
{
    c->writes = writes;
}

/* `term` is "key=value", "key!=value" (which fits without the key, too), or "key"
 * for any value. */
static bool fits_term(const json_t *labels, const char *term, size_t len)
{
    const char *eq = memchr(term, '=', len), *key;
    bool not = eq && eq > term && eq[-1] == '!';
    size_t key_len = eq ? (size_t)(eq - term) - not : len;
    size_t value_len = eq ? len - (size_t)(eq - term) - 1 : 0;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)labels, key, value)
        if (strlen(key) == key_len && memcmp(key, term, key_len) == 0)
            return !eq || (json_string_length(value) == value_len &&
                           memcmp(json_string_value(value), eq + 1, value_len) == 0) != not ;
    return not ;
}

bool es_cache_selects(const struct es_cache *c, const json_t *object)
{
    const json_t *labels = es_obj_at(object, "metadata", "labels");
    const char *term = c->opts.label_selector;

    while (term && *term) {
        size_t len = strcspn(term, ",");
        if (!fits_term(labels, term, len))
            return false;
        term += len + (term[len] == ',');
    }
    return true;
}

/* ---- storing ---- */

static struct es_marks marks_of(const struct es_cache *c, const json_t *kept, const char *rv)
{
    struct es_marks m = {0};
    if (c->opts.marks)
        c->opts.marks(kept, &m);
    else
        m.spec = es_hash64(rv, strlen(rv));
    return m;
}

static unsigned difference(const struct entry *old, const struct entry *new)
{
    if (!old)
        return ES_CHANGED_SPEC | ES_CHANGED_STATE;
    return (old->marks.spec != new->marks.spec ? ES_CHANGED_SPEC : 0) |
           (old->marks.state != new->marks.state ? ES_CHANGED_STATE : 0);
}

/* Drops what nobody reads from `object`, in place. */
static int digest(const struct es_cache *c, json_t **object)
{
    if (c->opts.digest)
        return c->opts.digest(object);
    json_t *metadata = json_object_get(*object, "metadata");
    json_object_del(metadata, "managedFields");
    return 0;
}

static void note_rv_locked(struct es_cache *c, const char *rv)
{
    if (!*rv || (c->seen_rv && es_rv_compare(c->seen_rv, rv) >= 0))
        return;
    char *copy = es_mem_strdup(rv);
    if (!copy)
        return;
    es_mem_free(c->seen_rv);
    c->seen_rv = copy;
}

/* Does the cache know something at least as new? A write's answer may arrive
 * after the watch has told of a later deletion; the newest version that the
 * watch has brought tells the two cases of a missing entry apart. */
static bool is_stale_locked(const struct es_cache *c, const struct entry *old, const char *rv,
                            bool from_watch)
{
    if (old)
        return es_rv_compare(entry_rv(old), rv) > 0 || (!from_watch && es_streq(entry_rv(old), rv));
    return !from_watch && c->seen_rv && es_rv_compare(rv, c->seen_rv) <= 0;
}

/* Returns what changed. `text` stands for `kept`. */
static unsigned store_text(struct es_cache *c, const char *key, const char *rv, const json_t *kept,
                           const char *text, size_t text_len, bool from_watch)
{
    struct es_terms terms = {0};
    unsigned result = 0;

    if (c->opts.index)
        c->opts.index(kept, &terms);
    struct entry *e = entry_of(
        c, (struct parts){.key = key, .rv = rv, .text_len = text_len, .link_count = terms.count}, text);
    if (!e)
        return 0; /* the next full list brings it again */
    e->marks = marks_of(c, kept, rv);

    pthread_mutex_lock(&c->lock);
    struct entry *old = es_map_get(&c->map, key);
    unsigned changed = difference(old, e);
    e->epoch = c->epoch;
    if (old && es_streq(entry_rv(old), rv))
        e->note = old->note; /* the watch repeats what a write's answer said */
    if (is_stale_locked(c, old, rv, from_watch)) {
        /* Only the list says what still exists: an answer that says nothing new may
         * be about an object that was deleted while the watch was away. */
        if (old && from_watch)
            old->epoch = c->epoch;
    } else if (link_entry_locked(c, e, &terms) == 0) {
        result = changed;
        e = NULL;
    }
    if (from_watch)
        note_rv_locked(c, rv);
    pthread_mutex_unlock(&c->lock);
    if (e)
        entry_free(e);
    return result;
}

static unsigned store(struct es_cache *c, const char *key, const char *rv, const json_t *kept,
                      bool from_watch)
{
    size_t len = 0;
    char *text = es_json_text(kept, &len);
    unsigned what = text ? store_text(c, key, rv, kept, text, len, from_watch) : 0;

    es_mem_free(text);
    return what;
}

static void notify(struct es_cache *c, const char *key, unsigned what, const json_t *kept)
{
    char ns[256];
    if (!c->opts.changed || !(what & ~ES_CHANGED_OWN))
        return;
    const char *name = es_key_split(key, ns);
    c->opts.changed(c->opts.ctx, ns, name, what, kept);
}

/* Takes the entry out, if `rv` (may be NULL) is not older than it. */
static struct entry *take_entry(struct es_cache *c, const char *key, const char *rv, bool from_watch)
{
    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e && rv && es_rv_compare(entry_rv(e), rv) > 0)
        e = NULL;
    if (e) {
        es_map_remove(&c->map, key);
        unlink_entry_locked(c, e);
    }
    if (from_watch)
        note_rv_locked(c, rv);
    pthread_mutex_unlock(&c->lock);
    return e;
}

static void announce_gone(struct es_cache *c, struct entry *e, unsigned what)
{
    json_t *last = parse_kept(c, entry_kept(e), e->kept_len, e->text_len);
    notify(c, entry_key(e), what, last);
    json_decref(last);
    entry_free(e);
}

static void keep(struct es_cache *c, enum es_watch_event event, json_t *object)
{
    char *key = es_obj_key(object);
    char *rv = es_mem_strdup(es_obj_str(object, "metadata", "resourceVersion"));
    json_t *kept = json_incref(object);
    int rc = 0;

    if (!key || !rv)
        goto out;
    if (event == ES_WATCH_SET)
        rc = digest(c, &kept);
    if (event == ES_WATCH_GONE || rc == 1) {
        struct entry *e = take_entry(c, key, rv, true);
        if (e)
            announce_gone(c, e, ES_CHANGED_GONE);
    } else if (rc == 0) {
        notify(c, key, store(c, key, rv, kept, true), kept);
    }
out:
    json_decref(kept);
    es_mem_free(key);
    es_mem_free(rv);
}

static void on_event(void *ctx, enum es_watch_event event, json_t *object)
{
    struct es_cache *c = ctx;
    const struct es_watch_sink *listener = c->opts.listener;

    if (listener)
        listener->event(listener->ctx, event, object);
    else
        keep(c, event, object);
}

/* Is this the version that is kept? Then the watch has told of it. */
static bool is_kept(struct es_cache *c, const char *key, const char *rv)
{
    bool known = false;

    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e && es_streq(entry_rv(e), rv)) {
        known = true;
        e->epoch = c->epoch;
        note_rv_locked(c, rv);
    }
    pthread_mutex_unlock(&c->lock);
    return known;
}

static bool on_known(void *ctx, const char *ns, const char *name, const char *rv)
{
    struct es_cache *c = ctx;
    char *key = es_key_of(ns, name);
    bool known = key && is_kept(c, key, rv);

    if (key && !known && c->writes && es_writes_wait(c->writes, c->opts.kind, ns, name))
        known = is_kept(c, key, rv);
    es_mem_free(key);
    return known;
}

static void on_restart(void *ctx)
{
    struct es_cache *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->epoch++;
    c->listing = true;
    pthread_mutex_unlock(&c->lock);
    if (c->opts.listener)
        c->opts.listener->restart(c->opts.listener->ctx);
}

/* The next entry from *pos on that the full list did not have, taken out; NULL:
 * none is left there. */
static struct entry *take_outdated(struct es_cache *c, size_t *pos)
{
    struct entry *e = NULL;

    pthread_mutex_lock(&c->lock);
    while ((e = es_map_next(&c->map, pos)))
        if (e->epoch != c->epoch)
            break;
    if (e) {
        es_map_remove(&c->map, entry_key(e));
        unlink_entry_locked(c, e);
        (*pos)--; /* what stood behind it has moved up */
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

/* Others write to the map between two steps, and may move an entry to where the
 * search has been. So it is over when a whole round has found nothing. */
static void drop_outdated(struct es_cache *c)
{
    bool found;

    do {
        struct entry *e;
        found = false;
        for (size_t pos = 0; (e = take_outdated(c, &pos)); found = true)
            announce_gone(c, e, ES_CHANGED_GONE);
    } while (found);
}

static void on_synced(void *ctx)
{
    struct es_cache *c = ctx;

    drop_outdated(c);
    pthread_mutex_lock(&c->lock);
    c->listing = false;
    c->synced = true;
    pthread_mutex_unlock(&c->lock);
    if (c->opts.listener)
        c->opts.listener->synced(c->opts.listener->ctx);
}

static void on_trouble(void *ctx, const struct es_error *err)
{
    struct es_cache *c = ctx;
    pthread_mutex_lock(&c->lock);
    c->trouble = err ? *err : (struct es_error)ES_ERROR_INIT;
    pthread_mutex_unlock(&c->lock);
}

struct es_watch_sink es_cache_sink(struct es_cache *c)
{
    return (struct es_watch_sink){.known = on_known,
                                  .restart = on_restart,
                                  .event = on_event,
                                  .synced = on_synced,
                                  .trouble = on_trouble,
                                  .ctx = c};
}

/* An answer says that the object is no longer one of those that are kept. */
static void put_out(struct es_cache *c, const char *key, const char *rv, bool silent)
{
    struct entry *e = take_entry(c, key, rv, false);

    if (e && silent)
        entry_free(e);
    else if (e)
        announce_gone(c, e, ES_CHANGED_GONE | ES_CHANGED_OWN);
}

void es_cache_put(struct es_cache *c, const json_t *object, bool silent)
{
    char *key = es_obj_key(object);
    /* Digests work in place and may take members out of the metadata. */
    json_t *kept = json_copy((json_t *)(uintptr_t)object);
    json_t *metadata = json_copy(json_object_get(object, "metadata"));
    const char *rv = es_obj_str(object, "metadata", "resourceVersion");
    bool ready = key && kept && metadata && json_object_set(kept, "metadata", metadata) == 0;
    int rc = ready ? digest(c, &kept) : ES_E_NOMEM;

    if (rc == 0) {
        unsigned what = store(c, key, rv, kept, false);
        if (!silent)
            notify(c, key, what | ES_CHANGED_OWN, kept);
    } else if (rc == 1) {
        put_out(c, key, rv, silent);
    }
    json_decref(metadata);
    json_decref(kept);
    es_mem_free(key);
}

void es_cache_put_text(struct es_cache *c, const json_t *object, const char *text, size_t len)
{
    if (c->opts.digest) {
        es_cache_put(c, object, false);
        return;
    }
    char *key = es_obj_key(object);
    if (key) {
        const char *rv = es_obj_str(object, "metadata", "resourceVersion");
        notify(c, key, store_text(c, key, rv, object, text, len, false) | ES_CHANGED_OWN, object);
    }
    es_mem_free(key);
}

void es_cache_remove(struct es_cache *c, const char *ns, const char *name, const char *uid)
{
    char *key = es_key_of(ns, name);
    json_t *kept = NULL;

    /* The same name may already stand for a successor, or come to do so while we
     * look at it. And what has finalizers is still there, to be cleaned up after. */
    if (key && es_cache_get(c, ns, name, &kept, NULL) == 0 &&
        !json_array_size(es_obj_at(kept, "metadata", "finalizers")) &&
        (!uid || es_streq(uid, es_obj_str(kept, "metadata", "uid")))) {
        struct entry *e =
            take_entry(c, key, uid ? es_obj_str(kept, "metadata", "resourceVersion") : NULL, false);
        if (e)
            entry_free(e);
    }
    json_decref(kept);
    es_mem_free(key);
}

/* ---- reading ---- */

int es_cache_get(struct es_cache *c, const char *ns, const char *name, json_t **ret, struct es_error *err)
{
    char *key = es_key_of(ns, name);
    char *kept = NULL;
    size_t kept_len = 0, text_len = 0;
    bool found = false;

    if (!key)
        return es_error_nomem(err);
    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e) {
        found = true;
        kept_len = e->kept_len;
        text_len = e->text_len;
        kept = es_mem_alloc(kept_len);
        if (kept)
            memcpy(kept, entry_kept(e), kept_len);
    }
    pthread_mutex_unlock(&c->lock);
    es_mem_free(key);
    if (!found) {
        const char *group = c->opts.kind->group;
        return es_error_set(err, ES_E_NOT_FOUND, "%s%s%s \"%s\" not found", c->opts.kind->kind,
                            *group ? "." : "", group, name);
    }
    json_t *object = kept ? parse_kept(c, kept, kept_len, text_len) : NULL;
    es_mem_free(kept);
    if (!object)
        return es_error_nomem(err);
    *ret = object;
    return 0;
}

bool es_cache_rv(struct es_cache *c, const char *ns, const char *name, char out[ES_RV_MAX])
{
    char *key = es_key_of(ns, name);
    bool found = false;

    if (!key)
        return false;
    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e)
        found = snprintf(out, ES_RV_MAX, "%s", entry_rv(e)) < ES_RV_MAX;
    pthread_mutex_unlock(&c->lock);
    es_mem_free(key);
    return found;
}

/* Sets the note of that version if `set`, and returns what it is then. */
static uint64_t note_of(struct es_cache *c, const char *ns, const char *name, const char *rv, bool set,
                        uint64_t note)
{
    char *key = es_key_of(ns, name);
    uint64_t result = 0;

    if (!key)
        return 0;
    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e && es_streq(entry_rv(e), rv)) {
        if (set)
            e->note = note;
        result = e->note;
    }
    pthread_mutex_unlock(&c->lock);
    es_mem_free(key);
    return result;
}

void es_cache_note(struct es_cache *c, const char *ns, const char *name, const char *rv, uint64_t note)
{
    note_of(c, ns, name, rv, true, note);
}

uint64_t es_cache_noted(struct es_cache *c, const char *ns, const char *name, const char *rv)
{
    return note_of(c, ns, name, rv, false, 0);
}

struct key_list {
    char **keys;
    size_t count, cap;
    bool failed;
};

static void key_list_add(struct key_list *l, const char *key)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        char **keys = realloc(l->keys, cap * sizeof *keys);
        if (!keys) {
            l->failed = true;
            return;
        }
        l->keys = keys;
        l->cap = cap;
    }
    char *copy = es_mem_strdup(key);
    if (copy)
        l->keys[l->count++] = copy;
    else
        l->failed = true;
}

static int key_list_run(struct key_list *l, void (*fn)(void *ctx, const char *ns, const char *name),
                        void *ctx)
{
    char ns[256];
    int rc = l->failed ? ES_E_NOMEM : 0;

    for (size_t i = 0; i < l->count; i++) {
        const char *name = es_key_split(l->keys[i], ns);
        fn(ctx, ns, name);
        es_mem_free(l->keys[i]);
    }
    free(l->keys);
    return rc;
}

int es_cache_each(struct es_cache *c, const char *term,
                  void (*fn)(void *ctx, const char *ns, const char *name), void *ctx)
{
    struct key_list list = {0};
    uint64_t h = es_term_of(term);

    pthread_mutex_lock(&c->lock);
    for (const struct es_link *link = es_index_first(&c->index, h); link; link = link->next)
        key_list_add(&list, entry_key(entry_of_link(link)));
    pthread_mutex_unlock(&c->lock);
    return key_list_run(&list, fn, ctx);
}

bool es_cache_has_other(struct es_cache *c, const char *term, const char *ns, const char *name)
{
    char *key = es_key_of(ns, name);
    uint64_t h = es_term_of(term);
    bool other = false;

    pthread_mutex_lock(&c->lock);
    for (const struct es_link *l = key ? es_index_first(&c->index, h) : NULL; l && !other; l = l->next)
        other = !es_streq(entry_key(entry_of_link(l)), key);
    pthread_mutex_unlock(&c->lock);
    es_mem_free(key);
    return other;
}

int es_cache_each_all(struct es_cache *c, void (*fn)(void *ctx, const char *ns, const char *name), void *ctx)
{
    struct key_list list = {0};
    struct entry *e;

    pthread_mutex_lock(&c->lock);
    for (size_t pos = 0; (e = es_map_next(&c->map, &pos));)
        key_list_add(&list, entry_key(e));
    pthread_mutex_unlock(&c->lock);
    return key_list_run(&list, fn, ctx);
}

size_t es_cache_count(struct es_cache *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->map.count;
    pthread_mutex_unlock(&c->lock);
    return n;
}

bool es_cache_synced(struct es_cache *c)
{
    pthread_mutex_lock(&c->lock);
    bool synced = c->synced;
    pthread_mutex_unlock(&c->lock);
    return synced;
}

bool es_cache_trouble(struct es_cache *c, struct es_error *err)
{
    pthread_mutex_lock(&c->lock);
    bool trouble = c->trouble.code != 0;
    if (trouble && err)
        *err = c->trouble;
    pthread_mutex_unlock(&c->lock);
    return trouble;
}
