#include "core/cluster/cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

/* An object takes one allocation: the key, its terms and the text follow. */
struct entry {
    struct es_marks marks;
    uint64_t note;
    uint32_t epoch; /* of the last full list that had it */
    uint32_t term_count;
    size_t text_len;
    const char *key, *rv, *text;
    uint64_t terms[];
};

struct es_terms {
    size_t count;
    uint64_t hash[ES_TERMS_MAX];
};

/* Term -> entries, as pairs in one open table: a cache of a hundred thousand
 * objects pays 32 bytes a term. A 64-bit hash stands for the term's text; what
 * a false match would cost is one needless pass. */
struct pair {
    uint64_t term; /* 0: free */
    struct entry *entry;
};

struct index {
    struct pair *pairs;
    size_t count, cap;
};

struct es_cache {
    struct es_cache_opts opts;
    pthread_mutex_t lock; /* guards all fields below */
    struct es_map map;    /* key -> entry */
    struct index index;
    uint32_t epoch;
    bool listing, synced;
    char *seen_rv; /* newest resourceVersion that the watch has brought */
    struct es_error trouble;
};

/* ---- terms and index ---- */

static uint64_t term_hash(const char *term)
{
    uint64_t h = es_hash64(term, strlen(term));
    return h ? h : 1;
}

void es_terms_add(struct es_terms *t, const char *term)
{
    uint64_t h = term_hash(term);

    for (size_t i = 0; i < t->count; i++)
        if (t->hash[i] == h)
            return;
    if (t->count < ES_TERMS_MAX)
        t->hash[t->count++] = h;
}

static void index_insert(struct index *x, struct pair p)
{
    size_t i = p.term & (x->cap - 1);
    while (x->pairs[i].term)
        i = (i + 1) & (x->cap - 1);
    x->pairs[i] = p;
}

static int index_add(struct index *x, uint64_t term, struct entry *e)
{
    if (x->count + 1 > x->cap / 4 * 3) {
        size_t cap = x->cap ? x->cap * 2 : 64;
        struct index grown = {.pairs = calloc(cap, sizeof *grown.pairs), .count = x->count, .cap = cap};
        if (!grown.pairs)
            return ES_E_NOMEM;
        for (size_t i = 0; i < x->cap; i++)
            if (x->pairs[i].term)
                index_insert(&grown, x->pairs[i]);
        free(x->pairs);
        *x = grown;
    }
    index_insert(x, (struct pair){term, e});
    x->count++;
    return 0;
}

static void index_remove(struct index *x, uint64_t term, const struct entry *e)
{
    if (!x->cap)
        return;
    size_t mask = x->cap - 1, i = term & mask;
    while (x->pairs[i].term && !(x->pairs[i].term == term && x->pairs[i].entry == e))
        i = (i + 1) & mask;
    if (!x->pairs[i].term)
        return;
    /* Close the gap, so that probing needs no tombstones. */
    for (size_t j = (i + 1) & mask; x->pairs[j].term; j = (j + 1) & mask) {
        size_t home = x->pairs[j].term & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            x->pairs[i] = x->pairs[j];
            i = j;
        }
    }
    x->pairs[i] = (struct pair){0};
    x->count--;
}

/* ---- entries ---- */

static struct entry *entry_new(const char *key, const char *rv, const char *text, size_t text_len,
                               const struct es_terms *terms)
{
    size_t key_size = strlen(key) + 1, rv_size = strlen(rv) + 1;
    size_t head = sizeof(struct entry) + terms->count * sizeof(uint64_t);
    struct entry *e = malloc(head + key_size + rv_size + text_len + 1);
    if (!e)
        return NULL;
    char *p = (char *)e + head;
    *e = (struct entry){.term_count = (uint32_t)terms->count, .text_len = text_len};
    memcpy(e->terms, terms->hash, terms->count * sizeof(uint64_t));
    e->key = memcpy(p, key, key_size);
    e->rv = memcpy(p + key_size, rv, rv_size);
    e->text = memcpy(p + key_size + rv_size, text, text_len);
    p[key_size + rv_size + text_len] = '\0';
    return e;
}

static void unlink_entry_locked(struct es_cache *c, struct entry *e)
{
    for (uint32_t i = 0; i < e->term_count; i++)
        index_remove(&c->index, e->terms[i], e);
}

/* Store manifests may hold values in the clear (the fake provider's do). */
static void entry_free(struct entry *e)
{
    es_mem_free(e);
}

static int link_entry_locked(struct es_cache *c, struct entry *e)
{
    void *old = NULL;
    uint32_t done = 0;

    for (; done < e->term_count; done++)
        if (index_add(&c->index, e->terms[done], e) < 0)
            goto fail;
    if (es_map_put(&c->map, e->key, e, &old) < 0)
        goto fail;
    if (old) {
        unlink_entry_locked(c, old);
        entry_free(old);
    }
    return 0;
fail:
    for (uint32_t i = 0; i < done; i++)
        index_remove(&c->index, e->terms[i], e);
    return ES_E_NOMEM;
}

/* ---- life ---- */

int es_cache_new(struct es_cache **ret, const struct es_cache_opts *opts, struct es_error *err)
{
    struct es_cache *c = calloc(1, sizeof *c);
    if (!c)
        return es_error_nomem(err);
    c->opts = *opts;
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
    free(c->index.pairs);
    es_mem_free(c->seen_rv);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

const struct es_cache_opts *es_cache_opts_of(const struct es_cache *c)
{
    return &c->opts;
}

/* `term` is "key=value", or "key" for any value. */
static bool has_label(const json_t *labels, const char *term, size_t len)
{
    const char *eq = memchr(term, '=', len), *key;
    size_t key_len = eq ? (size_t)(eq - term) : len;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)labels, key, value)
        if (strlen(key) == key_len && memcmp(key, term, key_len) == 0)
            return !eq || (json_string_length(value) == len - key_len - 1 &&
                           memcmp(json_string_value(value), eq + 1, len - key_len - 1) == 0);
    return false;
}

bool es_cache_selects(const struct es_cache *c, const json_t *object)
{
    const json_t *labels = es_obj_at(object, "metadata", "labels");
    const char *term = c->opts.label_selector;

    while (term && *term) {
        size_t len = strcspn(term, ",");
        if (!has_label(labels, term, len))
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
        return es_rv_compare(old->rv, rv) > 0 || (!from_watch && es_streq(old->rv, rv));
    return !from_watch && c->seen_rv && es_rv_compare(rv, c->seen_rv) <= 0;
}

/* Returns what changed. */
static unsigned store(struct es_cache *c, const char *key, const char *rv, const json_t *kept,
                      bool from_watch)
{
    struct es_terms terms = {0};
    size_t len = 0;
    unsigned result = 0;

    if (c->opts.index)
        c->opts.index(kept, &terms);
    char *text = es_json_text(kept, &len);
    struct entry *e = text ? entry_new(key, rv, text, len, &terms) : NULL;
    es_mem_free(text);
    if (!e)
        return 0; /* the next full list brings it again */
    e->marks = marks_of(c, kept, rv);

    pthread_mutex_lock(&c->lock);
    struct entry *old = es_map_get(&c->map, key);
    unsigned changed = difference(old, e);
    e->epoch = c->epoch;
    if (old && es_streq(old->rv, rv))
        e->note = old->note; /* the watch repeats what a write's answer said */
    if (is_stale_locked(c, old, rv, from_watch)) {
        /* Only the list says what still exists: an answer that says nothing new may
         * be about an object that was deleted while the watch was away. */
        if (old && from_watch)
            old->epoch = c->epoch;
    } else if (link_entry_locked(c, e) == 0) {
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
    if (e && rv && es_rv_compare(e->rv, rv) > 0)
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
    json_t *last = json_loadb(e->text, e->text_len, JSON_ALLOW_NUL, NULL);
    notify(c, e->key, what, last);
    json_decref(last);
    entry_free(e);
}

static void on_event(void *ctx, enum es_watch_event event, json_t *object)
{
    struct es_cache *c = ctx;
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

static bool on_known(void *ctx, const char *ns, const char *name, const char *rv)
{
    struct es_cache *c = ctx;
    char *key = es_key_of(ns, name);
    bool known = false;

    if (!key)
        return false;
    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e && es_streq(e->rv, rv)) {
        known = true;
        e->epoch = c->epoch;
        note_rv_locked(c, rv);
    }
    pthread_mutex_unlock(&c->lock);
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
}

/* One entry that the full list did not have, taken out; NULL when none is left. */
static struct entry *take_outdated(struct es_cache *c)
{
    struct entry *e = NULL;

    pthread_mutex_lock(&c->lock);
    for (size_t pos = 0; (e = es_map_next(&c->map, &pos));)
        if (e->epoch != c->epoch)
            break;
    if (e) {
        es_map_remove(&c->map, e->key);
        unlink_entry_locked(c, e);
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

static void on_synced(void *ctx)
{
    struct es_cache *c = ctx;
    struct entry *e;

    while ((e = take_outdated(c)))
        announce_gone(c, e, ES_CHANGED_GONE);
    pthread_mutex_lock(&c->lock);
    c->listing = false;
    c->synced = true;
    pthread_mutex_unlock(&c->lock);
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

void es_cache_remove(struct es_cache *c, const char *ns, const char *name, const char *uid)
{
    char *key = es_key_of(ns, name);
    json_t *kept = NULL;

    /* The same name may already stand for a successor, or come to do so while we
     * look at it. */
    if (key && es_cache_get(c, ns, name, &kept, NULL) == 0 &&
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
    char *text = NULL;
    size_t len = 0;
    bool found = false;

    if (!key)
        return es_error_nomem(err);
    pthread_mutex_lock(&c->lock);
    struct entry *e = es_map_get(&c->map, key);
    if (e) {
        found = true;
        len = e->text_len;
        text = es_mem_alloc(len + 1);
        if (text)
            memcpy(text, e->text, len + 1);
    }
    pthread_mutex_unlock(&c->lock);
    es_mem_free(key);
    if (!found) {
        const char *group = c->opts.kind->group;
        return es_error_set(err, ES_E_NOT_FOUND, "%s%s%s \"%s\" not found", c->opts.kind->kind,
                            *group ? "." : "", group, name);
    }
    json_t *object = text ? json_loadb(text, len, JSON_ALLOW_NUL, NULL) : NULL;
    es_mem_free(text);
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
        found = snprintf(out, ES_RV_MAX, "%s", e->rv) < ES_RV_MAX;
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
    if (e && es_streq(e->rv, rv)) {
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
    uint64_t h = term_hash(term);

    pthread_mutex_lock(&c->lock);
    if (c->index.cap)
        for (size_t i = h & (c->index.cap - 1); c->index.pairs[i].term; i = (i + 1) & (c->index.cap - 1))
            if (c->index.pairs[i].term == h)
                key_list_add(&list, c->index.pairs[i].entry->key);
    pthread_mutex_unlock(&c->lock);
    return key_list_run(&list, fn, ctx);
}

int es_cache_each_all(struct es_cache *c, void (*fn)(void *ctx, const char *ns, const char *name), void *ctx)
{
    struct key_list list = {0};
    struct entry *e;

    pthread_mutex_lock(&c->lock);
    for (size_t pos = 0; (e = es_map_next(&c->map, &pos));)
        key_list_add(&list, e->key);
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
